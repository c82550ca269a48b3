SELECT * FROM top_paths(touchpoints, collapse => true, depth => 5)
