//! `x::text` as PostgreSQL writes it: times in the session's zone and with a blank, numbers and arrays in their own form.
//!
//! The engine's cast writes `2024-01-31T12:00:00Z` and `[1, 2]`. The values are written by the encoder of results, so
//! that a value and its text are always the same. The other way round, `'{1,2}'::int[]` is read by [`array_in`].

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    Cast, ColumnarValue, Expr, ExprSchemable, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use pgwire::api::portal::Format;
use pgwire::error::PgWireError;
use pgwire::types::format::FormatOptions;

use super::array_in;
use super::checked::input_schema;
use crate::error::SqlError;
use crate::wire::encode::{BatchEncoder, field_infos};

/// Puts [`PgText`] in the place of casts to text.
#[derive(Debug)]
pub(crate) struct TextCasts {
    function: Arc<ScalarUDF>,
}

impl TextCasts {
    pub(crate) fn new() -> Self {
        Self { function: Arc::new(function()) }
    }
}

/// The text of a value of any type.
pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(PgText { signature: Signature::any(1, Volatility::Stable) })
}

impl AnalyzerRule for TextCasts {
    fn name(&self) -> &str {
        "text_casts"
    }

    fn analyze(&self, plan: LogicalPlan, _options: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|node| {
            let schema = input_schema(&node);
            let names = NamePreserver::new(&node);
            node.map_expressions(|expr| {
                let name = names.save(&expr);
                let expr = expr.transform_up(|expr| {
                    let Expr::Cast(cast) = &expr else { return Ok(Transformed::no(expr)) };
                    let target = cast.field.data_type();
                    if matches!(target, DataType::List(_))
                        && cast.expr.get_type(schema.as_ref()).is_ok_and(|source| source.is_string())
                    {
                        return Ok(Transformed::yes(array_in::call(cast.expr.as_ref().clone(), target)));
                    }
                    let is_other =
                        cast.expr.get_type(schema.as_ref()).is_ok_and(|source| has_own_text(&source));
                    if !target.is_string() || !is_other {
                        return Ok(Transformed::no(expr));
                    }
                    let call = Expr::ScalarFunction(ScalarFunction::new_udf(
                        Arc::clone(&self.function),
                        vec![cast.expr.as_ref().clone()],
                    ));
                    Ok(Transformed::yes(match target {
                        DataType::Utf8 => call,
                        _ => Expr::Cast(Cast::new(Box::new(call), target.clone())),
                    }))
                })?;
                Ok(expr.update_data(|expr| name.restore(expr)))
            })
        })?;
        Ok(rewritten.data)
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

#[derive(Debug, PartialEq, Eq, Hash)]
struct PgText {
    signature: Signature,
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
        let zone = arguments.config_options.execution.time_zone.clone();
        let zone = zone.as_deref().unwrap_or("UTC");
        match &arguments.args[0] {
            ColumnarValue::Array(array) => Ok(ColumnarValue::Array(texts(array, zone)?)),
            ColumnarValue::Scalar(value) => {
                let array = texts(&value.to_array()?, zone)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
            }
        }
    }
}

/// The text of each value, as a result would show it.
fn texts(array: &ArrayRef, zone: &str) -> Result<ArrayRef> {
    let schema = Schema::new(vec![Field::new("value", array.data_type().clone(), true)]);
    let mut options = FormatOptions::default();
    options.time_zone = zone.to_owned();
    let options = Arc::new(options);
    let encode = || -> Result<Vec<Option<String>>, PgWireError> {
        let fields = Arc::new(field_infos(&schema, None, &Format::UnifiedText, &options)?);
        let mut encoder = BatchEncoder::new(fields, &schema, zone, None)?;
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
