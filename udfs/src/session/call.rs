//! The arguments of one call: their types, their checks, and the rules that they give.

use std::cell::Cell;

use arrow::array::timezone::Tz;
use arrow::datatypes::{DataType, IntervalMonthDayNano};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};

use super::argument::Argument;
use super::parameters::{Parameter, Role, is_per_row};
use crate::arguments::{LengthArgument, is_text};
use crate::journey::session::{Limit, SessionRules};
use crate::journey::time::FixedWindow;
use crate::length::{Length, tick_unit};
use crate::zone;

/// The rules that all rows share.
#[derive(Debug, Clone)]
pub(crate) struct SessionCall {
    pub(crate) rules: SessionRules<Length>,
    /// Zone whose days split.
    pub(crate) midnight: Option<Tz>,
}

/// A function, its parameters, and the types of the arguments of one call, which may be fewer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) function: &'static str,
    pub(crate) parameters: &'static [Parameter],
    pub(crate) types: &'a [DataType],
}

impl Call<'_> {
    fn typed(&self) -> impl Iterator<Item = (Role, &'static str, &DataType)> {
        self.parameters.iter().zip(self.types).map(|((role, name), given)| (*role, *name, given))
    }

    fn length(&self, name: &'static str) -> LengthArgument {
        LengthArgument { function: self.function, name }
    }

    /// Type of `ts` after coercion.
    pub(crate) fn time(&self) -> Result<DataType> {
        let Some((.., ts)) = self.typed().find(|(role, ..)| *role == Role::Ts) else {
            return plan_err!("{}: ts is missing", self.function);
        };
        // An untyped parameter takes the type that fits the first length that is given.
        let first_length = self.typed().find(|(role, _, given)| role.is_length() && !given.is_null());
        let length = match first_length {
            Some((.., given)) if ts.is_null() => given,
            _ => &DataType::Null,
        };
        let [time, _] = self.length("gap").coerce(ts, length)?;
        Ok(time)
    }

    /// Returns the types that the arguments are cast to; types that it returned it leaves as they are.
    ///
    /// # Errors
    /// A plan error that names the argument that does not fit.
    pub(crate) fn coerce(&self) -> Result<Vec<DataType>> {
        let function = self.function;
        let time = self.time()?;
        self.typed().map(|(role, name, given)| self.coerce_one(role, name, given, &time, function)).collect()
    }

    fn coerce_one(
        &self,
        role: Role,
        name: &'static str,
        given: &DataType,
        time: &DataType,
        function: &str,
    ) -> Result<DataType> {
        Ok(match (role, given) {
            (Role::Ts, _) => time.clone(),
            (Role::Gap | Role::MaxLength | Role::ClickLag, _) => {
                let [_, length] = self.length(name).coerce(time, given)?;
                length
            }
            (Role::StartIf | Role::EndIf | Role::Separator, DataType::Boolean | DataType::Null) => {
                DataType::Boolean
            }
            (Role::StartIf | Role::EndIf | Role::Separator, other) => {
                return plan_err!("{function}: {name} must be a condition (BOOLEAN), got {other}");
            }
            (Role::Inclusive, DataType::Boolean | DataType::Null) => DataType::Boolean,
            (Role::Inclusive, other) => {
                return plan_err!("{function}: {name} must be true or false, got {other}");
            }
            (Role::MaxEvents | Role::Seconds, given) if given.is_integer() || given.is_null() => {
                DataType::Int64
            }
            (Role::MaxEvents | Role::Seconds, other) => {
                return plan_err!("{function}: {name} must be an integer, got {other}");
            }
            (Role::Midnight, given) if is_text(given) || given.is_null() => DataType::Utf8,
            (Role::Midnight, other) => {
                return plan_err!(
                    "{function}: {name} must be the name of a time zone such as 'Europe/Berlin', got {other}"
                );
            }
            (Role::UserId, given) if is_text(given) => given.clone(),
            (Role::UserId, _) => DataType::Utf8,
            (Role::SplitOn, given) => given.clone(),
        })
    }

    /// Checks the arguments and returns the rules; `None` while one of them has no value yet.
    ///
    /// `arguments` are in the order of the parameters, and the types must be coerced.
    ///
    /// # Errors
    /// A plan error that names the argument that does not fit.
    pub(crate) fn rules(&self, arguments: &[Argument]) -> Result<Option<SessionCall>> {
        let Self { function, .. } = self;
        let time = self.time()?;
        let given = Given { call: self, arguments, is_known: Cell::new(true) };

        let inclusive = given.constant(Role::Inclusive)?;
        let is_inclusive = matches!(inclusive, Some((_, ScalarValue::Boolean(Some(true)))));
        if is_inclusive && given.is_missing(Role::Gap) {
            return plan_err!(
                "{function}: inclusive says how gap is meant, but there is no gap; leave it out"
            );
        }
        let limit = |role, includes_end| match given.constant(role)? {
            Some((name, value)) => limit(self.length(name), value, &time, includes_end).map(Some),
            None => Ok(None),
        };
        let mut rules = SessionRules {
            gap: limit(Role::Gap, !is_inclusive)?,
            max_length: limit(Role::MaxLength, true)?,
            max_events: None,
            click_lag: limit(Role::ClickLag, false)?,
            separated: !given.is_missing(Role::Separator),
        };
        if let Some((name, value)) = given.constant(Role::Seconds)? {
            rules.gap = Some(Limit::through(seconds(function, name, value, &time)?));
        }
        if let Some((name, value)) = given.constant(Role::MaxEvents)? {
            rules.max_events = match value {
                ScalarValue::Int64(Some(most)) if *most >= 1 => Some(*most),
                other => return plan_err!("{function}: {name} must be 1 or more, got {other}"),
            };
        }
        let midnight = match given.constant(Role::Midnight)? {
            Some((name, _)) if time == DataType::Int64 => {
                return plan_err!(
                    "{function}: {name} needs a timestamp or a date as ts, got an integer; \
                     convert ts with to_timestamp"
                );
            }
            Some((name, value)) => match value.try_as_str() {
                Some(Some(zone)) => Some(zone::parse(function, name, zone)?),
                _ => return internal_err!("{function}: {name} was not coerced: {value}"),
            },
            None => None,
        };
        if !self.parameters.iter().any(|(role, _)| role.is_rule() && !given.is_missing(*role)) {
            return plan_err!(
                "{function} needs at least one rule: gap, start_if, end_if, max_length, max_events, split_on, \
                 midnight or separator; write for example gap => INTERVAL '30 minutes'"
            );
        }
        Ok(given.is_known.get().then_some(SessionCall { rules, midnight }))
    }

    /// The argument of `role`.
    pub(crate) fn argument<'a>(&self, arguments: &'a [Argument], role: Role) -> Option<&'a Argument> {
        let position = self.parameters.iter().position(|(candidate, _)| *candidate == role)?;
        arguments.get(position)
    }
}

