//! Stickiness: how many people were active in exactly k periods. Definition: PostHog's.

use super::cells::{Cells, Contribution, Place};

/// What one person contributes who is active in `periods` distinct periods; `None` if in none.
pub fn contribution(periods: usize) -> Option<Contribution> {
    let row = i64::try_from(periods).ok().filter(|periods| *periods > 0)?;
    Some(Contribution {
        place: Place { row, column: 0, detail: 0 },
        people: 1,
        values: 0,
        sum: 0.0,
        decided_by: 0,
    })
}

/// One row: a number of periods of a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StickinessRow {
    /// Index of the group.
    pub group: usize,
    /// Number of periods, from 1.
    pub periods: i64,
    /// People who were active in exactly so many.
    pub people: i64,
    /// Of all people of the group.
    pub share: f64,
    /// People who were active in so many or more.
    pub at_least: i64,
}

/// Returns the rows of all groups, by group and number of periods: from 1 to the most that anybody in the group has.
pub fn rows(groups: &[&Cells]) -> Vec<StickinessRow> {
    let mut rows = Vec::new();
    for (group, cells) in groups.iter().enumerate() {
        let most = cells.row_range().map_or(0, |range| range.1);
        let total: i64 = cells.iter().map(|(_, cell)| cell.people).sum();
        let mut at_least = total;
        for periods in 1..=most {
            let people = cells.people(periods, 0);
            rows.push(StickinessRow {
                group,
                periods,
                people,
                share: people as f64 / total as f64,
                at_least,
            });
            at_least -= people;
        }
    }
    rows
}
