-- Retention: of the people first seen on a day, how many were seen again 0 to 7 days later.
WITH active AS (
    SELECT DISTINCT user_id, ts::date AS seen FROM touchpoints
), first_seen AS (
    SELECT user_id, min(seen) AS first_day FROM active GROUP BY user_id
)
SELECT
    first_day,
    count(*) FILTER (WHERE seen = first_day) AS d0,
    count(*) FILTER (WHERE seen = first_day + INTERVAL '1 day') AS d1,
    count(*) FILTER (WHERE seen = first_day + INTERVAL '2 days') AS d2,
    count(*) FILTER (WHERE seen = first_day + INTERVAL '3 days') AS d3,
    count(*) FILTER (WHERE seen = first_day + INTERVAL '4 days') AS d4,
    count(*) FILTER (WHERE seen = first_day + INTERVAL '5 days') AS d5,
    count(*) FILTER (WHERE seen = first_day + INTERVAL '6 days') AS d6,
    count(*) FILTER (WHERE seen = first_day + INTERVAL '7 days') AS d7
FROM active JOIN first_seen USING (user_id)
GROUP BY first_day
ORDER BY first_day
