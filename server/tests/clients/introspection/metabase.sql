-- What Metabase asks when it connects, synchronises a database and draws a chart by day.

-- name: tables_with_sizes
-- columns: schema 19, name 19, type 25, description 25, estimated_row_count 20
-- has: public|touchpoints|TABLE
SELECT n.nspname AS schema, c.relname AS name,
       CASE c.relkind WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED TABLE' WHEN 'v' THEN 'VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'm' THEN 'MATERIALIZED VIEW' END AS type,
       d.description, stat.n_live_tup AS estimated_row_count
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_description d ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
LEFT JOIN pg_stat_user_tables stat ON n.nspname = stat.schemaname AND c.relname = stat.relname
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'f', 'm')
ORDER BY type, schema, name;

-- name: fields
-- columns: name 19, database_position 23, database_type 19, table_schema 19, table_name 19, database_required 16, pk 16, field_comment 25
-- has: user_id|1|text|public|touchpoints|t
-- has: revenue|14|numeric|public|touchpoints|f
SELECT c.column_name AS name, c.ordinal_position - 1 AS database_position, c.udt_name AS database_type, c.table_schema, c.table_name,
       c.is_nullable = 'NO' AND c.column_default IS NULL AS database_required,
       pk.column_name IS NOT NULL AS pk, col_description(format('%I.%I', c.table_schema, c.table_name)::regclass::oid, c.ordinal_position::int) AS field_comment
FROM information_schema.columns c
LEFT JOIN (SELECT tc.table_schema, tc.table_name, kc.column_name
           FROM information_schema.table_constraints tc
           JOIN information_schema.key_column_usage kc ON tc.constraint_name = kc.constraint_name AND tc.table_schema = kc.table_schema AND tc.table_name = kc.table_name
           WHERE tc.constraint_type = 'PRIMARY KEY') pk
  ON c.table_schema = pk.table_schema AND c.table_name = pk.table_name AND c.column_name = pk.column_name
WHERE c.table_schema !~ '^information_schema|catalog_history|pg_' AND c.table_name IN ('touchpoints')
ORDER BY c.table_schema, c.table_name, c.ordinal_position;

-- name: fields_of_materialized_views
-- columns: attname 19, ?column? 23, format_type 25, nspname 19, relname 19
-- rows: 0
SELECT pa.attname, pa.attnum - 1, pg_catalog.format_type(pt.oid, NULL), pn.nspname, pc.relname
FROM pg_catalog.pg_class pc
JOIN pg_catalog.pg_namespace pn ON pn.oid = pc.relnamespace
JOIN pg_catalog.pg_attribute pa ON pa.attrelid = pc.oid
JOIN pg_catalog.pg_type pt ON pt.oid = pa.atttypid
WHERE pc.relkind = 'm' AND pa.attnum >= 1 AND NOT pa.attisdropped;

-- name: foreign_keys
-- columns: fk-table-schema 19, fk-table-name 19, fk-column-name 19, pk-table-schema 19, pk-table-name 19, pk-column-name 19
-- rows: 0
SELECT fk_ns.nspname AS "fk-table-schema", fk_table.relname AS "fk-table-name", fk_column.attname AS "fk-column-name",
       pk_ns.nspname AS "pk-table-schema", pk_table.relname AS "pk-table-name", pk_column.attname AS "pk-column-name"
FROM pg_constraint c
JOIN pg_class fk_table ON c.conrelid = fk_table.oid
JOIN pg_namespace fk_ns ON c.connamespace = fk_ns.oid
JOIN pg_attribute fk_column ON c.conrelid = fk_column.attrelid
JOIN pg_class pk_table ON c.confrelid = pk_table.oid
JOIN pg_namespace pk_ns ON pk_table.relnamespace = pk_ns.oid
JOIN pg_attribute pk_column ON c.confrelid = pk_column.attrelid
WHERE fk_ns.nspname !~ '^information_schema|catalog_history|pg_' AND c.contype = 'f'
  AND fk_column.attnum = ANY(c.conkey) AND pk_column.attnum = ANY(c.confkey)
