-- Funnel of 8 steps within 30 days.
SELECT depth, count(*) AS people
FROM (
    SELECT
        user_id,
        window_funnel(
            INTERVAL '30 days', ts,
            event = 'page_view', event = 'search', event = 'product_view', event = 'add_to_cart',
            event = 'view_cart', event = 'checkout_start', event = 'purchase', event = 'nps_response'
        ) AS depth
    FROM touchpoints
    GROUP BY user_id
) AS people
GROUP BY depth
ORDER BY depth