/// Arguments by what they mean.
struct Given<'a> {
    call: &'a Call<'a>,
    arguments: &'a [Argument],
    is_known: Cell<bool>,
}

impl<'a> Given<'a> {
    fn is_missing(&self, role: Role) -> bool {
        self.call.argument(self.arguments, role).is_none_or(|argument| *argument == Argument::Missing)
    }

    /// Name and value of an argument that must be constant.
    fn constant(&self, role: Role) -> Result<Option<(&'static str, &'a ScalarValue)>> {
        debug_assert!(!is_per_row(role));
        let Some((_, name)) = self.call.parameters.iter().find(|(candidate, _)| *candidate == role) else {
            return Ok(None);
        };
        match self.call.argument(self.arguments, role) {
            None | Some(Argument::Missing) => Ok(None),
            Some(Argument::Constant(value)) => Ok(Some((name, value))),
            Some(Argument::Unknown) => {
                self.is_known.set(false);
                Ok(None)
            }
            Some(Argument::Rows) => plan_err!(
                "{}: {name} must be a constant, the same for every row; it reads a column",
                self.call.function
            ),
        }
    }
}

/// The limit that an SQL length gives; `includes_end` says whether its exact end still belongs to it.
pub(crate) fn limit(
    argument: LengthArgument,
    value: &ScalarValue,
    ts: &DataType,
    includes_end: bool,
) -> Result<Limit<Length>> {
    let length = Length::try_new(argument, value, ts)?;
    // A length that is no whole number of ticks ends between two of them: the last tick belongs to it anyway.
    let is_whole = match (value, ts) {
        (
            ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano { nanoseconds, .. })),
            DataType::Timestamp(unit, _),
        ) => nanoseconds % tick_unit(*unit).nanos() == 0,
        _ => true,
    };
    Ok(if includes_end || !is_whole { Limit::through(length) } else { Limit::before(length) })
}

fn seconds(function: &str, name: &str, value: &ScalarValue, ts: &DataType) -> Result<Length> {
    let ScalarValue::Int64(Some(seconds)) = value else {
        return internal_err!("{function}: {name} was not coerced: {value}");
    };
    let window = match ts {
        DataType::Timestamp(unit, _) => {
            FixedWindow::from_nanos(i128::from(*seconds) * 1_000_000_000, tick_unit(*unit))
        }
        _ => FixedWindow::new(*seconds),
    };
    match window {
        Some(window) => Ok(Length::Fixed(window)),
        None => plan_err!("{function}: {name} must not be negative, got {seconds}"),
    }
}
