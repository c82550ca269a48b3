-- The funnel as a report: conversion with bounds, dropped, still open, times between steps, for each channel.
SELECT *
FROM funnel(
    touchpoints,
    steps => ['page_view', 'product_view', 'add_to_cart', 'purchase'],
    within => INTERVAL '7 days',
    by => channel
) AS report
ORDER BY by, step
