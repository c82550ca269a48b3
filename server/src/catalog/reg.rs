//! Object identifiers and their names: `regclass`, `regtype`, `regproc`, `regnamespace`, `regrole`.
//!
//! A cast to such a type becomes a call of the function of that name (see [`crate::wire::rewrite`]): names become
//! identifiers and identifiers stay. The result is a number that carries its kind in the metadata of its field; where
//! it becomes text, [`RegText`] makes it a name, and rows that are sent as text show the name.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Field, Int32Type};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchemaRef, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, LogicalPlan, ScalarUDF, Volatility};
use datafusion::optimizer::AnalyzerRule;
use pgwire::api::Type;

use super::objects::{Objects, PG_CATALOG, function_oid, identifiers, quoted, role_oid, schemas};
use super::pg_server::role_names;
use super::row_function::{RowFunction, integer_of, returns, text, text_of};
use super::schema::Sources;
use super::{CatalogTemplate, pg_functions};
use crate::error::{SqlError, sqlstate};
use crate::postgres::inputs::input_schema;
use crate::wire::types::{OID_ALIAS_KEY, name_alias};
use wayfare_engine::catalog::provider::PUBLIC_SCHEMA;

/// The types that have names, and `oid`, which has none.
pub(crate) const REG_TYPES: [&str; 9] = [
    "regclass",
    "regtype",
    "regproc",
    "regprocedure",
    "regnamespace",
    "regrole",
    "regoper",
    "regcollation",
    "oid",
];
/// The function that [`RegText`] puts around a number: `(identifier, kind)`.
const TO_TEXT: &str = "pg_reg_text";

/// The names of PostgreSQL's own functions by identifier, and the other way round.
#[derive(Debug, Default)]
pub(super) struct FunctionNames {
    by_oid: HashMap<u32, String>,
    by_name: HashMap<String, u32>,
}

impl FunctionNames {
    pub(super) fn new(batches: &[arrow::array::RecordBatch]) -> Self {
        let mut names = Self::default();
        for batch in batches {
            let (Some(oids), Some(texts)) = (batch.column_by_name("oid"), batch.column_by_name("proname"))
            else {
                continue;
            };
            let Ok(texts) = arrow::compute::cast(texts, &DataType::Utf8) else { continue };
            let Some(oids) = oids.as_primitive_opt::<Int32Type>() else { continue };
            for (oid, name) in oids.iter().zip(texts.as_string::<i32>()) {
                let (Some(oid), Some(name)) = (oid.and_then(|oid| u32::try_from(oid).ok()), name) else {
                    continue;
                };
                names.by_oid.insert(oid, name.to_owned());
                names.by_name.entry(name.to_owned()).or_insert(oid);
            }
        }
        names
    }

    /// The identifier of the function that PostgreSQL writes as `name`, with a schema perhaps; 0 for `-`.
    pub(super) fn oid(&self, name: &str) -> i32 {
        let bare = name.strip_prefix("pg_catalog.").unwrap_or(name);
        let bare = bare.split('(').next().unwrap_or(bare);
        self.by_name.get(bare).map_or(0, |oid| oid.cast_signed())
    }
}

/// The functions of a session: one for each type, `to_regclass` and its like, and the one to text.
pub(super) fn all(sources: &Sources) -> Vec<ScalarUDF> {
    let mut functions: Vec<ScalarUDF> = REG_TYPES
        .iter()
        .map(|kind| {
            let sources = sources.clone();
            let kind: &'static str = kind;
            RowFunction::udf(kind, &[1], alias_field(kind), Volatility::Stable, move |arguments| {
                let Some(name) = text_of(&arguments[0]) else {
                    return oid_value(integer_of(&arguments[0]));
                };
                if let Ok(oid) = name.trim().parse::<i64>() {
                    return oid_value(Some(oid));
                }
                match oid_of(&sources, kind, name) {
                    Some(oid) => oid_value(Some(i64::from(oid))),
                    None => Err(missing(kind, name).into()),
                }
            })
        })
        .collect();
    let lookups = [
        ("to_regclass", "regclass"),
        ("to_regtype", "regtype"),
        ("to_regproc", "regproc"),
        ("to_regprocedure", "regprocedure"),
        ("to_regnamespace", "regnamespace"),
        ("to_regrole", "regrole"),
    ];
    for (name, kind) in lookups {
        let sources = sources.clone();
        functions.push(RowFunction::udf(
            name,
            &[1],
            alias_field(kind),
            Volatility::Stable,
            move |arguments| {
                let oid = text_of(&arguments[0]).and_then(|name| oid_of(&sources, kind, name));
                oid_value(oid.map(i64::from))
            },
        ));
    }
    let sources = sources.clone();
    functions.push(RowFunction::udf(
        TO_TEXT,
        &[2],
        returns(DataType::Utf8),
        Volatility::Stable,
        move |arguments| {
            let (Some(oid), Some(kind)) = (integer_of(&arguments[0]), text_of(&arguments[1])) else {
                return Ok(ScalarValue::Null);
            };
            Ok(text(name_of(
                &sources.view.objects(),
                &sources.template,
                &role_names(&sources.identity),
                kind,
                oid,
            )))
        },
    ));
    functions
}

