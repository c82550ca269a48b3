-- All events of one person by time. Runs once for each of 100 people: the text {user_id} is replaced.
SELECT event_id, ts, user_id, event, channel, campaign, page, device, country, revenue, cost, score
FROM touchpoints
WHERE user_id = '{user_id}'
ORDER BY ts
