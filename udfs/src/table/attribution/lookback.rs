//! Arguments `lookback`, `lookback_touches`, `session`, `session_gap` and `half_life`.

use arrow::datatypes::{DataType, IntervalMonthDayNanoType};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{Expr, lit};

use crate::aggregate::attribution::{ModelKind, NamedModel, half_life};
use crate::table::TableCall;

const LOOKBACK_DAYS: i32 = 30;
const HALF_LIFE_DAYS: i32 = 7;
const SESSION_GAP_NANOS: i64 = 30 * 60 * 1_000_000_000;
const MAX_TOUCHES: i64 = 1_000_000;

/// How far back touches count.
#[derive(Debug, Default)]
pub(super) struct Lookback {
    /// A length of time.
    pub(super) length: Option<Expr>,
    /// A number of touches.
    pub(super) touches: Option<usize>,
    /// The session of each row.
    pub(super) session: Option<Expr>,
    /// The pause between sessions.
    pub(super) session_gap: Option<Expr>,
}

/// Reads the look-back for times of type `ts`; with `all_touches` there is none if none is given.
pub(super) fn lookback(call: &mut TableCall<'_>, ts: &DataType, all_touches: bool) -> Result<Lookback> {
    let function = call.function();
    let mut lookback = Lookback {
        touches: call
            .integer("lookback_touches", 1..=MAX_TOUCHES)?
            .and_then(|touches| usize::try_from(touches).ok()),
        ..Lookback::default()
    };
    let word = call.word("lookback").map(str::to_ascii_lowercase);
    let by_session = word.as_deref() == Some("session");
    if !by_session {
        for name in ["session", "session_gap"] {
            if call.is_given(name) {
                return plan_err!("{function}: argument {name} needs lookback => 'session'");
            }
        }
    }
    match word.as_deref() {
        Some("session") => session(call, ts, &mut lookback)?,
        Some("person") => {}
        Some(text)
            if text.split_whitespace().nth(1).is_some_and(|unit| ["touch", "touches"].contains(&unit)) =>
        {
            let number = text.split_whitespace().next().and_then(|number| number.parse::<usize>().ok());
            let Some(number) = number.filter(|number| (1..=MAX_TOUCHES as usize).contains(number)) else {
                return plan_err!(
                    "{function}: argument lookback must be from 1 to {MAX_TOUCHES} touches, as in '5 touches'; got '{text}'"
                );
            };
            at_most(call, &mut lookback, number)?;
        }
        _ => match call.expr("lookback")? {
            Some(given) if call.type_of(&given)?.is_integer() && !ts.is_integer() => {
                let number = call.integer("lookback", 1..=MAX_TOUCHES)?.unwrap_or(1);
                at_most(call, &mut lookback, usize::try_from(number).unwrap_or(1))?;
            }
            Some(_) => lookback.length = call.length("lookback", ts)?,
            None if all_touches => {}
            None if ts.is_integer() => {
                return call.missing(
                    "lookback",
                    "ts is an integer: give the look-back in its unit, as in lookback => 2592000, or 'person'",
                );
            }
            None => lookback.length = Some(interval(LOOKBACK_DAYS, 0)),
        },
    }
    Ok(lookback)
}

fn at_most(call: &TableCall<'_>, lookback: &mut Lookback, touches: usize) -> Result<()> {
    match lookback.touches.replace(touches) {
        None => Ok(()),
        Some(_) => plan_err!(
            "{}: arguments lookback and lookback_touches both give a number of touches; leave one out",
            call.function()
        ),
    }
}

fn session(call: &mut TableCall<'_>, ts: &DataType, lookback: &mut Lookback) -> Result<()> {
    let function = call.function();
    lookback.session = call.expr("session")?;
    lookback.session_gap = call.length("session_gap", ts)?;
    match (&lookback.session, &lookback.session_gap) {
        (Some(_), Some(_)) => plan_err!(
            "{function}: argument session_gap does not go with session, which says where each row belongs; leave one out"
        ),
        (None, None) if ts.is_integer() => call.missing(
            "session_gap",
            "ts is an integer: give the pause between sessions in its unit, as in session_gap => 1800",
        ),
        (None, None) => {
            lookback.session_gap = Some(interval(0, SESSION_GAP_NANOS));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Argument `half_life`, where a model needs it.
pub(super) fn decay(call: &mut TableCall<'_>, ts: &DataType, models: &[NamedModel]) -> Result<Option<Expr>> {
    if !models.iter().any(|model| model.kind == ModelKind::TimeDecay) {
        return Ok(None);
    }
    match call.length("half_life", ts)? {
        Some(given) => {
            if let Expr::Literal(value, _) = &given {
                let ts = match ts {
                    DataType::Timestamp(_, _) => ts,
                    // Dates: any unit will do to see whether the length is positive.
                    other if !other.is_integer() => {
                        &DataType::Timestamp(arrow::datatypes::TimeUnit::Second, None)
                    }
                    _ => &DataType::Int64,
                };
                half_life(call.function(), value, ts)?;
            }
            Ok(Some(given))
        }
        None if ts.is_integer() => call.missing(
            "half_life",
            "ts is an integer: give the half-life in its unit, as in half_life => 604800",
        ),
        None => Ok(Some(interval(HALF_LIFE_DAYS, 0))),
    }
}

fn interval(days: i32, nanos: i64) -> Expr {
    lit(ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNanoType::make_value(0, days, nanos))))
}
