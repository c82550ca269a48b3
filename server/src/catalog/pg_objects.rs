//! Rows of `pg_catalog` about relations: `pg_class`, `pg_attribute`, `pg_views` and others.

use super::objects::{OWNER_OID, Object, PG_CLASS_OID, PG_PROC_OID, function_oid, schema_oid, schemas};
use super::rows::{Cell, Row, row};
use super::schema::Sources;
use super::{OWNER, pg_functions};
use crate::wire::encode::type_size;

/// Bytes of a page, by which sizes are told to planners of clients.
const PAGE_BYTES: u64 = 8192;
/// `default`, the collation of the database, which is `C`: by bytes.
const COLLATION_OID: i64 = 100;
/// Access method `heap`.
const HEAP_OID: i64 = 2;

/// The rows of table `name`; `None` if it is none of these.
pub(super) fn rows(name: &str, sources: &Sources) -> Option<Vec<Row>> {
    let objects = sources.view.objects();
    Some(match name {
        "pg_class" => objects.all().iter().map(class).collect(),
        "pg_attribute" => objects.all().iter().flat_map(attributes).collect(),
        "pg_namespace" => schemas().iter().map(|schema| namespace(*schema)).collect(),
        "pg_tables" => objects.all().iter().filter(|object| object.kind == "r").map(table).collect(),
        "pg_views" => objects.all().iter().filter(|object| object.kind == "v").map(view).collect(),
        "pg_description" => {
            let mut rows: Vec<Row> = objects.all().iter().flat_map(descriptions).collect();
            rows.extend(function_descriptions(sources));
            rows
        }
        "pg_stat_user_tables" => objects.users().filter(|object| object.kind == "r").map(activity).collect(),
        "pg_stat_all_tables" => {
            objects.all().iter().filter(|object| object.kind == "r").map(activity).collect()
        }
        _ => return None,
    })
}

fn class(object: &Object) -> Row {
    let is_table = object.kind == "r";
    row! {
        oid: object.oid,
        relname: object.name.as_str(),
        relnamespace: schema_oid(object.schema),
        relowner: OWNER_OID,
        relam: if is_table { HEAP_OID } else { 0 },
        relfilenode: if is_table { object.oid } else { 0 },
        relpages: i64::try_from(object.bytes.div_ceil(PAGE_BYTES)).unwrap_or(i64::MAX).min(i64::from(i32::MAX)),
        // -1 is PostgreSQL's "not known".
        reltuples: Cell::Float(object.rows.map_or(-1.0, |rows| rows as f64)),
        relpersistence: if object.temporary { "t" } else { "p" },
        relkind: object.kind,
        relnatts: i64::try_from(object.columns.len()).unwrap_or(i64::MAX),
        relhasrules: !is_table,
        relispopulated: true,
        relreplident: if is_table { "d" } else { "n" },
    }
}

fn attributes(object: &Object) -> Vec<Row> {
    let columns = object.columns.iter().zip(1_i64..);
    columns
        .map(|(column, number)| {
            let size = type_size(&column.pg_type);
            let is_text = matches!(column.pg_type.name(), "text" | "varchar" | "bpchar" | "name");
            row! {
                attrelid: object.oid,
                attname: column.name.as_str(),
                atttypid: column.pg_type.oid(),
                attstattarget: -1_i64,
                attlen: i64::from(size),
                attnum: number,
                attndims: i64::from(column.pg_type.name().starts_with('_')),
                attcacheoff: -1_i64,
                atttypmod: i64::from(column.type_modifier),
                attbyval: matches!(size, 1 | 2 | 4 | 8),
                attalign: match size { 1 => "c", 2 => "s", 8 => "d", _ => "i" },
                attstorage: if size > 0 { "p" } else { "x" },
                attnotnull: column.not_null,
                attislocal: true,
                attcollation: if is_text { COLLATION_OID } else { 0 },
            }
        })
        .collect()
}

fn namespace((oid, name): (u32, &'static str)) -> Row {
    row! { oid: oid, nspname: name, nspowner: OWNER_OID }
}

fn table(object: &Object) -> Row {
    row! {
        schemaname: object.schema,
        tablename: object.name.as_str(),
        tableowner: OWNER,
        hasindexes: false,
        hasrules: false,
        hastriggers: false,
        rowsecurity: false,
    }
}

fn view(object: &Object) -> Row {
    let mut row = row! {
        schemaname: object.schema,
        viewname: object.name.as_str(),
        viewowner: OWNER,
    };
    if let Some(definition) = &object.definition {
        row.push(("definition", Cell::from(format!("{definition};"))));
    }
    row
}

fn descriptions(object: &Object) -> Vec<Row> {
    let description = |number: i64, text: &str| {
        row! { objoid: object.oid, classoid: PG_CLASS_OID, objsubid: number, description: text }
    };
    let mut rows: Vec<Row> = object.comment.iter().map(|text| description(0, text)).collect();
    for (column, number) in object.columns.iter().zip(1_i64..) {
        rows.extend(column.comment.iter().map(|text| description(number, text)));
    }
    rows
}

fn function_descriptions(sources: &Sources) -> Vec<Row> {
    let functions = pg_functions::all(sources).iter();
    functions
        .filter_map(|function| {
            let text = function.description.as_deref()?;
            Some(row! {
                objoid: function_oid(&function.name),
                classoid: PG_PROC_OID,
                objsubid: 0_i64,
                description: text,
            })
        })
        .collect()
}

fn activity(object: &Object) -> Row {
    row! {
        relid: object.oid,
        schemaname: object.schema,
        relname: object.name.as_str(),
        seq_scan: 0_i64,
        seq_tup_read: 0_i64,
        n_tup_ins: 0_i64,
        n_tup_upd: 0_i64,
        n_tup_del: 0_i64,
        n_tup_hot_upd: 0_i64,
        n_live_tup: object.rows.and_then(|rows| i64::try_from(rows).ok()).unwrap_or(0),
        n_dead_tup: 0_i64,
        n_mod_since_analyze: 0_i64,
        vacuum_count: 0_i64,
        autovacuum_count: 0_i64,
        analyze_count: 0_i64,
        autoanalyze_count: 0_i64,
    }
}
