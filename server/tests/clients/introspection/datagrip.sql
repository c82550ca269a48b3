-- What DataGrip reads: states of the catalogue by age, then objects by kind.

-- name: current
-- columns: a 19, b 1003, c 25, d 16
-- rows: 1
SELECT current_database() AS a, current_schemas(false) AS b, version() AS c, pg_catalog.pg_is_in_recovery() AS d;

-- name: databases
-- columns: id 20, name 19, description 25, is_template 16, allow_connections 16, owner 19
-- rows-at-least: 1
SELECT N.oid::bigint AS id, datname AS name, D.description, datistemplate AS is_template, datallowconn AS allow_connections, pg_catalog.pg_get_userbyid(N.datdba) AS "owner"
FROM pg_catalog.pg_database N LEFT JOIN pg_catalog.pg_shdescription D ON N.oid = D.objoid ORDER BY CASE WHEN datname = pg_catalog.current_database() THEN -1::bigint ELSE N.oid::bigint END;

-- name: schemas
-- columns: id 20, state_number 28, name 19, description 25, owner 19
-- rows-at-least: 3
SELECT N.oid::bigint AS id, N.xmin AS state_number, nspname AS name, D.description, pg_catalog.pg_get_userbyid(N.nspowner) AS "owner"
FROM pg_catalog.pg_namespace N LEFT JOIN pg_catalog.pg_description D ON N.oid = D.objoid
ORDER BY CASE WHEN nspname = pg_catalog.current_schema() THEN -1::bigint ELSE N.oid::bigint END;

-- name: transaction
-- columns: current_txid 20
-- rows: 1
SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL ELSE (pg_catalog.txid_current() % (2 ^ 32)::bigint)::varchar::bigint END AS current_txid;

-- name: roles
-- columns: role_id 20, role_name 19, is_super 16, is_inherit 16, can_createrole 16, can_createdb 16, can_login 16, is_replication 16, conn_limit 23, valid_until 1184, bypass_rls 16, config 1009, description 25
-- rows-at-least: 1
SELECT R.oid::bigint AS role_id, rolname AS role_name, rolsuper AS is_super, rolinherit AS is_inherit, rolcreaterole AS can_createrole, rolcreatedb AS can_createdb, rolcanlogin AS can_login,
       rolreplication AS is_replication, rolconnlimit AS conn_limit, rolvaliduntil AS valid_until, rolbypassrls AS bypass_rls, rolconfig AS config, D.description
FROM pg_catalog.pg_roles R LEFT JOIN pg_catalog.pg_shdescription D ON D.objoid = R.oid;

-- name: relations
-- columns: table_kind 18, table_name 19, table_id 26, table_state_number 28, tablespace_id 26, options 1009, persistence 18, ancestors 1043, is_partition 16, partition_key 25, am_id 26, owner 19
-- rows-at-least: 1
SELECT T.relkind AS table_kind, T.relname AS table_name, T.oid AS table_id, T.xmin AS table_state_number, T.reltablespace AS tablespace_id, T.reloptions AS options,
       T.relpersistence AS persistence, (SELECT pg_catalog.array_agg(inhparent::bigint ORDER BY inhseqno)::varchar FROM pg_catalog.pg_inherits WHERE T.oid = inhrelid) AS ancestors,
       T.relispartition AS is_partition, pg_catalog.pg_get_partkeydef(T.oid) AS partition_key, T.relam AS am_id, pg_catalog.pg_get_userbyid(T.relowner) AS "owner"
FROM pg_catalog.pg_class T WHERE relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'public') AND relkind IN ('r', 'm', 'v', 'f', 'p') ORDER BY table_kind, table_id;

-- name: columns
-- columns: column_position 21, column_name 19, mandatory 16, type_spec 25, column_state_number 28, type_mod 23, dimensions_number 23, column_default_expression 25, column_is_dropped 16, identity_kind 18, generated 18
-- has: 1|event_id|f|text
-- has: 2|user_id|t|text
WITH T AS (SELECT T.oid AS table_id, T.relname AS table_name FROM pg_catalog.pg_class T WHERE T.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'public') AND T.relname = 'touchpoints')
SELECT C.attnum AS column_position, C.attname AS column_name, C.attnotnull AS mandatory, pg_catalog.format_type(C.atttypid, C.atttypmod) AS type_spec, C.xmin AS column_state_number, C.atttypmod AS type_mod,
       C.attndims AS dimensions_number, pg_catalog.pg_get_expr(D.adbin, T.table_id) AS column_default_expression, C.attisdropped AS column_is_dropped, C.attidentity AS identity_kind, C.attgenerated AS generated
FROM T INNER JOIN pg_catalog.pg_attribute C ON T.table_id = C.attrelid LEFT JOIN pg_catalog.pg_attrdef D ON (C.attrelid, C.attnum) = (D.adrelid, D.adnum)
WHERE attnum > 0 ORDER BY table_id, attnum;

-- name: numeric_column
-- columns: format_type 25
-- has: numeric(18,4)
SELECT pg_catalog.format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute WHERE attrelid = 'touchpoints'::regclass AND attname = 'revenue';

-- name: types
-- columns: type_id 26, type_name 19, type_sub_kind 18, type_category 18, class_id 26, base_type_id 26, type_def 25, dimensions_number 23, default_expression 25, mandatory 16
-- rows-at-least: 20
SELECT T.oid AS type_id, T.typname AS type_name, T.typtype AS type_sub_kind, T.typcategory AS type_category, T.typrelid AS class_id, T.typbasetype AS base_type_id,
       CASE WHEN T.typtype IN ('c', 'e') THEN NULL ELSE pg_catalog.format_type(T.typbasetype, T.typtypmod) END AS type_def, T.typndims AS dimensions_number, T.typdefault AS default_expression, T.typnotnull AS mandatory
