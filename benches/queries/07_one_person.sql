-- Point lookup: the journey of one person. The runner puts a person of middling activity in place of {user_id}.
SELECT ts, event, channel, campaign, page, revenue
FROM touchpoints
WHERE user_id = '{user_id}'
ORDER BY ts, event_id
