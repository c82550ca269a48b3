-- What Hasura reads about tables and functions, as JSON, and the shape of the queries it generates.

-- name: version
-- columns: server_version_num 23, pretty_version 25
-- rows: 1
SELECT current_setting('server_version_num')::integer AS server_version_num, version() AS pretty_version;

-- name: schemas
-- columns: schema_name 19
-- has: public
SELECT schema_name FROM information_schema.schemata WHERE schema_name NOT LIKE 'pg\_%' AND schema_name NOT IN ('information_schema', 'hdb_catalog', '_timescaledb_internal', 'crdb_internal');

-- name: trackable_tables
-- columns: json_build_object 114
-- has: {"name" : "touchpoints", "schema" : "public"}
SELECT json_build_object('name', cls.relname, 'schema', ns.nspname) FROM pg_class cls JOIN pg_namespace ns ON cls.relnamespace = ns.oid WHERE cls.relkind IN ('r', 'v', 'm', 'f', 'p') AND ns.nspname = 'public' ORDER BY cls.relname;

-- name: table_metadata
-- columns: table_schema 19, table_name 19, columns 23, primary_key 114
-- has: public|touchpoints|19|NULL
SELECT schema.nspname AS table_schema, "table".relname AS table_name, json_array_length(coalesce(columns.info, '[]')) AS columns, to_json(primary_key.info) AS primary_key
FROM pg_catalog.pg_class "table"
JOIN pg_catalog.pg_namespace schema ON schema.oid = "table".relnamespace
LEFT JOIN LATERAL (
    SELECT json_agg(json_build_object('name', "column".attname, 'position', "column".attnum, 'type', json_build_object('name', coalesce(base_type.typname, "type".typname), 'type', "type".typtype),
                                      'is_nullable', NOT "column".attnotnull, 'description', pg_catalog.col_description("table".oid, "column".attnum)) ORDER BY "column".attnum) AS info
    FROM pg_catalog.pg_attribute "column"
    LEFT JOIN pg_catalog.pg_type "type" ON "type".oid = "column".atttypid
    LEFT JOIN pg_catalog.pg_type base_type ON "type".typtype = 'd' AND base_type.oid = "type".typbasetype
    WHERE "column".attrelid = "table".oid AND "column".attnum > 0 AND NOT "column".attisdropped
) columns ON true
LEFT JOIN LATERAL (
    SELECT json_build_object('constraint', json_build_object('name', class.relname, 'oid', class.oid::integer), 'columns', coalesce(json_agg(att.attname), '[]')) AS info
    FROM pg_catalog.pg_index index
    JOIN pg_catalog.pg_class class ON class.oid = index.indexrelid
    JOIN pg_catalog.pg_attribute att ON att.attrelid = "table".oid AND att.attnum = ANY(index.indkey)
    WHERE index.indrelid = "table".oid AND index.indisprimary GROUP BY class.oid, class.relname
) primary_key ON true
WHERE "table".relkind IN ('r', 't', 'v', 'm', 'f', 'p') AND schema.nspname = 'public' AND "table".relname = 'touchpoints';

-- name: foreign_keys
-- columns: table_schema 25, table_name 25, constraint_name 25, ref_table 25, column_mapping 114, on_update 25
-- rows: 0
SELECT q.table_schema::text, q.table_name::text, q.constraint_name::text, min(q.ref_table::text) AS ref_table, json_object_agg(ac.attname, afc.attname) AS column_mapping, min(q.confupdtype::text) AS on_update
FROM (SELECT ctn.nspname AS table_schema, ct.relname AS table_name, r.conrelid AS table_id, r.conname AS constraint_name, cf.relname AS ref_table, r.confrelid AS ref_table_id, r.confupdtype,
             UNNEST(r.conkey) AS column_id, UNNEST(r.confkey) AS ref_column_id
      FROM pg_constraint r JOIN pg_class ct ON r.conrelid = ct.oid JOIN pg_namespace ctn ON ct.relnamespace = ctn.oid JOIN pg_class cf ON r.confrelid = cf.oid WHERE r.contype = 'f'::"char") q
JOIN pg_attribute ac ON q.column_id = ac.attnum AND q.table_id = ac.attrelid
JOIN pg_attribute afc ON q.ref_column_id = afc.attnum AND q.ref_table_id = afc.attrelid
GROUP BY q.table_schema, q.table_name, q.constraint_name;

-- name: functions
-- columns: function_name 19, function_schema 19, has_variadic 16, provolatile 18, return_type 19, returns_set 16, pronargdefaults 21, proargnames 1009
-- rows-at-least: 0
SELECT p.proname AS function_name, pn.nspname AS function_schema, CASE WHEN p.provariadic = 0 THEN false ELSE true END AS has_variadic, p.provolatile, rt.typname AS return_type, p.proretset AS returns_set, p.pronargdefaults, p.proargnames
FROM pg_proc p JOIN pg_namespace pn ON pn.oid = p.pronamespace JOIN pg_type rt ON rt.oid = p.prorettype WHERE pn.nspname = 'public';

-- name: existence_of_its_catalogue
-- columns: exists 16
-- has: f
SELECT exists (SELECT 1 FROM information_schema.tables WHERE table_schema = 'hdb_catalog' AND table_name = 'hdb_version');

-- name: query_as_json
-- columns: root 114
-- has: [{"event_id":"edge-1","event":"page_view"}, {"event_id":"edge-2","event":"purchase"}]
SELECT coalesce(json_agg("root"), '[]') AS "root"
FROM (SELECT row_to_json((SELECT "_1_e" FROM (SELECT "_0_root.base"."event_id" AS "event_id", "_0_root.base"."event" AS "event") AS "_1_e")) AS "root"
      FROM (SELECT * FROM "public"."touchpoints" WHERE (("public"."touchpoints"."user_id") = (('edge-a')::text)) ORDER BY "event_id" ASC NULLS LAST LIMIT 50) AS "_0_root.base" ORDER BY "_0_root.base"."event_id" ASC NULLS LAST) AS "_2_root";

-- name: aggregate_as_json
-- columns: root 114
-- has: {"aggregate" : {"count" : 2, "sum" : {"revenue" : 12345678901254.4678}}}
SELECT json_build_object('aggregate', json_build_object('count', COUNT(*), 'sum', json_build_object('revenue', SUM("_0_root.base"."revenue")))) AS "root"
FROM (SELECT * FROM "public"."touchpoints" WHERE ("public"."touchpoints"."event") = (('purchase')::text)) AS "_0_root.base";
