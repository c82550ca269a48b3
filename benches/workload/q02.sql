-- Exact number of distinct people of each UTC day and channel.
-- floor: user_id, channel
SELECT day, channel, count(DISTINCT user_id) AS users
FROM touchpoints
GROUP BY day, channel
