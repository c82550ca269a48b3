//! The arguments that all funnel functions share.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, IntervalMonthDayNanoType, TimeUnit};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::{Expr, ExprSchemable, lit};

use super::layout::Layout;
use crate::arguments::LengthArgument;
use crate::journey::product_funnel::{ByValue, Count, Entry, Exclusion, Order};
use crate::journey::ties::Ties;
use crate::table::{Condition, TableCall};

const DEFAULT_DAYS: i32 = 14;
const SESSION_GAP_NANOS: i64 = 30 * 60 * 1_000_000_000;

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
    pub(super) fn aggregate_arguments(&self, period: Option<Expr>, event: Option<Expr>) -> Result<Vec<Expr>> {
        let mut arguments = vec![self.ts.clone()];
        arguments.extend_from_slice(&self.constants);
        arguments.extend(self.sequence.clone());
        arguments.extend_from_slice(&self.hold);
        arguments.extend(self.session.clone());
        arguments.extend(self.by.clone());
        arguments.extend(period);
        arguments.extend(event);
        let conditions = self.steps.iter().chain(&self.exclusions);
        arguments.extend(conditions.map(|condition| condition.expr.clone()));
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

#[derive(Debug, Default)]
struct SessionWindow {
    within: Option<Expr>,
    session: Option<Expr>,
    session_gap: Option<Expr>,
}

fn window(call: &mut TableCall<'_>, ts: &DataType, count: Count) -> Result<SessionWindow> {
    let function = call.function();
    let mut window = SessionWindow::default();
    let within_session = call.word("within").is_some_and(|word| word.eq_ignore_ascii_case("session"));
    if !within_session {
        window.within = call.length("within", ts)?;
    }
    let by_session = within_session || count == Count::Sessions;
    if !by_session {
        for name in ["session", "session_gap"] {
            if call.is_given(name) {
                return plan_err!(
                    "{function}: argument {name} needs within => 'session' or count => 'sessions'"
                );
            }
        }
        if window.within.is_none() && ts.is_integer() {
            return call
                .missing("within", "ts is an integer: give the window in its unit, as in within => 1209600");
        }
        let default = IntervalMonthDayNanoType::make_value(0, DEFAULT_DAYS, 0);
        window.within.get_or_insert_with(|| lit(ScalarValue::IntervalMonthDayNano(Some(default))));
        return Ok(window);
    }
    window.session = call.expr("session")?;
    window.session_gap = call.length("session_gap", ts)?;
    if window.session_gap.is_none() {
        if ts.is_integer() {
            return call.missing(
                "session_gap",
                "ts is an integer: give the gap in its unit, as in session_gap => 1800",
            );
        }
        let default = IntervalMonthDayNanoType::make_value(0, 0, SESSION_GAP_NANOS);
        window.session_gap = Some(lit(ScalarValue::IntervalMonthDayNano(Some(default))));
    }
    Ok(window)
}

/// An expression without columns, as a time of type `ts`.
fn constant_time(call: &mut TableCall<'_>, name: &str, ts: &DataType) -> Result<Option<Expr>> {
    match call.expr(name)? {
        None => Ok(None),
        Some(expr) => time(call, name, expr, ts).map(Some),
    }
}

fn time(call: &TableCall<'_>, name: &str, expr: Expr, ts: &DataType) -> Result<Expr> {
    if let Expr::Placeholder(Placeholder { id, field }) = expr {
        let field = field.or_else(|| Some(Arc::new(Field::new("", ts.clone(), true))));
        return Ok(Expr::Placeholder(Placeholder::new_with_field(id, field)));
    }
    if let Some(column) = expr.column_refs().into_iter().min() {
        return plan_err!(
            "{}: argument {name} must be a constant, the same for every row; it reads column {column}",
            call.function()
        );
    }
    let given = call.type_of(&expr)?;
    let fits = given.is_null()
        || given.is_integer() == ts.is_integer()
            && (given.is_integer() || given.is_temporal() || crate::arguments::is_text(&given));
    if !fits {
        return plan_err!("{}: argument {name} must be a time like ts ({ts}), got {given}", call.function());
    }
    expr.cast_to(ts, call.schema())
}

fn entered(call: &mut TableCall<'_>, ts: &DataType) -> Result<[Option<Expr>; 2]> {
    match call.expr_list("entered")? {
        None => Ok([None, None]),
        Some(bounds) => match <[Expr; 2]>::try_from(bounds) {
            Ok([from, to]) => {
                Ok([Some(time(call, "entered", from, ts)?), Some(time(call, "entered", to, ts)?)])
            }
            Err(other) => plan_err!(
                "{}: argument entered must be a list of two times, [from, to), either may be NULL; got {} elements",
                call.function(),
                other.len()
            ),
        },
    }
}

fn by_value(call: &mut TableCall<'_>, steps: usize) -> Result<ByValue> {
    let function = call.function();
    let Some(text) = call.text("by_value")? else {
        return Ok(ByValue::default());
    };
    if !call.is_given("by") {
        return plan_err!("{function}: argument by_value needs by => expression");
    }
    let lower = text.trim().to_ascii_lowercase();
    match lower.as_str() {
        "first" => return Ok(ByValue::First),
        "last" => return Ok(ByValue::Last),
        "all" => return Ok(ByValue::All),
        _ => {}
    }
    match lower.strip_prefix("step").map(|number| number.trim().parse::<usize>()) {
        Some(Ok(step)) if (1..=steps).contains(&step) => Ok(ByValue::Step(step)),
        _ => plan_err!(
            "{function}: argument by_value must be one of 'first', 'last', 'all', 'step 1' to 'step {steps}', \
             got '{text}'"
        ),
    }
}

/// A step by its number or name.
pub(super) fn step(call: &TableCall<'_>, argument: &str, names: &[String], expr: &Expr) -> Result<usize> {
    let found = match expr {
        Expr::Literal(value, _) => match value.try_as_str() {
            Some(Some(name)) => names.iter().position(|known| known == name).map(|index| index + 1),
            _ => match value.cast_to(&DataType::Int64) {
                Ok(ScalarValue::Int64(Some(number))) if value.data_type().is_integer() => {
                    usize::try_from(number).ok().filter(|step| (1..=names.len()).contains(step))
                }
                _ => None,
            },
        },
        _ => None,
    };
    match found {
        Some(step) => Ok(step),
        None => plan_err!(
            "{}: argument {argument} must be the name of a step or its number, 1 to {}; got {expr}",
            call.function(),
            names.len()
        ),
    }
}

fn optional(call: &mut TableCall<'_>, names: &[String]) -> Result<Vec<bool>> {
    let mut optional = vec![false; names.len()];
    for expr in call.expr_list("optional")?.unwrap_or_default() {
        let step = step(call, "optional", names, &expr)?;
        if step == 1 || step == names.len() {
            return plan_err!(
                "{}: argument optional must not name the first or the last step; step {step} is {}",
                call.function(),
                if step == 1 { "the first" } else { "the last" }
            );
        }
        optional[step - 1] = true;
    }
    Ok(optional)
}

fn exclusions(call: &mut TableCall<'_>, names: &[String]) -> Result<(Vec<Condition>, Vec<Exclusion>)> {
    let function = call.function();
    let conditions = call.conditions("exclude")?.unwrap_or_default();
    let mut ends = Vec::new();
    for (argument, default) in [("exclude_from", 1), ("exclude_to", names.len())] {
        let given = call.expr_list(argument)?;
        let steps = match given {
            None => vec![default; conditions.len()],
            Some(_) if conditions.is_empty() => {
                return plan_err!("{function}: argument {argument} needs exclude => [condition, ...]");
            }
            Some(exprs) => {
                let steps: Vec<usize> =
                    exprs.iter().map(|expr| step(call, argument, names, expr)).collect::<Result<_>>()?;
                match steps.as_slice() {
                    [step] => vec![*step; conditions.len()],
                    steps if steps.len() == conditions.len() => steps.to_vec(),
                    steps => {
                        return plan_err!(
                            "{function}: argument {argument} must have one step, or one for each of the {} \
                             exclusions; got {}",
                            conditions.len(),
                            steps.len()
                        );
                    }
                }
            }
        };
        ends.push(steps);
    }
    let ranges = ends[0].iter().zip(&ends[1]).map(|(from, to)| Exclusion { from: *from, to: *to }).collect();
    let ranges: Vec<Exclusion> = ranges;
    if names.len() > 1
        && let Some(Exclusion { from, to }) = ranges.iter().find(|range| range.from >= range.to)
    {
        return plan_err!(
            "{function}: argument exclude_to must be a step after exclude_from; got from step {from} to step {to}"
        );
    }
    Ok((conditions, ranges))
}
