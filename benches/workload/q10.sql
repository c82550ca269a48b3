-- Transitions between channels. Marketing touches are states, a purchase is (conversion) and ends the journey; the
-- first state of a journey comes from (start), the last touch of an open one goes to (null).
-- floor: user_id, ts, event, channel
SELECT source, target, count AS transitions
FROM transitions(
    (SELECT user_id, ts, event, channel FROM touchpoints
     WHERE event IN ('ad_view', 'ad_click', 'email_open', 'email_click', 'push_open', 'purchase')),
    node => channel, per => 'person', conversion => 'purchase'
)
