SELECT exit_event, count(*) AS sessions
FROM journey.sessions
GROUP BY exit_event
ORDER BY sessions DESC
LIMIT 5;
