//! The arguments that all funnel functions share.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::logical_expr::{Expr, ExprSchemable, lit};

use super::layout::Layout;
use super::step_names::{by_value, exclusions, optional};
use super::windows::{constant_time, entered, window};
use crate::arguments::LengthArgument;
use crate::journey::product_funnel::{Count, Entry, Order};
use crate::journey::ties::Ties;
use crate::table::{Condition, TableCall};

/// What a call says: the layout of the aggregate behind it, its arguments, and names.
#[derive(Debug)]
pub(super) struct FunnelArguments {
    pub(super) layout: Layout,
    pub(super) person: Expr,
    /// Cast to the type in which lengths are counted.
    pub(super) ts: Expr,
    pub(super) ts_type: DataType,
    /// The five constants of the layout.
    constants: [Expr; 5],
    sequence: Option<Expr>,
    hold: Vec<Expr>,
    session: Option<Expr>,
    pub(super) by: Option<Expr>,
    steps: Vec<Condition>,
    exclusions: Vec<Condition>,
    pub(super) names: Vec<String>,
    pub(super) as_of: Option<Expr>,
}

impl FunnelArguments {
    pub(super) fn read(call: &mut TableCall<'_>) -> Result<Self> {
        let function = call.function();
        let steps = match call.conditions("steps")? {
            None => {
                return call
                    .missing("steps", "give a list of events or conditions, as in steps => ['view', 'buy']");
            }
            Some(steps) if steps.is_empty() => {
                return plan_err!("{function}: argument steps must have at least one step");
            }
            Some(steps) => steps,
        };
        let names = names(call, &steps)?;
        let order = call.choice("order", &Order::NAMES)?.unwrap_or_default();
        let count = call.choice("count", &Count::NAMES)?.unwrap_or_default();
        if order == Order::Unordered {
            for name in ["ties", "optional", "step_within", "entry", "exclude_from", "exclude_to"] {
                if call.is_given(name) {
                    return plan_err!(
                        "{function}: argument {name} does not go with order => 'unordered'; leave it out"
                    );
                }
            }
        }
        let ties = call.choice("ties", &Ties::NAMES)?.unwrap_or_default();
        let sequence = if ties == Ties::Order { call.sequence()? } else { None };
        if ties == Ties::Order && sequence.is_none() {
            return plan_err!(
                "{function}: ties => 'order' needs sequence => expression, what orders rows of one instant"
            );
        }
        let ts = call.ts()?;
        let given_type = call.type_of(&ts)?;
        let [ts_type, _] =
            LengthArgument { function, name: "within" }.coerce(&given_type, &DataType::Null)?;
        let ts = ts.cast_to(&ts_type, call.schema())?;
        let window = window(call, &given_type, count)?;
        let step_within = call.length("step_within", &given_type)?;
        let [entered_from, entered_to] = entered(call, &ts_type)?;
        let null = || lit(ScalarValue::Null);
        let by = call.expr("by")?;
        let by_value = by_value(call, steps.len())?;
        let optional = optional(call, &names)?;
        let (exclusions, ranges) = exclusions(call, &names)?;
        let hold = call.expr_list("hold")?.unwrap_or_default();
        let as_of = constant_time(call, "as_of", &ts_type)?;
        let names = match order {
            Order::Unordered => {
                (1..=steps.len()).map(|step| format!("any {step} of {}", steps.len())).collect()
            }
            Order::Ordered | Order::Strict => names,
        };
        Ok(Self {
            layout: Layout {
                function,
                optional,
                exclusions: ranges,
                order,
                ties,
                entry: call.choice("entry", &Entry::NAMES)?.unwrap_or_default(),
                count,
                by_value,
                has_sequence: sequence.is_some(),
                holds: hold.len(),
                has_session: window.session.is_some(),
                has_by: by.is_some(),
                has_period: false,
                has_event: false,
            },
            person: call.person()?,
            ts,
            ts_type,
            constants: [
                window.within.unwrap_or_else(null),
                step_within.unwrap_or_else(null),
                entered_from.unwrap_or_else(null),
                entered_to.unwrap_or_else(null),
                window.session_gap.unwrap_or_else(null),
            ],
            sequence,
            hold,
            session: window.session,
            by,
            steps,
            exclusions,
            names,
            as_of,
        })
    }

    /// The arguments of the aggregate that [`Self::layout`] describes.
    pub(super) fn aggregate_arguments(
        &self,
        schema: &DFSchema,
        period: Option<Expr>,
        event: Option<Expr>,
    ) -> Result<Vec<Expr>> {
        let mut arguments = vec![self.ts.clone()];
        arguments.extend_from_slice(&self.constants);
        arguments.extend(self.sequence.clone());
        arguments.extend_from_slice(&self.hold);
        arguments.extend(self.session.clone());
        arguments.extend(self.by.clone());
        arguments.extend(period);
        arguments.extend(event);
        for condition in self.steps.iter().chain(&self.exclusions) {
            // NULL alone has a type of its own.
            arguments.push(condition.expr.clone().cast_to(&DataType::Boolean, schema)?);
        }
        Ok(arguments)
    }

    /// Names of the conditions that rows can meet: steps, then exclusions.
    pub(super) fn condition_names(&self) -> Vec<String> {
        let steps = match self.layout.order {
            Order::Unordered => self.steps.iter().map(|step| step.name.clone()).collect(),
            Order::Ordered | Order::Strict => self.names.clone(),
        };
        let exclusions = self.exclusions.iter().map(|exclusion| exclusion.name.clone());
        steps.into_iter().chain(exclusions).collect()
    }

    /// Ticks of a second; integers are taken as they are.
    pub(super) fn ticks_per_second(&self) -> i64 {
        match self.ts_type {
            DataType::Timestamp(TimeUnit::Millisecond, _) => 1_000,
            DataType::Timestamp(TimeUnit::Microsecond, _) => 1_000_000,
            DataType::Timestamp(TimeUnit::Nanosecond, _) => 1_000_000_000,
            _ => 1,
        }
    }
}

fn names(call: &mut TableCall<'_>, steps: &[Condition]) -> Result<Vec<String>> {
    match call.texts("step_names")? {
        None => Ok(steps.iter().map(|step| step.name.clone()).collect()),
        Some(names) if names.len() == steps.len() => Ok(names),
        Some(names) => plan_err!(
            "{}: argument step_names must have a name for each of the {} steps, got {}",
            call.function(),
            steps.len(),
            names.len()
        ),
    }
}
