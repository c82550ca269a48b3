-- What Grafana's query builder asks, and what its macros expand to.

-- name: version
-- columns: ?column? 23
-- rows: 1
SELECT current_setting('server_version_num')::int / 100;

-- name: extension_of_time_series
-- columns: extversion 25
-- rows: 0
SELECT extversion FROM pg_extension WHERE extname = 'timescaledb';

-- name: tables
-- columns: table 25
-- has: touchpoints
SELECT CASE WHEN quote_ident(table_schema) IN (SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
           FROM generate_series(array_lower(string_to_array(current_setting('search_path'), ','), 1), array_upper(string_to_array(current_setting('search_path'), ','), 1)) AS i,
                string_to_array(current_setting('search_path'), ',') s)
       THEN quote_ident(table_name) ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS "table"
FROM information_schema.tables
WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog', '_timescaledb_cache', '_timescaledb_catalog', '_timescaledb_internal', '_timescaledb_config', 'timescaledb_information', 'timescaledb_experimental')
ORDER BY CASE WHEN quote_ident(table_schema) = 'public' THEN 0 ELSE 1 END, 1;

-- name: columns
-- columns: column 25, type 1043
-- has: event|text
-- has: revenue|numeric
SELECT quote_ident(column_name) AS "column", data_type AS "type" FROM information_schema.columns WHERE quote_ident(table_name) = 'touchpoints';

-- name: time_columns
-- columns: quote_ident 25
-- has: ts
SELECT quote_ident(column_name) FROM information_schema.columns WHERE quote_ident(table_name) = 'touchpoints' AND data_type IN ('timestamp without time zone', 'timestamp with time zone', 'bigint', 'integer', 'double precision', 'real') ORDER BY 1;

-- name: time_group
-- columns: time 1700, metric 25, value 20
-- has: 1767261600|page_view|1
SELECT floor(extract(epoch from ts) / 300) * 300 AS "time", event AS metric, count(*) AS value
FROM touchpoints WHERE ts BETWEEN '2026-01-01T00:00:00Z' AND '2026-01-31T23:59:59.999Z' GROUP BY 1, 2 ORDER BY 1, 2;

-- name: time_group_alias
-- columns: time 1184, count 20
-- has: 2026-01-01 10:00:00+00|2
SELECT date_trunc('hour', ts) AS time, count(*) FROM touchpoints WHERE ts >= '2026-01-01T00:00:00Z' AND ts <= '2026-02-01T00:00:00Z' GROUP BY time ORDER BY time;

-- name: unix_filter
-- columns: count 20
-- has: 2
SELECT count(*) FROM touchpoints WHERE extract(epoch from ts) >= 1767225600 AND extract(epoch from ts) <= 1769904000;

-- name: variable
-- columns: __text 25
-- has: ads
SELECT DISTINCT channel AS __text FROM touchpoints WHERE channel ~* 'a' ORDER BY 1;

-- name: time_bin
-- columns: t 1184, count 20
-- has: 2026-01-01 10:00:00+00|2
SELECT to_timestamp(floor(extract(epoch from ts) / 3600) * 3600) AS t, count(*) FROM touchpoints WHERE event_id IN ('edge-1', 'edge-2') GROUP BY t;
