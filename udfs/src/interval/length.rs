//! How long an interval is.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, ArrowPrimitiveType, AsArray, Decimal128Array};
use arrow::datatypes::{
    DataType, Decimal128Type, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType,
    DurationSecondType, IntervalDayTimeType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
    IntervalYearMonthType, TimeUnit,
};
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
    lit,
};

const NANOS_PER_DAY: i128 = 86_400_000_000_000;
const DAYS_PER_MONTH: i128 = 30;
const NANOS_PER_MILLI: i128 = 1_000_000;

/// The type of a length: nanoseconds.
const LENGTH: DataType = DataType::Decimal128(38, 0);

/// Whether values of this type are intervals, which must not be compared as they are.
pub(super) fn is_interval(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_))
}

/// Whether values of this type hold intervals inside.
pub(super) fn holds_interval(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::Map(item, _) => contains_interval(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| contains_interval(field.data_type())),
        DataType::Dictionary(_, value) => contains_interval(value),
        _ => false,
    }
}

fn contains_interval(data_type: &DataType) -> bool {
    is_interval(data_type) || holds_interval(data_type)
}

/// The lengths of `exprs`, comparable with one another. An interval that is a cast duration is measured before the
/// cast, which could overflow; constants are measured now.
pub(super) fn lengths(exprs: Vec<Expr>, schema: &DFSchema) -> Vec<Expr> {
    if let Some(durations) = as_durations(&exprs, schema) {
        return durations;
    }
    exprs.into_iter().map(|expr| length(expr, schema)).collect()
}

/// The length of `expr`, an interval, in nanoseconds.
pub(super) fn length(expr: Expr, schema: &DFSchema) -> Expr {
    if let Some(nanos) = constant(&expr) {
        return lit(ScalarValue::Decimal128(nanos, 38, 0));
    }
    let measured = match duration_inside(&expr, schema) {
        Some((duration, _)) => duration.clone(),
        None => expr,
    };
    FUNCTION.call(vec![measured])
}

/// `exprs` as durations of one unit, if that is what all of them are, exactly: much cheaper to compare, and a
/// comparison that other rules understand.
fn as_durations(exprs: &[Expr], schema: &DFSchema) -> Option<Vec<Expr>> {
    let unit = exprs.iter().find_map(|expr| duration_inside(expr, schema).map(|(_, unit)| unit))?;
    exprs
        .iter()
        .map(|expr| match (duration_inside(expr, schema), constant(expr)) {
            (Some((duration, found)), _) => (found == unit).then(|| duration.clone()),
            (None, Some(nanos)) => duration_constant(nanos, unit).map(lit),
            (None, None) => None,
        })
        .collect()
}

/// The duration that `expr` casts to an interval, and its unit.
fn duration_inside<'a>(expr: &'a Expr, schema: &DFSchema) -> Option<(&'a Expr, TimeUnit)> {
    let Expr::Cast(cast) = expr else { return None };
    if !is_interval(cast.field.data_type()) {
        return None;
    }
    match cast.expr.get_type(schema) {
        Ok(DataType::Duration(unit)) => Some((&cast.expr, unit)),
        _ => None,
    }
}

/// Length of a constant interval: `None` if it is none, `Some(None)` for NULL.
fn constant(expr: &Expr) -> Option<Option<i128>> {
    let Expr::Literal(value, _) = expr else { return None };
    match value {
        ScalarValue::IntervalMonthDayNano(value) => Some(value.map(month_day_nano)),
        _ => None,
    }
}

fn duration_constant(nanos: Option<i128>, unit: TimeUnit) -> Option<ScalarValue> {
    let ticks = match nanos {
        Some(nanos) if nanos % nanos_per(unit) == 0 => Some(i64::try_from(nanos / nanos_per(unit)).ok()?),
        Some(_) => return None,
        None => None,
    };
    Some(match unit {
        TimeUnit::Second => ScalarValue::DurationSecond(ticks),
        TimeUnit::Millisecond => ScalarValue::DurationMillisecond(ticks),
        TimeUnit::Microsecond => ScalarValue::DurationMicrosecond(ticks),
        TimeUnit::Nanosecond => ScalarValue::DurationNanosecond(ticks),
    })
}

fn nanos_per(unit: TimeUnit) -> i128 {
    match unit {
        TimeUnit::Second => 1_000_000_000,
        TimeUnit::Millisecond => 1_000_000,
        TimeUnit::Microsecond => 1_000,
        TimeUnit::Nanosecond => 1,
    }
}

/// Cannot overflow: months, days and nanoseconds are at most 6e24 each.
pub(super) fn month_day_nano(value: IntervalMonthDayNano) -> i128 {
    (i128::from(value.months) * DAYS_PER_MONTH + i128::from(value.days)) * NANOS_PER_DAY
        + i128::from(value.nanoseconds)
}

static FUNCTION: LazyLock<ScalarUDF> =
    LazyLock::new(|| ScalarUDF::from(IntervalLength { signature: Signature::any(1, Volatility::Immutable) }));

/// `interval_length(x)`: stands in plans only and is not registered.
#[derive(Debug, PartialEq, Eq, Hash)]
struct IntervalLength {
    signature: Signature,
}

impl ScalarUDFImpl for IntervalLength {
    fn name(&self) -> &str {
        "interval_length"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(LENGTH)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let Some(array) = arrays.first() else {
            return plan_err!("interval_length takes one argument");
        };
        let lengths: ArrayRef = Arc::new(measure(array)?);
        if args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_))) {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&lengths, 0)?));
        }
        Ok(ColumnarValue::Array(lengths))
    }
}

/// The lengths of intervals or durations of any unit; NULL for NULL.
pub(super) fn measure(array: &ArrayRef) -> Result<Decimal128Array> {
    fn each<T: ArrowPrimitiveType>(array: &ArrayRef, nanos: impl Fn(T::Native) -> i128) -> Decimal128Array {
        array.as_primitive::<T>().unary::<_, Decimal128Type>(nanos)
    }
    let scaled = |unit: TimeUnit| move |ticks: i64| i128::from(ticks) * nanos_per(unit);
    let lengths = match array.data_type() {
        DataType::Interval(IntervalUnit::MonthDayNano) => {
            each::<IntervalMonthDayNanoType>(array, month_day_nano)
        }
        DataType::Interval(IntervalUnit::DayTime) => each::<IntervalDayTimeType>(array, |value| {
            i128::from(value.days) * NANOS_PER_DAY + i128::from(value.milliseconds) * NANOS_PER_MILLI
        }),
        DataType::Interval(IntervalUnit::YearMonth) => {
            each::<IntervalYearMonthType>(array, |months| i128::from(months) * DAYS_PER_MONTH * NANOS_PER_DAY)
        }
        DataType::Duration(unit @ TimeUnit::Second) => each::<DurationSecondType>(array, scaled(*unit)),
        DataType::Duration(unit @ TimeUnit::Millisecond) => {
            each::<DurationMillisecondType>(array, scaled(*unit))
        }
        DataType::Duration(unit @ TimeUnit::Microsecond) => {
            each::<DurationMicrosecondType>(array, scaled(*unit))
        }
        DataType::Duration(unit @ TimeUnit::Nanosecond) => {
            each::<DurationNanosecondType>(array, scaled(*unit))
        }
        DataType::Null => Decimal128Array::new_null(array.len()),
        other => return plan_err!("interval_length: the argument must be an interval, got {other}"),
    };
    Ok(lengths.with_data_type(LENGTH))
}
