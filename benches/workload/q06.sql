-- Retention: people by the UTC day on which they were first seen, and how many of them had an event 0 to 7 days later.
-- The days on which a person was seen are the bits of one number.
-- floor: user_id
WITH people AS (
    SELECT min(day) AS first_day, bit_or(1::BIGINT << (day - DATE '2026-09-01')) AS days
    FROM touchpoints
    GROUP BY user_id
),
cohorts AS (SELECT first_day, days >> (first_day - DATE '2026-09-01') AS days, count(*) AS users FROM people GROUP BY 1, 2)
SELECT first_day, n, sum(users) AS users
FROM cohorts CROSS JOIN (VALUES (0), (1), (2), (3), (4), (5), (6), (7)) AS later (n)
WHERE (days >> n) & 1 = 1
GROUP BY first_day, n
