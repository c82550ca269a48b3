-- What Tableau sends through its PostgreSQL driver: catalogue, field types, and generated aggregates.

-- name: tables
-- columns: nspname 19, relname 19, relkind 18
-- has: public|touchpoints|r
SELECT n.nspname, c.relname, c.relkind FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'pg_temp_1') ORDER BY n.nspname, c.relname;

-- name: columns_as_the_driver_asks
-- columns: nspname 19, relname 19, attname 19, atttypid 26, typname 19, attnum 21, attlen 21, atttypmod 23, attnotnull 16, relhasrules 16, relkind 18, oid 26, pg_get_expr 25, case 26, typtypmod 23, ?column? 25, relhassubclass 16
-- has: public|touchpoints|event_id|25|text|1
-- has: public|touchpoints|revenue|1700|numeric|15
SELECT n.nspname, c.relname, a.attname, a.atttypid, t.typname, a.attnum, a.attlen, a.atttypmod, a.attnotnull, c.relhasrules, c.relkind, c.oid, pg_get_expr(d.adbin, d.adrelid),
       CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE 0 END, t.typtypmod, '', c.relhassubclass
FROM (((pg_catalog.pg_class c INNER JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND c.oid = 'touchpoints'::regclass)
       INNER JOIN pg_catalog.pg_attribute a ON (NOT a.attisdropped) AND a.attnum > 0 AND a.attrelid = c.oid)
      INNER JOIN pg_catalog.pg_type t ON t.oid = a.atttypid)
     LEFT OUTER JOIN pg_attrdef d ON a.atthasdef AND d.adrelid = a.attrelid AND d.adnum = a.attnum
ORDER BY n.nspname, c.relname, attnum;

-- name: primary_key
-- columns: attname 19, attnum 21, relname 19, nspname 19, relname 19
-- rows: 0
SELECT ta.attname, ia.attnum, ic.relname, n.nspname, tc.relname
FROM pg_catalog.pg_attribute ta, pg_catalog.pg_attribute ia, pg_catalog.pg_class tc, pg_catalog.pg_index i, pg_catalog.pg_namespace n, pg_catalog.pg_class ic
WHERE tc.relname = 'touchpoints' AND n.nspname = 'public' AND tc.oid = i.indrelid AND n.oid = tc.relnamespace AND i.indisprimary = 't' AND ia.attrelid = i.indexrelid
  AND ta.attrelid = i.indrelid AND ta.attnum = i.indkey[ia.attnum - 1] AND (NOT ta.attisdropped) AND (NOT ia.attisdropped) AND ic.oid = i.indexrelid
ORDER BY ia.attnum;

-- name: first_rows
-- columns: event_id 25, user_id 25, anonymous_id 25, ts 1184, received_at 1184, event 25, channel 25, source 25, medium 25, campaign 25, page 25, referrer 25, device 25, country 25, revenue 1700, cost 1700, currency 25, score 701, properties 25
-- rows: 1
SELECT * FROM (SELECT * FROM touchpoints) "TableauSQL" LIMIT 1;

-- name: number_of_records
-- columns: sum:Number of Records:ok 20
-- has: 5
SELECT SUM(1) AS "sum:Number of Records:ok" FROM "public"."touchpoints" "touchpoints" WHERE ("touchpoints"."event_id" LIKE 'edge-%') HAVING (COUNT(1) > 0);

-- name: month_of_timestamp
-- columns: tmn:ts:ok 1114, cnt:event_id:ok 20
-- has: 2026-03-01 00:00:00|2
SELECT DATE_TRUNC('MONTH', CAST("touchpoints"."ts" AS TIMESTAMP)) AS "tmn:ts:ok", COUNT("touchpoints"."event_id") AS "cnt:event_id:ok"
FROM "public"."touchpoints" "touchpoints" WHERE "touchpoints"."ts" >= (TIMESTAMP '2026-01-01 00:00:00.000') GROUP BY 1;

-- name: date_parts
-- columns: y 23, q 23, m 23
-- has: 2026|1|1
SELECT CAST(EXTRACT(YEAR FROM "ts") AS INTEGER) AS y, CAST(EXTRACT(QUARTER FROM "ts") AS INTEGER) AS q, CAST(TRUNC(EXTRACT(MONTH FROM "ts")) AS INTEGER) AS m FROM "public"."touchpoints" WHERE "event_id" = 'edge-1';

-- name: week_of_sunday
-- columns: w 1082
-- has: 2026-03-29
SELECT CAST(DATE_TRUNC('DAY', CAST("ts" AS DATE)) + (-EXTRACT(DOW FROM "ts") * INTERVAL '1 DAY') AS DATE) AS w FROM "public"."touchpoints" WHERE "event_id" = 'edge-4';

-- name: case_and_sets
-- columns: Group 25, ctd 20
-- has: ads|1
SELECT (CASE WHEN ("t"."channel" IN ('ads', 'mail')) THEN "t"."channel" ELSE CAST(NULL AS TEXT) END) AS "Group", COUNT(DISTINCT "t"."user_id") AS "ctd"
FROM "public"."touchpoints" "t" WHERE ("t"."event_id" LIKE 'edge-%') GROUP BY 1;

-- name: top_by_subquery
-- columns: event 25, n 20
-- has: catalog|14518
SELECT "t"."event" AS "event", COUNT(1) AS "n" FROM "public"."touchpoints" "t"
INNER JOIN (SELECT "t"."event" AS "event", COUNT(1) AS "x__alias__0" FROM "public"."touchpoints" "t" GROUP BY 1 ORDER BY 2 DESC NULLS LAST, 1 ASC LIMIT 3) "t0" ON ("t"."event" = "t0"."event") GROUP BY 1;

-- name: null_safe_join
-- columns: count 20
-- has: 5
SELECT COUNT(*) FROM "public"."touchpoints" "a" INNER JOIN "public"."touchpoints" "b" ON ("a"."event_id" = "b"."event_id" AND ("a"."channel" IS NOT DISTINCT FROM "b"."channel")) WHERE "a"."event_id" LIKE 'edge-%';

-- name: temporary_table_probe
-- statement-only
CREATE LOCAL TEMPORARY TABLE "#Tableau_probe" AS SELECT 1 AS "COL";

-- name: regex_and_split
-- columns: split_part 25, substring 25
-- has: two|d a tab
SELECT SPLIT_PART("page", CHR(10), 1) , SUBSTRING("page" FROM LENGTH("page") - 6) FROM "public"."touchpoints" WHERE "event_id" = 'edge-5';
