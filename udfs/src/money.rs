//! Amounts of money as arguments.

use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};

/// Decimals that whole numbers get, so that they can be divided.
const SCALE: i8 = 4;

/// The type to which an argument that is an amount is cast: decimals stay as they are, whole numbers get four decimals.
///
/// # Errors
/// A plan error for other types: floating-point numbers cannot be divided without a rest.
pub(crate) fn money_type(function: &str, argument: &str, given: &DataType) -> Result<DataType> {
    match given {
        DataType::Decimal128(precision, scale) if *scale > 0 => Ok(DataType::Decimal128(*precision, *scale)),
        DataType::Decimal32(_, scale) | DataType::Decimal64(_, scale) if *scale > 0 => {
            Ok(DataType::Decimal128(38, *scale))
        }
        DataType::Decimal128(_, _)
        | DataType::Decimal32(_, _)
        | DataType::Decimal64(_, _)
        | DataType::Null => Ok(DataType::Decimal128(38, SCALE)),
        integer if integer.is_integer() => Ok(DataType::Decimal128(28, SCALE)),
        other => plan_err!(
            "{function}: argument {argument} must be a DECIMAL of up to 38 digits or an integer, got {other}; \
             cast it, for example {argument} => revenue::decimal(18, 4)"
        ),
    }
}
