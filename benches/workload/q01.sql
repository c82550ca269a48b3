-- Events of each UTC day by kind of event.
-- floor: event
SELECT day, event, count(*) AS events
FROM touchpoints
GROUP BY day, event
