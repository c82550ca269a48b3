-- q06 as a report.
-- floor: user_id
SELECT cohort, period, returned
FROM retention_matrix(touchpoints, period => 'day', periods => 8) AS report
WHERE returned > 0
