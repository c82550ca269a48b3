WITH people AS (
    SELECT user_id,
           window_funnel(INTERVAL '1 hour', ts,
                         event = 'catalog', event = 'cart', event = 'payment_done') AS level
    FROM touchpoints
    GROUP BY user_id
)
SELECT count(*) FILTER (WHERE level >= 1) AS catalog,
       count(*) FILTER (WHERE level >= 2) AS cart,
       count(*) FILTER (WHERE level >= 3) AS payment_done
FROM people;
