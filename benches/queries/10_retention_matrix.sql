-- Retention as a report: cohorts by day of the first event, who was back on each of the days after it.
SELECT *
FROM retention_matrix(touchpoints, period => 'day', periods => 8) AS report
ORDER BY cohort, period
