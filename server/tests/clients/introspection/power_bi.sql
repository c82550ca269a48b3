-- What Power BI sends: the type loader of its .NET driver, then the schema of tables, columns and keys.

-- name: version_and_types
-- columns: nspname 19, oid 26, typname 19, typtype 18, typnotnull 16, elemtypoid 26
-- has: pg_catalog|23|int4|b|f|NULL
-- has: pg_catalog|1007|_int4|a|f|23
SELECT ns.nspname, t.oid, t.typname, t.typtype, t.typnotnull, t.elemtypoid
FROM (
    SELECT typ.oid, typ.typnamespace, typ.typname, typ.typtype, typ.typrelid, typ.typnotnull, typ.relkind,
           elemtyp.oid AS elemtypoid, elemtyp.typname AS elemtypname, elemcls.relkind AS elemrelkind,
           CASE WHEN elemproc.proname = 'array_recv' THEN 'a' ELSE elemtyp.typtype END AS elemtyptype, typ.typcategory
    FROM (
        SELECT typ.oid, typ.typnamespace, typ.typname, typ.typrelid, typ.typnotnull, typ.typcategory, typ.typelem AS elemoid, cls.relkind,
               CASE WHEN proc.proname = 'array_recv' THEN 'a' ELSE typ.typtype END AS typtype,
               CASE WHEN proc.proname = 'array_recv' THEN typ.typelem WHEN typ.typtype = 'r' THEN rng.rngsubtype WHEN typ.typtype = 'd' THEN typ.typbasetype END AS elemtypoid
        FROM pg_type AS typ
        LEFT JOIN pg_class AS cls ON cls.oid = typ.typrelid
        LEFT JOIN pg_proc AS proc ON proc.oid = typ.typreceive
        LEFT JOIN pg_range AS rng ON rng.rngtypid = typ.oid
    ) AS typ
    LEFT JOIN pg_type AS elemtyp ON elemtyp.oid = typ.elemtypoid
    LEFT JOIN pg_class AS elemcls ON elemcls.oid = elemtyp.typrelid
    LEFT JOIN pg_proc AS elemproc ON elemproc.oid = elemtyp.typreceive
) AS t
JOIN pg_namespace AS ns ON ns.oid = t.typnamespace
WHERE (t.typtype IN ('b', 'r', 'm', 'e', 'd') OR (t.typtype = 'c' AND t.relkind = 'c') OR (t.typtype = 'p' AND t.typname IN ('record', 'void'))
       OR (t.typtype = 'a' AND (t.elemtyptype IN ('b', 'r', 'm', 'e', 'd') OR (t.elemtyptype = 'p' AND t.elemtypname IN ('record', 'void')) OR (t.elemtyptype = 'c' AND t.elemrelkind = 'c'))))
ORDER BY CASE WHEN t.typtype IN ('b', 'e', 'p') THEN 0 WHEN t.typtype = 'c' THEN 1 WHEN t.typtype = 'a' THEN 3 ELSE 2 END, t.oid;

-- name: fields_of_composite_types
-- columns: oid 26, attname 19, atttypid 26
-- rows: 0
SELECT typ.oid, att.attname, att.atttypid
FROM pg_type AS typ
JOIN pg_namespace AS ns ON ns.oid = typ.typnamespace
JOIN pg_class AS cls ON cls.oid = typ.typrelid
JOIN pg_attribute AS att ON att.attrelid = typ.typrelid
WHERE typ.typtype = 'c' AND cls.relkind = 'c' AND att.attnum > 0 AND NOT att.attisdropped
ORDER BY typ.oid, att.attnum;

-- name: labels_of_enum_types
-- columns: oid 26, enumlabel 19
-- rows: 0
SELECT pg_type.oid, enumlabel FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid ORDER BY oid, enumsortorder;

-- name: tables
-- columns: table_schema 19, table_name 19, table_type 1043
-- has: public|touchpoints|BASE TABLE
SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM INFORMATION_SCHEMA.tables WHERE TABLE_SCHEMA NOT IN ('information_schema', 'pg_catalog') ORDER BY TABLE_SCHEMA, TABLE_NAME;

