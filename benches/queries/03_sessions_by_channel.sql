-- Sessions (30 minutes rule) by the channel of their first event.
SELECT channel, count(*) AS sessions, avg(events) AS events, sum(revenue) AS revenue
FROM journey.sessions
GROUP BY channel
ORDER BY sessions DESC, channel
