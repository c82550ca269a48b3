-- Six models by channel: what each channel gets of all purchases.
SELECT model, touch_key, conversions, value
FROM attribution_summary(
    touchpoints, conversion => 'purchase', touch => channel IS NOT NULL AND event <> 'purchase',
    models => ['first_touch', 'last_touch', 'linear', 'position_based', 'time_decay', 'j_shaped']
)
