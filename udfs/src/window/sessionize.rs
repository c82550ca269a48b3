//! `sessionize(ts, gap) OVER (PARTITION BY user_id ORDER BY ts)`: number of the session that each
//! row belongs to.
//!
//! A row starts a new session when more than `gap` has passed since the row before it, as in
//! Vertica's and GA4's definitions. O(1) time and memory per row; the sort that `ORDER BY` asks for
//! is DataFusion's and falls away where the input is sorted already.

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, Int64Array, Int64Builder};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DataFusionError, Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::function::{ExpressionArgs, PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{
    DocSection, Documentation, LimitEffect, PartitionEvaluator, Signature, Volatility, WindowUDFImpl,
};
use datafusion::physical_expr::PhysicalExpr;

use crate::arguments::{LengthArgument, constant, ticks};
use crate::docs;
use crate::journey::session::SessionCounter;
use crate::length::Length;

const NAME: &str = "sessionize";
const GAP: LengthArgument = LengthArgument { function: NAME, name: "gap" };

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Documentation::builder(
        DocSection { include: true, label: docs::SESSIONS, description: None },
        "Returns the number of the session that the row belongs to, counted from 1 within the \
         partition. A row starts a new session when more than `gap` has passed since the row \
         before it; a pause of exactly `gap` stays in the session.\n\n\
         The rows of a partition must come in ascending order of `ts`: write \
         `ORDER BY ts`. If `ts` goes back, as under `ORDER BY ts DESC` or without any ORDER BY, \
         the query fails; rows that happen to arrive in order pass, so leave the ORDER BY in. \
         A row whose `ts` is NULL gets NULL and does not take part. The result is a BIGINT.",
        "sessionize(ts, gap) OVER (PARTITION BY user_id ORDER BY ts)",
    )
    .with_argument("ts", "When the row happened: a timestamp of any unit and zone, a date, or an integer.")
    .with_argument(
        "gap",
        "The longest pause inside a session: a constant INTERVAL, not negative; for an integer \
         `ts` an integer in the same unit. Months follow the calendar, and so do days if `ts` has \
         a time zone that changes its clock; elsewhere a day is 24 hours.",
    )
    .with_sql_example(
        r"```sql
> SELECT user_id, ts, sessionize(ts, INTERVAL '30 minutes') OVER (PARTITION BY user_id ORDER BY ts) AS session
  FROM (VALUES
    ('ann', TIMESTAMP '2024-05-01T10:00:00'),
    ('ann', TIMESTAMP '2024-05-01T10:30:00'),
    ('ann', TIMESTAMP '2024-05-01T11:00:01'),
    ('ben', TIMESTAMP '2024-05-01T10:15:00')
  ) AS t (user_id, ts)
  ORDER BY user_id, ts;
+---------+---------------------+---------+
| user_id | ts                  | session |
+---------+---------------------+---------+
| ann     | 2024-05-01T10:00:00 | 1       |
| ann     | 2024-05-01T10:30:00 | 1       |
| ann     | 2024-05-01T11:00:01 | 2       |
| ben     | 2024-05-01T10:15:00 | 1       |
+---------+---------------------+---------+
```",
    )
    .build()
});

/// The `sessionize` window function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Sessionize {
    signature: Signature,
}

impl Sessionize {
    /// Returns the function.
    pub fn new() -> Self {
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names = Some(vec!["ts".to_owned(), "gap".to_owned()]);
        Self { signature }
    }
}

impl Default for Sessionize {
    fn default() -> Self {
        Self::new()
    }
}

fn coerce(arg_types: &[DataType]) -> Result<Vec<DataType>> {
    match arg_types {
        [ts, gap] => Ok(GAP.coerce(ts, gap)?.to_vec()),
        _ => plan_err!("{NAME} takes two arguments, got {}: write sessionize(ts, gap)", arg_types.len()),
    }
}

impl WindowUDFImpl for Sessionize {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        // Errors from here are wrapped in a list of candidate types; `field` reports them plainly.
        Ok(coerce(arg_types).unwrap_or_else(|_| arg_types.to_vec()))
    }

    fn field(&self, field_args: WindowUDFFieldArgs) -> Result<FieldRef> {
        let arg_types: Vec<DataType> =
            field_args.input_fields().iter().map(|field| field.data_type().clone()).collect();
        coerce(&arg_types)?;
        Ok(Arc::new(Field::new(field_args.name(), DataType::Int64, true)))
    }

    fn expressions(&self, expr_args: ExpressionArgs) -> Vec<Arc<dyn PhysicalExpr>> {
        // `gap` is constant and read once; there is no need for a column of it.
        expr_args.input_exprs().iter().take(1).map(Arc::clone).collect()
    }

    fn partition_evaluator(&self, args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        let ([_, gap], [ts, _]) = (args.input_exprs(), args.input_fields()) else {
            return plan_err!("{NAME} takes two arguments: write sessionize(ts, gap)");
        };
        let gap = constant(gap, NAME, GAP.name)?;
        Ok(Box::new(SessionizeEvaluator {
            gap: Length::try_new(GAP, &gap, ts.data_type())?,
            sessions: SessionCounter::default(),
        }))
    }

    fn limit_effect(&self, _args: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        LimitEffect::None
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

/// Numbers the sessions of one partition.
#[derive(Debug)]
struct SessionizeEvaluator {
    gap: Length,
    sessions: SessionCounter,
}

impl SessionizeEvaluator {
    fn next(&mut self, time: i64) -> Result<i64> {
        self.sessions.push(&self.gap, time).or_else(|back| {
            exec_err!("{NAME}: {back} within a partition; write ORDER BY ts, ascending, in the OVER clause")
        })
    }
}

fn ts_column(values: &[ArrayRef]) -> Result<&ArrayRef> {
    values.first().ok_or_else(|| DataFusionError::Internal(format!("{NAME} was called without ts")))
}

impl PartitionEvaluator for SessionizeEvaluator {
    fn is_causal(&self) -> bool {
        true
    }

    fn supports_bounded_execution(&self) -> bool {
        true
    }

    fn evaluate(&mut self, values: &[ArrayRef], range: &Range<usize>) -> Result<ScalarValue> {
        let ts = ts_column(values)?;
        if ts.is_null(range.start) {
            return Ok(ScalarValue::Int64(None));
        }
        let time = ticks(ts)?[range.start];
        Ok(ScalarValue::Int64(Some(self.next(time)?)))
    }

    fn evaluate_all(&mut self, values: &[ArrayRef], num_rows: usize) -> Result<ArrayRef> {
        let ts = ts_column(values)?;
        let times = ticks(ts)?;
        if ts.null_count() == 0 {
            let numbers: Result<Vec<i64>> = times.iter().map(|time| self.next(*time)).collect();
            return Ok(Arc::new(Int64Array::from(numbers?)));
        }
        let mut numbers = Int64Builder::with_capacity(num_rows);
        for (row, time) in times.iter().enumerate() {
            if ts.is_null(row) {
                numbers.append_null();
            } else {
                numbers.append_value(self.next(*time)?);
            }
        }
        Ok(Arc::new(numbers.finish()))
    }
}
