//! The state machine: rows in, places in sessions out.

use std::fmt;

use super::rules::{SessionReason, SessionRow, SessionRules};
use crate::journey::time::Window;

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionPlace {
    /// Number of the session among those of the person, from 1.
    pub number: i64,
    /// Position of the row in its session, from 1.
    pub depth: i64,
    /// Time of the first row of the session.
    pub start: i64,
    /// Position of the session among those of the person that start at `start`, from 1. With the
    /// person and `start` it names the session whatever happened before.
    pub ordinal: i64,
    /// Time of the person's row before this one, in whatever session; separators do not count.
    pub previous: Option<i64>,
    /// The rule that started the session.
    pub reason: SessionReason,
    /// The row follows the one before it in its session faster than a human would.
    pub is_robot: bool,
}

impl SessionPlace {
    /// Whether the row is the first of its session.
    pub fn is_new(&self) -> bool {
        self.depth == 1
    }
}

/// The sessions of one person, fed with that person's rows in ascending order of time.
///
/// O(1) time and memory per row.
#[derive(Debug, Clone, Default)]
pub struct Sessions {
    /// Time of the latest row of any kind.
    latest: Option<i64>,
    /// Time of the latest row that is no separator.
    previous: Option<i64>,
    separator_seen: bool,
    /// Why the next row cannot be in the current session.
    closed: Option<SessionReason>,
    current: Option<Current>,
}

/// The session that was started last.
#[derive(Debug, Clone, Copy)]
struct Current {
    number: i64,
    depth: i64,
    start: i64,
    ordinal: i64,
    reason: SessionReason,
    value: Option<u64>,
    day: Option<i64>,
}

impl Sessions {
    /// Returns the place of `row`; `None` for a separator and, under `separated`, for rows before
    /// the first one. Pass the same rules each time.
    ///
    /// # Errors
    /// [`OutOfOrder`] if the row is before the previous one; the state is unchanged.
    pub fn push<W: Window>(
        &mut self,
        rules: &SessionRules<W>,
        row: &SessionRow,
    ) -> Result<Option<SessionPlace>, OutOfOrder> {
        let time = row.time;
        if let Some(previous) = self.latest.filter(|latest| time < *latest) {
            return Err(OutOfOrder { previous, time });
        }
        self.latest = Some(time);
        if row.separator {
            self.separator_seen = true;
            self.closed = Some(SessionReason::Separator);
            return Ok(None);
        }
        let previous = self.previous.replace(time);
        if rules.separated && !self.separator_seen {
            return Ok(None);
        }
        let reason = self.reason_to_start(rules, row, previous);
        let current = match (self.current, reason) {
            (Some(current), None) => Current {
                depth: current.depth + 1,
                value: row.value.or(current.value),
                day: row.day.max(current.day),
                ..current
            },
            (last, reason) => Current {
                number: last.map_or(1, |last| last.number + 1),
                depth: 1,
                start: time,
                ordinal: last.filter(|last| last.start == time).map_or(1, |last| last.ordinal + 1),
                reason: reason.unwrap_or(SessionReason::First),
                value: row.value,
                day: row.day,
            },
        };
        self.current = Some(current);
        self.closed = row.ends.then_some(SessionReason::EndIf);
        let too_fast = |previous| rules.click_lag.as_ref().is_some_and(|lag| lag.reaches(previous, time));
        Ok(Some(SessionPlace {
            number: current.number,
            depth: current.depth,
            start: current.start,
            ordinal: current.ordinal,
            previous,
            reason: current.reason,
            is_robot: current.depth > 1 && previous.is_some_and(too_fast),
        }))
    }

    /// The first of the rules, by precedence, that puts `row` into a new session.
    fn reason_to_start<W: Window>(
        &self,
        rules: &SessionRules<W>,
        row: &SessionRow,
        previous: Option<i64>,
    ) -> Option<SessionReason> {
        let (Some(current), Some(previous)) = (self.current, previous) else {
            return Some(SessionReason::First);
        };
        let is_beyond = |limit: &super::Limit<W>, start| !limit.reaches(start, row.time);
        if self.closed.is_some() {
            self.closed
        } else if row.starts {
            Some(SessionReason::StartIf)
        } else if rules.gap.as_ref().is_some_and(|gap| is_beyond(gap, previous)) {
            Some(SessionReason::Gap)
        } else if row.day > current.day {
            Some(SessionReason::Midnight)
        } else if row.value.is_some() && row.value != current.value {
            Some(SessionReason::SplitOn)
        } else if rules.max_length.as_ref().is_some_and(|limit| is_beyond(limit, current.start)) {
            Some(SessionReason::MaxLength)
        } else if rules.max_events.is_some_and(|most| current.depth >= most) {
            Some(SessionReason::MaxEvents)
        } else {
            None
        }
    }
}

/// An event that is earlier than the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfOrder {
    /// Time of the previous event.
    pub previous: i64,
    /// Time of the event that came too late.
    pub time: i64,
}

impl fmt::Display for OutOfOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "time goes back from {} to {}", self.previous, self.time)
    }
}

impl std::error::Error for OutOfOrder {}
