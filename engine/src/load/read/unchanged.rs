//! Columns whose values are right as they are.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, Decimal128Type, Field, Float64Type, TimeUnit, TimestampMicrosecondType};

use super::timestamp::in_range;
use crate::schema;

/// The values of `array` with the type of `target`, a canonical column, if none of them has to be changed or refused: times in
/// microseconds with a zone, decimals with as many places, finite doubles. `None` if they must be looked at one by one. O(rows),
/// many at a time.
pub(super) fn unchanged(target: &Field, array: &ArrayRef) -> Option<ArrayRef> {
    if !target.is_nullable() && array.null_count() > 0 {
        return None;
    }
    match (array.data_type(), target.data_type()) {
        (DataType::Timestamp(TimeUnit::Microsecond, Some(_)), DataType::Timestamp(_, _)) => {
            let times = array.as_primitive::<TimestampMicrosecondType>();
            let ends = [min(times), max(times)];
            let are_right = ends.into_iter().flatten().all(|micros| in_range(micros).is_ok());
            are_right.then(|| Arc::new(times.clone().with_timezone(schema::UTC)) as ArrayRef)
        }
        (DataType::Decimal128(_, from), DataType::Decimal128(digits, places)) if from == places => {
            let amounts = array.as_primitive::<Decimal128Type>();
            let limit = 10_i128.checked_pow(u32::from(*digits))?;
            let ends = [min(amounts), max(amounts)];
            let are_right = ends.into_iter().flatten().all(|amount| -limit < amount && amount < limit);
            let amounts = are_right.then(|| amounts.clone().with_precision_and_scale(*digits, *places))?;
            Some(Arc::new(amounts.ok()?))
        }
        (DataType::Float64, DataType::Float64) => {
            let numbers = array.as_primitive::<Float64Type>();
            // What stands in the place of a NULL may be anything; then the others are looked at one by one.
            let are_finite = numbers.values().iter().fold(true, |all, number| all & number.is_finite());
            are_finite.then(|| Arc::clone(array))
        }
        _ => None,
    }
}
