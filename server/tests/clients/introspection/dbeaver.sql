-- What DBeaver reads when a connection opens and its tree is unfolded.

-- name: session
-- columns: current_schema 19, session_user 19
-- rows: 1
SELECT current_schema(), session_user;

-- name: databases
-- columns: oid 26, oid 26, datname 19, datdba 26, encoding 23, datlocprovider 18, datistemplate 16, datallowconn 16, datconnlimit 23, datfrozenxid 28, datminmxid 28, dattablespace 26, datcollate 25, datctype 25, daticulocale 25, datcollversion 25, datacl 1034
-- rows-at-least: 1
SELECT db.oid, db.* FROM pg_catalog.pg_database db WHERE datallowconn AND NOT datistemplate OR db.datname = current_database() ORDER BY db.datname;

-- name: settings
-- columns: name 25, setting 25, unit 25, category 25, short_desc 25, context 25, vartype 25, source 25, min_val 25, max_val 25, enumvals 1009, boot_val 25, reset_val 25
-- rows-at-least: 20
SELECT s.name, s.setting, s.unit, s.category, s.short_desc, s.context, s.vartype, s.source, s.min_val, s.max_val, s.enumvals, s.boot_val, s.reset_val FROM pg_catalog.pg_settings s;

-- name: search_path
-- columns: search_path 25
-- rows: 1
SHOW search_path;

-- name: schemas
-- columns: oid 26, oid 26, nspname 19, nspowner 26, nspacl 1034, description 25
-- rows-at-least: 3
SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = n.oid AND d.objsubid = 0 AND d.classoid = 'pg_namespace'::regclass ORDER BY nspname;

-- name: data_types
-- columns: oid 26, oid 26, typname 19, typnamespace 26, typowner 26, typlen 21, typbyval 16, typtype 18, typcategory 18, typispreferred 16, typisdefined 16, typdelim 18, typrelid 26, typsubscript 24, typelem 26, typarray 26, typinput 24, typoutput 24, typreceive 24, typsend 24, typmodin 24, typmodout 24, typanalyze 24, typalign 18, typstorage 18, typnotnull 16, typbasetype 26, typtypmod 23, typndims 23, typcollation 26, typdefaultbin 194, typdefault 25, typacl 1034, relkind 18, base_type_name 25, description 25
-- rows-at-least: 50
SELECT t.oid, t.*, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base_type_name, d.description
FROM pg_catalog.pg_type t
LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid = t.typelem
LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid = d.objoid
WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c') AND (et.typcategory IS NULL OR et.typcategory <> 'C');

-- name: tables
-- columns: oid 26, oid 26, relname 19, relnamespace 26, reltype 26, reloftype 26, relowner 26, relam 26, relfilenode 26, reltablespace 26, relpages 23, reltuples 700, relallvisible 23, reltoastrelid 26, relhasindex 16, relisshared 16, relpersistence 18, relkind 18, relnatts 21, relchecks 21, relhasrules 16, relhastriggers 16, relhassubclass 16, relrowsecurity 16, relforcerowsecurity 16, relispopulated 16, relreplident 18, relispartition 16, relrewrite 26, relfrozenxid 28, relminmxid 28, relacl 1034, reloptions 1009, relpartbound 194, description 25, partition_expr 25, partition_key 25
-- rows-at-least: 1
SELECT c.oid, c.*, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS partition_expr, pg_catalog.pg_get_partkeydef(c.oid) AS partition_key
FROM pg_catalog.pg_class c
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'public') AND c.relkind NOT IN ('i', 'I', 'c');

-- name: sizes
-- columns: oid 26, total_rel_size 20, rel_size 20
-- rows-at-least: 1
SELECT c.oid, pg_catalog.pg_total_relation_size(c.oid) AS total_rel_size, pg_catalog.pg_relation_size(c.oid) AS rel_size
FROM pg_class c WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'public');

-- name: columns
-- columns: relname 19, attrelid 26, attname 19, atttypid 26, attstattarget 23, attlen 21, attnum 21, attndims 23, attcacheoff 23, atttypmod 23, attbyval 16, attalign 18, attstorage 18, attcompression 18, attnotnull 16, atthasdef 16, atthasmissing 16, attidentity 18, attgenerated 18, attisdropped 16, attislocal 16, attinhcount 23, attcollation 26, attacl 1034, attoptions 1009, attfdwoptions 1009, attmissingval 2277, def_value 25, description 25, objid 26
-- rows: 19
SELECT c.relname, a.*, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS def_value, dsc.description, dep.objid
FROM pg_catalog.pg_attribute a
INNER JOIN pg_catalog.pg_class c ON (a.attrelid = c.oid)
LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid = ad.adrelid AND a.attnum = ad.adnum)
LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid = dsc.objoid AND a.attnum = dsc.objsubid)
LEFT OUTER JOIN pg_depend dep ON dep.refobjid = a.attrelid AND dep.deptype = 'i' AND dep.refobjsubid = a.attnum AND dep.classid = dep.refclassid
WHERE NOT a.attisdropped AND a.attnum > 0 AND c.oid = 'public.touchpoints'::regclass ORDER BY a.attnum;

