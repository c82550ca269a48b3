//! Functions that look into the catalog: definitions, comments, visibility, privileges, sizes.

use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ScalarUDF, Volatility};
use wayfare_engine::catalog::provider::{CATALOG, PUBLIC_SCHEMA};

use super::objects::{
    Object, Objects, PG_CATALOG, PG_CLASS_OID, PG_PROC_OID, database_oid, function_oid, role_oid, schemas,
};
use super::pg_functions;
use super::pg_server::role_names;
use super::row_function::{RowFunction, integer_of, returns, text, text_of};
use super::schema::Sources;
use crate::error::{SqlError, sqlstate};
use crate::wire::types::typed_field;

/// Privileges on what the store holds that everyone has.
const READ_PRIVILEGES: [&str; 5] = ["SELECT", "USAGE", "CONNECT", "EXECUTE", "TEMPORARY"];

/// The functions of a session.
pub(super) fn all(sources: &Sources) -> Vec<ScalarUDF> {
    let function =
        |name, counts: &[usize], result, evaluate: fn(&Sources, &[ScalarValue]) -> Result<ScalarValue>| {
            let sources = sources.clone();
            RowFunction::udf(name, counts, returns(result), Volatility::Stable, move |arguments| {
                evaluate(&sources, arguments)
            })
        };
    let mut functions = vec![
        function("pg_get_viewdef", &[1, 2], DataType::Utf8, |sources, arguments| {
            let objects = sources.view.objects();
            let definition = relation(&objects, &arguments[0])?.and_then(|object| object.definition.clone());
            Ok(ScalarValue::Utf8(definition.map(|text| format!("{text};"))))
        }),
        user_by_id(sources),
        function("obj_description", &[1, 2], DataType::Utf8, |sources, arguments| {
            let catalog = arguments.get(1).and_then(text_of);
            description(sources, &arguments[0], 0, catalog)
        }),
        function("col_description", &[2], DataType::Utf8, |sources, arguments| {
            let number = integer_of(&arguments[1]).unwrap_or(0);
            description(sources, &arguments[0], number, Some("pg_class"))
        }),
        function("pg_table_is_visible", &[1], DataType::Boolean, |sources, arguments| {
            let objects = sources.view.objects();
            let object = integer_of(&arguments[0]).and_then(|oid| objects.by_oid(u32::try_from(oid).ok()?));
            Ok(ScalarValue::Boolean(object.map(|object| is_visible(object.schema))))
        }),
        function("pg_relation_size", &[1, 2], DataType::Int64, size),
        function("pg_table_size", &[1], DataType::Int64, size),
        function("pg_total_relation_size", &[1], DataType::Int64, size),
        function("pg_indexes_size", &[1], DataType::Int64, |sources, arguments| {
            let is_known = !size(sources, arguments)?.is_null();
            Ok(ScalarValue::Int64(is_known.then_some(0)))
        }),
        function("pg_database_size", &[1], DataType::Int64, |sources, arguments| {
            let is_ours = match text_of(&arguments[0]) {
                Some(name) => name == CATALOG,
                None => integer_of(&arguments[0]) == Some(i64::from(database_oid())),
            };
            Ok(if is_ours { total_size(sources) } else { ScalarValue::Null })
        }),
        function("pg_tablespace_size", &[1], DataType::Int64, |sources, _| Ok(total_size(sources))),
        function("has_table_privilege", &[2, 3], DataType::Boolean, on_relation),
        function("has_any_column_privilege", &[2, 3], DataType::Boolean, on_relation),
        function("has_column_privilege", &[3, 4], DataType::Boolean, |sources, arguments| {
            let (privilege, rest) = arguments.split_last().unwrap_or((&ScalarValue::Null, &[]));
            let with_table: Vec<ScalarValue> =
                rest[..rest.len().saturating_sub(1)].iter().chain([privilege]).cloned().collect();
            on_relation(sources, &with_table)
        }),
        function("has_schema_privilege", &[2, 3], DataType::Boolean, |_, arguments| {
            if let Some(name) = object_argument(arguments).and_then(text_of)
                && !schemas().iter().any(|(_, known)| *known == name)
            {
                return Err(SqlError::new("3F000", format!("schema \"{name}\" does not exist")).into());
            }
            privilege(arguments)
        }),
        function("has_database_privilege", &[2, 3], DataType::Boolean, |_, arguments| privilege(arguments)),
        function("has_function_privilege", &[2, 3], DataType::Boolean, |_, arguments| privilege(arguments)),
        function("has_sequence_privilege", &[2, 3], DataType::Boolean, |_, arguments| privilege(arguments)),
        function("has_tablespace_privilege", &[2, 3], DataType::Boolean, |_, arguments| privilege(arguments)),
        function("has_type_privilege", &[2, 3], DataType::Boolean, |_, arguments| privilege(arguments)),
        function("has_language_privilege", &[2, 3], DataType::Boolean, |_, arguments| privilege(arguments)),
        function("pg_has_role", &[2, 3], DataType::Boolean, |sources, arguments| {
            // Everyone is a member of his own role and of none beside.
            let role = object_argument(arguments);
            let is_own = role.is_some_and(|role| match text_of(role) {
                Some(name) => name == sources.identity.user,
                None => integer_of(role) == Some(i64::from(role_oid(&sources.identity.user))),
            });
            Ok(ScalarValue::from(is_own))
        }),
        function("pg_encoding_to_char", &[1], DataType::Utf8, |_, arguments| {
            let is_utf8 = integer_of(&arguments[0]) == Some(super::pg_server::UTF8);
            Ok(text(if is_utf8 { "UTF8" } else { "" }))
        }),
        function("pg_char_to_encoding", &[1], DataType::Int32, |_, arguments| {
            let is_utf8 = text_of(&arguments[0])
                .is_some_and(|name| ["utf8", "utf-8", "unicode"].contains(&name.to_lowercase().as_str()));
            let number = if is_utf8 { super::pg_server::UTF8 } else { -1 };
            ScalarValue::from(number).cast_to(&DataType::Int32)
        }),
        function("pg_get_function_result", &[1], DataType::Utf8, |sources, arguments| {
            let oid = integer_of(&arguments[0]).and_then(|oid| u32::try_from(oid).ok());
            Ok(ScalarValue::Utf8(oid.and_then(|oid| sources.template.signatures.result(oid))))
        }),
        function("pg_get_function_arguments", &[1], DataType::Utf8, function_arguments),
        function("pg_get_function_identity_arguments", &[1], DataType::Utf8, function_arguments),
    ];
    functions.extend(nothing());
    functions
}

