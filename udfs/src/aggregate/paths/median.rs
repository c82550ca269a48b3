//! The median of durations that come as lists with weights.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, ListArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::function::AccumulatorArgs;

use crate::aggregate::buffered::{Buffered, Call, Kept, SortedRows};
use crate::journey::paths::median;

/// Arguments: lists of ticks, lists of weights. The median in ticks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct DurationsMedian {
    pub(super) function: &'static str,
}

impl Buffered for DurationsMedian {
    fn name(&self) -> &'static str {
        self.function
    }

    fn parameter_names(&self) -> Vec<String> {
        vec![]
    }

    fn coerce(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn kept_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn call(&self, _args: &AccumulatorArgs) -> Result<Arc<dyn Call>> {
        Ok(Arc::new(MedianCall { function: self.function }))
    }
}

#[derive(Debug)]
struct MedianCall {
    function: &'static str,
}

impl Call for MedianCall {
    fn name(&self) -> &'static str {
        self.function
    }

    fn keep(&self, arguments: &[ArrayRef]) -> Result<Kept> {
        let rows = arguments.first().and_then(|lists| lists.nulls()).map(|nulls| nulls.inner().clone());
        Ok(Kept { columns: arguments.to_vec(), rows })
    }

    fn needs_order(&self) -> bool {
        false
    }

    fn evaluate(&self, rows: &SortedRows) -> Result<ArrayRef> {
        let (Some(ticks), Some(weights)) =
            (rows.column(0).as_list_opt::<i32>(), rows.column(1).as_list_opt::<i32>())
        else {
            return internal_err!(
                "durations have types {} and {}",
                rows.column(0).data_type(),
                rows.column(1).data_type()
            );
        };
        let mut durations = Vec::new();
        let mut medians = Vec::with_capacity(rows.group_count());
        for group in rows.groups() {
            durations.clear();
            for row in group {
                durations.extend(items(ticks, row)?.into_iter().zip(items(weights, row)?));
            }
            medians.push(median(&mut durations));
        }
        Ok(Arc::new(Float64Array::from(medians)))
    }
}

fn items(lists: &ListArray, row: usize) -> Result<Vec<i64>> {
    match lists.value(row).as_primitive_opt::<Int64Type>() {
        Some(items) => Ok(items.values().to_vec()),
        None => internal_err!("durations have type {}", lists.value_type()),
    }
}
