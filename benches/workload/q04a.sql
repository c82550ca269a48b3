-- Funnel of 4 steps: how many people had steps 1 to k one after the other within 7 days of a step 1. Any step 1 may
-- begin.
-- floor: user_id, ts, event
WITH people AS (
    SELECT
        window_funnel(
            INTERVAL '7 days', ts,
            event = 'page_view', event = 'add_to_cart', event = 'checkout', event = 'purchase'
        ) AS level
    FROM touchpoints
    WHERE event IN ('page_view', 'add_to_cart', 'checkout', 'purchase')
    GROUP BY user_id
),
levels AS (SELECT level, count(*) AS users FROM people GROUP BY level)
SELECT step, coalesce(sum(users), 0) AS users
FROM (VALUES (1), (2), (3), (4)) AS steps (step) LEFT JOIN levels ON level >= step
GROUP BY step
