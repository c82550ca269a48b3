WITH months AS (
    SELECT DISTINCT user_id, date_trunc('month', ts) AS month
    FROM touchpoints
    WHERE event <> 'lost'
), cohorts AS (
    SELECT user_id, month, min(month) OVER (PARTITION BY user_id) AS first_month,
           max(month) OVER () AS last_month
    FROM months
)
SELECT to_char(first_month, '%Y-%m') AS first_month,
       count(DISTINCT user_id) AS people,
       CASE WHEN first_month + INTERVAL '1 month' <= max(last_month)
            THEN count(*) FILTER (WHERE month = first_month + INTERVAL '1 month') END AS after_1_month,
       CASE WHEN first_month + INTERVAL '2 months' <= max(last_month)
            THEN count(*) FILTER (WHERE month = first_month + INTERVAL '2 months') END AS after_2_months,
       CASE WHEN first_month + INTERVAL '3 months' <= max(last_month)
            THEN count(*) FILTER (WHERE month = first_month + INTERVAL '3 months') END AS after_3_months
FROM cohorts
GROUP BY first_month
ORDER BY first_month;
