//! Arguments and results of PostgreSQL's own functions, as `\df` shows them.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int32Type;
use pgwire::api::Type;

use super::builtin::Builtin;
use super::reg::sql_type_name;

/// What a function takes and gives, by types.
#[derive(Debug)]
struct Signature {
    arguments: Vec<u32>,
    /// `i` in, `o` out, `b` both, `v` variadic, `t` a column of the result; empty if all are in.
    modes: Vec<String>,
    names: Vec<String>,
    result: u32,
    is_set: bool,
}

/// The signatures by identifier of the function.
#[derive(Debug, Default)]
pub(super) struct Signatures(HashMap<u32, Signature>);

impl Signatures {
    pub(super) fn new(builtin: &Builtin) -> Self {
        let batches = builtin.table("pg_proc").map_or(&[][..], |(_, batches)| batches);
        Self(batches.iter().filter_map(of_batch).flatten().collect())
    }

    /// `integer, text`; `None` for an unknown function.
    pub(super) fn arguments(&self, oid: u32) -> Option<String> {
        let signature = self.0.get(&oid)?;
        let shown = signature.arguments.iter().enumerate().filter_map(|(index, argument)| {
            let mode = match signature.modes.get(index).map_or("i", String::as_str) {
                "t" => return None,
                "o" => "OUT ",
                "b" => "INOUT ",
                "v" => "VARIADIC ",
                _ => "",
            };
            let name = signature.names.get(index).filter(|name| !name.is_empty());
            let name = name.map(|name| format!("{name} ")).unwrap_or_default();
            Some(format!("{mode}{name}{}", type_name(*argument)))
        });
        Some(shown.collect::<Vec<_>>().join(", "))
    }

    /// `SETOF text`; `None` for an unknown function.
    pub(super) fn result(&self, oid: u32) -> Option<String> {
        let signature = self.0.get(&oid)?;
        let set = if signature.is_set { "SETOF " } else { "" };
        Some(format!("{set}{}", type_name(signature.result)))
    }
}

fn type_name(oid: u32) -> String {
    Type::from_oid(oid).map_or_else(|| oid.to_string(), |pg_type| sql_type_name(pg_type.name()))
}

fn of_batch(batch: &RecordBatch) -> Option<Vec<(u32, Signature)>> {
    let number = |name: &str| batch.column_by_name(name)?.as_primitive_opt::<Int32Type>().cloned();
    let list = |name: &str| batch.column_by_name(name)?.as_list_opt::<i32>().cloned();
    let (oids, results) = (number("oid")?, number("prorettype")?);
    let sets = batch.column_by_name("proretset")?.as_boolean_opt()?;
    let (inputs, all) = (list("proargtypes")?, list("proallargtypes")?);
    let (modes, names) = (list("proargmodes")?, list("proargnames")?);
    let words = |lists: &arrow::array::ListArray, row: usize| -> Vec<String> {
        if lists.is_null(row) {
            return Vec::new();
        }
        let values = lists.value(row);
        let texts = values.as_string_opt::<i32>();
        texts.into_iter().flatten().map(|text| text.unwrap_or_default().to_owned()).collect()
    };
    let rows = (0..batch.num_rows()).map(|row| {
        let types = if all.is_null(row) { inputs.value(row) } else { all.value(row) };
        let types = types.as_primitive_opt::<Int32Type>().cloned();
        let signature = Signature {
            arguments: types
                .into_iter()
                .flat_map(|types| types.values().to_vec())
                .map(i32::cast_unsigned)
                .collect(),
            modes: words(&modes, row),
            names: words(&names, row),
            result: results.value(row).cast_unsigned(),
            is_set: sets.value(row),
        };
        (oids.value(row).cast_unsigned(), signature)
    });
    Some(rows.collect())
}
