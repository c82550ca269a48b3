//! Why a touch counts for a conversion or does not.

use std::fmt;

use super::Rules;
use super::eligible::{bucket, is_after, last_expiry, last_not_after, precedes, sessions_by_gap};
use super::person::{PersonRows, mark};
use crate::journey::ties::Ties;
use crate::journey::time::Window;

/// The rule that decides about a touch: the first of these that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Excluded by a condition.
    Excluded,
    /// After the conversion, or at its instant where that does not count.
    NotBefore,
    /// In another container, or in none.
    OtherContainer,
    /// In another session, or in none.
    OtherSession,
    /// It precedes an earlier conversion, which has used it up.
    UsedUp,
    /// It ended with a row between it and the conversion.
    Expired,
    /// A required condition, counted from 1, was not met between it and the conversion.
    NotRequired(usize),
    /// Older than the look-back.
    TooOld,
    /// Optional, and there is a touch that is not.
    Optional,
    /// Before the latest touches that count.
    TooMany,
    /// It counts.
    Counts,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Excluded => "excluded",
            Self::NotBefore => "not before the conversion",
            Self::OtherContainer => "in another container",
            Self::OtherSession => "in another session",
            Self::UsedUp => "used up by an earlier conversion",
            Self::Expired => "expired before the conversion",
            Self::NotRequired(index) => {
                return write!(f, "required condition {index} is not met between it and the conversion");
            }
            Self::TooOld => "older than the look-back",
            Self::Optional => "optional, and there are other touches",
            Self::TooMany => "before the latest touches that count",
            Self::Counts => "counts",
        })
    }
}

/// Says of each row that is a touch, or would be if it were not excluded, whether it counts for the conversion in
/// row `conversion`, and why not. O(rows log rows).
pub fn verdicts<W: Window>(
    rules: &Rules<W>,
    person: &PersonRows,
    conversion: usize,
) -> Vec<(usize, Verdict)> {
    let rows_with =
        |bit: u64| -> Vec<usize> { (0..person.times.len()).filter(|row| person.is(*row, bit)).collect() };
    let required: Vec<Vec<usize>> =
        (0..rules.required).map(|index| rows_with(mark::required(index))).collect();
    let expiring = rows_with(mark::EXPIRES);
    let conversions = rows_with(mark::CONVERSION);
    let mut sessions = Vec::new();
    sessions_by_gap(rules.session_gap.as_ref(), person, &mut sessions);
    let used_until = previous_conversion(rules, person, &sessions, &conversions, conversion);
    let expired = last_expiry(rules.ties, person, &expiring, conversion);
    let verdict = |touch: usize| -> Verdict {
        if person.is(touch, mark::EXCLUDED) {
            return Verdict::Excluded;
        }
        if !precedes(rules.ties, person, touch, conversion) {
            return Verdict::NotBefore;
        }
        if let Some(other) = other_bucket(person, &sessions, touch, conversion) {
            return other;
        }
        if used_until.is_some_and(|previous| precedes(rules.ties, person, touch, previous)) {
            return Verdict::UsedUp;
        }
        if expired.is_some_and(|expired| !is_after(rules.ties, person, touch, expired)) {
            return Verdict::Expired;
        }
        for (index, rows) in required.iter().enumerate() {
            let met = last_not_after(rules.ties, person, rows, conversion);
            if !met.is_some_and(|met| is_after(rules.ties, person, met, touch)) {
                return Verdict::NotRequired(index + 1);
            }
        }
        let end = rules.lookback.as_ref().map_or(i64::MAX, |window| window.end(person.times[touch]));
        if end < person.times[conversion] { Verdict::TooOld } else { Verdict::Counts }
    };
    let is_candidate = |row: &usize| person.marks[*row] & (mark::TOUCH | mark::EXCLUDED) != 0;
    let mut verdicts: Vec<(usize, Verdict)> =
        (0..person.times.len()).filter(is_candidate).map(|row| (row, verdict(row))).collect();
    among_themselves(rules, person, &mut verdicts);
    verdicts
}

/// What touches that count alone do to one another.
fn among_themselves<W>(rules: &Rules<W>, person: &PersonRows, verdicts: &mut [(usize, Verdict)]) {
    let is_regular =
        |(row, verdict): &(usize, Verdict)| *verdict == Verdict::Counts && !person.is(*row, mark::OPTIONAL);
    let has_regular = verdicts.iter().any(is_regular);
    let mut left = rules.lookback_touches.unwrap_or(usize::MAX);
    for (row, verdict) in verdicts.iter_mut().rev() {
        if *verdict != Verdict::Counts {
            continue;
        }
        if has_regular && person.is(*row, mark::OPTIONAL) {
            *verdict = Verdict::Optional;
        } else if left == 0 {
            *verdict = Verdict::TooMany;
        } else {
            left -= 1;
        }
    }
}

fn other_bucket(person: &PersonRows, sessions: &[u32], touch: usize, conversion: usize) -> Option<Verdict> {
    let differs = |values: Option<&[Option<u32>]>| {
        values.is_some_and(|values| values[touch].is_none() || values[touch] != values[conversion])
    };
    if differs(person.container) {
        return Some(Verdict::OtherContainer);
    }
    if differs(person.session) || sessions.get(touch) != sessions.get(conversion) {
        return Some(Verdict::OtherSession);
    }
    None
}

/// The conversion that uses up what precedes it.
fn previous_conversion<W>(
    rules: &Rules<W>,
    person: &PersonRows,
    sessions: &[u32],
    conversions: &[usize],
    conversion: usize,
) -> Option<usize> {
    if !rules.cut_at_conversion {
        return None;
    }
    let mine = bucket(person, sessions, conversion);
    let is_before = |other: &&usize| match rules.ties {
        Ties::Order => **other < conversion,
        Ties::SameInstant | Ties::Strict => person.times[**other] < person.times[conversion],
    };
    conversions
        .iter()
        .rev()
        .filter(is_before)
        .find(|other| bucket(person, sessions, **other) == mine)
        .copied()
}
