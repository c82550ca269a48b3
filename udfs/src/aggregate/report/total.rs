//! The second step: contributions of all people, summed up, and the rows of the report.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StructArray, UInt64Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Expr, Signature, Volatility};

use super::cells::{self, Reader};
use super::groups::GroupedCells;
use super::rows::{Report, Seen};

const NAME: &str = "report_rows";

/// Returns the aggregate over `[contributions, horizon, from, to]` of all people: one list of the rows of the report.
///
/// The times are ticks; the latest horizon counts, and any `from` and `to` that is not NULL, for they are the same for
/// everybody. The list is empty without people.
pub(crate) fn report_rows(report: Report, arguments: [Expr; 4]) -> Expr {
    AggregateUDF::from(ReportRows { report, signature: Signature::user_defined(Volatility::Immutable) })
        .call(Vec::from(arguments))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ReportRows {
    report: Report,
    signature: Signature,
}

/// Type of the groups in contributions.
fn by_type(contributions: &DataType) -> Result<DataType> {
    if let DataType::List(item) = contributions
        && let DataType::Struct(fields) = item.data_type()
        && let Some(by) = fields.first()
    {
        return Ok(by.data_type().clone());
    }
    plan_err!("{NAME} is called with {contributions}")
}

fn row_fields(report: &Report, by: &DataType) -> Fields {
    let mut fields = vec![Field::new("by", by.clone(), true)];
    fields.extend(report.fields());
    Fields::from(fields)
}

impl AggregateUDFImpl for ReportRows {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        let by = by_type(&arg_types[0])?;
        Ok(DataType::List(Arc::new(Field::new_list_field(
            DataType::Struct(row_fields(&self.report, &by)),
            true,
        ))))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let by = by_type(args.input_fields[0].data_type())?;
        let mut fields =
            vec![Arc::new(Field::new(format_state_name(args.name, "cells"), cells::list_type(&by), true))];
        for name in ["horizon", "from", "to"] {
            fields.push(Arc::new(Field::new(format_state_name(args.name, name), DataType::Int64, true)));
        }
        Ok(fields)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Total::try_new(self.report.clone(), by_type(args.expr_fields[0].data_type())?)?))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        // Sums are exact: no order changes them.
        AggregateOrderSensitivity::Insensitive
    }
}

#[derive(Debug)]
struct Total {
    report: Report,
    by: DataType,
    cells: GroupedCells,
    /// Horizon, from, to.
    times: [Option<i64>; 3],
}

impl Total {
    fn try_new(report: Report, by: DataType) -> Result<Self> {
        let cells = GroupedCells::try_new(by.clone())?;
        Ok(Self { report, by, cells, times: [None; 3] })
    }

    /// Contributions of people and of partial states look the same.
    fn add(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let [lists, times @ ..] = columns else {
            return internal_err!("{NAME} was called without columns");
        };
        for (known, column) in self.times.iter_mut().zip(times) {
            let Some(column) = column.as_primitive_opt::<Int64Type>() else {
                return internal_err!("{NAME}: a time has type {}", column.data_type());
            };
            *known = (*known).max(arrow::compute::max(column));
        }
        let reader = Reader::try_new(NAME, lists)?;
        let keys = self.cells.keys(reader.by)?;
        for index in &reader.indexes {
            self.cells.add(keys.row(*index), &reader.get(*index));
        }
        Ok(())
    }
}

impl Accumulator for Total {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(values)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.add(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut state = vec![ScalarValue::List(Arc::new(self.cells.to_lists(NAME, 1)?))];
        state.extend(self.times.map(ScalarValue::Int64));
        Ok(state)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let (cells, values) = self.cells.sorted()?;
        let [horizon, from, to] = self.times;
        let fields = row_fields(&self.report, &self.by);
        let item = Arc::new(Field::new_list_field(DataType::Struct(fields.clone()), true));
        let rows = match horizon {
            Some(horizon) => {
                let answer = self.report.answer(&cells, Seen { horizon, from, to })?;
                let groups = UInt64Array::from_iter_values(answer.groups.iter().map(|group| *group as u64));
                let mut columns = vec![take(&values, &groups, None)?];
                columns.extend(answer.columns);
                StructArray::try_new(fields, columns, None)?
            }
            None => StructArray::new_null(fields, 0),
        };
        let offsets = OffsetBuffer::from_lengths([rows.len()]);
        Ok(ScalarValue::List(Arc::new(ListArray::try_new(item, offsets, Arc::new(rows), None)?)))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.cells.size()
    }
}
