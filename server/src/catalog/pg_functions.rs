//! Functions that PostgreSQL does not have: `pg_proc` and `information_schema.routines`.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::AsArray;
use datafusion::execution::context::SessionContext;
use datafusion::logical_expr::Documentation;

use super::objects::{OWNER_OID, function_oid, schema_oid};
use super::rows::{Row, row};
use super::schema::Sources;
use wayfare_engine::catalog::provider::PUBLIC_SCHEMA;

/// Pseudo-type `any`: what a function takes and gives depends on its arguments.
const ANY_OID: u32 = 2276;
/// Language `internal`.
const INTERNAL_OID: u32 = 12;

/// A function of the engine.
#[derive(Debug, Clone)]
pub(super) struct Function {
    pub name: String,
    /// `f` for a function, `a` for an aggregate, `w` for a window function.
    pub kind: &'static str,
    pub returns_set: bool,
    pub description: Option<String>,
    /// As the reference writes it: `window_funnel(window, ts, steps...)`.
    pub syntax: Option<String>,
}

/// The functions of this session.
pub(super) fn all(sources: &Sources) -> &[Function] {
    &sources.template.functions
}

/// Lists what `context` has beyond the names in `known`.
pub(super) fn list(context: &SessionContext, known: &HashSet<String>) -> Vec<Function> {
    let state = context.state();
    let mut functions = Vec::new();
    let mut add = |name: &str, kind, returns_set, documentation: Option<&Documentation>| {
        if known.contains(name) || name.starts_with("pg_") {
            return;
        }
        functions.push(Function {
            name: name.to_owned(),
            kind,
            returns_set,
            description: documentation.map(|doc| doc.description.clone()),
            syntax: documentation.map(|doc| doc.syntax_example.clone()),
        });
    };
    for (name, function) in state.scalar_functions() {
        add(name, "f", false, function.documentation());
    }
    for (name, function) in state.aggregate_functions() {
        add(name, "a", false, function.documentation());
    }
    for (name, function) in state.window_functions() {
        add(name, "w", false, function.documentation());
    }
    for name in state.table_functions().keys() {
        add(name, "f", true, None);
    }
    functions.sort_by(|a, b| a.name.cmp(&b.name));
    functions.dedup_by(|a, b| a.name == b.name);
    functions
}

/// The names in PostgreSQL's own `pg_proc`.
pub(super) fn names_of(batches: &[arrow::array::RecordBatch]) -> HashSet<String> {
    let columns = batches.iter().filter_map(|batch| batch.column_by_name("proname"));
    columns
        .flat_map(|column| {
            let names = arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8).ok();
            let names = names.unwrap_or_else(|| Arc::clone(column));
            let names: Vec<String> =
                names.as_string_opt::<i32>().into_iter().flatten().flatten().map(str::to_owned).collect();
            names
        })
        .collect()
}

/// Their rows of `pg_proc`.
pub(super) fn rows(sources: &Sources) -> Vec<Row> {
    all(sources)
        .iter()
        .map(|function| {
            row! {
                oid: function_oid(&function.name),
                proname: function.name.as_str(),
                pronamespace: schema_oid(PUBLIC_SCHEMA),
                proowner: OWNER_OID,
                prolang: INTERNAL_OID,
                procost: 1_i64,
                prorows: if function.returns_set { 1_000_i64 } else { 0_i64 },
                provariadic: 0_i64,
                prokind: function.kind,
                proretset: function.returns_set,
                provolatile: "i",
                proparallel: "s",
                pronargs: 0_i64,
                pronargdefaults: 0_i64,
                prorettype: ANY_OID,
                prosrc: function.name.as_str(),
            }
        })
        .collect()
}