fn user_by_id(sources: &Sources) -> ScalarUDF {
    let sources = sources.clone();
    let result = typed_field("result", "name", true);
    RowFunction::udf("pg_get_userbyid", &[1], result, Volatility::Stable, move |arguments| {
        let Some(oid) = integer_of(&arguments[0]) else { return Ok(ScalarValue::Null) };
        let names = role_names(&sources.identity);
        let name = names.into_iter().find(|name| i64::from(role_oid(name)) == oid);
        Ok(text(name.unwrap_or_else(|| format!("unknown (OID={oid})"))))
    })
}

/// Functions about kinds of objects that there are none of.
fn nothing() -> Vec<ScalarUDF> {
    let none = |name, counts: &[usize], result| {
        RowFunction::udf(name, counts, returns(result), Volatility::Stable, |_| Ok(ScalarValue::Null))
    };
    vec![
        none("shobj_description", &[2], DataType::Utf8),
        none("pg_get_indexdef", &[1, 3], DataType::Utf8),
        none("pg_get_ruledef", &[1, 2], DataType::Utf8),
        none("pg_get_triggerdef", &[1, 2], DataType::Utf8),
        none("pg_get_constraintdef", &[1, 2], DataType::Utf8),
        none("pg_get_expr", &[2, 3], DataType::Utf8),
        none("pg_get_partkeydef", &[1], DataType::Utf8),
        none("pg_get_statisticsobjdef", &[1], DataType::Utf8),
        none("pg_get_statisticsobjdef_columns", &[1], DataType::Utf8),
        none("pg_get_serial_sequence", &[2], DataType::Utf8),
        none("pg_get_functiondef", &[1], DataType::Utf8),
        none("pg_tablespace_location", &[1], DataType::Utf8),
        none("pg_sequence_last_value", &[1], DataType::Int64),
        none("pg_stat_get_numscans", &[1], DataType::Int64),
        none("inet_client_addr", &[0], DataType::Utf8),
        none("inet_client_port", &[0], DataType::Int32),
        none("inet_server_addr", &[0], DataType::Utf8),
        none("inet_server_port", &[0], DataType::Int32),
    ]
}

fn is_visible(schema: &str) -> bool {
    schema == PUBLIC_SCHEMA || schema == PG_CATALOG
}

/// The relation that an argument names or numbers; NULL and an unknown number give `None`.
///
/// # Errors
/// 42P01 for an unknown name.
fn relation<'a>(objects: &'a Objects, argument: &ScalarValue) -> Result<Option<&'a Object>> {
    match text_of(argument) {
        Some(name) => objects.by_name(name).map(Some).ok_or_else(|| {
            SqlError::new(sqlstate::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist")).into()
        }),
        None => Ok(integer_of(argument).and_then(|oid| objects.by_oid(u32::try_from(oid).ok()?))),
    }
}

