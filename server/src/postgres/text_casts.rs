//! `x::text` as PostgreSQL writes it: times in the session's zone and with a blank, numbers and arrays in their own form.
//!
//! The engine's cast writes `2024-01-31T12:00:00Z` and `[1, 2]`. The values are written by the encoder of results, so
//! that a value and its text are always the same. The other way round, `'{1,2}'::int[]` is read by [`text_in`]. And a number
//! that is cast to a whole one is rounded; the engine would cut it.

use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use pgwire::api::portal::Format;
use pgwire::error::PgWireError;
use pgwire::types::format::FormatOptions;

use super::inputs::rewrite_expressions;
use super::{rounding, text_in};
use crate::error::SqlError;
use crate::wire::encode::{BatchEncoder, field_infos};
use crate::wire::{SessionState, lock};

/// Puts [`PgText`] in the place of casts to text.
#[derive(Debug)]
pub(crate) struct TextCasts {
    function: Arc<ScalarUDF>,
}

impl TextCasts {
    /// For the session whose settings `state` holds.
    pub(crate) fn new(state: Arc<Mutex<SessionState>>) -> Self {
        Self { function: Arc::new(function(state)) }
    }

    fn rewritten(&self, expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
        let Expr::Cast(cast) = &expr else { return Transformed::no(expr) };
        let target = cast.field.data_type();
        let Ok(source) = cast.expr.get_type(schema) else { return Transformed::no(expr) };
        let operand = || cast.expr.as_ref().clone();
        let to = |operand: Expr, target: &DataType| Expr::Cast(Cast::new(Box::new(operand), target.clone()));
        if source.is_string() && text_in::reads(target) {
            return Transformed::yes(text_in::call(operand(), target));
        }
        if target.is_integer() {
            return match &source {
                DataType::Float16 | DataType::Float32 | DataType::Float64 => {
                    let rounded = ScalarFunction::new_udf(rounding::half_even(), vec![operand()]);
                    Transformed::yes(to(Expr::ScalarFunction(rounded), target))
                }
                DataType::Decimal128(precision, scale) if *scale > 0 => {
                    // Rounding may carry into one digit more.
                    let scale = u8::try_from(*scale).unwrap_or(0);
                    let digits = precision.saturating_sub(scale).saturating_add(1).min(38);
                    Transformed::yes(to(to(operand(), &DataType::Decimal128(digits, 0)), target))
                }
                _ => Transformed::no(expr),
            };
        }
        if !target.is_string() || !has_own_text(&source) {
            return Transformed::no(expr);
        }
        let call = ScalarFunction::new_udf(Arc::clone(&self.function), vec![operand()]);
        let call = Expr::ScalarFunction(call);
        Transformed::yes(match target {
            DataType::Utf8 => call,
            _ => to(call, target),
        })
    }
}

/// The text of a value of any type.
pub(crate) fn function(state: Arc<Mutex<SessionState>>) -> ScalarUDF {
    ScalarUDF::from(PgText { state, signature: Signature::any(1, Volatility::Stable) })
}

impl AnalyzerRule for TextCasts {
    fn name(&self) -> &str {
        "text_casts"
    }

    fn analyze(&self, plan: LogicalPlan, _options: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite_expressions(plan, |expr, schema| self.rewritten(expr, schema))
    }
}

/// Types whose text in the engine is not PostgreSQL's.
fn has_own_text(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Timestamp(..)
            | DataType::Interval(_)
            | DataType::Duration(_)
            | DataType::Float32
            | DataType::Float64
            | DataType::List(_)
            | DataType::LargeList(_)
            | DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::Time32(_)
            | DataType::Time64(_)
    )
}

#[derive(Debug)]
struct PgText {
    state: Arc<Mutex<SessionState>>,
    signature: Signature,
}

// Two sessions never share a function.
impl PartialEq for PgText {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.state, &other.state)
    }
}

impl Eq for PgText {}

impl Hash for PgText {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.name().hash(hasher);
    }
}

impl ScalarUDFImpl for PgText {
    fn name(&self) -> &str {
        "pg_value_text"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let options = Arc::new(lock(&self.state).settings.format_options());
        match &arguments.args[0] {
            ColumnarValue::Array(array) => Ok(ColumnarValue::Array(texts(array, &options)?)),
            ColumnarValue::Scalar(value) => {
                let array = texts(&value.to_array()?, &options)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
            }
        }
    }
}

/// The text of each value, as a result would show it.
fn texts(array: &ArrayRef, options: &Arc<FormatOptions>) -> Result<ArrayRef> {
    let schema = Schema::new(vec![Field::new("value", array.data_type().clone(), true)]);
    let encode = || -> Result<Vec<Option<String>>, PgWireError> {
        let fields = Arc::new(field_infos(&schema, None, &Format::UnifiedText, options)?);
        let mut encoder = BatchEncoder::new(fields, &schema, &options.time_zone, None)?;
        let batch = RecordBatch::try_new(Arc::new(schema.clone()), vec![Arc::clone(array)])
            .map_err(|e| PgWireError::ApiError(Box::new(e)))?;
        let columns = encoder.prepare(&batch)?;
        (0..array.len())
            .map(|row| {
                // One length of four bytes, -1 for NULL, and the text.
                let data = encoder.row(&columns, row)?.data;
                let text = data.get(4..).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
                Ok(text.filter(|_| !data.starts_with(&[0xff; 4])))
            })
            .collect()
    };
    let texts = encode().map_err(|e| match e {
        PgWireError::UserError(info) => DataFusionError::from(SqlError::from_info(&info)),
        other => DataFusionError::External(Box::new(other)),
    })?;
    Ok(Arc::new(StringArray::from(texts)))
}