fn alias_field(kind: &str) -> Field {
    returns(DataType::Int32).with_metadata([(OID_ALIAS_KEY.to_owned(), kind.to_owned())].into())
}

fn oid_value(oid: Option<i64>) -> Result<ScalarValue> {
    // Identifiers here are positive as signed numbers too; others wrap round, as their bits are what counts.
    Ok(ScalarValue::Int32(oid.map(|oid| (oid & 0xffff_ffff) as u32 as i32)))
}

fn missing(kind: &str, name: &str) -> SqlError {
    let (code, message) = match kind {
        "regclass" => (sqlstate::UNDEFINED_TABLE, format!("relation \"{name}\" does not exist")),
        "regtype" => (sqlstate::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist")),
        "regproc" | "regprocedure" => {
            (sqlstate::UNDEFINED_FUNCTION, format!("function \"{name}\" does not exist"))
        }
        "regnamespace" => ("3F000", format!("schema \"{name}\" does not exist")),
        "regrole" => (sqlstate::UNDEFINED_OBJECT, format!("role \"{name}\" does not exist")),
        "regcollation" => {
            (sqlstate::UNDEFINED_OBJECT, format!("collation \"{name}\" for encoding \"UTF8\" does not exist"))
        }
        "regoper" => (sqlstate::UNDEFINED_FUNCTION, format!("operator does not exist: {name}")),
        _ => (
            sqlstate::INVALID_TEXT_REPRESENTATION,
            format!("invalid input syntax for type {kind}: \"{name}\""),
        ),
    };
    SqlError::new(code, message)
}

fn oid_of(sources: &Sources, kind: &str, name: &str) -> Option<u32> {
    match kind {
        "regclass" => sources.view.objects().by_name(name).map(|object| object.oid),
        "regtype" => type_oid(name),
        "regproc" | "regprocedure" => {
            let bare = identifiers(name.split('(').next()?)?.pop()?;
            let builtin = sources.template.function_names.by_name.get(&bare).copied();
            builtin.or_else(|| {
                let functions = pg_functions::all(sources);
                functions.iter().any(|function| function.name == bare).then(|| function_oid(&bare))
            })
        }
        "regnamespace" => {
            let name = identifiers(name)?.pop()?;
            schemas().iter().find(|(_, known)| *known == name).map(|(oid, _)| *oid)
        }
        "regrole" => {
            let name = identifiers(name)?.pop()?;
            role_names(&sources.identity).contains(&name).then(|| role_oid(&name))
        }
        "regcollation" => match identifiers(name)?.pop()?.as_str() {
            "default" => Some(100),
            "c" => Some(950),
            _ => None,
        },
        _ => None,
    }
}

/// The identifier of a type by its name in `pg_type` or in SQL.
fn type_oid(name: &str) -> Option<u32> {
    let name = name.trim().to_lowercase();
    let name = name.strip_prefix("pg_catalog.").unwrap_or(&name);
    let (base, is_array) = match name.strip_suffix("[]") {
        Some(base) => (base.trim(), true),
        None => (name, false),
    };
    let base = match base {
        "boolean" => "bool",
        "smallint" => "int2",
        "int" | "integer" => "int4",
        "bigint" => "int8",
        "real" => "float4",
        "double precision" => "float8",
        "decimal" => "numeric",
        "character varying" => "varchar",
        "character" => "bpchar",
        "\"char\"" => "char",
        "timestamp without time zone" => "timestamp",
        "timestamp with time zone" => "timestamptz",
        "time without time zone" => "time",
        "time with time zone" => "timetz",
        other => other,
    };
    let wanted = if is_array { format!("_{base}") } else { base.to_owned() };
    // Built-in types have small numbers.
    (16..5000).find(|oid| Type::from_oid(*oid).is_some_and(|pg_type| pg_type.name() == wanted))
}

/// The name of what `oid` identifies; the number itself if nothing does.
fn name_of(objects: &Objects, template: &CatalogTemplate, roles: &[String], kind: &str, oid: i64) -> String {
    let number = u32::try_from(oid & 0xffff_ffff).unwrap_or(0);
    let name = match kind {
        _ if number == 0 && kind != "oid" => Some("-".to_owned()),
        "regclass" => objects.by_oid(number).map(|object| {
            if object.schema == PUBLIC_SCHEMA || object.schema == PG_CATALOG {
                quoted(&object.name)
            } else {
                format!("{}.{}", quoted(object.schema), quoted(&object.name))
            }
        }),
        "regtype" => Type::from_oid(number).map(|pg_type| sql_type_name(pg_type.name())),
        "regproc" | "regprocedure" => template.function_names.by_oid.get(&number).cloned().or_else(|| {
            let function = template.functions.iter().find(|function| function_oid(&function.name) == number);
            function.map(|function| function.name.clone())
        }),
        "regnamespace" => schemas().iter().find(|(oid, _)| *oid == number).map(|(_, name)| quoted(name)),
        "regrole" => roles.iter().find(|name| role_oid(name) == number).map(|name| quoted(name)),
        _ => None,
    };
    name.unwrap_or_else(|| number.to_string())
}

/// The name of a type in SQL: `integer` for `int4`, `text[]` for `_text`.
pub(crate) fn sql_type_name(name: &str) -> String {
    if let Some(element) = name.strip_prefix('_') {
        return format!("{}[]", sql_type_name(element));
    }
    match name {
        "bool" => "boolean",
        "int2" => "smallint",
        "int4" => "integer",
        "int8" => "bigint",
        "float4" => "real",
        "float8" => "double precision",
        "varchar" => "character varying",
        "bpchar" => "character",
        "char" => "\"char\"",
        "timestamp" => "timestamp without time zone",
        "timestamptz" => "timestamp with time zone",
        "time" => "time without time zone",
        "timetz" => "time with time zone",
        other => other,
    }
    .to_owned()
}

/// Names for rows that are sent as text.
#[derive(Debug, Clone)]
pub(crate) struct RegNames {
    objects: Arc<Objects>,
    template: Arc<CatalogTemplate>,
    roles: Vec<String>,
}

impl RegNames {
    pub(super) fn new(sources: &Sources) -> Self {
        Self {
            objects: sources.view.objects(),
            template: Arc::clone(&sources.template),
            roles: role_names(&sources.identity),
        }
    }

    /// The name of `oid`, which is of type `kind`.
    pub(crate) fn name(&self, kind: &str, oid: i32) -> String {
        name_of(&self.objects, &self.template, &self.roles, kind, i64::from(oid.cast_unsigned()))
    }
}

/// Makes `identifier::text` the name where the identifier has one.
#[derive(Debug)]
pub(super) struct RegText {
    to_text: Arc<ScalarUDF>,
}

impl RegText {
    /// `functions` are those of [`all`].
    pub(super) fn new(functions: &[ScalarUDF]) -> Option<Self> {
        let to_text = functions.iter().find(|function| function.name() == TO_TEXT)?;
        Some(Self { to_text: Arc::new(to_text.clone()) })
    }
}

impl AnalyzerRule for RegText {
    fn name(&self) -> &str {
        "identifiers_to_names"
    }

    fn analyze(&self, plan: LogicalPlan, _options: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|node| {
            let schema = input_schema(&node);
            node.map_expressions(|expr| {
                expr.transform_up(|expr| {
                    let Expr::Cast(cast) = &expr else { return Ok(Transformed::no(expr)) };
                    let target = cast.field.data_type();
                    let is_text = matches!(target, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8);
                    let Some(kind) = is_text.then(|| named_kind(&cast.expr, &schema)).flatten() else {
                        return Ok(Transformed::no(expr));
                    };
                    let name = Expr::ScalarFunction(ScalarFunction::new_udf(
                        Arc::clone(&self.to_text),
                        vec![cast.expr.as_ref().clone(), Expr::Literal(text(kind), None)],
                    ));
                    let typed = match target {
                        DataType::Utf8 => name,
                        _ => Expr::Cast(Cast::new(Box::new(name), target.clone())),
                    };
                    Ok(Transformed::yes(typed))
                })
            })
        })?;
        if rewritten.transformed { rewritten.data.recompute_schema() } else { Ok(rewritten.data) }
    }
}

fn named_kind(expr: &Expr, schema: &DFSchemaRef) -> Option<String> {
    let (_, field) = expr.to_field(schema.as_ref()).ok()?;
    name_alias(&field).map(str::to_owned)
}
