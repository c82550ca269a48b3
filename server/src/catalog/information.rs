//! Rows of `information_schema`.

use wayfare_engine::catalog::provider::{CATALOG, PUBLIC_SCHEMA};

use super::objects::{Column, Object, PG_CATALOG, schemas};
use super::reg::sql_type_name;
use super::rows::{Cell, Row, row};
use super::schema::Sources;
use super::{OWNER, pg_functions, pg_server};

/// Bytes that text of no declared length may have, as PostgreSQL tells it.
const TEXT_OCTETS: i64 = 1 << 30;

/// The rows of table `name`; `None` if it is one that stays empty.
pub(super) fn rows(name: &str, sources: &Sources) -> Option<Vec<Row>> {
    let objects = sources.view.objects();
    let user = sources.identity.user.as_str();
    Some(match name {
        "information_schema_catalog_name" => vec![row! { catalog_name: CATALOG }],
        "schemata" => schemas().iter().map(|(_, name)| schema(name)).collect(),
        "tables" => objects.all().iter().map(table).collect(),
        "columns" => objects.all().iter().flat_map(columns).collect(),
        "views" => objects.all().iter().filter(|object| object.kind == "v").map(view).collect(),
        "table_privileges" | "role_table_grants" => {
            objects.all().iter().map(|object| table_grant(object, user)).collect()
        }
        "column_privileges" | "role_column_grants" => {
            objects.users().flat_map(|object| column_grants(object, user)).collect()
        }
        "routines" => pg_functions::all(sources).iter().map(routine).collect(),
        "character_sets" => vec![row! {
            character_set_name: "UTF8",
            character_repertoire: "UCS",
            form_of_use: "UTF8",
            default_collate_catalog: CATALOG,
            default_collate_schema: PG_CATALOG,
            default_collate_name: "C",
        }],
        "collations" => vec![row! {
            collation_catalog: CATALOG,
            collation_schema: PG_CATALOG,
            collation_name: "C",
            pad_attribute: "NO PAD",
        }],
        "enabled_roles" => pg_server::role_names(&sources.identity)
            .iter()
            .map(|name| row! { role_name: name.as_str() })
            .collect(),
        _ => return None,
    })
}

fn schema(name: &str) -> Row {
    row! { catalog_name: CATALOG, schema_name: name, schema_owner: OWNER }
}

fn table(object: &Object) -> Row {
    row! {
        table_catalog: CATALOG,
        table_schema: object.schema,
        table_name: object.name.as_str(),
        table_type: if object.kind == "v" { "VIEW" } else { "BASE TABLE" },
        is_insertable_into: "NO",
        is_typed: "NO",
    }
}

fn view(object: &Object) -> Row {
    let mut row = row! {
        table_catalog: CATALOG,
        table_schema: object.schema,
        table_name: object.name.as_str(),
        check_option: "NONE",
        is_updatable: "NO",
        is_insertable_into: "NO",
        is_trigger_updatable: "NO",
        is_trigger_deletable: "NO",
        is_trigger_insertable_into: "NO",
    };
    if let Some(definition) = &object.definition {
        row.push(("view_definition", Cell::from(format!("{definition};"))));
    }
    row
}

fn columns(object: &Object) -> Vec<Row> {
    object.columns.iter().zip(1_i64..).map(|(column, number)| column_row(object, column, number)).collect()
}

fn column_row(object: &Object, column: &Column, number: i64) -> Row {
    let mut row = row! {
        table_catalog: CATALOG,
        table_schema: object.schema,
        table_name: object.name.as_str(),
        column_name: column.name.as_str(),
        ordinal_position: number,
        is_nullable: if column.not_null { "NO" } else { "YES" },
        data_type: standard_name(column.pg_type.name()),
        udt_catalog: CATALOG,
        udt_schema: PG_CATALOG,
        udt_name: column.pg_type.name(),
        dtd_identifier: number.to_string(),
        is_self_referencing: "NO",
        is_identity: "NO",
        identity_cycle: "NO",
        is_generated: "NEVER",
        is_updatable: "NO",
    };
    let binary_digits = match column.pg_type.name() {
        "int2" => Some((16, Some(0))),
        "int4" => Some((32, Some(0))),
        "int8" => Some((64, Some(0))),
        "float4" => Some((24, None)),
        "float8" => Some((53, None)),
        _ => None,
    };
    if let Some((digits, scale)) = binary_digits {
        row.push(("numeric_precision", Cell::Int(digits)));
        row.push(("numeric_precision_radix", Cell::Int(2)));
        row.extend(scale.map(|scale| ("numeric_scale", Cell::Int(scale))));
    }
    match column.pg_type.name() {
        "numeric" => {
            row.push(("numeric_precision_radix", Cell::Int(10)));
            if column.type_modifier >= 4 {
                let modifier = i64::from(column.type_modifier) - 4;
                row.push(("numeric_precision", Cell::Int(modifier >> 16)));
                row.push(("numeric_scale", Cell::Int(modifier & 0xffff)));
            }
        }
        "text" | "varchar" | "bpchar" => row.push(("character_octet_length", Cell::Int(TEXT_OCTETS))),
        "timestamp" | "timestamptz" | "time" | "timetz" | "interval" => {
            row.push(("datetime_precision", Cell::Int(6)));
        }
        "date" => row.push(("datetime_precision", Cell::Int(0))),
        _ => {}
    }
    row
}

/// The name of a type in the SQL standard, as `information_schema` has it.
fn standard_name(pg_name: &str) -> String {
    if pg_name.starts_with('_') { "ARRAY".to_owned() } else { sql_type_name(pg_name) }
}

fn table_grant(object: &Object, user: &str) -> Row {
    row! {
        grantor: OWNER,
        grantee: user,
        table_catalog: CATALOG,
        table_schema: object.schema,
        table_name: object.name.as_str(),
        privilege_type: "SELECT",
        is_grantable: "NO",
        with_hierarchy: "YES",
    }
}

fn column_grants(object: &Object, user: &str) -> Vec<Row> {
    let columns = object.columns.iter();
    columns
        .map(|column| {
            row! {
                grantor: OWNER,
                grantee: user,
                table_catalog: CATALOG,
                table_schema: object.schema,
                table_name: object.name.as_str(),
                column_name: column.name.as_str(),
                privilege_type: "SELECT",
                is_grantable: "NO",
            }
        })
        .collect()
}

fn routine(function: &pg_functions::Function) -> Row {
    row! {
        specific_catalog: CATALOG,
        specific_schema: PUBLIC_SCHEMA,
        specific_name: function.name.as_str(),
        routine_catalog: CATALOG,
        routine_schema: PUBLIC_SCHEMA,
        routine_name: function.name.as_str(),
        routine_type: "FUNCTION",
        data_type: "any",
        routine_body: "EXTERNAL",
        external_language: "INTERNAL",
        is_deterministic: "YES",
        security_type: "INVOKER",
    }
}
