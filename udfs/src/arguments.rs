//! Checks and conversions of SQL arguments that several functions share.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::buffer::{BooleanBuffer, ScalarBuffer};
use arrow::datatypes::{
    DataType, Int64Type, IntervalUnit, Schema, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::{Cast, Expr, lit};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::collect_columns;

/// Names for error messages: the function and its argument that is a length of time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LengthArgument {
    pub(crate) function: &'static str,
    pub(crate) name: &'static str,
}

impl LengthArgument {
    /// Returns the types that `ts` and the length are cast to.
    ///
    /// Times become timestamps (unit and zone kept; dates become midnight) with an interval as
    /// length, or `Int64` with an `Int64` length in the same unit. A `Null` type, which an untyped
    /// parameter has while planning, takes the type that fits the other argument.
    ///
    /// # Errors
    /// A plan error if `ts` is no time, or if one is an integer and the other is not.
    pub(crate) fn coerce(self, ts: &DataType, length: &DataType) -> Result<[DataType; 2]> {
        let Self { function, name } = self;
        let time = match ts {
            DataType::Timestamp(_, _) => ts.clone(),
            DataType::Date32 => DataType::Timestamp(TimeUnit::Second, None),
            DataType::Date64 => DataType::Timestamp(TimeUnit::Millisecond, None),
            integer if integer.is_integer() => DataType::Int64,
            DataType::Null if length.is_integer() => DataType::Int64,
            DataType::Null => DataType::Timestamp(TimeUnit::Microsecond, None),
            other => {
                return plan_err!(
                    "{function}: ts must be a timestamp, a date or an integer, got {other}; \
                     cast it, for example ts::timestamp"
                );
            }
        };
        let length = match (&time, length) {
            (DataType::Int64, given) if given.is_integer() || given.is_null() => DataType::Int64,
            (DataType::Int64, given) => {
                return plan_err!(
                    "{function}: {name} must be an integer in the unit of ts, because ts is an \
                     integer; got {given}; convert ts with to_timestamp to use an INTERVAL"
                );
            }
            (_, given) if given.is_integer() => {
                return plan_err!(
                    "{function}: {name} must be an INTERVAL such as INTERVAL '30 minutes', because \
                     ts is a timestamp; an integer has no unit"
                );
            }
            (_, DataType::Interval(_) | DataType::Duration(_) | DataType::Null) => MONTH_DAY_NANO,
            // Clients that send parameters as text: the cast reads '30 minutes'.
            (_, text) if is_text(text) => MONTH_DAY_NANO,
            (_, other) => {
                return plan_err!(
                    "{function}: {name} must be an INTERVAL such as INTERVAL '30 minutes', \
                     got {other}"
                );
            }
        };
        Ok([time, length])
    }
}

const MONTH_DAY_NANO: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

pub(crate) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

pub(crate) fn is_time(data_type: &DataType) -> bool {
    data_type.is_integer()
        || matches!(data_type, DataType::Timestamp(_, _) | DataType::Date32 | DataType::Date64)
}

/// Returns the value of an argument that must be the same for every row.
///
/// Any expression without columns will do; parameters are literals by the time this runs.
///
/// # Errors
/// A plan error if the expression reads a column.
pub(crate) fn constant(expr: &Arc<dyn PhysicalExpr>, function: &str, argument: &str) -> Result<ScalarValue> {
    if !collect_columns(expr).is_empty() {
        return plan_err!("{function}: {argument} must be a constant, the same for every row; got {expr}");
    }
    let one_row = RecordBatch::try_new_with_options(
        Arc::new(Schema::empty()),
        vec![],
        &RecordBatchOptions::new().with_row_count(Some(1)),
    )?;
    let value = expr.evaluate(&one_row)?.into_array(1)?;
    ScalarValue::try_from_array(&value, 0)
}

/// Returns the value of an argument that must be the same for every row, while the statement is planned; `None` as
/// long as it is not known: a parameter without a value, or a function that is called when the query runs.
///
/// Constants are folded before aggregates are asked ([`AggregateUDFImpl::simplify`]), so that EXPLAIN and PREPARE
/// report a wrong one too.
///
/// # Errors
/// A plan error if the expression reads a column.
///
/// [`AggregateUDFImpl::simplify`]: datafusion::logical_expr::AggregateUDFImpl::simplify
pub(crate) fn planned_constant(expr: &Expr, function: &str, argument: &str) -> Result<Option<ScalarValue>> {
    match expr {
        Expr::Literal(value, _) => Ok(Some(value.clone())),
        expr if expr.any_column_refs() => {
            plan_err!("{function}: {argument} must be a constant, the same for every row; got {expr}")
        }
        _ => Ok(None),
    }
}

/// Returns the items of a list that is written out in the call, as in `[a, b]`; `None` for other expressions.
pub(crate) fn list_items(list: &Expr) -> Option<Vec<Expr>> {
    match list {
        Expr::Cast(Cast { expr, .. }) => list_items(expr),
        Expr::ScalarFunction(function) if function.name() == "make_array" => Some(function.args.clone()),
        Expr::Literal(ScalarValue::List(list), _) if list.len() == 1 && list.is_valid(0) => {
            let items = list.value(0);
            let item = |index| ScalarValue::try_from_array(&items, index).map(lit);
            (0..items.len()).map(item).collect::<Result<_>>().ok()
        }
        _ => None,
    }
}

/// Returns the ticks of a column that [`LengthArgument::coerce`] gave its type; NULL rows hold
/// any value.
pub(crate) fn ticks(array: &ArrayRef) -> Result<ScalarBuffer<i64>> {
    let values = match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().values(),
        DataType::Timestamp(TimeUnit::Second, _) => array.as_primitive::<TimestampSecondType>().values(),
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            array.as_primitive::<TimestampMillisecondType>().values()
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            array.as_primitive::<TimestampMicrosecondType>().values()
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            array.as_primitive::<TimestampNanosecondType>().values()
        }
        other => return internal_err!("ts was not coerced to a time: {other}"),
    };
    Ok(values.clone())
}

/// Bits of the rows that are true, not NULL.
pub(crate) fn true_rows(array: &BooleanArray) -> BooleanBuffer {
    match array.nulls() {
        Some(nulls) => array.values() & nulls.inner(),
        None => array.values().clone(),
    }
}
