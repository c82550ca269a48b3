//! Active users of a day, of the 7 days and of the 30 days that end with it.

use super::cells::{Cells, Contribution, Place};
use super::range::{Range, TooManyRows};

/// Lengths of the windows in days: day, week, month.
pub const WINDOWS: [i64; 3] = [1, 7, 30];

/// Calls `add` with what one person contributes, who is active on `days`: ascending, without repeats.
///
/// A person counts from a day on (+1) and from another day on no longer (-1): two numbers for each stretch of days,
/// however long it is.
pub fn contributions(days: &[i64], mut add: impl FnMut(Contribution)) {
    for (column, window) in (0_i64..).zip(WINDOWS) {
        let mut change = |row, people| {
            let place = Place { row, column, detail: 0 };
            add(Contribution { place, people, values: 0, sum: 0.0, decided_by: 0 });
        };
        let mut end = None;
        for day in days.iter().copied() {
            match end {
                Some(end) if day <= end => {}
                Some(end) => {
                    change(end, -1);
                    change(day, 1);
                }
                None => change(day, 1),
            }
            end = Some(day.saturating_add(window));
        }
        if let Some(end) = end {
            change(end, -1);
        }
    }
}

/// One row: a day of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActiveRow {
    /// Index of the group.
    pub group: usize,
    /// The day.
    pub day: i64,
    /// People who were active in the windows of [`WINDOWS`] that end with the day.
    pub people: [i64; 3],
}

/// Returns the rows of all groups, by group and day: every day of the range.
///
/// # Errors
/// [`TooManyRows`] if the range has more rows than its limit.
pub fn rows(groups: &[&Cells], range: Range) -> Result<Vec<ActiveRow>, TooManyRows> {
    let Some((first, last)) = range.periods(groups, 1)? else {
        return Ok(vec![]);
    };
    let mut rows = Vec::new();
    for (group, cells) in groups.iter().enumerate() {
        let mut changes: Vec<(&Place, i64)> =
            cells.iter().map(|(place, cell)| (place, cell.people)).collect();
        changes.sort_unstable_by_key(|(place, _)| place.row);
        let mut changes = changes.into_iter().peekable();
        let mut people = [0; 3];
        for day in first..=last {
            while let Some((place, change)) = changes.next_if(|(place, _)| place.row <= day) {
                if let Ok(column) = usize::try_from(place.column) {
                    people[column] += change;
                }
            }
            rows.push(ActiveRow { group, day, people });
        }
    }
    Ok(rows)
}
