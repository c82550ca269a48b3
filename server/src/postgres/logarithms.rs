//! `ln`, `log` and `log10` of zero and of negative numbers are errors, as in PostgreSQL; the engine has infinity and NaN.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{DataType, FieldRef, Float64Type};
use datafusion::common::Result;
use datafusion::functions::math;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use crate::error::{SqlError, sqlstate};

pub(super) fn all() -> Vec<ScalarUDF> {
    [("ln", math::ln()), ("log", math::log()), ("log10", math::log10())]
        .into_iter()
        .map(|(name, engine)| {
            ScalarUDF::from(Logarithm { name, signature: engine.signature().clone(), engine })
        })
        .collect()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Logarithm {
    name: &'static str,
    engine: Arc<ScalarUDF>,
    signature: Signature,
}

impl ScalarUDFImpl for Logarithm {
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
        for argument in &arguments.args {
            let numbers = argument.cast_to(&DataType::Float64, None)?.to_array(1)?;
            let least = arrow::compute::min(numbers.as_primitive::<Float64Type>());
            let what = match least {
                Some(least) if least < 0.0 => "a negative number",
                Some(0.0) => "zero",
                _ => continue,
            };
            let message = format!("cannot take logarithm of {what}");
            return Err(SqlError::new(sqlstate::INVALID_ARGUMENT_FOR_LOGARITHM, message).into());
        }
        self.engine.invoke_with_args(arguments)
    }
}
