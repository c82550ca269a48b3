-- Distinct people by day.
SELECT date_trunc('day', ts) AS day, count(DISTINCT user_id) AS people
FROM touchpoints
GROUP BY 1
ORDER BY 1