-- name: constraints
-- columns: oid 26, oid 26, conname 19, connamespace 26, contype 18, condeferrable 16, condeferred 16, convalidated 16, conrelid 26, contypid 26, conindid 26, conparentid 26, confrelid 26, confupdtype 18, confdeltype 18, confmatchtype 18, conislocal 16, coninhcount 23, connoinherit 16, conkey 1005, confkey 1005, conpfeqop 1028, conppeqop 1028, conffeqop 1028, confdelsetcols 1005, conexclop 1028, conbin 194, tabrelname 19, refnamespace 26, description 25, consrc_copy 25
-- rows: 0
SELECT c.oid, c.*, t.relname AS tabrelname, rt.relnamespace AS refnamespace, d.description,
       CASE WHEN c.contype = 'c' THEN substring(pg_get_constraintdef(c.oid), 7) ELSE NULL END AS consrc_copy
FROM pg_catalog.pg_constraint c
INNER JOIN pg_catalog.pg_class t ON t.oid = c.conrelid
LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid = c.confrelid
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_constraint'::regclass
WHERE c.conrelid = 'public.touchpoints'::regclass ORDER BY c.oid;

-- name: indexes
-- columns: indexrelid 26, indrelid 26, indnatts 21, indnkeyatts 21, indisunique 16, indnullsnotdistinct 16, indisprimary 16, indisexclusion 16, indimmediate 16, indisclustered 16, indisvalid 16, indcheckxmin 16, indisready 16, indislive 16, indisreplident 16, indkey 22, indcollation 30, indclass 30, indoption 22, indexprs 194, indpred 194, keys 22, relname 19, relnamespace 26, relam 26, reltablespace 26, tabrelname 19, description 25, pred_expr 25, expr 25, index_rel_size 20
-- rows: 0
SELECT i.*, i.indkey AS keys, c.relname, c.relnamespace, c.relam, c.reltablespace, tc.relname AS tabrelname, dsc.description, pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS pred_expr,
       pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) AS expr, pg_catalog.pg_relation_size(i.indexrelid) AS index_rel_size
FROM pg_catalog.pg_index i
INNER JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
INNER JOIN pg_catalog.pg_class tc ON tc.oid = i.indrelid
LEFT OUTER JOIN pg_catalog.pg_description dsc ON i.indexrelid = dsc.objoid
WHERE i.indrelid = 'public.touchpoints'::regclass ORDER BY tabrelname, c.relname;

-- name: triggers
-- columns: oid 26, oid 26, tgrelid 26, tgparentid 26, tgname 19, tgfoid 26, tgtype 21, tgenabled 18, tgisinternal 16, tgconstrrelid 26, tgconstrindid 26, tgconstraint 26, tgdeferrable 16, tginitdeferred 16, tgnargs 21, tgattr 22, tgargs 17, tgqual 194, tgoldtable 19, tgnewtable 19, func_schema_id 26, description 25
-- rows: 0
SELECT x.oid, x.*, p.pronamespace AS func_schema_id, d.description FROM pg_catalog.pg_trigger x
INNER JOIN pg_catalog.pg_proc p ON p.oid = x.tgfoid
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = x.oid AND d.objsubid = 0 WHERE x.tgrelid = 'public.touchpoints'::regclass AND NOT x.tgisinternal;

-- name: rules
-- columns: oid 26, oid 26, rulename 19, ev_class 26, ev_type 18, ev_enabled 18, is_instead 16, ev_qual 194, ev_action 194
-- rows: 0
SELECT r.oid, r.* FROM pg_catalog.pg_rewrite r WHERE r.ev_class = 'public.touchpoints'::regclass AND r.rulename <> '_RETURN'::name;

-- name: roles
-- columns: oid 26, rolname 19, rolsuper 16, rolinherit 16, rolcreaterole 16, rolcreatedb 16, rolcanlogin 16, rolreplication 16, rolconnlimit 23, rolpassword 25, rolvaliduntil 1184, rolbypassrls 16, rolconfig 1009, oid 26, description 25
-- rows-at-least: 1
SELECT a.oid, a.*, pd.description FROM pg_catalog.pg_roles a LEFT JOIN pg_catalog.pg_shdescription pd ON a.oid = pd.objoid ORDER BY a.rolname;

