//! The first step: what one person's rows contribute to a report.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Float64Type, Int64Type, UInt64Type};
use datafusion::common::{Result, internal_err, plan_err};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{AggregateUDF, Expr};

use super::cells;
use super::groups::GroupedCells;
use super::rows::{Extra, PersonRows, Report};
use crate::aggregate::buffered::{
    Buffered, BufferedAggregate, Call, Kept, SortedRows, condition_columns, kept_column, kept_type,
};

const NAME: &str = "person_cells";

/// Arguments of [`person_cells`], and positions of the kept columns: conditions are kept as one.
const CONDITIONS: std::ops::Range<usize> = 2..5;
const EXTRA: usize = 5;

/// Rows whose groups are looked up at a time, unless one person has more.
const KEYED_ROWS: usize = 1 << 16;

/// Returns the aggregate over `[ts, by, is_start, in_range, is_return, extra]` of one person's rows: `ts` as ticks,
/// `extra` a number, ticks or a NULL of type boolean.
///
/// The lists sum up to what all people contribute, and that is all that can be said of them: people who are evaluated
/// together are summed up right here, in the list of the first of them, so that memory does not grow with people.
///
/// Rows without a time, and rows that meet no condition, are left out. Of one person's rows at one instant the
/// smallest `by` comes first.
pub(crate) fn person_cells(report: Report, arguments: [Expr; 6]) -> Expr {
    AggregateUDF::from(BufferedAggregate::new(PersonCells { report })).call(Vec::from(arguments))
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct PersonCells {
    report: Report,
}

impl Buffered for PersonCells {
    fn name(&self) -> &'static str {
        NAME
    }

    fn parameter_names(&self) -> Vec<String> {
        vec![]
    }

    fn coerce(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let [DataType::Int64, _, DataType::Boolean, DataType::Boolean, DataType::Boolean, _] = arg_types
        else {
            return plan_err!("{NAME} is called with {arg_types:?}");
        };
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        Ok(cells::list_type(&kept_type(&arg_types[1])))
    }

    fn kept_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(vec![DataType::Int64, kept_type(&arg_types[1]), DataType::UInt64, arg_types[EXTRA].clone()])
    }

    fn call(&self, _args: &AccumulatorArgs) -> Result<Arc<dyn Call>> {
        Ok(Arc::new(self.clone()))
    }
}

impl Call for PersonCells {
    fn name(&self) -> &'static str {
        NAME
    }

    fn keep(&self, arguments: &[ArrayRef]) -> Result<Kept> {
        let [conditions] = condition_columns(&arguments[CONDITIONS])?
            .try_into()
            .or_else(|columns| internal_err!("{NAME}: conditions are in {columns:?}"))?;
        let met =
            arrow::buffer::BooleanBuffer::collect_bool(conditions.len(), |row| conditions.value(row) != 0);
        let rows = match arguments[0].nulls() {
            Some(nulls) => &met & nulls.inner(),
            None => met,
        };
        let columns = vec![
            Arc::clone(&arguments[0]),
            kept_column(&arguments[1])?,
            Arc::new(conditions),
            Arc::clone(&arguments[EXTRA]),
        ];
        Ok(Kept { columns, rows: Some(rows) })
    }

    fn evaluate(&self, rows: &SortedRows) -> Result<ArrayRef> {
        let ticks = rows.integers(0)?;
        let by = rows.column(1);
        let Some(conditions) = rows.column(2).as_primitive_opt::<UInt64Type>() else {
            return internal_err!("{NAME}: conditions have type {}", rows.column(2).data_type());
        };
        let extra = rows.column(3);
        let nulls: Option<&NullBuffer> = extra.nulls();
        let extra = match extra.data_type() {
            DataType::Float64 => Extra::Values(extra.as_primitive::<Float64Type>().values(), nulls),
            DataType::Int64 => Extra::Ticks(extra.as_primitive::<Int64Type>().values(), nulls),
            _ => Extra::None,
        };
        let mut evaluator = self.report.evaluator()?;
        let mut cells = GroupedCells::try_new(by.data_type().clone())?;
        // Keys are made for some people at a time: they are larger than the rows.
        let mut keyed = 0..0;
        let mut keys = cells.keys(&by.slice(0, 0))?;
        for group in rows.groups() {
            if group.end > keyed.end {
                let end = (group.start + KEYED_ROWS).clamp(group.end, by.len().max(group.end));
                keyed = group.start..end;
                keys = cells.keys(&by.slice(keyed.start, keyed.len()))?;
            }
            let person = PersonRows::new(
                &ticks[group.clone()],
                &conditions.values()[group.clone()],
                extra,
                group.start,
            );
            evaluator.contribute(&person, &mut |contribution| {
                let row = group.start - keyed.start + contribution.decided_by;
                cells.add(keys.row(row), &contribution);
            });
        }
        Ok(Arc::new(cells.to_lists(NAME, rows.group_count())?))
    }
}
