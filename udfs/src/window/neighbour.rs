//! `previous`, `next`, `time_since_match`, `time_until_match`: what is before and behind a row.
//!
//! One pass over the partition in its order; O(1) time and memory per row, O(n) with `skip_nulls` for all rows together.

mod docs;

use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::function::{
    ExpressionArgs, PartitionEvaluatorArgs, WindowFunctionSimplification, WindowUDFFieldArgs,
};
use datafusion::logical_expr::{
    Documentation, Expr, LimitEffect, PartitionEvaluator, Signature, Volatility, WindowUDFImpl,
};
use datafusion::physical_expr::PhysicalExpr;

use crate::arguments::{LengthArgument, constant, planned_constant, ticks};
use crate::length::ticks_per_second;

/// One of the functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Previous,
    Next,
    TimeSince,
    TimeUntil,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Previous, Self::Next, Self::TimeSince, Self::TimeUntil];

    const fn name(self) -> &'static str {
        match self {
            Self::Previous => "previous",
            Self::Next => "next",
            Self::TimeSince => "time_since_match",
            Self::TimeUntil => "time_until_match",
        }
    }

    fn is_time(self) -> bool {
        matches!(self, Self::TimeSince | Self::TimeUntil)
    }

    /// Whether it looks at rows behind the current one.
    fn looks_ahead(self) -> bool {
        matches!(self, Self::Next | Self::TimeUntil)
    }

    const fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::Previous | Self::Next => &["value", "n", "skip_nulls"],
            Self::TimeSince | Self::TimeUntil => &["ts", "condition"],
        }
    }

    fn coerce(self, types: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.name();
        let parameters = self.parameters();
        let fewest = if self.is_time() { 2 } else { 1 };
        if !(fewest..=parameters.len()).contains(&types.len()) {
            return plan_err!(
                "{name} takes {fewest} to {} arguments, got {}: {}",
                parameters.len(),
                types.len(),
                parameters.join(", ")
            );
        }
        let mut coerced = types.to_vec();
        if self.is_time() {
            [coerced[0], _] =
                LengthArgument { function: name, name: "ts" }.coerce(&types[0], &DataType::Null)?;
            if !matches!(types[1], DataType::Boolean | DataType::Null) {
                return plan_err!("{name}: condition must be a condition (BOOLEAN), got {}", types[1]);
            }
            coerced[1] = DataType::Boolean;
            return Ok(coerced);
        }
        if let Some(n) = coerced.get_mut(1) {
            if !n.is_integer() && !n.is_null() {
                return plan_err!("{name}: n must be a whole number, got {n}");
            }
            *n = DataType::Int64;
        }
        if let Some(skip_nulls) = coerced.get_mut(2) {
            if !matches!(skip_nulls, DataType::Boolean | DataType::Null) {
                return plan_err!("{name}: skip_nulls must be true or false, got {skip_nulls}");
            }
            *skip_nulls = DataType::Boolean;
        }
        Ok(coerced)
    }

    /// How far to go; default 1.
    fn distance(self, value: Option<&ScalarValue>) -> Result<usize> {
        match value {
            Some(ScalarValue::Int64(Some(n))) => match usize::try_from(*n) {
                Ok(n) if n > 0 => Ok(n),
                _ => plan_err!("{}: n must be at least 1, got {n}", self.name()),
            },
            _ => Ok(1),
        }
    }
}

/// A function that looks at neighbours.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Neighbour {
    kind: Kind,
    signature: Signature,
}

/// Returns the functions.
pub(crate) fn all() -> impl Iterator<Item = Neighbour> {
    Kind::ALL.into_iter().map(|kind| {
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names = Some(kind.parameters().iter().map(|name| (*name).to_owned()).collect());
        Neighbour { kind, signature }
    })
}

impl Neighbour {
    /// Arguments that are computed for each row; the others are constants.
    fn per_row(&self) -> usize {
        if self.kind.is_time() { 2 } else { 1 }
    }
}

fn types(fields: &[FieldRef]) -> Vec<DataType> {
    fields.iter().map(|field| field.data_type().clone()).collect()
}

impl WindowUDFImpl for Neighbour {
    fn name(&self) -> &str {
        self.kind.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        // Errors from here are wrapped in a list of candidate types; `field` reports them plainly.
        Ok(self.kind.coerce(arg_types).unwrap_or_else(|_| arg_types.to_vec()))
    }