-- name: tablespaces
-- columns: oid 26, oid 26, spcname 19, spcowner 26, spcacl 1034, spcoptions 1009, loc 25
-- rows-at-least: 1
SELECT t.oid, t.*, pg_tablespace_location(t.oid) AS loc FROM pg_catalog.pg_tablespace t ORDER BY t.oid;

-- name: access_methods
-- columns: oid 26, oid 26, amname 19, amhandler 24, amtype 18
-- rows-at-least: 1
SELECT am.oid, am.* FROM pg_catalog.pg_am am ORDER BY am.oid;

-- name: extensions
-- columns: oid 26, tbls 1009, schema_name 19, oid 26, extname 19, extowner 26, extnamespace 26, extrelocatable 16, extversion 25, extconfig 1028, extcondition 1009
-- rows-at-least: 0
SELECT e.oid, cfg.tbls, n.nspname AS schema_name, e.* FROM pg_catalog.pg_extension e
JOIN pg_namespace n ON n.oid = e.extnamespace
LEFT JOIN (SELECT ARRAY_AGG(ns.nspname || '.' || cls.relname) tbls, oid_ext
           FROM (SELECT unnest(e1.extconfig) oid, e1.oid oid_ext FROM pg_catalog.pg_extension e1) c
           JOIN pg_class cls ON cls.oid = c.oid JOIN pg_namespace ns ON ns.oid = cls.relnamespace GROUP BY oid_ext) cfg ON cfg.oid_ext = e.oid
ORDER BY e.oid;

-- name: functions
-- columns: poid 26, oid 26, proname 19, pronamespace 26, proowner 26, prolang 26, procost 700, prorows 700, provariadic 26, prosupport 24, prokind 18, prosecdef 16, proleakproof 16, proisstrict 16, proretset 16, provolatile 18, proparallel 18, pronargs 21, pronargdefaults 21, prorettype 26, proargtypes 30, proallargtypes 1028, proargmodes 1002, proargnames 1009, proargdefaults 194, protrftypes 1028, prosrc 25, probin 25, prosqlbody 194, proconfig 1009, proacl 1034, arg_defaults 25, description 25, lanname 19
-- rows-at-least: 0
SELECT p.oid AS poid, p.*, pg_catalog.pg_get_expr(p.proargdefaults, 0) AS arg_defaults, d.description, l.lanname
FROM pg_catalog.pg_proc p
LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = p.oid AND d.objsubid = 0
LEFT OUTER JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE p.pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'public') ORDER BY p.proname;

-- name: probe_of_a_catalogue
-- columns: oid 26, enumtypid 26, enumsortorder 700, enumlabel 19
-- rows: 0
SELECT * FROM pg_catalog.pg_enum WHERE 1 <> 1 LIMIT 1;

-- name: sequences
-- columns: schemaname 19, sequencename 19, sequenceowner 19, data_type 2206, start_value 20, min_value 20, max_value 20, increment_by 20, cycle 16, cache_size 20, last_value 20
-- rows: 0
SELECT * FROM pg_catalog.pg_sequences WHERE schemaname = 'public';

-- name: view_definition
-- columns: pg_get_viewdef 25
-- rows: 0
SELECT pg_catalog.pg_get_viewdef(c.oid, true) FROM pg_class c WHERE c.relkind = 'v' AND c.relname = 'no_such_view';

-- name: sessions
-- columns: datid 26, datname 19, pid 23, leader_pid 23, usesysid 26, usename 19, application_name 25, client_addr 869, client_hostname 25, client_port 23, backend_start 1184, xact_start 1184, query_start 1184, state_change 1184, wait_event_type 25, wait_event 25, state 25, backend_xid 28, backend_xmin 28, query_id 20, query 25, backend_type 25
-- rows-at-least: 1
SELECT sa.* FROM pg_catalog.pg_stat_activity sa WHERE sa.pid = pg_backend_pid();

-- name: locks
-- columns: pid 23, locktype 25, mode 25, granted 16
-- rows: 0
SELECT l.pid, l.locktype, l.mode, l.granted FROM pg_catalog.pg_locks l WHERE NOT l.granted;

-- name: row_counts
-- columns: count 20
-- has: 35386
SELECT count(*) FROM (SELECT * FROM public.touchpoints) dbvrcnt;
