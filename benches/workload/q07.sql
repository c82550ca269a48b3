-- The 20 most frequent beginnings of sessions: equal events in a row count once, the first five make the path. Of
-- equally frequent paths the one first in the alphabet comes first.
-- floor: user_id, ts, event
WITH numbered AS (
    SELECT user_id, ts, event, sessionize(ts, INTERVAL '30 minutes') OVER person AS session, lag(event) OVER person AS before
    FROM touchpoints
    WINDOW person AS (PARTITION BY user_id ORDER BY ts)
),
changes AS (
    SELECT user_id, ts, event, session, lag(session) OVER person AS session_before, before
    FROM numbered
    WINDOW person AS (PARTITION BY user_id ORDER BY ts)
),
pages AS (
    SELECT user_id, ts, event, session, session_before IS DISTINCT FROM session AS is_first
    FROM changes
    WHERE (session_before IS DISTINCT FROM session) OR before <> event
),
starts AS (
    SELECT
        is_first,
        event AS e1,
        CASE WHEN lead(session, 1) OVER person = session THEN lead(event, 1) OVER person END AS e2,
        CASE WHEN lead(session, 2) OVER person = session THEN lead(event, 2) OVER person END AS e3,
        CASE WHEN lead(session, 3) OVER person = session THEN lead(event, 3) OVER person END AS e4,
        CASE WHEN lead(session, 4) OVER person = session THEN lead(event, 4) OVER person END AS e5
    FROM pages
    WINDOW person AS (PARTITION BY user_id ORDER BY ts)
)
SELECT concat_ws('>', e1, e2, e3, e4, e5) AS path, count(*) AS sessions
FROM starts
WHERE is_first
GROUP BY e1, e2, e3, e4, e5
ORDER BY sessions DESC, path
LIMIT 20
