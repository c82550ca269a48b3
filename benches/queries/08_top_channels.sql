-- Channels by revenue and people.
SELECT
    channel,
    count(*) AS events,
    count(DISTINCT user_id) AS people,
    sum(revenue) AS revenue,
    sum(cost) AS cost
FROM touchpoints
WHERE channel IS NOT NULL
GROUP BY channel
ORDER BY revenue DESC NULLS LAST, channel
LIMIT 10
