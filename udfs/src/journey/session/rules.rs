//! What starts and what ends a session.

use crate::journey::time::Window;

/// A length of time, and whether the instant at which it is over still belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit<W> {
    window: W,
    includes_end: bool,
}

impl<W: Window> Limit<W> {
    /// Returns the limit that `window` keeps through its last tick.
    pub fn through(window: W) -> Self {
        Self { window, includes_end: true }
    }

    /// Returns the limit that is over at the last tick of `window` already.
    pub fn before(window: W) -> Self {
        Self { window, includes_end: false }
    }

    /// Whether `time` lies within the limit that starts at `start`. A window that overflows
    /// reaches everything.
    pub fn reaches(&self, start: i64, time: i64) -> bool {
        let end = self.window.end(start);
        time < end || (time == end && (self.includes_end || end == i64::MAX))
    }
}

/// The rules that are the same for all rows; a rule that is `None` does not cut.
///
/// The rules that look at the row itself (`start_if`, `end_if`, `split_on`, `midnight`,
/// `separator`) take part by what [`SessionRow`] says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRules<W> {
    /// Time that may pass between a row and the one before it.
    pub gap: Option<Limit<W>>,
    /// Time that may pass between a row and the first row of its session.
    pub max_length: Option<Limit<W>>,
    /// Number of rows in a session, at least 1.
    pub max_events: Option<i64>,
    /// A row that is within this time of the row before it in its session is faster than human.
    /// Marks rows, cuts nothing.
    pub click_lag: Option<Limit<W>>,
    /// Rows before the first separator have no session.
    pub separated: bool,
}

impl<W> Default for SessionRules<W> {
    fn default() -> Self {
        Self { gap: None, max_length: None, max_events: None, click_lag: None, separated: false }
    }
}

/// One row as the rules see it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SessionRow {
    /// When it happened.
    pub time: i64,
    /// The row is a mark between sessions and belongs to none.
    pub separator: bool,
    /// The row starts a session.
    pub starts: bool,
    /// The row is the last one of its session.
    pub ends: bool,
    /// Stands for the value that splits; equal values have equal numbers. `None` is no information:
    /// it never splits, and the session keeps the value it had.
    pub value: Option<u64>,
    /// Number of the local day. A later one than that of the session's latest row splits.
    pub day: Option<i64>,
}

/// The rule that started a session, in order of precedence: if several apply to a row, the first
/// of this list is the reason.
///
/// First what the data says itself, then time, then values, then the limits, which are the reason
/// only where nothing else is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SessionReason {
    /// The person's first session.
    First,
    /// The row before it is a separator.
    Separator,
    /// The row before it ended its session.
    EndIf,
    /// The row itself starts one.
    StartIf,
    /// Too long since the row before it.
    Gap,
    /// A new local day.
    Midnight,
    /// Another value.
    SplitOn,
    /// Too long since the start of the session.
    MaxLength,
    /// The session is full.
    MaxEvents,
}

impl SessionReason {
    /// The reason in SQL: the name of the argument that gave the rule, or `first`.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Separator => "separator",
            Self::EndIf => "end_if",
            Self::StartIf => "start_if",
            Self::Gap => "gap",
            Self::Midnight => "midnight",
            Self::SplitOn => "split_on",
            Self::MaxLength => "max_length",
            Self::MaxEvents => "max_events",
        }
    }
}
