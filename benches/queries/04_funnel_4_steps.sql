-- Funnel of 4 steps within 7 days: people by the furthest step they reached.
SELECT depth, count(*) AS people
FROM (
    SELECT
        user_id,
        window_funnel(
            INTERVAL '7 days', ts,
            event = 'page_view', event = 'product_view', event = 'add_to_cart', event = 'purchase'
        ) AS depth
    FROM touchpoints
    GROUP BY user_id
) AS people
GROUP BY depth
ORDER BY depth
