//! `window_funnel(window, [mode,] ts, cond1, .., condN)`: the furthest funnel step that a group
//! reached inside a window.
//!
//! Definition: ClickHouse's `windowFunnel`, with an interval as window; the rules are in
//! [`journey::funnel`](crate::journey::funnel). This is the buffered form: rows that can matter are
//! kept as (time, set of conditions met) until the end, so that it is right on any plan, in any
//! order of rows, splits and merges. For n kept rows of a group: O(n log n) time, O(n) if they
//! arrive in time order, and 8 bytes plus 8 for every 64 conditions of memory per row.

mod accumulator;
mod call;
mod groups;
mod state;

use std::sync::LazyLock;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, DocSection, Documentation, GroupsAccumulator, Signature, Volatility,
};

use crate::docs;
use accumulator::FunnelAccumulator;
use call::FunnelCall;
use groups::FunnelGroupsAccumulator;

const NAME: &str = "window_funnel";

/// Conditions that can be given by name. By position there is no limit.
const NAMED_CONDITIONS: usize = 32;

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Documentation::builder(
        DocSection {
            include: true,
            label: docs::FUNNELS,
            description: None,
        },
        "Returns the furthest step of a funnel that the group reached: the largest k for which rows \
         meeting `cond1`, `cond2`, .. `condk` follow one another in time, all of them not later \
         than `window` after the row that met `cond1`. 0 if `cond1` was never met, also for a group \
         without rows. The result is a BIGINT and never NULL.\n\n\
         - Later entries count: every row that meets `cond1` may start a new attempt.\n\
         - One row may meet several conditions and then fills several steps.\n\
         - Rows of one instant count in the order of the steps, whatever order they are stored in.\n\
         - A condition that is NULL is not met. A row whose `ts` is NULL is left out.\n\n\
         Modes, alone or several separated by commas:\n\n\
         - `default`: nothing more.\n\
         - `strict_order`: once `cond1` was met, the search ends at a row that meets no condition, \
         at a step whose predecessor has not been reached, and at another `cond1` after step 2 was \
         reached. Rows that meet no condition come first within their instant.\n\
         - `strict_order, allow_reentry`: the same, but another `cond1` after step 2 is ignored.\n\
         - `strict_increase`: each step is later than the one before it, not at the same instant.\n\
         - `strict_deduplication`: the search ends when a step above 1 that is reached already \
         occurs again.\n\n\
         By name the arguments are `window`, `mode`, `ts` and `cond1` to `cond32`; `mode` must then \
         be given, as in `mode => 'default'`. DISTINCT is refused, ORDER BY in the call has no \
         effect.",
        "window_funnel(window, [mode,] ts, cond1, ..., condN)",
    )
    .with_argument(
        "window",
        "How long after `cond1` the other steps may come, inclusive: a constant INTERVAL, not \
         negative; for an integer `ts` an integer in the same unit. Months follow the calendar, \
         and so do days if `ts` has a time zone that changes its clock; elsewhere a day is 24 hours.",
    )
    .with_argument("mode", "Optional constant text, see above.")
    .with_argument(
        "ts",
        "When the row happened: a timestamp of any unit and zone, a date, or an integer.",
    )
    .with_argument(
        "cond1, ..., condN",
        "One condition for each step, in the order of the steps; any number of them.",
    )
    .with_sql_example(
        r"```sql
> SELECT user_id,
    window_funnel(INTERVAL '1 hour', ts, event = 'view', event = 'cart', event = 'pay') AS step,
    window_funnel(INTERVAL '1 hour', 'strict_order', ts, event = 'view', event = 'cart', event = 'pay') AS strict
  FROM (VALUES
    ('ann', TIMESTAMP '2024-05-01T10:00:00', 'view'),
    ('ann', TIMESTAMP '2024-05-01T10:10:00', 'cart'),
    ('ann', TIMESTAMP '2024-05-01T10:20:00', 'help'),
    ('ann', TIMESTAMP '2024-05-01T11:00:00', 'pay'),
    ('ben', TIMESTAMP '2024-05-01T10:00:00', 'view'),
    ('ben', TIMESTAMP '2024-05-01T11:00:01', 'cart'),
    ('cem', TIMESTAMP '2024-05-01T10:00:00', 'cart')
  ) AS t (user_id, ts, event)
  GROUP BY user_id
  ORDER BY user_id;
+---------+------+--------+
| user_id | step | strict |
+---------+------+--------+
| ann     | 3    | 2      |
| ben     | 1    | 1      |
| cem     | 0    | 0      |
+---------+------+--------+
```",
    )
    .build()
});

/// The `window_funnel` aggregate function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct WindowFunnel {
    signature: Signature,
}

impl WindowFunnel {
    /// Returns the function.
    pub fn new() -> Self {
        let mut names: Vec<String> = ["window", "mode", "ts"].map(str::to_owned).to_vec();
        names.extend((1..=NAMED_CONDITIONS).map(|step| format!("cond{step}")));
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names = Some(names);
        Self { signature }
    }
}

impl Default for WindowFunnel {
    fn default() -> Self {
        Self::new()
    }
}

impl AggregateUDFImpl for WindowFunnel {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        // Errors from here are wrapped in a list of candidate types; `return_type` reports them
        // plainly.
        Ok(call::coerce(arg_types).unwrap_or_else(|_| arg_types.to_vec()))
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        call::coerce(arg_types)?;
        Ok(DataType::Int64)
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn default_value(&self, _data_type: &DataType) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(Some(0)))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(state::fields(args.name))
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return plan_err!("{NAME} does not take DISTINCT: leave it out");
        }
        Ok(Box::new(FunnelAccumulator::new(FunnelCall::try_new(&args)?)))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(FunnelGroupsAccumulator::new(FunnelCall::try_new(&args)?)))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        // Rows are sorted inside: no order of the input is needed and none changes the answer.
        AggregateOrderSensitivity::Insensitive
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}
