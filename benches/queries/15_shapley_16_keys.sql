-- Exact Shapley values of sixteen keys.
SELECT touch_key, shapley_value, conversions
FROM shapley_attribution(
    (SELECT user_id, ts, event, revenue, 'key ' || date_part('minute', ts) % 16 AS channel FROM touchpoints),
    conversion => 'purchase', touch => event IN ('ad_click', 'email_click', 'push_open')
)