-- name: columns
-- columns: column_name 19, ordinal_position 23, is_nullable 1043, data_type 1043
-- has: event_id|1|YES|text
-- has: ts|4|NO|timestamp with time zone
-- has: revenue|15|YES|numeric
SELECT COLUMN_NAME, ORDINAL_POSITION, IS_NULLABLE, CASE WHEN (DATA_TYPE LIKE '%unsigned%') THEN DATA_TYPE || ' unsigned' ELSE DATA_TYPE END AS DATA_TYPE
FROM INFORMATION_SCHEMA.columns WHERE TABLE_SCHEMA = 'public' AND TABLE_NAME = 'touchpoints' ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION;

-- name: encodings
-- columns: character_set_name 19
-- has: UTF8
SELECT character_set_name FROM INFORMATION_SCHEMA.character_sets;

-- name: keys_to_other_tables
-- columns: pk_column_name 19, fk_table_schema 19, fk_table_name 19, fk_column_name 19, ordinal 23, fk_name 25
-- rows: 0
SELECT pkcol.COLUMN_NAME AS PK_COLUMN_NAME, fkcol.TABLE_SCHEMA AS FK_TABLE_SCHEMA, fkcol.TABLE_NAME AS FK_TABLE_NAME, fkcol.COLUMN_NAME AS FK_COLUMN_NAME,
       fkcol.ORDINAL_POSITION AS ORDINAL, fkcon.CONSTRAINT_SCHEMA || '_' || fkcol.TABLE_NAME || '_' || 'touchpoints' || '_' || fkcon.CONSTRAINT_NAME AS FK_NAME
FROM (SELECT DISTINCT constraint_catalog, constraint_schema, unique_constraint_schema, constraint_name, unique_constraint_name FROM INFORMATION_SCHEMA.REFERENTIAL_CONSTRAINTS) fkcon
INNER JOIN INFORMATION_SCHEMA.KEY_COLUMN_USAGE fkcol ON fkcon.CONSTRAINT_SCHEMA = fkcol.CONSTRAINT_SCHEMA AND fkcon.CONSTRAINT_NAME = fkcol.CONSTRAINT_NAME
INNER JOIN INFORMATION_SCHEMA.KEY_COLUMN_USAGE pkcol ON fkcon.UNIQUE_CONSTRAINT_SCHEMA = pkcol.CONSTRAINT_SCHEMA AND fkcon.UNIQUE_CONSTRAINT_NAME = pkcol.CONSTRAINT_NAME
WHERE pkcol.TABLE_SCHEMA = 'public' AND pkcol.TABLE_NAME = 'touchpoints' AND pkcol.ORDINAL_POSITION = fkcol.ORDINAL_POSITION ORDER BY FK_NAME, fkcol.ORDINAL_POSITION;

-- name: unique_keys
-- columns: index_name 25, column_name 19, ordinal_position 23, primary_key 25
-- rows: 0
SELECT i.CONSTRAINT_SCHEMA || '_' || i.CONSTRAINT_NAME AS INDEX_NAME, ii.COLUMN_NAME, ii.ORDINAL_POSITION, CASE WHEN i.CONSTRAINT_TYPE = 'PRIMARY KEY' THEN 'Y' ELSE 'N' END AS PRIMARY_KEY
FROM INFORMATION_SCHEMA.table_constraints i
INNER JOIN INFORMATION_SCHEMA.key_column_usage ii ON i.CONSTRAINT_SCHEMA = ii.CONSTRAINT_SCHEMA AND i.CONSTRAINT_NAME = ii.CONSTRAINT_NAME AND i.TABLE_SCHEMA = ii.TABLE_SCHEMA AND i.TABLE_NAME = ii.TABLE_NAME
WHERE i.TABLE_SCHEMA = 'public' AND i.TABLE_NAME = 'touchpoints' AND i.CONSTRAINT_TYPE IN ('PRIMARY KEY', 'UNIQUE') ORDER BY 1, 2;

-- name: preview
-- columns: user_id 25, ts 1184, revenue 1700
-- rows: 1000
SELECT "$Table"."user_id" AS "user_id", "$Table"."ts" AS "ts", "$Table"."revenue" AS "revenue" FROM "public"."touchpoints" "$Table" LIMIT 1000 OFFSET 0;

-- name: folded_aggregate
-- columns: event 25, n 20, money 1700
-- has: purchase|2|12345678901254.4678
SELECT "rows"."event" AS "event", COUNT(1) AS "n", SUM("rows"."revenue") AS "money"
FROM (SELECT "_"."event", "_"."revenue" FROM (SELECT "_"."event", "_"."revenue", "_"."event_id" FROM "public"."touchpoints" "_" WHERE "_"."event_id" LIKE 'edge-%') "_") "rows" GROUP BY "event";
