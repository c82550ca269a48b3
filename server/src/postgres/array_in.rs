//! `'{1,2,NULL}'` as an array: what a cast of text to an array type does. One dimension.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StringArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::{SqlError, sqlstate};
use crate::wire::params::array_items;

/// The call that reads `text` as an array of type `target`.
pub(super) fn call(text: Expr, target: &DataType) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    let function = ScalarUDF::from(ArrayIn { target: target.clone(), signature });
    Expr::ScalarFunction(ScalarFunction::new_udf(Arc::new(function), vec![text]))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ArrayIn {
    target: DataType,
    signature: Signature,
}

impl ScalarUDFImpl for ArrayIn {
    fn name(&self) -> &str {
        "pg_array_in"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.target.clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match &arguments.args[0] {
            ColumnarValue::Array(texts) => Ok(ColumnarValue::Array(self.read(texts)?)),
            ColumnarValue::Scalar(text) => {
                let array = self.read(&text.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
            }
        }
    }
}

impl ArrayIn {
    fn read(&self, texts: &ArrayRef) -> Result<ArrayRef> {
        let DataType::List(item) = &self.target else {
            return exec_err!("{} is no array", self.target);
        };
        let texts = cast(texts, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        let mut items: Vec<Option<String>> = Vec::new();
        let mut lengths = Vec::with_capacity(texts.len());
        for text in texts {
            let before = items.len();
            if let Some(text) = text {
                items.extend(array_items(text).ok_or_else(|| {
                    SqlError::new(
                        sqlstate::INVALID_TEXT_REPRESENTATION,
                        format!("malformed array literal: \"{text}\""),
                    )
                })?);
            }
            lengths.push(items.len() - before);
        }
        let options = CastOptions { safe: false, ..CastOptions::default() };
        let values = cast_with_options(&StringArray::from(items), item.data_type(), &options)?;
        let nulls: Option<NullBuffer> = texts.nulls().cloned();
        let list = ListArray::try_new(Arc::clone(item), OffsetBuffer::from_lengths(lengths), values, nulls)?;
        Ok(Arc::new(list))
    }
}
