//! Small functions: `pg_typeof`, `width_bucket`, and what `percentile_disc` and `mode` become.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, UInt64Array};
use arrow::compute::{cast, partition, take};
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::catalog::reg::sql_type_name;
use crate::catalog::row_function::{RowFunction, integer_of, returns};
use crate::error::{SqlError, sqlstate};
use crate::wire::encode::pg_type_of;

/// Names that no statement writes.
pub(crate) const DISCRETE: &str = "pg_percentile_disc_of";
pub(crate) const MODE: &str = "pg_mode_of";

pub(super) fn all() -> Vec<ScalarUDF> {
    let of_ordered = |name, count| {
        ScalarUDF::from(OfOrdered { name, signature: Signature::any(count, Volatility::Immutable) })
    };
    vec![
        ScalarUDF::from(TypeOf { signature: Signature::any(1, Volatility::Immutable) }),
        of_ordered(DISCRETE, 2),
        of_ordered(MODE, 1),
        RowFunction::udf("width_bucket", &[4], returns(DataType::Int32), Volatility::Immutable, width_bucket),
    ]
}

/// The name of the type of a value.
#[derive(Debug, PartialEq, Eq, Hash)]
struct TypeOf {
    signature: Signature,
}

impl ScalarUDFImpl for TypeOf {
    fn name(&self) -> &str {
        "pg_typeof"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let field = &arguments.arg_fields[0];
        let name = match field.data_type() {
            DataType::Null => "unknown".to_owned(),
            _ => sql_type_name(pg_type_of(field).name()),
        };
        match &arguments.args[0] {
            ColumnarValue::Scalar(_) => Ok(ColumnarValue::Scalar(ScalarValue::from(name))),
            ColumnarValue::Array(_) => {
                let names: StringArray = (0..arguments.number_rows).map(|_| Some(name.as_str())).collect();
                Ok(ColumnarValue::Array(Arc::new(names)))
            }
        }
    }
}

/// The number of the bucket of `operand` among `count` equal ones from `low` to `high`: 0 below, `count + 1` above.
fn width_bucket(arguments: &[ScalarValue]) -> Result<ScalarValue> {
    let invalid = |message: &str| SqlError::new("2201G", message);
    let mut numbers = [0.0; 3];
    for (number, argument) in numbers.iter_mut().zip(arguments) {
        match argument.cast_to(&DataType::Float64)? {
            ScalarValue::Float64(Some(value)) => *number = value,
            _ => return Ok(ScalarValue::Null),
        }
    }
    let Some(count) = arguments.get(3).and_then(integer_of) else { return Ok(ScalarValue::Null) };
    let [operand, low, high] = numbers;
    if count < 1 || count > i64::from(i32::MAX - 1) {
        return Err(invalid("count must be greater than zero").into());
    }
    if operand.is_nan() || !low.is_finite() || !high.is_finite() {
        return Err(invalid("operand, lower bound, and upper bound cannot be NaN").into());
    }
    if low == high {
        return Err(invalid("lower bound cannot equal upper bound").into());
    }
    // Bounds the other way round count downwards.
    let (from, to, at) = if low < high { (low, high, operand) } else { (-low, -high, -operand) };
    let bucket = if at < from {
        0
    } else if at >= to {
        count + 1
    } else {
        ((at - from) / (to - from) * count as f64).floor() as i64 + 1
    };
    Ok(ScalarValue::Int32(i32::try_from(bucket).ok()))
}

/// `percentile_disc` and `mode` of a list that is in order, which the rewriting of statements makes of these aggregates.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OfOrdered {
    name: &'static str,
    signature: Signature,
}

impl ScalarUDFImpl for OfOrdered {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match &arguments[0] {
            DataType::List(item) => Ok(item.data_type().clone()),
            other => Ok(other.clone()),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let lists = arguments.args[0].to_array(rows)?;
        let Some(lists) = lists.as_list_opt::<i32>() else {
            return Ok(arguments.args[0].clone());
        };
        let fractions = match arguments.args.get(1) {
            Some(fractions) => Some(cast(&fractions.to_array(rows)?, &DataType::Float64)?),
            None => None,
        };
        let fractions = fractions.as_ref().map(|fractions| fractions.as_primitive::<Float64Type>());
        let mut picked = Vec::with_capacity(lists.len());
        for row in 0..lists.len() {
            let base = usize::try_from(lists.value_offsets()[row]).unwrap_or_default();
            let at = match (lists.is_null(row), fractions) {
                (true, _) => None,
                (false, None) => most_frequent(&lists.value(row))?,
                (false, Some(fractions)) if fractions.is_null(row) => None,
                (false, Some(fractions)) => discrete(&lists.value(row), fractions.value(row))?,
            };
            picked.push(at.and_then(|at| u64::try_from(base + at).ok()));
        }
        let values = take(lists.values(), &UInt64Array::from(picked), None)?;
        if arguments.args.iter().all(|one| matches!(one, ColumnarValue::Scalar(_))) {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?));
        }
        Ok(ColumnarValue::Array(values))
    }
}

/// The place of the first value at or above the fraction of all values that are not NULL.
fn discrete(values: &ArrayRef, fraction: f64) -> Result<Option<usize>> {
    if !(0.0..=1.0).contains(&fraction) {
        let message = format!("percentile value {fraction} is not between 0 and 1");
        return Err(SqlError::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, message).into());
    }
    let valid: Vec<usize> = (0..values.len()).filter(|index| values.is_valid(*index)).collect();
    let place = (fraction * valid.len() as f64).ceil() as usize;
    Ok(valid.get(place.saturating_sub(1)).copied())
}

/// The place of the value that comes most often; the first of several.
fn most_frequent(values: &ArrayRef) -> Result<Option<usize>> {
    let mut best: Option<(usize, usize)> = None;
    for range in partition(std::slice::from_ref(values))?.ranges() {
        let is_more = best.is_none_or(|(_, count)| range.len() > count);
        if values.is_valid(range.start) && is_more {
            best = Some((range.start, range.len()));
        }
    }
    Ok(best.map(|(start, _)| start))
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;

    use super::*;

    #[test]
    fn values_of_ordered_lists() {
        let values: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(2), Some(2), Some(4), None]));
        assert_eq!(discrete(&values, 0.5).unwrap(), Some(1));
        assert_eq!(discrete(&values, 0.0).unwrap(), Some(0));
        assert_eq!(discrete(&values, 1.0).unwrap(), Some(3));
        assert!(discrete(&values, 1.5).is_err());
        assert_eq!(most_frequent(&values).unwrap(), Some(1));
        let nulls: ArrayRef = Arc::new(Int64Array::from(vec![None, None]));
        assert_eq!((discrete(&nulls, 0.5).unwrap(), most_frequent(&nulls).unwrap()), (None, None));
    }

    #[test]
    fn buckets() {
        for (operand, low, high, expected) in [
            (5.5, 0.0, 10.0, 3),
            (-1.0, 0.0, 10.0, 0),
            (10.0, 0.0, 10.0, 6),
            (0.0, 0.0, 10.0, 1),
            (9.0, 10.0, 0.0, 1),
        ] {
            let arguments =
                [operand, low, high].map(ScalarValue::from).into_iter().chain([ScalarValue::from(5_i64)]);
            let arguments: Vec<ScalarValue> = arguments.collect();
            assert_eq!(width_bucket(&arguments).unwrap(), ScalarValue::Int32(Some(expected)), "{operand}");
        }
    }
}
