-- Revenue of purchases by channel under four attribution models. Touches are marketing events before the purchase, at
-- most 30 days; a purchase without one counts for (none). The weight of a touch halves every 7 days, and the weights
-- of a purchase add up to 1.
-- floor: user_id, ts, event, channel, revenue
WITH purchases AS (
    SELECT event_id, user_id, ts, CAST(revenue AS DOUBLE) AS revenue FROM touchpoints WHERE event = 'purchase'
),
touches AS (
    SELECT user_id, ts, channel
    FROM touchpoints
    WHERE event IN ('ad_view', 'ad_click', 'email_open', 'email_click', 'push_open')
),
pairs AS (
    SELECT
        p.event_id,
        p.revenue,
        coalesce(t.channel, '(none)') AS channel,
        t.ts,
        coalesce(power(2.0, date_part('epoch', t.ts - p.ts) / 604800.0), 1.0) AS weight
    FROM purchases AS p
    LEFT JOIN touches AS t
        ON t.user_id = p.user_id AND t.ts < p.ts AND t.ts >= p.ts - INTERVAL '30 days'
),
per_channel AS (
    SELECT
        event_id, channel, max(revenue) AS revenue, count(*) AS touches, sum(weight) AS weight,
        max(ts) AS last_ts, min(ts) AS first_ts
    FROM pairs
    GROUP BY event_id, channel
),
shares AS (
    SELECT
        channel, revenue, last_ts, first_ts,
        touches / CAST(sum(touches) OVER purchase AS DOUBLE) AS linear,
        weight / sum(weight) OVER purchase AS decay,
        max(last_ts) OVER purchase AS purchase_last,
        min(first_ts) OVER purchase AS purchase_first
    FROM per_channel
    WINDOW purchase AS (PARTITION BY event_id)
)
SELECT
    channel,
    coalesce(sum(revenue) FILTER (WHERE last_ts IS NOT DISTINCT FROM purchase_last), 0) AS last_touch,
    coalesce(sum(revenue) FILTER (WHERE first_ts IS NOT DISTINCT FROM purchase_first), 0) AS first_touch,
    sum(revenue * linear) AS linear,
    sum(revenue * decay) AS time_decay
FROM shares
GROUP BY channel
