SELECT event, count(*) AS touchpoints, count(DISTINCT user_id) AS people
FROM touchpoints
WHERE event <> 'lost'
GROUP BY event
ORDER BY touchpoints DESC;
