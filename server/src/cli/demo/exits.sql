WITH visits AS (
    SELECT event, ts, event_id,
           session_id(user_id, ts, gap => INTERVAL '30 minutes')
               OVER (PARTITION BY user_id ORDER BY ts, event_id) AS visit
    FROM touchpoints
), exits AS (
    SELECT last_value(event ORDER BY ts, event_id) AS exit_event
    FROM visits
    GROUP BY visit
)
SELECT exit_event, count(*) AS sessions
FROM exits
GROUP BY exit_event
ORDER BY sessions DESC
LIMIT 5;
