//! Growth by its sources: who is new, came again, came back, and left, period by period.
//!
//! Definition: PostHog's lifecycle. Dormant people are counted below 0, in the period after their last one.

use super::cells::{Cells, Contribution, Place};
use super::range::{Range, TooManyRows};

/// What a person is in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    /// Active for the first time.
    New,
    /// Active in the period before too.
    Returning,
    /// Active some time before, but not in the period before.
    Resurrecting,
    /// Active in the period before and not in this one.
    Dormant,
}

/// Number of statuses, the columns of the report.
pub const STATUSES: usize = 4;

/// Calls `add` with what one person contributes, who is active in `periods`: ascending, without repeats.
///
/// `created` is the period in which the person came into being, if that is known; else it is the first active one.
pub fn contributions(periods: &[i64], created: Option<i64>, mut add: impl FnMut(Contribution)) {
    let mut contribute = |period, status: Status, people| {
        add(Contribution {
            place: Place { row: period, column: status as i64, detail: 0 },
            people,
            values: 0,
            sum: 0.0,
            decided_by: 0,
        });
    };
    let Some(first) = periods.first() else {
        return;
    };
    let created = created.unwrap_or(*first);
    let mut before = None;
    for period in periods.iter().copied() {
        let was_active = before.and_then(|before: i64| before.checked_add(1)) == Some(period);
        let status = if period == created {
            Status::New
        } else if was_active {
            Status::Returning
        } else {
            Status::Resurrecting
        };
        contribute(period, status, 1);
        if let Some(left) = before.and_then(|before| before.checked_add(1)).filter(|left| *left != period) {
            contribute(left, Status::Dormant, -1);
        }
        before = Some(period);
    }
    if let Some(left) = before.and_then(|before| before.checked_add(1)) {
        contribute(left, Status::Dormant, -1);
    }
}

/// One row: a period of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LifecycleRow {
    /// Index of the group.
    pub group: usize,
    /// The period.
    pub period: i64,
    /// People who are new, returning, resurrecting, and dormant (not above 0).
    pub people: [i64; STATUSES],
}

/// Returns the rows of all groups, by group and period: every period of the range.
///
/// # Errors
/// [`TooManyRows`] if the range has more rows than its limit.
pub fn rows(groups: &[&Cells], range: Range) -> Result<Vec<LifecycleRow>, TooManyRows> {
    let Some((first, last)) = range.periods(groups, 1)? else {
        return Ok(vec![]);
    };
    let row = |group: usize, period| {
        let people = [0, 1, 2, 3].map(|status| groups[group].people(period, status));
        LifecycleRow { group, period, people }
    };
    Ok((0..groups.len()).flat_map(|group| (first..=last).map(move |period| row(group, period))).collect())
}
