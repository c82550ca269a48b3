-- The hundred most frequent whole paths of sessions.
SELECT path, count FROM top_paths(touchpoints, top => 100)
