-- A chain that remembers two of sixty keys.
SELECT touch_key, conversions, removal_effect
FROM markov_attribution(
    (SELECT user_id, ts, event, revenue, channel || ' ' || date_part('day', ts) % 5 AS channel FROM touchpoints),
    order => 2, conversion => 'purchase', touch => event IN ('ad_click', 'email_click', 'push_open', 'page_view')
)
