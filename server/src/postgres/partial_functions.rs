//! Functions that are not defined everywhere, or whose results soon fit no number: errors, as in PostgreSQL. The engine has
//! infinity, NaN and zero.

use std::sync::Arc;

use arrow::array::{Array, AsArray, Float64Array};
use arrow::datatypes::{DataType, FieldRef, Float64Type};
use datafusion::common::Result;
use datafusion::functions::math;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use super::float_operators::{overflow, underflow};
use crate::error::{SqlError, sqlstate};

pub(super) fn all() -> Vec<ScalarUDF> {
    let functions = [
        ("ln", math::ln(), Kind::Logarithm),
        ("log", math::log(), Kind::Logarithm),
        ("log10", math::log10(), Kind::Logarithm),
        ("sqrt", math::sqrt(), Kind::SquareRoot),
        ("exp", math::exp(), Kind::Exponential),
        ("power", math::power(), Kind::Power),
    ];
    let functions = functions.into_iter().map(|(name, engine, kind)| {
        ScalarUDF::from(Partial { name, signature: engine.signature().clone(), engine, kind })
    });
    functions.collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Logarithm,
    SquareRoot,
    Exponential,
    Power,
}

impl Kind {
    /// What is wrong with arguments and their result. What has one argument has it twice.
    fn error(self, first: f64, second: f64, result: f64) -> Option<SqlError> {
        match self {
            Self::Logarithm => logarithm(first.min(second)),
            Self::SquareRoot => {
                (first < 0.0).then(|| undefined("cannot take square root of a negative number"))
            }
            Self::Exponential => exponential(first, result),
            Self::Power => power(first, second, result),
        }
    }
}

fn undefined(message: &str) -> SqlError {
    SqlError::new(sqlstate::INVALID_ARGUMENT_FOR_POWER_FUNCTION, message)
}

fn logarithm(of: f64) -> Option<SqlError> {
    let what = match of {
        0.0 => "zero",
        of if of < 0.0 => "a negative number",
        _ => return None,
    };
    let message = format!("cannot take logarithm of {what}");
    Some(SqlError::new(sqlstate::INVALID_ARGUMENT_FOR_LOGARITHM, message))
}

fn exponential(of: f64, result: f64) -> Option<SqlError> {
    match result {
        _ if of.is_infinite() => None,
        f64::INFINITY => Some(overflow()),
        0.0 => Some(underflow()),
        _ => None,
    }
}

fn power(base: f64, exponent: f64, result: f64) -> Option<SqlError> {
    if base == 0.0 && exponent < 0.0 {
        return Some(undefined("zero raised to a negative power is undefined"));
    }
    if base < 0.0 && exponent.is_finite() && exponent.fract() != 0.0 {
        let message = "a negative number raised to a non-integer power yields a complex result";
        return Some(undefined(message));
    }
    if base.is_infinite() || exponent.is_infinite() {
        return None;
    }
    if result.is_infinite() {
        return Some(overflow());
    }
    (result == 0.0 && base != 0.0).then(underflow)
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Partial {
    name: &'static str,
    engine: Arc<ScalarUDF>,
    kind: Kind,
    signature: Signature,
}

impl ScalarUDFImpl for Partial {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        self.engine.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.engine.return_type(arguments)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.engine.return_field_from_args(arguments)
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        self.engine.coerce_types(arguments)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let numbers = |value: &ColumnarValue| -> Result<Float64Array> {
            let numbers = value.cast_to(&DataType::Float64, None)?.to_array(1)?;
            Ok(numbers.as_primitive::<Float64Type>().clone())
        };
        let given = arguments.args.iter().map(numbers).collect::<Result<Vec<_>>>()?;
        let result = self.engine.invoke_with_args(arguments)?;
        let results = numbers(&result)?;
        // One that is not an array is the same for all rows.
        let value = |numbers: &Float64Array, row: usize| {
            let row = if numbers.len() == 1 { 0 } else { row };
            numbers.is_valid(row).then(|| numbers.value(row))
        };
        for row in 0..results.len() {
            let Some(result) = value(&results, row) else { continue };
            let first = given.first().and_then(|first| value(first, row));
            let second = given.get(1).and_then(|second| value(second, row));
            let Some(first) = first else { continue };
            if let Some(error) = self.kind.error(first, second.unwrap_or(first), result) {
                return Err(error.into());
            }
        }
        Ok(result)
    }
}
