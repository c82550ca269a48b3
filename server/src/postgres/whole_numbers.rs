//! `floor`, `ceil` and `trunc` of `numeric`, whose results have no digits behind the point, or as many as were asked for.
//! Those of floating-point numbers are the engine's.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions::math;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// Where numbers between two neighbours go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Direction {
    Down,
    Up,
    Zero,
}

impl Direction {
    /// `value / unit`.
    fn divided(self, value: i128, unit: i128) -> i128 {
        match self {
            Self::Down => value.div_euclid(unit),
            Self::Up => -(-value).div_euclid(unit),
            Self::Zero => value / unit,
        }
    }
}

pub(super) fn all() -> Vec<ScalarUDF> {
    let whole = |engine: Arc<ScalarUDF>, direction, alias: Option<&str>| {
        let aliases = engine.aliases().iter().cloned().chain(alias.map(str::to_owned)).collect();
        ScalarUDF::from(Whole { signature: engine.signature().clone(), engine, direction, aliases })
    };
    vec![
        whole(math::floor(), Direction::Down, None),
        whole(math::ceil(), Direction::Up, Some("ceiling")),
        whole(math::trunc(), Direction::Zero, None),
    ]
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Whole {
    engine: Arc<ScalarUDF>,
    direction: Direction,
    aliases: Vec<String>,
    signature: Signature,
}

/// The digits that stay, and so the scale of the result: none unless the second argument is a literal. `None` for what the
/// engine calculates.
fn digits(argument: &DataType, second: Option<Option<&ScalarValue>>) -> Option<i64> {
    let DataType::Decimal128(_, scale) = argument else { return None };
    let digits = match second {
        None => 0,
        Some(literal) => match literal?.cast_to(&DataType::Int64).ok()? {
            ScalarValue::Int64(digits) => digits?,
            _ => return None,
        },
    };
    (*scale >= 0 && digits <= i64::from(*scale) && digits > -38).then_some(digits)
}

fn scale_of(digits: i64) -> i8 {
    i8::try_from(digits.max(0)).unwrap_or(0)
}

impl ScalarUDFImpl for Whole {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.engine.return_type(arguments)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let of = arguments.arg_fields[0].data_type();
        match (of, digits(of, arguments.scalar_arguments.get(1).copied())) {
            (DataType::Decimal128(precision, _), Some(digits)) => {
                let result = DataType::Decimal128(*precision, scale_of(digits));
                Ok(Arc::new(Field::new(self.name(), result, true)))
            }
            _ => self.engine.return_field_from_args(arguments),
        }
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        self.engine.coerce_types(arguments)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let second = arguments.args.get(1).map(|second| match second {
            ColumnarValue::Scalar(literal) => Some(literal),
            ColumnarValue::Array(_) => None,
        });
        let of = arguments.args[0].data_type();
        let (DataType::Decimal128(precision, scale), Some(digits)) = (&of, digits(&of, second)) else {
            return self.engine.invoke_with_args(arguments);
        };
        // At most 10^75 would be asked for: a number of 38 digits has none left then.
        let unit = u32::try_from(i64::from(*scale) - digits).ok().and_then(|n| 10_i128.checked_pow(n));
        let back = 10_i128.pow(u32::try_from(-digits).unwrap_or(0));
        let whole = |array: &ArrayRef| -> Result<ArrayRef> {
            let numbers = array.as_primitive::<Decimal128Type>();
            let cut: Decimal128Array = match unit {
                Some(unit) => numbers.unary(|value| self.direction.divided(value, unit) * back),
                None => numbers.unary(|_| 0),
            };
            Ok(Arc::new(cut.with_precision_and_scale(*precision, scale_of(digits))?))
        };
        match &arguments.args[0] {
            ColumnarValue::Array(array) => Ok(ColumnarValue::Array(whole(array)?)),
            ColumnarValue::Scalar(value) => {
                let array = whole(&value.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // What PostgreSQL 15 answers.
    #[test]
    fn directions() {
        for (value, floor, ceil, trunc) in
            [(75, 7, 8, 7), (-75, -8, -7, -7), (70, 7, 7, 7), (-70, -7, -7, -7), (0, 0, 0, 0)]
        {
            assert_eq!(Direction::Down.divided(value, 10), floor, "{value}");
            assert_eq!(Direction::Up.divided(value, 10), ceil, "{value}");
            assert_eq!(Direction::Zero.divided(value, 10), trunc, "{value}");
        }
    }

    #[test]
    fn digits_that_stay() {
        let number = DataType::Decimal128(18, 4);
        assert_eq!(digits(&number, None), Some(0));
        assert_eq!(digits(&number, Some(Some(&ScalarValue::Int64(Some(-2))))), Some(-2));
        assert_eq!(digits(&number, Some(Some(&ScalarValue::Int64(Some(9))))), None);
        assert_eq!(digits(&number, Some(None)), None);
        assert_eq!(digits(&DataType::Float64, None), None);
    }
}
