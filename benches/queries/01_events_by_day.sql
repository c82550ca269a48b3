-- Count by day and event: decodes two dictionary columns of every file.
SELECT date_trunc('day', ts) AS day, event, count(*) AS events
FROM touchpoints
GROUP BY 1, 2
ORDER BY 1, 2
