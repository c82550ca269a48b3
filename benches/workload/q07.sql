-- The 20 most frequent beginnings of sessions: equal events in a row count once, the first five make the path. Of
-- equally frequent paths the one first in the alphabet comes first.
-- floor: user_id, ts, event
SELECT path, count AS sessions
FROM top_paths(touchpoints, collapse => true, depth => 5, separator => '>', top => 20)
