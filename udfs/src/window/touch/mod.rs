//! Adobe's touch window functions: `attribution_first_touch`, `attribution_last_touch` and their forms that expire.
//!
//! The result of a row is that of the rows up to it, in the order of the OVER clause: O(1) time per row over all rows of
//! a partition, and memory for the touches inside the timeout.

mod docs;
mod evaluator;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::function::{
    ExpressionArgs, PartitionEvaluatorArgs, WindowFunctionSimplification, WindowUDFFieldArgs,
};
use datafusion::logical_expr::{
    Documentation, Expr, LimitEffect, PartitionEvaluator, Signature, Volatility, WindowUDFImpl,
};
use datafusion::physical_expr::PhysicalExpr;

use crate::arguments::{LengthArgument, constant, is_text, planned_constant};
use crate::journey::attribution::{Expiry, Pick};
use crate::journey::time::FixedWindow;
use crate::length::{Length, tick_unit};
use evaluator::TouchEvaluator;

const TS: usize = 0;
const CHANNEL_NAME: usize = 1;
const CHANNEL_VALUE: usize = 2;
/// Condition or timeout.
const EXPIRY: usize = 3;
const EXP_BEFORE: usize = 4;

/// When touches expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Form {
    Never,
    If,
    Timeout,
}

/// A touch window function.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TouchFunction {
    name: &'static str,
    pick: Pick,
    form: Form,
    signature: Signature,
}

/// Returns all touch window functions.
pub(crate) fn all() -> impl Iterator<Item = TouchFunction> {
    [
        ("attribution_first_touch", Pick::First, Form::Never),
        ("attribution_first_touch_exp_if", Pick::First, Form::If),
        ("attribution_first_touch_exp_timeout", Pick::First, Form::Timeout),
        ("attribution_last_touch", Pick::Last, Form::Never),
        ("attribution_last_touch_exp_if", Pick::Last, Form::If),
        ("attribution_last_touch_exp_timeout", Pick::Last, Form::Timeout),
    ]
    .into_iter()
    .map(|(name, pick, form)| TouchFunction::new(name, pick, form))
}

impl Form {
    fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Never => &["ts", "channel_name", "channel_value"],
            Self::If => &["ts", "channel_name", "channel_value", "exp_condition", "exp_before"],
            Self::Timeout => &["ts", "channel_name", "channel_value", "exp_timeout"],
        }
    }

    /// The smallest number of arguments.
    fn required(self) -> usize {
        match self {
            Self::Never => 3,
            Self::If | Self::Timeout => 4,
        }
    }
}

impl TouchFunction {
    fn new(name: &'static str, pick: Pick, form: Form) -> Self {
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names = Some(form.parameters().iter().map(|name| (*name).to_owned()).collect());
        Self { name, pick, form, signature }
    }

    /// Returns the types that the arguments are cast to; types that it returned it leaves as they are.
    fn coerce(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let Self { name, form, .. } = self;
        let parameters = form.parameters();
        if !(form.required()..=parameters.len()).contains(&types.len()) {
            return plan_err!(
                "{name} takes {} arguments, got {}: {}",
                if form.required() == parameters.len() {
                    parameters.len().to_string()
                } else {
                    format!("{} or {}", form.required(), parameters.len())
                },
                types.len(),
                parameters.join(", ")
            );
        }
        let length = LengthArgument { function: self.name, name: "exp_timeout" };
        let [time, _] = length.coerce(&types[TS], &DataType::Null)?;
        let mut coerced = Vec::with_capacity(types.len());
        for (position, given) in types.iter().enumerate() {
            let parameter = parameters[position];
            coerced.push(match position {
                TS => time.clone(),
                CHANNEL_NAME if is_text(given) => given.clone(),
                CHANNEL_NAME if given.is_null() => DataType::Utf8,
                CHANNEL_NAME => return plan_err!("{name}: argument {parameter} must be text, got {given}"),
                CHANNEL_VALUE => given.clone(),
                EXPIRY if *form == Form::Timeout => match given {
                    // Adobe's number of seconds.
                    seconds if seconds.is_integer() => DataType::Int64,
                    other => {
                        let [_, length] = length.coerce(&time, other)?;
                        length
                    }
                },
                EXPIRY | EXP_BEFORE if matches!(given, DataType::Boolean | DataType::Null) => {
                    DataType::Boolean
                }
                _ => return plan_err!("{name}: argument {parameter} must be BOOLEAN, got {given}"),
            });
        }
        Ok(coerced)
    }