FROM pg_catalog.pg_type T WHERE T.typnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'pg_catalog') AND T.typtype = 'b' ORDER BY 1;

-- name: indexes
-- columns: table_id 26, table_kind 18, index_name 19, index_id 26, is_unique 16, is_primary 16, condition 25, ancestors 1043, tablespace_id 26, access_method_id 26
-- rows: 0
SELECT tab.oid AS table_id, tab.relkind AS table_kind, ind_stor.relname AS index_name, ind_head.indexrelid AS index_id, ind_head.indisunique AS is_unique, ind_head.indisprimary AS is_primary,
       pg_catalog.pg_get_expr(ind_head.indpred, ind_head.indrelid) AS condition,
       (SELECT pg_catalog.array_agg(inhparent::bigint ORDER BY inhseqno)::varchar FROM pg_catalog.pg_inherits WHERE ind_stor.oid = inhrelid) AS ancestors, ind_stor.reltablespace AS tablespace_id, opcmethod AS access_method_id
FROM pg_catalog.pg_class tab
JOIN pg_catalog.pg_index ind_head ON ind_head.indrelid = tab.oid
JOIN pg_catalog.pg_class ind_stor ON tab.relnamespace = ind_stor.relnamespace AND ind_stor.oid = ind_head.indexrelid
LEFT JOIN pg_catalog.pg_opclass ON pg_opclass.oid = ANY(indclass)
WHERE tab.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'public') AND tab.relkind IN ('r', 'm', 'v', 'p') AND ind_stor.relkind IN ('i', 'I');

-- name: constraints
-- columns: table_id 26, table_kind 18, con_id 20, con_state_id 20, con_name 19, con_kind 18, con_columns 1005, index_id 26, ref_table_id 26, is_deferrable 16, is_init_deferred 16, on_update 18, on_delete 18, no_inherit 16, con_expression 25, ref_columns 1005
-- rows: 0
SELECT T.oid AS table_id, relkind AS table_kind, C.oid::bigint AS con_id, C.xmin::varchar::bigint AS con_state_id, conname AS con_name, contype AS con_kind, conkey AS con_columns, conindid AS index_id,
       confrelid AS ref_table_id, condeferrable AS is_deferrable, condeferred AS is_init_deferred, confupdtype AS on_update, confdeltype AS on_delete, connoinherit AS no_inherit,
       pg_catalog.pg_get_expr(conbin, T.oid) AS con_expression, confkey AS ref_columns
FROM pg_catalog.pg_constraint C JOIN pg_catalog.pg_class T ON C.conrelid = T.oid
WHERE relkind IN ('r', 'v', 'f', 'p') AND relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'public') AND contype IN ('p', 'u', 'f', 'c', 'x');

-- name: routines
-- columns: r_id 26, r_name 19, lang_id 26, pronargs 21, proargtypes 1043, prorettype 26, prokind 18, provolatile 18, proisstrict 16, prosecdef 16, pg_get_userbyid 19
-- rows-at-least: 0
SELECT PC.oid AS r_id, PC.proname AS r_name, PC.prolang AS lang_id, PC.pronargs, PC.proargtypes::oid[]::varchar, PC.prorettype, PC.prokind, PC.provolatile, PC.proisstrict, PC.prosecdef, pg_catalog.pg_get_userbyid(PC.proowner)
FROM pg_catalog.pg_proc PC WHERE PC.pronamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'public');

-- name: view_sources
-- columns: view_kind 18, view_id 26, source_text 25
-- rows: 0
SELECT T.relkind AS view_kind, T.oid AS view_id, pg_catalog.pg_get_viewdef(T.oid, true) AS source_text FROM pg_catalog.pg_class T
WHERE T.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'public') AND T.relkind IN ('m', 'v') AND T.relname = 'no_such_view';

-- name: descriptions
-- columns: table_kind 18, table_id 26, column_position 23, description 25
-- rows-at-least: 0
SELECT T.relkind AS table_kind, T.oid AS table_id, D.objsubid AS column_position, D.description
FROM pg_catalog.pg_class T, pg_catalog.pg_description D
WHERE T.relnamespace = (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = 'public') AND T.relkind IN ('r', 'm', 'v', 'p') AND D.objoid = T.oid ORDER BY table_id, column_position;

-- name: privileges
-- columns: object_id 26, acl 1034
-- rows-at-least: 1
SELECT T.oid AS object_id, T.relacl AS acl FROM pg_catalog.pg_class T WHERE T.relname = 'touchpoints';

-- name: time_zones
-- columns: name 25, is_dst 16
-- has: Europe/Berlin
SELECT name, is_dst FROM pg_catalog.pg_timezone_names;

-- name: languages
-- columns: id 26, name 19, trusted 16
-- rows-at-least: 1
SELECT oid AS id, lanname AS name, lanpltrusted AS trusted FROM pg_catalog.pg_language;

-- name: collations
-- columns: id 26, name 19, collcollate 25, collctype 25
-- rows-at-least: 0
SELECT oid AS id, collname AS name, collcollate, collctype FROM pg_catalog.pg_collation WHERE collnamespace = 0;

-- name: page_of_rows
-- columns: event_id 25, user_id 25, anonymous_id 25, ts 1184, received_at 1184, event 25, channel 25, source 25, medium 25, campaign 25, page 25, referrer 25, device 25, country 25, revenue 1700, cost 1700, currency 25, score 701, properties 25
-- rows: 501
SELECT t.* FROM public.touchpoints t LIMIT 501;
