-- The funnel of q04a by the channel of each person's very first event, whatever event that is.
-- floor: user_id, ts, event, channel
SELECT
    first_channel,
    count(*) FILTER (WHERE level >= 1) AS step1,
    count(*) FILTER (WHERE level >= 2) AS step2,
    count(*) FILTER (WHERE level >= 3) AS step3,
    count(*) FILTER (WHERE level >= 4) AS step4
FROM (
    SELECT
        first_value(channel ORDER BY ts) AS first_channel,
        window_funnel(
            INTERVAL '7 days', ts,
            event = 'page_view', event = 'add_to_cart', event = 'checkout', event = 'purchase'
        ) AS level
    FROM touchpoints
    GROUP BY user_id
) AS people
GROUP BY first_channel
