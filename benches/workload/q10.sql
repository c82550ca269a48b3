-- Transitions between channels. Marketing touches are states, a purchase is (conversion) and ends the journey; the
-- first state of a journey comes from (start), the last touch of an open one goes to (null).
-- floor: user_id, ts, event, channel
WITH states AS (
    SELECT user_id, ts, CASE WHEN event = 'purchase' THEN '(conversion)' ELSE channel END AS state
    FROM touchpoints
    WHERE event IN ('ad_view', 'ad_click', 'email_open', 'email_click', 'push_open', 'purchase')
),
neighbours AS (
    SELECT
        state,
        lag(state) OVER (PARTITION BY user_id ORDER BY ts) AS before,
        lead(state) OVER (PARTITION BY user_id ORDER BY ts) AS after
    FROM states
),
edges AS (
    SELECT
        CASE WHEN before IS NULL OR before = '(conversion)' THEN '(start)' ELSE before END AS source,
        state AS target,
        after IS NULL AND state <> '(conversion)' AS is_open,
        count(*) AS transitions
    FROM neighbours
    GROUP BY 1, 2, 3
)
SELECT
    CASE WHEN is_end THEN target ELSE source END AS source,
    CASE WHEN is_end THEN '(null)' ELSE target END AS target,
    sum(transitions) AS transitions
FROM edges CROSS JOIN (VALUES (false), (true)) AS parts (is_end)
WHERE is_open OR NOT is_end
GROUP BY 1, 2
