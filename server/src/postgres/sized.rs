//! Casts to `varchar`, `char(n)`, `"char"`, `timetz` and `numeric`, which the rewriting of statements makes calls of
//! these functions.
//!
//! A `char(n)` is kept without the blanks at its end, which mean nothing to any function of PostgreSQL; the encoder of
//! results fills it up.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    TypeSignature, Volatility,
};

use super::float_digits;
use super::text_in::wrong;
use super::time_in;
use super::timezone::zone_named;
use crate::error::{SqlError, sqlstate};
use crate::wire::types::{PG_CHAR_KEY, sized_field, typed_field};

/// Longest `varchar(n)`, as in PostgreSQL.
const MAX_LENGTH: i64 = 10_485_760;
/// Longest `char(n)`: every value of a result is filled up to it.
const MAX_FILLED: i32 = 1_024;
/// Digits of a decimal of the engine.
const MAX_PRECISION: u8 = 38;
/// Digits behind the point where nothing says how many.
const DEFAULT_SCALE: i8 = 10;

pub(super) fn all() -> Vec<ScalarUDF> {
    let text = |name, kind, volatility| {
        let counts = vec![TypeSignature::Any(1), TypeSignature::Any(2)];
        ScalarUDF::from(TextCast { name, kind, signature: Signature::one_of(counts, volatility) })
    };
    vec![
        text("varchar", Kind::Varchar, Volatility::Immutable),
        text("bpchar", Kind::Char, Volatility::Immutable),
        text("pg_char", Kind::OneByte, Volatility::Immutable),
        // A text without a zone is in that of the session.
        text("timetz", Kind::TimeTz, Volatility::Stable),
        ScalarUDF::from(Numeric { signature: Signature::any(1, Volatility::Immutable) }),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Varchar,
    Char,
    OneByte,
    TimeTz,
}

/// A cast of text; a second argument is the greatest length.
#[derive(Debug, PartialEq, Eq, Hash)]
struct TextCast {
    name: &'static str,
    kind: Kind,
    signature: Signature,
}

impl ScalarUDFImpl for TextCast {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let length = match arguments.scalar_arguments.get(1) {
            Some(Some(value)) => Some(length_of(value)?),
            _ => None,
        };
        let length = length.and_then(|length| i32::try_from(length).ok());
        if self.kind == Kind::Char && length.is_some_and(|length| length > MAX_FILLED) {
            let message = format!("char(n) has at most {MAX_FILLED} characters here: use varchar or text");
            return Err(SqlError::new(sqlstate::FEATURE_NOT_SUPPORTED, message).into());
        }
        Ok(Arc::new(match self.kind {
            Kind::Varchar => sized_field(self.name, "varchar", length),
            Kind::Char => sized_field(self.name, "bpchar", length),
            Kind::TimeTz => typed_field(self.name, "timetz", true),
            Kind::OneByte => {
                let mark = (PG_CHAR_KEY.to_owned(), "1".to_owned());
                Field::new(self.name, DataType::Utf8, true).with_metadata([mark].into())
            }
        }))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let length = match arguments.args.get(1) {
            Some(ColumnarValue::Scalar(value)) => Some(length_of(value)?),
            _ => None,
        };
        let zone = arguments.config_options.execution.time_zone.as_deref().unwrap_or("UTC");
        let zone = zone_named(zone)?;
        let value = |text: &str| -> Result<String> {
            Ok(match self.kind {
                Kind::Varchar => cut(text, length).to_owned(),
                Kind::Char => cut(text, length).trim_end_matches(' ').to_owned(),
                Kind::OneByte => {
                    text.chars().next().filter(char::is_ascii).map(String::from).unwrap_or_default()
                }
                Kind::TimeTz => {
                    time_in::timetz(text, zone).map_err(|e| wrong(e, "time with time zone", text))?
                }
            })
        };
        let convert = |texts: &ArrayRef| -> Result<ArrayRef> {
            let texts = cast(texts, &DataType::Utf8)?;
            let values = texts.as_string::<i32>().iter().map(|text| text.map(&value).transpose());
            Ok(Arc::new(values.collect::<Result<StringArray>>()?))
        };
        match &arguments.args[0] {
            ColumnarValue::Array(texts) => Ok(ColumnarValue::Array(convert(texts)?)),
            ColumnarValue::Scalar(text) => {
                let array = convert(&text.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
            }
        }
    }
}

fn length_of(value: &ScalarValue) -> Result<usize> {
    let length = match value.cast_to(&DataType::Int64)? {
        ScalarValue::Int64(Some(length)) => length,
        _ => 0,
    };
    let refused = |what: &str| {
        SqlError::new(sqlstate::INVALID_PARAMETER_VALUE, format!("length for type varchar {what}"))
    };
    match length {
        ..1 => Err(refused("must be at least 1").into()),
        1..=MAX_LENGTH => Ok(usize::try_from(length).unwrap_or(usize::MAX)),
        _ => Err(refused("cannot exceed 10485760").into()),
    }
}

/// The first `length` characters of `text`.
fn cut(text: &str, length: Option<usize>) -> &str {
    match length.and_then(|length| text.char_indices().nth(length)) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// A cast to `numeric` without a precision: as many digits as the value has.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Numeric {
    signature: Signature,
}

fn numeric_of(source: &DataType) -> DataType {
    match source {
        DataType::Decimal128(..) | DataType::Decimal256(..) => source.clone(),
        source if source.is_integer() => DataType::Decimal128(20, 0),
        _ => DataType::Decimal128(MAX_PRECISION, DEFAULT_SCALE),
    }
}

impl ScalarUDFImpl for Numeric {
    fn name(&self) -> &str {
        "numeric"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(numeric_of(&arguments[0]))
    }

    fn simplify(&self, mut arguments: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let Some(value) = arguments.pop() else { return Ok(ExprSimplifyResult::Original(arguments)) };
        let source = info.get_data_type(&value)?;
        let target = numeric_of(&source);
        if source.is_floating() {
            return Ok(ExprSimplifyResult::Simplified(float_digits::call(value, &target)));
        }
        Ok(ExprSimplifyResult::Simplified(Expr::Cast(Cast::new(Box::new(value), target))))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let target = arguments.return_field.data_type();
        match &arguments.args[0] {
            numbers if numbers.data_type().is_floating() => float_digits::value(numbers, target),
            other => other.cast_to(target, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_by_characters() {
        assert_eq!(cut("äöü", Some(2)), "äö");
        assert_eq!(cut("ä", Some(2)), "ä");
        assert_eq!(cut("äöü", None), "äöü");
        assert!(length_of(&ScalarValue::from(0_i64)).is_err());
        assert_eq!(length_of(&ScalarValue::from(3_i64)).unwrap(), 3);
    }
}
