-- Sessions (30 minutes rule) by the channel of their first event.
SELECT entry_channel, count(*) AS sessions, avg(events) AS events, sum(revenue) AS revenue
FROM journey.sessions
GROUP BY entry_channel
ORDER BY sessions DESC, entry_channel