    fn field(&self, field_args: WindowUDFFieldArgs) -> Result<FieldRef> {
        let coerced = self.kind.coerce(&types(field_args.input_fields()))?;
        let data_type = if self.kind.is_time() { DataType::Float64 } else { coerced[0].clone() };
        Ok(Arc::new(Field::new(field_args.name(), data_type, true)))
    }

    fn simplify(&self) -> Option<WindowFunctionSimplification> {
        // Nothing becomes simpler: this is where constants are known while planning.
        let kind = self.kind;
        Some(Box::new(move |window: WindowFunction, _context| {
            if window.params.distinct {
                return plan_err!("{} does not take DISTINCT: leave it out", kind.name());
            }
            if !kind.is_time() {
                for (expr, name) in window.params.args.iter().zip(kind.parameters()).skip(1) {
                    let value = planned_constant(expr, kind.name(), name)?;
                    if *name == "n" {
                        kind.distance(value.as_ref())?;
                    }
                }
            }
            Ok(Expr::from(window))
        }))
    }

    fn expressions(&self, expr_args: ExpressionArgs) -> Vec<Arc<dyn PhysicalExpr>> {
        expr_args.input_exprs().iter().take(self.per_row()).map(Arc::clone).collect()
    }

    fn partition_evaluator(&self, args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        let name = self.kind.name();
        let types = types(args.input_fields());
        let constant = |place: usize, argument: &str| {
            args.input_exprs().get(place).map(|expr| constant(expr, name, argument)).transpose()
        };
        if self.kind.is_time() {
            let [ts, _] = types.as_slice() else {
                return internal_err!("{name} runs with {} arguments", types.len());
            };
            return Ok(Box::new(Times {
                ahead: self.kind.looks_ahead(),
                ticks_per_second: ticks_per_second(ts),
            }));
        }
        Ok(Box::new(Values {
            ahead: self.kind.looks_ahead(),
            distance: self.kind.distance(constant(1, "n")?.as_ref())?,
            skip_nulls: constant(2, "skip_nulls")? == Some(ScalarValue::Boolean(Some(true))),
        }))
    }

    fn limit_effect(&self, _args: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        if self.kind.looks_ahead() { LimitEffect::Unknown } else { LimitEffect::None }
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(docs::of(self.kind.name()))
    }
}

/// Rows in the direction in which what is looked for has been passed already.
fn rows(count: usize, ahead: bool) -> impl Iterator<Item = usize> {
    (0..count).map(move |row| if ahead { count - 1 - row } else { row })
}

/// The n-th value before or behind each row.
#[derive(Debug)]
struct Values {
    ahead: bool,
    distance: usize,
    skip_nulls: bool,
}

impl PartitionEvaluator for Values {
    fn evaluate_all(&mut self, values: &[ArrayRef], num_rows: usize) -> Result<ArrayRef> {
        let [values] = values else {
            return internal_err!("previous and next read one column, got {}", values.len());
        };
        let nulls = values.logical_nulls();
        let mut found: Vec<Option<u64>> = vec![None; num_rows];
        // The last rows that count, as many as are needed.
        let mut passed: VecDeque<u64> = VecDeque::new();
        for row in rows(num_rows, self.ahead) {
            if passed.len() == self.distance {
                found[row] = passed.front().copied();
            }
            if self.skip_nulls && nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                continue;
            }
            if passed.len() == self.distance {
                passed.pop_front();
            }
            passed.push_back(row as u64);
        }
        Ok(take(values, &UInt64Array::from(found), None)?)
    }
}

/// Seconds between each row and the nearest match.
#[derive(Debug)]
struct Times {
    ahead: bool,
    ticks_per_second: i64,
}

impl PartitionEvaluator for Times {
    fn evaluate_all(&mut self, values: &[ArrayRef], num_rows: usize) -> Result<ArrayRef> {
        let [ts, condition] = values else {
            return internal_err!("times of matches read two columns, got {}", values.len());
        };
        let Some(condition) = condition.as_boolean_opt() else {
            return internal_err!("a condition has type {}", condition.data_type());
        };
        let times = ticks(ts)?;
        let mut seconds: Vec<Option<f64>> = vec![None; num_rows];
        let mut last: Option<i64> = None;
        for row in rows(num_rows, self.ahead) {
            if ts.is_null(row) {
                continue;
            }
            let time = times[row];
            if condition.is_valid(row) && condition.value(row) {
                last = Some(time);
            }
            seconds[row] = last.map(|last| {
                let ticks = i128::from(time) - i128::from(last);
                let ticks = if self.ahead { -ticks } else { ticks };
                ticks as f64 / self.ticks_per_second as f64
            });
        }
        Ok(Arc::new(Float64Array::from(seconds)))
    }
}
