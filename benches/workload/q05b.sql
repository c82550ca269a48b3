-- The funnel of q05a in a strict order of its eight events, other events being passed over: the search of a person ends
-- at the first step, counted from their first step 1, whose predecessor was not reached yet. A repeated step does not
-- end it, and a later step 1 begins anew.
-- floor: user_id, ts, event
WITH people AS (
    SELECT
        window_funnel(
            INTERVAL '7 days', 'strict_order, allow_restart', ts,
            event = 'page_view', event = 'search', event = 'product_view', event = 'add_to_cart',
            event = 'view_cart', event = 'checkout', event = 'payment_info', event = 'purchase'
        ) AS level
    FROM touchpoints
    WHERE event IN (
        'page_view', 'search', 'product_view', 'add_to_cart', 'view_cart', 'checkout', 'payment_info', 'purchase'
    )
    GROUP BY user_id
),
levels AS (SELECT level, count(*) AS users FROM people GROUP BY level)
SELECT step, coalesce(sum(users), 0) AS users
FROM (VALUES (1), (2), (3), (4), (5), (6), (7), (8)) AS steps (step) LEFT JOIN levels ON level >= step
GROUP BY step
