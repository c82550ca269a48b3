//! The catalogs that are the same in every database, with the columns and types that [`layout`] gives them.
//!
//! datafusion-pg-catalog holds them as PostgreSQL writes them: functions by their names, lists and vectors as text.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Int32Array, ListArray, RecordBatch, StringArray, new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion_pg_catalog::pg_catalog::{ArrowTable, PgCatalogStaticTables};

use super::layout;
use super::objects::PG_CATALOG;
use super::reg::FunctionNames;
use crate::wire::array_text::array_items;
use crate::wire::types::OID_ALIAS_KEY;

/// The tables by name.
#[derive(Debug)]
pub(super) struct Builtin {
    tables: BTreeMap<&'static str, (SchemaRef, Vec<RecordBatch>)>,
}

impl Builtin {
    /// Reads all of them: O(rows), once for a server.
    ///
    /// # Errors
    /// The tables in the binary are damaged.
    pub(super) fn new(tables: &PgCatalogStaticTables, functions: &FunctionNames) -> Result<Self> {
        let sources: [(&'static str, &Arc<ArrowTable>); 18] = [
            ("pg_aggregate", &tables.pg_aggregate),
            ("pg_am", &tables.pg_am),
            ("pg_amop", &tables.pg_amop),
            ("pg_amproc", &tables.pg_amproc),
            ("pg_cast", &tables.pg_cast),
            ("pg_collation", &tables.pg_collation),
            ("pg_conversion", &tables.pg_conversion),
            ("pg_language", &tables.pg_language),
            ("pg_opclass", &tables.pg_opclass),
            ("pg_operator", &tables.pg_operator),
            ("pg_opfamily", &tables.pg_opfamily),
            ("pg_proc", &tables.pg_proc),
            ("pg_range", &tables.pg_range),
            ("pg_ts_config", &tables.pg_ts_config),
            ("pg_ts_dict", &tables.pg_ts_dict),
            ("pg_ts_parser", &tables.pg_ts_parser),
            ("pg_ts_template", &tables.pg_ts_template),
            ("pg_type", &tables.pg_type),
        ];
        let mut read = BTreeMap::new();
        for (name, source) in sources {
            let Some(table) = layout::table(PG_CATALOG, name) else {
                return exec_err!("the catalog {name} has no layout");
            };
            let batches: Result<Vec<RecordBatch>> =
                source.data().iter().map(|batch| typed(batch, &table.schema, functions)).collect();
            read.insert(name, (Arc::clone(&table.schema), batches?));
        }
        Ok(Self { tables: read })
    }

    /// The table `name`, if it is one of these.
    pub(super) fn table(&self, name: &str) -> Option<&(SchemaRef, Vec<RecordBatch>)> {
        self.tables.get(name)
    }
}

fn typed(batch: &RecordBatch, schema: &SchemaRef, functions: &FunctionNames) -> Result<RecordBatch> {
    let columns: Result<Vec<ArrayRef>> = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            Some(column) => values(column, field, functions),
            // A column of the version that this server speaks for, which the tables are not of.
            None if field.is_nullable() => Ok(new_null_array(field.data_type(), batch.num_rows())),
            None => Ok(ScalarValue::new_zero(field.data_type())?.to_array_of_size(batch.num_rows())?),
        })
        .collect();
    Ok(RecordBatch::try_new(Arc::clone(schema), columns?)?)
}

fn values(column: &ArrayRef, field: &Field, functions: &FunctionNames) -> Result<ArrayRef> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let text = || -> Result<ArrayRef> { Ok(cast_with_options(column, &DataType::Utf8, &options)?) };
    match field.data_type() {
        DataType::Int32 if field.metadata().contains_key(OID_ALIAS_KEY) && column.data_type().is_string() => {
            let text = text()?;
            let numbers = text.as_string::<i32>().iter().map(|name| name.map(|name| functions.oid(name)));
            Ok(Arc::new(numbers.collect::<Int32Array>()))
        }
        DataType::List(item) if column.data_type().is_string() => list(text()?.as_string(), item, &options),
        other => Ok(cast_with_options(column, other, &options)?),
    }
}

/// Lists from `{1,2}`, from `[1, 2]` with names in quotes, or from `1 2` as vectors are written.
fn list(texts: &StringArray, item: &Arc<Field>, options: &CastOptions<'_>) -> Result<ArrayRef> {
    let mut items: Vec<Option<String>> = Vec::new();
    let mut lengths = Vec::with_capacity(texts.len());
    for text in texts {
        let before = items.len();
        if let Some(text) = text {
            match (array_items(text), text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'))) {
                (Some(found), _) => items.extend(found),
                (None, Some(inner)) => {
                    let words = inner.split(',').map(|word| word.trim().trim_matches('\''));
                    items.extend(words.map(|word| Some(word.to_owned())));
                }
                (None, None) => items.extend(text.split_whitespace().map(|word| Some(word.to_owned()))),
            }
        }
        lengths.push(items.len() - before);
    }
    let values = cast_with_options(&StringArray::from(items), item.data_type(), options)?;
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets, values, texts.nulls().cloned())?))
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Int16Type, Int32Type};

    use super::*;

    #[test]
    fn functions_are_numbers_and_vectors_lists() {
        let tables = PgCatalogStaticTables::try_new().unwrap();
        let functions = FunctionNames::new(tables.pg_proc.data());
        let builtin = Builtin::new(&tables, &functions).unwrap();
        let (_, types) = builtin.table("pg_type").unwrap();
        let column = |name| types[0].column_by_name(name).unwrap();
        let names = column("typname").as_string::<i32>();
        let row = names.iter().position(|name| name == Some("_int4")).unwrap();
        // 2400 is array_recv.
        assert_eq!(column("typreceive").as_primitive::<Int32Type>().value(row), 2400);
        assert_eq!(column("typlen").as_primitive::<Int16Type>().value(row), -1);
        let (_, procs) = builtin.table("pg_proc").unwrap();
        let arguments = procs[0].column_by_name("proargtypes").unwrap().as_list::<i32>();
        // boolin takes a cstring.
        assert_eq!(arguments.value(0).as_primitive::<Int32Type>().values(), &[2275]);
        let names = procs[0].column_by_name("proargnames").unwrap().as_list::<i32>();
        let named = names.iter().flatten().next().unwrap();
        assert!(named.as_string::<i32>().iter().flatten().all(|name| !name.contains(['\'', '[', ' '])));
    }
}
