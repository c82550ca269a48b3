//! The first step over paths that are given with their counts.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use arrow::datatypes::{DataType, Decimal128Type, Field, Int64Type};
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::logical_expr::function::AccumulatorArgs;

use super::cells::{Cells, Reduce, fields};
use crate::aggregate::buffered::{Buffered, Call, Kept, SortedRows, list};
use crate::journey::markov::Exits;

/// Cells of given paths. Arguments: path (a list of texts), conversions, value, nulls.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct GivenPaths {
    pub(crate) function: &'static str,
    pub(crate) reduce: Reduce,
    pub(crate) collapse: bool,
}

impl Buffered for GivenPaths {
    fn name(&self) -> &'static str {
        self.function
    }

    fn parameter_names(&self) -> Vec<String> {
        vec![]
    }

    fn coerce(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        let item = DataType::Struct(fields(&arg_types[2]));
        Ok(DataType::List(Arc::new(Field::new_list_field(item, true))))
    }

    fn kept_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn call(&self, args: &AccumulatorArgs) -> Result<Arc<dyn Call>> {
        match args.expr_fields {
            [_, _, value, _] => {
                Ok(Arc::new(GivenCall { paths: self.clone(), value_type: value.data_type().clone() }))
            }
            fields => internal_err!("{}: paths have {} columns", self.function, fields.len()),
        }
    }
}

#[derive(Debug)]
struct GivenCall {
    paths: GivenPaths,
    value_type: DataType,
}

impl Call for GivenCall {
    fn name(&self) -> &'static str {
        self.paths.function
    }

    fn keep(&self, arguments: &[ArrayRef]) -> Result<Kept> {
        let rows = arguments[0].nulls().map(|nulls| nulls.inner().clone());
        Ok(Kept { columns: arguments.to_vec(), rows })
    }

    fn needs_order(&self) -> bool {
        false
    }

    fn evaluate(&self, rows: &SortedRows) -> Result<ArrayRef> {
        let name = self.name();
        let integers = |index: usize| rows.column(index).as_primitive_opt::<Int64Type>();
        let (Some(paths), Some(conversions), Some(values), Some(nulls)) = (
            rows.column(0).as_list_opt::<i32>(),
            integers(1),
            rows.column(2).as_primitive_opt::<Decimal128Type>(),
            integers(3),
        ) else {
            return internal_err!("{name}: paths have other types");
        };
        let Some(keys) = paths.values().as_string_opt::<i32>() else {
            return internal_err!("{name}: keys are no text");
        };
        let mut cells = Cells::new(name, self.paths.reduce, self.paths.collapse);
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let mut names: Vec<&str> = Vec::new();
        let mut path: Vec<u32> = Vec::new();
        for row in 0..paths.len() {
            let offset = |row: usize| usize::try_from(paths.value_offsets()[row]).unwrap_or(0);
            path.clear();
            for index in offset(row)..offset(row + 1) {
                if keys.is_null(index) {
                    return exec_err!("{name}: argument path has a NULL among its keys");
                }
                let key = keys.value(index);
                // No more than the rows, which fit.
                let next = u32::try_from(names.len()).unwrap_or(u32::MAX);
                path.push(*numbers.entry(key).or_insert_with(|| {
                    names.push(key);
                    next
                }));
            }
            let exits = Exits {
                conversions: count(name, "conversions", conversions, row)?,
                value: if values.is_valid(row) { values.value(row) } else { 0 },
                nulls: count(name, "nulls", nulls, row)?,
            };
            cells.add(&path, exits, values.is_valid(row))?;
        }
        let cells = cells.finish(&names, &self.value_type)?;
        let mut counts = vec![0; rows.group_count()];
        if let Some(first) = counts.first_mut() {
            *first = cells.len();
        }
        list(name, counts, Arc::new(cells))
    }
}

/// A count; NULL counts nothing.
fn count(name: &str, argument: &str, counts: &Int64Array, row: usize) -> Result<u64> {
    if counts.is_null(row) {
        return Ok(0);
    }
    match u64::try_from(counts.value(row)) {
        Ok(count) => Ok(count),
        Err(_) => exec_err!("{name}: argument {argument} must not be negative, got {}", counts.value(row)),
    }
}
