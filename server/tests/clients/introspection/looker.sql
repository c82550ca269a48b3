-- What Looker sends: a probe, the schema, and generated SQL with zones, windows and symmetric aggregates.

-- name: probe
-- columns: ?column? 23
-- rows: 1
SELECT 1;

-- name: tables
-- columns: table_schema 19, table_name 19, table_type 1043
-- has: public|touchpoints|BASE TABLE
SELECT table_schema, table_name, table_type FROM information_schema.tables WHERE table_schema NOT IN ('information_schema', 'pg_catalog') AND table_catalog = current_database() ORDER BY 1, 2;

-- name: columns
-- columns: table_name 19, column_name 19, data_type 1043, numeric_precision 23, numeric_scale 23, character_maximum_length 23, datetime_precision 23
-- has: touchpoints|revenue|numeric|18|4
SELECT table_name, column_name, data_type, numeric_precision, numeric_scale, character_maximum_length, datetime_precision FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'touchpoints' ORDER BY ordinal_position;

-- name: dates_in_a_zone
-- columns: touchpoints.ts_date 1082, touchpoints.count 20
-- has: 2026-03-29|2
SELECT DATE((touchpoints."ts")::timestamptz AT TIME ZONE 'America/New_York' + INTERVAL '1 day') AS "touchpoints.ts_date", COUNT(*) AS "touchpoints.count"
FROM "public"."touchpoints" AS touchpoints
WHERE ((touchpoints."ts") >= ((TIMESTAMP '2026-03-01') AT TIME ZONE 'America/New_York') AND (touchpoints."ts") < ((TIMESTAMP '2026-03-01') AT TIME ZONE 'America/New_York' + INTERVAL '60 day'))
GROUP BY (DATE((touchpoints."ts")::timestamptz AT TIME ZONE 'America/New_York' + INTERVAL '1 day')) ORDER BY 1 DESC FETCH NEXT 500 ROWS ONLY;

-- name: month_as_text
-- columns: m 25, count 20
-- has: 2026-01|2
SELECT (TO_CHAR(DATE_TRUNC('month', touchpoints."ts"), 'YYYY-MM')) AS m, COUNT(*) FROM "public"."touchpoints" AS touchpoints WHERE touchpoints."ts" >= TIMESTAMP '2026-01-01' GROUP BY 1 ORDER BY 1 LIMIT 500;

-- name: hour_and_weekday
-- columns: h 23, d 23
-- has: 10|4
SELECT CAST(EXTRACT(HOUR FROM touchpoints."ts") AS INT) AS h, CAST(MOD(EXTRACT(DOW FROM touchpoints."ts")::integer, 7) AS INT) AS d FROM "public"."touchpoints" AS touchpoints WHERE event_id = 'edge-2';

-- name: symmetric_sum
-- columns: s 25
-- has: -7.5000
SELECT COALESCE(COALESCE(CAST((SUM(DISTINCT (CAST(FLOOR(COALESCE(t."revenue", 0) * 10000) AS DECIMAL(65,0))) + ('x' || MD5(t."event_id"))::bit(64)::bigint::DECIMAL(65) * 18446744073709551616 + ('x' || SUBSTR(MD5(t."event_id"), 17))::bit(64)::bigint::DECIMAL(65))
       - SUM(DISTINCT ('x' || MD5(t."event_id"))::bit(64)::bigint::DECIMAL(65) * 18446744073709551616 + ('x' || SUBSTR(MD5(t."event_id"), 17))::bit(64)::bigint::DECIMAL(65))) AS DOUBLE PRECISION) / CAST(10000.0 AS DOUBLE PRECISION), 0), 0)::numeric(20,4)::text AS s
FROM "public"."touchpoints" AS t WHERE t."event_id" LIKE 'edge-%' AND t."event_id" > 'edge-3';

-- name: pivot
-- columns: z___rank 20, channel 25, z___min_rank 20, z___pivot_row_rank 20, x 23
-- has: 1|ads|1|1|2
SELECT * FROM (SELECT *, DENSE_RANK() OVER (ORDER BY z___min_rank) AS z___pivot_row_rank FROM (SELECT *, MIN(z___rank) OVER (PARTITION BY "channel") AS z___min_rank
  FROM (SELECT RANK() OVER (ORDER BY "channel" ASC NULLS LAST) AS z___rank, "channel" FROM (SELECT DISTINCT channel FROM touchpoints WHERE event_id LIKE 'edge-%') b) c) d) e
  , (SELECT 2 AS x) f WHERE z___pivot_row_rank <= 1 ORDER BY 1;

-- name: distinct_case
-- columns: n 20
-- has: 2
SELECT COUNT(DISTINCT CASE WHEN (touchpoints."event" = 'purchase') THEN touchpoints."user_id" ELSE NULL END) AS n FROM "public"."touchpoints" AS touchpoints;

-- name: percentile
-- columns: median 701
-- rows: 1
SELECT PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY "score") AS "median" FROM "public"."touchpoints" WHERE event_id LIKE 'edge-%';

-- name: temporary_table
-- statement-only
CREATE TEMPORARY TABLE looker_pdt_probe AS SELECT "event", COUNT(*) AS n FROM "public"."touchpoints" GROUP BY 1;
