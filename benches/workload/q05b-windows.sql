-- The funnel of q05a in a strict order of its eight events, other events being passed over: the search of a person ends
-- at the first step, counted from their first step 1, whose predecessor was not reached yet. A repeated step does not
-- end it, and a later step 1 begins anew. sN is the latest begin of a chain that has reached step N by this row.
-- floor: user_id, ts, event
WITH r0 AS (
    SELECT
        user_id, ts,
        CASE event
            WHEN 'page_view' THEN 1 WHEN 'search' THEN 2 WHEN 'product_view' THEN 3 WHEN 'add_to_cart' THEN 4
            WHEN 'view_cart' THEN 5 WHEN 'checkout' THEN 6 WHEN 'payment_info' THEN 7 WHEN 'purchase' THEN 8
        END AS step
    FROM touchpoints
    WHERE event IN (
        'page_view', 'search', 'product_view', 'add_to_cart', 'view_cart', 'checkout', 'payment_info', 'purchase'
    )
),
r1 AS (SELECT *, max(CASE WHEN step = 1 THEN ts END) OVER (PARTITION BY user_id ORDER BY ts) AS s1 FROM r0),
r2 AS (SELECT *, max(CASE WHEN step = 2 AND ts <= s1 + INTERVAL '7 days' THEN s1 END) OVER (PARTITION BY user_id ORDER BY ts) AS s2 FROM r1),
r3 AS (SELECT *, max(CASE WHEN step = 3 AND ts <= s2 + INTERVAL '7 days' THEN s2 END) OVER (PARTITION BY user_id ORDER BY ts) AS s3 FROM r2),
r4 AS (SELECT *, max(CASE WHEN step = 4 AND ts <= s3 + INTERVAL '7 days' THEN s3 END) OVER (PARTITION BY user_id ORDER BY ts) AS s4 FROM r3),
r5 AS (SELECT *, max(CASE WHEN step = 5 AND ts <= s4 + INTERVAL '7 days' THEN s4 END) OVER (PARTITION BY user_id ORDER BY ts) AS s5 FROM r4),
r6 AS (SELECT *, max(CASE WHEN step = 6 AND ts <= s5 + INTERVAL '7 days' THEN s5 END) OVER (PARTITION BY user_id ORDER BY ts) AS s6 FROM r5),
r7 AS (SELECT *, max(CASE WHEN step = 7 AND ts <= s6 + INTERVAL '7 days' THEN s6 END) OVER (PARTITION BY user_id ORDER BY ts) AS s7 FROM r6),
r8 AS (SELECT *, max(CASE WHEN step = 8 AND ts <= s7 + INTERVAL '7 days' THEN s7 END) OVER (PARTITION BY user_id ORDER BY ts) AS s8 FROM r7),
reached AS (
    SELECT
        user_id, step,
        CASE
            WHEN s8 IS NOT NULL THEN 8
            WHEN s7 IS NOT NULL THEN 7
            WHEN s6 IS NOT NULL THEN 6
            WHEN s5 IS NOT NULL THEN 5
            WHEN s4 IS NOT NULL THEN 4
            WHEN s3 IS NOT NULL THEN 3
            WHEN s2 IS NOT NULL THEN 2
            WHEN s1 IS NOT NULL THEN 1
            ELSE 0
        END AS level
    FROM r8
),
people AS (
    SELECT coalesce(min(level) FILTER (WHERE level >= 1 AND step > level + 1), max(level)) AS level
    FROM reached
    GROUP BY user_id
),
levels AS (SELECT level, count(*) AS users FROM people GROUP BY level)
SELECT steps.step, coalesce(sum(users), 0) AS users
FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8)) AS steps (step) LEFT JOIN levels ON level >= steps.step
GROUP BY steps.step