    fn item(types: &[DataType]) -> Fields {
        Fields::from(vec![
            Field::new("name", types[CHANNEL_NAME].clone(), true),
            Field::new("value", types[CHANNEL_VALUE].clone(), true),
            Field::new("timestamp", types[TS].clone(), true),
            Field::new("fraction", DataType::Float64, true),
        ])
    }

    /// Reads the constant that belongs to the form.
    fn expiry(&self, value: &ScalarValue, ts: &DataType) -> Result<Expiry<Length>> {
        match self.form {
            Form::Never => Ok(Expiry::Never),
            Form::If => Ok(Expiry::If { before: matches!(value, ScalarValue::Boolean(Some(true))) }),
            Form::Timeout => {
                let argument = LengthArgument { function: self.name, name: "exp_timeout" };
                let (ScalarValue::Int64(Some(seconds)), DataType::Timestamp(unit, _)) = (value, ts) else {
                    return Length::try_new(argument, value, ts).map(Expiry::Timeout);
                };
                let nanos = i128::from(*seconds) * 1_000_000_000;
                match FixedWindow::from_nanos(nanos, tick_unit(*unit)) {
                    Some(window) => Ok(Expiry::Timeout(Length::Fixed(window))),
                    None => plan_err!("{}: exp_timeout must not be negative, got {seconds}", self.name),
                }
            }
        }
    }

    /// Position of the constant that belongs to the form.
    fn constant_position(&self) -> Option<usize> {
        match self.form {
            Form::Never => None,
            Form::If => Some(EXP_BEFORE),
            Form::Timeout => Some(EXPIRY),
        }
    }
}

fn types(fields: &[FieldRef]) -> Vec<DataType> {
    fields.iter().map(|field| field.data_type().clone()).collect()
}

impl WindowUDFImpl for TouchFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        // Errors from here are wrapped in a list of candidate types; `field` reports them plainly.
        Ok(self.coerce(arg_types).unwrap_or_else(|_| arg_types.to_vec()))
    }

    fn field(&self, field_args: WindowUDFFieldArgs) -> Result<FieldRef> {
        let coerced = self.coerce(&types(field_args.input_fields()))?;
        Ok(Arc::new(Field::new(field_args.name(), DataType::Struct(Self::item(&coerced)), true)))
    }

    fn simplify(&self) -> Option<WindowFunctionSimplification> {
        // Nothing becomes simpler: this is where constants are known while planning.
        let function = self.clone();
        Some(Box::new(move |window: WindowFunction, context| {
            if window.params.distinct {
                return plan_err!("{} does not take DISTINCT: leave it out", function.name);
            }
            let exprs = &window.params.args;
            if let Some(position) = function.constant_position()
                && let (Some(expr), Some(ts)) = (exprs.get(position), exprs.first())
            {
                let name = function.form.parameters()[position];
                if let Some(value) = planned_constant(expr, function.name, name)? {
                    function.expiry(&value, &context.get_data_type(ts)?)?;
                }
            }
            Ok(Expr::from(window))
        }))
    }

    fn expressions(&self, expr_args: ExpressionArgs) -> Vec<Arc<dyn PhysicalExpr>> {
        // The constant is read once; there is no need for a column of it.
        let exprs = expr_args.input_exprs();
        let per_row = if self.form == Form::If { EXP_BEFORE } else { EXPIRY };
        exprs.iter().take(per_row).map(Arc::clone).collect()
    }

    fn partition_evaluator(&self, args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        let types = types(args.input_fields());
        let mut value = ScalarValue::Null;
        if let Some(position) = self.constant_position()
            && let Some(expr) = args.input_exprs().get(position)
        {
            value = constant(expr, self.name, self.form.parameters()[position])?;
        }
        if types.len() < self.form.required() {
            return internal_err!("{} runs with {} arguments", self.name, types.len());
        }
        let expiry = self.expiry(&value, &types[TS])?;
        Ok(Box::new(TouchEvaluator::new(self.name, self.pick, expiry, Self::item(&types))))
    }

    fn limit_effect(&self, _args: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        LimitEffect::None
    }

    fn documentation(&self) -> Option<&Documentation> {
        docs::of(self.name)
    }
}
