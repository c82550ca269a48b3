WITH visits AS (
    SELECT user_id, ts,
           sessionize(ts, INTERVAL '30 minutes') OVER (PARTITION BY user_id ORDER BY ts) AS visit
    FROM touchpoints
    WHERE event <> 'lost'
), sessions AS (
    SELECT user_id, visit, count(*) AS events
    FROM visits
    GROUP BY user_id, visit
)
SELECT count(*) AS sessions,
       round(avg(events), 2) AS mean_events,
       max(events) AS most_events,
       count(*) FILTER (WHERE events = 1) AS with_one_event
FROM sessions;
