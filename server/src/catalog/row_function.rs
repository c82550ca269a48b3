//! Scalar functions that are told row by row: those of the catalog, where rows are few and look-ups many.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};

/// The value for one row of arguments.
pub(crate) type Evaluate = Arc<dyn Fn(&[ScalarValue]) -> Result<ScalarValue> + Send + Sync>;

/// A function with any types of arguments and one type of result.
pub(crate) struct RowFunction {
    name: &'static str,
    signature: Signature,
    result: Field,
    evaluate: Evaluate,
}

impl RowFunction {
    /// The function `name` with each of `counts` arguments, which returns values of `result`.
    pub(crate) fn udf(
        name: &'static str,
        counts: &[usize],
        result: Field,
        volatility: Volatility,
        evaluate: impl Fn(&[ScalarValue]) -> Result<ScalarValue> + Send + Sync + 'static,
    ) -> ScalarUDF {
        let signatures = counts.iter().map(|count| match count {
            0 => TypeSignature::Nullary,
            count => TypeSignature::Any(*count),
        });
        ScalarUDF::from(Self {
            name,
            signature: Signature::one_of(signatures.collect(), volatility),
            result,
            evaluate: Arc::new(evaluate),
        })
    }
}

impl std::fmt::Debug for RowFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowFunction").field("name", &self.name).finish_non_exhaustive()
    }
}

// The functions of two sessions are two functions: they look at other things.
impl PartialEq for RowFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && Arc::ptr_eq(&self.evaluate, &other.evaluate)
    }
}

impl Eq for RowFunction {}

impl Hash for RowFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for RowFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.result.data_type().clone())
    }

    fn return_field_from_args(&self, _arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(self.result.clone().with_name(self.name)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalars: Option<Vec<ScalarValue>> = arguments
            .args
            .iter()
            .map(|argument| match argument {
                ColumnarValue::Scalar(value) => Some(value.clone()),
                ColumnarValue::Array(_) => None,
            })
            .collect();
        if let Some(scalars) = scalars {
            return Ok(ColumnarValue::Scalar(self.typed((self.evaluate)(&scalars)?)?));
        }
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let mut values = Vec::with_capacity(arguments.number_rows);
        for row in 0..arguments.number_rows {
            let row: Result<Vec<ScalarValue>> =
                arrays.iter().map(|array| ScalarValue::try_from_array(array, row)).collect();
            values.push(self.typed((self.evaluate)(&row?)?)?);
        }
        let array: ArrayRef = match values.is_empty() {
            true => arrow::array::new_empty_array(self.result.data_type()),
            false => ScalarValue::iter_to_array(values)?,
        };
        Ok(ColumnarValue::Array(array))
    }
}

impl RowFunction {
    /// NULL of any type becomes NULL of the type of the result.
    fn typed(&self, value: ScalarValue) -> Result<ScalarValue> {
        if value.is_null() { ScalarValue::try_from(self.result.data_type()) } else { Ok(value) }
    }
}

/// A nullable field of a result.
pub(crate) fn returns(data_type: DataType) -> Field {
    Field::new("result", data_type, true)
}

/// `value` as text; `None` for NULL and for what is no text.
pub(crate) fn text_of(value: &ScalarValue) -> Option<&str> {
    value.try_as_str().flatten()
}

/// `value` as a whole number; `None` for NULL and for what is none.
pub(crate) fn integer_of(value: &ScalarValue) -> Option<i64> {
    match value.cast_to(&DataType::Int64) {
        Ok(ScalarValue::Int64(number)) => number,
        _ => None,
    }
}

/// Text as a value.
pub(crate) fn text(value: impl Into<String>) -> ScalarValue {
    ScalarValue::Utf8(Some(value.into()))
}
