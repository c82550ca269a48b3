-- session_id names a session by its person and first instant: it stays the same when earlier days are loaded
-- late, while session_number counts from the person's first session in the table.
WITH numbered AS (
    SELECT
        *,
        sessionize(ts, INTERVAL '30 minutes') OVER (PARTITION BY user_id ORDER BY ts, event_id) AS session_number
    FROM touchpoints
)
SELECT
    concat(user_id, '@', to_char(min(ts), '%Y-%m-%dT%H:%M:%S%.6fZ')) AS session_id,
    user_id,
    session_number,
    min(ts) AS started_at,
    max(ts) AS ended_at,
    -- from whole microseconds: a difference of two epochs as floats would lose digits
    (arrow_cast(max(ts), 'Int64') - arrow_cast(min(ts), 'Int64')) / 1000000.0 AS duration_seconds,
    count(*) AS events,
    count(*) = 1 AS is_bounce,
    first_value(event ORDER BY ts, event_id) AS entry_event,
    last_value(event ORDER BY ts, event_id) AS exit_event,
    first_value(page ORDER BY ts, event_id) AS entry_page,
    last_value(page ORDER BY ts, event_id) AS exit_page,
    first_value(channel ORDER BY ts, event_id) AS channel,
    first_value(source ORDER BY ts, event_id) AS source,
    first_value(medium ORDER BY ts, event_id) AS medium,
    first_value(campaign ORDER BY ts, event_id) AS campaign,
    first_value(device ORDER BY ts, event_id) AS device,
    first_value(country ORDER BY ts, event_id) AS country,
    sum(revenue) AS revenue,
    sum(cost) AS cost
FROM numbered
GROUP BY user_id, session_number
