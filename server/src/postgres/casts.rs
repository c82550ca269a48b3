//! `int4(x)`, `int8(x)` and `float8(x)`: casts that are planned as calls, so that they carry PostgreSQL's errors.

use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::{SqlError, sqlstate};

pub(super) fn all() -> Vec<ScalarUDF> {
    [("int4", DataType::Int32), ("int8", DataType::Int64), ("float8", DataType::Float64)]
        .into_iter()
        .map(|(name, target)| {
            ScalarUDF::from(NamedCast { name, target, signature: Signature::any(1, Volatility::Immutable) })
        })
        .collect()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct NamedCast {
    name: &'static str,
    target: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for NamedCast {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.target.clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let value = &arguments.args[0];
        if let ColumnarValue::Scalar(ScalarValue::Utf8(Some(text)) | ScalarValue::Utf8View(Some(text))) =
            value
            && self.target == DataType::Float64
            && text.parse::<f64>().is_ok_and(f64::is_infinite)
        {
            let message = format!("\"{text}\" is out of range for type double precision");
            return Err(SqlError::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, message).into());
        }
        value.cast_to(&self.target, None)
    }
}
