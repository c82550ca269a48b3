//! The window of a funnel: a length of time, or the session.

use arrow::datatypes::{DataType, IntervalMonthDayNano, IntervalUnit};
use datafusion::common::{Result, ScalarValue, plan_err};

use crate::arguments::LengthArgument;
use crate::journey::funnel::{FunnelWindow, SessionWindow};
use crate::journey::session::Sessions;
use crate::journey::time::FixedWindow;
use crate::length::Length;

const SESSION: &str = "session";
const DEFAULT_GAP_MINUTES: i64 = 30;

/// How far a chain may reach from its first step.
#[derive(Debug, Clone)]
pub(super) enum Scope {
    Length(Length),
    Session(SessionWindow<Length>),
}

impl Scope {
    /// Reads the constant `value` of `argument` for times of type `ts`, both as they were coerced.
    ///
    /// # Errors
    /// A plan error if it is NULL, negative, or text that is neither an interval nor `session` with a gap, and for
    /// text where `ts` is an integer.
    pub(super) fn try_new(argument: LengthArgument, value: &ScalarValue, ts: &DataType) -> Result<Self> {
        let LengthArgument { function, name } = argument;
        let ScalarValue::Utf8(text) = value else {
            return Ok(Self::Length(Length::try_new(argument, value, ts)?));
        };
        let Some(text) = text else {
            return plan_err!("{function}: {name} must not be NULL");
        };
        let lower = text.trim().to_ascii_lowercase();
        let gap = match lower.strip_prefix(SESSION) {
            Some("") => Some(""),
            Some(gap) if gap.starts_with(char::is_whitespace) => Some(gap.trim()),
            _ => None,
        };
        if *ts == DataType::Int64 {
            return match gap {
                Some(_) => plan_err!(
                    "{function}: {name} '{text}' needs times with a unit, but ts is an integer; convert ts with \
                     to_timestamp, or give {name} as an integer in the unit of ts"
                ),
                None => plan_err!(
                    "{function}: {name} must be an integer in the unit of ts, because ts is an integer; \
                     got '{text}'; convert ts with to_timestamp to use an INTERVAL"
                ),
            };
        }
        match gap {
            Some("") => {
                let gap = IntervalMonthDayNano::new(0, 0, DEFAULT_GAP_MINUTES * 60_000_000_000);
                let gap = ScalarValue::IntervalMonthDayNano(Some(gap));
                Ok(Self::Session(SessionWindow::new(Length::try_new(argument, &gap, ts)?)))
            }
            Some(gap) => {
                let gap = interval(argument, text, gap)?;
                Ok(Self::Session(SessionWindow::new(Length::try_new(argument, &gap, ts)?)))
            }
            None => Ok(Self::Length(Length::try_new(argument, &interval(argument, text, &lower)?, ts)?)),
        }
    }

    /// The window, if it is as long wherever it starts.
    pub(super) fn fixed(&self) -> Option<FixedWindow> {
        match self {
            Self::Length(Length::Fixed(fixed)) => Some(*fixed),
            Self::Length(Length::Calendar(_)) | Self::Session(_) => None,
        }
    }

    /// Whether rows that meet no condition have a part in it.
    pub(super) fn needs_unmatched_rows(&self) -> bool {
        matches!(self, Self::Session(_))
    }
}

fn interval(argument: LengthArgument, given: &str, text: &str) -> Result<ScalarValue> {
    let month_day_nano = DataType::Interval(IntervalUnit::MonthDayNano);
    ScalarValue::from(text).cast_to(&month_day_nano).or_else(|_| {
        plan_err!(
            "{}: {} must be an INTERVAL such as INTERVAL '1 hour', or 'session', or 'session 45 minutes'; got '{given}'",
            argument.function,
            argument.name
        )
    })
}

impl FunnelWindow for Scope {
    fn position(&self, sessions: &mut Sessions, time: i64) -> i64 {
        match self {
            Self::Length(length) => length.position(sessions, time),
            Self::Session(session) => session.position(sessions, time),
        }
    }

    fn chain_end(&self, time: i64, position: i64) -> i64 {
        match self {
            Self::Length(length) => length.chain_end(time, position),
            Self::Session(session) => session.chain_end(time, position),
        }
    }
}
