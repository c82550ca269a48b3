-- The same, one row for each purchase, touch and model, counted.
SELECT model, count(*) AS touches, sum(value) AS value
FROM attribution(
    touchpoints, conversion => 'purchase', touch => event IN ('ad_click', 'email_click', 'push_open'),
    models => ['first_touch', 'last_touch', 'linear', 'position_based', 'time_decay', 'j_shaped']
)
GROUP BY model
