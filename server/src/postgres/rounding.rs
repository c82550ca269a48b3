//! `round(x)` of floating-point numbers, which goes to the even neighbour from the middle between two, as in PostgreSQL;
//! and the rounding in casts to whole numbers. Decimals are the engine's: from the middle away from zero.

use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray, Float32Array, Float64Array};
use arrow::datatypes::{DataType, FieldRef, Float32Type, Float64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions::math;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::inputs::coerced;

static HALF_EVEN: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    Arc::new(ScalarUDF::from(HalfEven { signature: Signature::any(1, Volatility::Immutable) }))
});

/// The rounding of floating-point numbers.
pub(super) fn half_even() -> Arc<ScalarUDF> {
    Arc::clone(&HALF_EVEN)
}

pub(super) fn function() -> ScalarUDF {
    let signature = Signature::user_defined(Volatility::Immutable);
    ScalarUDF::from(Round { signature, engine: math::round() })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct HalfEven {
    signature: Signature,
}

impl ScalarUDFImpl for HalfEven {
    fn name(&self) -> &str {
        "pg_rint"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments[0].clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        rounded(&arguments.args[0])
    }
}

fn rounded(value: &ColumnarValue) -> Result<ColumnarValue> {
    let round = |array: &ArrayRef| -> ArrayRef {
        match array.data_type() {
            DataType::Float64 => {
                let rounded: Float64Array = array.as_primitive::<Float64Type>().unary(f64::round_ties_even);
                Arc::new(rounded)
            }
            DataType::Float32 => {
                let rounded: Float32Array = array.as_primitive::<Float32Type>().unary(f32::round_ties_even);
                Arc::new(rounded)
            }
            _ => Arc::clone(array),
        }
    };
    match value {
        ColumnarValue::Array(array) => Ok(ColumnarValue::Array(round(array))),
        ColumnarValue::Scalar(value) => {
            let array = round(&value.to_array()?);
            Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
        }
    }
}

/// The engine's `round`, but for floating-point numbers without a number of digits.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Round {
    engine: Arc<ScalarUDF>,
    signature: Signature,
}

impl ScalarUDFImpl for Round {
    fn name(&self) -> &str {
        "round"
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

    /// A number of digits stays the literal that it is: it tells the scale of the result.
    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        let mut coerced = coerced(&self.engine, arguments)?;
        if let ([number, digits], [_, given]) = (coerced.as_mut_slice(), arguments)
            && number.is_decimal()
            && given.is_integer()
        {
            *digits = given.clone();
        }
        Ok(coerced)
    }

    fn invoke_with_args(&self, mut arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let [number, digits] = arguments.args.as_mut_slice()
            && number.data_type().is_decimal()
        {
            *digits = digits.cast_to(&DataType::Int32, None)?;
        }
        match arguments.args.as_slice() {
            [one] if matches!(one.data_type(), DataType::Float32 | DataType::Float64) => rounded(one),
            _ => self.engine.invoke_with_args(arguments),
        }
    }
}
