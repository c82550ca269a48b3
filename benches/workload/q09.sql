-- Revenue of purchases by channel under four attribution models. Touches are marketing events before the purchase, at
-- most 30 days; a purchase without one counts for (none). The weight of a touch halves every 7 days, and the weights
-- of a purchase add up to 1. Money is divided in units of 10^-9: in hundredths of a cent the rounding of so many
-- purchases would add up to some cents.
-- floor: user_id, ts, event, channel, revenue
SELECT
    touch_key AS channel,
    coalesce(sum(value) FILTER (WHERE model = 'last_touch'), 0) AS last_touch,
    coalesce(sum(value) FILTER (WHERE model = 'first_touch'), 0) AS first_touch,
    coalesce(sum(value) FILTER (WHERE model = 'linear'), 0) AS linear,
    coalesce(sum(value) FILTER (WHERE model = 'time_decay'), 0) AS time_decay
FROM attribution_summary(
    (SELECT user_id, ts, event, channel, revenue FROM touchpoints
     WHERE event IN ('ad_view', 'ad_click', 'email_open', 'email_click', 'push_open', 'purchase')),
    conversion => 'purchase', touch => event <> 'purchase', ties => 'strict',
    value => CAST(revenue AS DECIMAL(28, 9)),
    models => ['last_touch', 'first_touch', 'linear', 'time_decay']
)
GROUP BY touch_key
