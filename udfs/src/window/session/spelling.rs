//! The names under which the functions are called, their parameters and results.

use crate::session::{Parameter, RULES, Role};

const RULES_AND_PERSON: [Parameter; RULES.len() + 1] = {
    let mut parameters = [(Role::UserId, "user_id"); RULES.len() + 1];
    let mut index = 0;
    while index < RULES.len() {
        parameters[index + 1] = RULES[index];
        index += 1;
    }
    parameters
};

/// Which arguments a function takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Spelling {
    /// All rules, each optional.
    Family,
    /// The same after the person.
    FamilyWithPerson,
    /// `(ts, gap)`.
    Short,
    /// Adobe's `(ts, seconds)`.
    Timeout,
    /// Adobe's `(ts, condition)`: the row starts a session.
    StartIf,
    /// Adobe's `(ts, condition)`: the row ends its session.
    EndIf,
}

impl Spelling {
    pub(super) fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::Family => &RULES,
            Self::FamilyWithPerson => &RULES_AND_PERSON,
            Self::Short => &[(Role::Ts, "ts"), (Role::Gap, "gap")],
            Self::Timeout => &[(Role::Ts, "ts"), (Role::Seconds, "seconds")],
            Self::StartIf => &[(Role::Ts, "ts"), (Role::StartIf, "condition")],
            Self::EndIf => &[(Role::Ts, "ts"), (Role::EndIf, "condition")],
        }
    }

    /// The smallest number of arguments; of fewer, none is optional.
    pub(super) fn required(self) -> usize {
        match self {
            Self::Family => 1,
            _ => 2,
        }
    }

    /// Whether NULL cannot stand for an argument that is left out.
    pub(super) fn is_complete(self) -> bool {
        !matches!(self, Self::Family | Self::FamilyWithPerson)
    }
}

/// What a function returns for a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Output {
    Number,
    Id,
    Depth,
    /// Since the previous row: seconds, or ticks of an integer `ts`.
    Gap,
    /// Since the start of the session, likewise.
    Elapsed,
    IsNew,
    Reason,
    IsRobot,
    /// Adobe's struct of the four below.
    State,
    /// Whole seconds since the previous row, 0 on the first.
    TimestampDiff,
}

/// A function: name, other name, arguments, result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Spec {
    pub(super) name: &'static str,
    pub(super) alias: Option<&'static str>,
    pub(super) spelling: Spelling,
    pub(super) output: Output,
}

const fn spec(name: &'static str, spelling: Spelling, output: Output) -> Spec {
    Spec { name, alias: None, spelling, output }
}

const fn with_alias(name: &'static str, alias: &'static str, spelling: Spelling) -> Spec {
    Spec { name, alias: Some(alias), spelling, output: Output::TimestampDiff }
}

/// All functions.
pub(super) const SPECS: [Spec; 24] = [
    spec("sessionize", Spelling::Short, Output::Number),
    spec("session_number", Spelling::Family, Output::Number),
    spec("session_id", Spelling::FamilyWithPerson, Output::Id),
    spec("session_depth", Spelling::Family, Output::Depth),
    spec("session_gap", Spelling::Family, Output::Gap),
    spec("session_seconds", Spelling::Family, Output::Elapsed),
    spec("session_is_new", Spelling::Family, Output::IsNew),
    spec("session_reason", Spelling::Family, Output::Reason),
    spec("session_is_robot", Spelling::Family, Output::IsRobot),
    spec("sess_timeout", Spelling::Timeout, Output::State),
    with_alias("sess_timeout_timestamp_diff", "sess_timeout_diff", Spelling::Timeout),
    spec("sess_timeout_num", Spelling::Timeout, Output::Number),
    spec("sess_timeout_is_new", Spelling::Timeout, Output::IsNew),
    spec("sess_timeout_depth", Spelling::Timeout, Output::Depth),
    spec("sess_start_if", Spelling::StartIf, Output::State),
    with_alias("sess_start_if_timestamp_diff", "sess_start_if_diff", Spelling::StartIf),
    spec("sess_start_if_num", Spelling::StartIf, Output::Number),
    spec("sess_start_if_is_new", Spelling::StartIf, Output::IsNew),
    spec("sess_start_if_depth", Spelling::StartIf, Output::Depth),
    spec("sess_end_if", Spelling::EndIf, Output::State),
    with_alias("sess_end_if_timestamp_diff", "sess_end_if_diff", Spelling::EndIf),
    spec("sess_end_if_num", Spelling::EndIf, Output::Number),
    spec("sess_end_if_is_new", Spelling::EndIf, Output::IsNew),
    spec("sess_end_if_depth", Spelling::EndIf, Output::Depth),
];