fn description(
    sources: &Sources,
    oid: &ScalarValue,
    number: i64,
    catalog: Option<&str>,
) -> Result<ScalarValue> {
    let Some(oid) = integer_of(oid).and_then(|oid| u32::try_from(oid).ok()) else {
        return Ok(ScalarValue::Null);
    };
    let is = |name: &str, catalog_oid: u32| {
        catalog.is_none_or(|catalog| catalog == name || catalog == catalog_oid.to_string())
    };
    let objects = sources.view.objects();
    if is("pg_class", PG_CLASS_OID)
        && let Some(object) = objects.by_oid(oid)
    {
        let comment = match usize::try_from(number) {
            Ok(0) => object.comment.clone(),
            Ok(number) => object.columns.get(number - 1).and_then(|column| column.comment.clone()),
            Err(_) => None,
        };
        return Ok(ScalarValue::Utf8(comment));
    }
    if is("pg_proc", PG_PROC_OID) && number == 0 {
        let function = pg_functions::all(sources).iter().find(|function| function_oid(&function.name) == oid);
        return Ok(ScalarValue::Utf8(function.and_then(|function| function.description.clone())));
    }
    Ok(ScalarValue::Null)
}

fn function_arguments(sources: &Sources, arguments: &[ScalarValue]) -> Result<ScalarValue> {
    let Some(oid) = integer_of(&arguments[0]).and_then(|oid| u32::try_from(oid).ok()) else {
        return Ok(ScalarValue::Null);
    };
    if let Some(arguments) = sources.template.signatures.arguments(oid) {
        return Ok(text(arguments));
    }
    let function = pg_functions::all(sources).iter().find(|function| function_oid(&function.name) == oid);
    let syntax = function.and_then(|function| function.syntax.as_deref());
    let arguments = syntax.and_then(|syntax| {
        let (_, rest) = syntax.split_once('(')?;
        rest.rsplit_once(')').map(|(inner, _)| inner.trim().to_owned())
    });
    Ok(ScalarValue::Utf8(arguments))
}

fn size(sources: &Sources, arguments: &[ScalarValue]) -> Result<ScalarValue> {
    let objects = sources.view.objects();
    let bytes =
        relation(&objects, &arguments[0])?.map(|object| i64::try_from(object.bytes).unwrap_or(i64::MAX));
    Ok(ScalarValue::Int64(bytes))
}

fn total_size(sources: &Sources) -> ScalarValue {
    let bytes: u64 = sources.view.objects().users().map(|object| object.bytes).sum();
    ScalarValue::Int64(Some(i64::try_from(bytes).unwrap_or(i64::MAX)))
}

/// The object among `[user,] object, privilege`.
fn object_argument(arguments: &[ScalarValue]) -> Option<&ScalarValue> {
    arguments.get(arguments.len().checked_sub(2)?)
}

fn on_relation(sources: &Sources, arguments: &[ScalarValue]) -> Result<ScalarValue> {
    let objects = sources.view.objects();
    let found = object_argument(arguments).map(|argument| relation(&objects, argument)).transpose()?;
    if found.flatten().is_none() {
        return Ok(ScalarValue::Null);
    }
    privilege(arguments)
}

/// Whether one of the privileges in the last argument, a list with commas, is one that everyone has.
fn privilege(arguments: &[ScalarValue]) -> Result<ScalarValue> {
    let Some(list) = arguments.last().and_then(text_of) else {
        return Ok(ScalarValue::Null);
    };
    let mut any = false;
    for one in list.split(',') {
        let one = one.trim().to_ascii_uppercase();
        let (one, grants) = match one.strip_suffix(" WITH GRANT OPTION") {
            Some(one) => (one.to_owned(), true),
            None => (one, false),
        };
        const OTHERS: [&str; 11] = [
            "INSERT",
            "UPDATE",
            "DELETE",
            "TRUNCATE",
            "REFERENCES",
            "TRIGGER",
            "CREATE",
            "TEMP",
            "RULE",
            "MEMBER",
            "SET",
        ];
        if READ_PRIVILEGES.contains(&one.as_str()) {
            any |= !grants;
        } else if !OTHERS.contains(&one.as_str()) {
            let message = format!("unrecognized privilege type: \"{one}\"");
            return Err(SqlError::new(sqlstate::INVALID_PARAMETER_VALUE, message).into());
        }
    }
    Ok(ScalarValue::from(any))
}