ORDER BY 1, 2;

-- name: indexes
-- columns: table_schema 19, table_name 19, field_name 19
-- rows: 0
SELECT n.nspname AS table_schema, c.relname AS table_name, a.attname AS field_name
FROM pg_index i
JOIN pg_class c ON c.oid = i.indrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
WHERE i.indisvalid AND i.indpred IS NULL AND n.nspname = 'public' AND c.relname = 'touchpoints';

-- name: enum_types
-- columns: schema 19, name 19
-- rows: 0
SELECT n.nspname AS schema, t.typname AS name
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE t.typtype = 'e' AND EXISTS (SELECT 1 FROM pg_enum e WHERE e.enumtypid = t.oid);

-- name: privileges
-- columns: schema 19, table 19, select 16, update 16
-- has: public|touchpoints|t
SELECT t.schema, t."table", pg_catalog.has_table_privilege(current_user, '"' || t.schema || '"."' || t."table" || '"', 'SELECT') AS "select",
       pg_catalog.has_any_column_privilege(current_user, '"' || t.schema || '"."' || t."table" || '"', 'update') AS "update"
FROM (SELECT schemaname AS schema, tablename AS "table" FROM pg_catalog.pg_tables
      UNION SELECT schemaname, viewname FROM pg_catalog.pg_views
      UNION SELECT schemaname, matviewname FROM pg_catalog.pg_matviews) t
WHERE t.schema !~ '^pg_' AND t.schema <> 'information_schema' AND pg_catalog.has_schema_privilege(current_user, t.schema, 'usage');

-- name: zone_and_version
-- columns: TimeZone 25
-- has: UTC
SHOW timezone;

-- name: fingerprint_sample
-- columns: count 20
-- has: 5
SELECT count(*) FROM (SELECT "source"."substring1" FROM (SELECT substring("public"."touchpoints"."event", 1, 1234) AS "substring1" FROM "public"."touchpoints" WHERE "public"."touchpoints"."event_id" LIKE 'edge-%') AS "source" LIMIT 10000) AS t;

-- name: chart_by_day
-- columns: ts 1184, count 20, sum 1700
-- has: 2026-01-01 00:00:00+00|2|19.9000
SELECT DATE_TRUNC('day', "public"."touchpoints"."ts") AS "ts", COUNT(*) AS "count", SUM("public"."touchpoints"."revenue") AS "sum"
FROM "public"."touchpoints"
WHERE ("public"."touchpoints"."ts" >= timestamp with time zone '2026-01-01 00:00:00.000Z') AND ("public"."touchpoints"."ts" < timestamp with time zone '2026-04-01 00:00:00.000Z')
GROUP BY DATE_TRUNC('day', "public"."touchpoints"."ts")
ORDER BY DATE_TRUNC('day', "public"."touchpoints"."ts") ASC;

-- name: chart_by_week_of_sunday
-- columns: ts 1184, count 20
-- has: 2025-12-28 00:00:00+00|3
SELECT (DATE_TRUNC('week', ("public"."touchpoints"."ts" + INTERVAL '1 day')) + INTERVAL '-1 day') AS "ts", COUNT(*) AS "count"
FROM "public"."touchpoints" WHERE "public"."touchpoints"."ts" >= DATE_TRUNC('day', CAST('2025-12-01' AS timestamp with time zone)) GROUP BY 1 ORDER BY 1;

-- name: chart_in_zone
-- columns: day 1114, count 20
-- has: 2026-03-29 00:00:00|2
SELECT DATE_TRUNC('day', CAST("ts" AS timestamp with time zone) AT TIME ZONE 'Europe/Berlin') AS "day", COUNT(*) FROM "public"."touchpoints" WHERE "ts" > '2026-02-01' GROUP BY 1;

-- name: relative_dates
-- columns: count 20
-- has: 0
SELECT COUNT(*) FROM "public"."touchpoints" WHERE "ts" >= DATE_TRUNC('month', (NOW() + INTERVAL '100 year')) AND "ts" < DATE_TRUNC('month', NOW() + (INTERVAL '101 year'));
