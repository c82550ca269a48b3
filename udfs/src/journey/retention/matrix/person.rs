//! One person's part of a retention matrix.

use super::{Kind, MatrixSpec, SIZE};
use crate::journey::retention::cells::{Contribution, Place};

/// What a retention matrix needs of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PersonRow {
    /// Period of the row; the cohort if it is a start.
    pub cohort: i64,
    /// Where windows are measured: `cohort` again for calendar periods, else the hour.
    pub at: i64,
    /// Whether it is a start.
    pub is_start: bool,
    /// Whether it lies in the range that starts are taken from.
    pub in_range: bool,
    /// Whether it is a return.
    pub is_return: bool,
    /// The property that is summed over returns.
    pub value: Option<f64>,
}

/// Calls `add` with what one person's rows, in order of time, contribute.
///
/// `has_value` says whether values are asked for. Time: O(rows + starts * columns * log(returns)), where starts count
/// once for each distinct `at`.
pub fn contributions(
    spec: &MatrixSpec,
    rows: &[PersonRow],
    has_value: bool,
    mut add: impl FnMut(Contribution),
) {
    let mut starts = starts(spec.kind, rows);
    if starts.is_empty() {
        return;
    }
    // Where a zone's clock goes back over midnight, a day returns after the next one has begun.
    starts.sort_by_key(|start| (rows[*start].cohort, rows[*start].at));
    let returns = Returns::new(rows, has_value && spec.or_after);
    for cohort in starts.chunk_by(|left, right| rows[*left].cohort == rows[*right].cohort) {
        let first = &rows[cohort[0]];
        let mut opened: Vec<i64> = cohort.iter().map(|start| rows[*start].at).collect();
        opened.dedup();
        let contribution = |column, detail, people, sums: Sums| Contribution {
            place: Place { row: first.cohort, column, detail },
            people,
            values: sums.values,
            sum: sums.sum,
            decided_by: cohort[0],
        };
        let detail = if spec.own_windows { first.at } else { 0 };
        add(contribution(SIZE, detail, 1, Sums::default()));
        if has_value {
            // Everybody is there, so that everything counts.
            let (_, sums) = returns.of_windows(spec, &opened, (0, 1), 1, true);
            if sums.values > 0 {
                add(contribution(0, 0, 0, sums));
            }
        }
        for (column, periods) in (1_i64..).zip(&spec.columns) {
            let (has_returned, sums) =
                returns.of_windows(spec, &opened, *periods, spec.min_events.max(1), has_value);
            if has_returned {
                add(contribution(column, 0, 1, sums));
            }
        }
    }
}

/// The rows that put the person into cohorts, in order of time.
fn starts(kind: Kind, rows: &[PersonRow]) -> Vec<usize> {
    let is_counted = |index: &usize| rows[*index].is_start && rows[*index].in_range;
    let mut counted = (0..rows.len()).filter(is_counted);
    match kind {
        Kind::Recurring => counted.collect(),
        Kind::FirstTime => counted.next().into_iter().collect(),
        Kind::FirstEver => {
            (0..rows.len()).find(|index| rows[*index].is_start).filter(is_counted).into_iter().collect()
        }
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    values: i64,
    sum: f64,
}

impl Sums {
    fn add(&mut self, row: &PersonRow) {
        if let Some(value) = row.value {
            self.values += 1;
            self.sum += value;
        }
    }
}

/// A person's returns, by [`PersonRow::at`].
struct Returns<'a> {
    rows: Vec<&'a PersonRow>,
    /// For each row, the sums of the values from it to the last row; empty if nobody asks.
    to_the_end: Vec<Sums>,
}

impl<'a> Returns<'a> {
    fn new(rows: &'a [PersonRow], needs_sums_to_the_end: bool) -> Self {
        let mut rows: Vec<&PersonRow> = rows.iter().filter(|row| row.is_return).collect();
        rows.sort_by_key(|row| row.at);
        let mut to_the_end = Vec::new();
        if needs_sums_to_the_end {
            let mut sums = Sums::default();
            for row in rows.iter().rev() {
                sums.add(row);
                to_the_end.push(sums);
            }
            to_the_end.reverse();
        }
        Self { rows, to_the_end }
    }

    /// Whether one of the windows that were `opened` (ascending) holds `least` returns, and the values in all that do;
    /// a return that lies in several windows counts once.
    fn of_windows(
        &self,
        spec: &MatrixSpec,
        opened: &[i64],
        (from, to): (i64, i64),
        least: usize,
        has_value: bool,
    ) -> (bool, Sums) {
        if spec.or_after && from > 0 {
            // The window that begins first holds all others.
            let first = opened.first().map_or(self.rows.len(), |start| self.first_in(spec, *start, from));
            let has_returned = self.rows.len() - first >= least;
            let sums = self.to_the_end.get(first).copied().filter(|_| has_returned);
            return (has_returned, sums.unwrap_or_default());
        }
        let mut has_returned = false;
        let mut sums = Sums::default();
        let mut summed_to = 0;
        for start in opened {
            let window = self.first_in(spec, *start, from)..self.first_in(spec, *start, to);
            if window.len() < least {
                continue;
            }
            has_returned = true;
            if !has_value {
                break;
            }
            let first = window.start.max(summed_to).min(window.end);
            self.rows[first..window.end].iter().for_each(|row| sums.add(row));
            summed_to = window.end;
        }
        (has_returned, sums)
    }

    /// First return that lies so many periods after a start, or later.
    fn first_in(&self, spec: &MatrixSpec, start: i64, periods: i64) -> usize {
        let bound = start.saturating_add(periods.saturating_mul(spec.period_length));
        self.rows.partition_point(|row| row.at < bound)
    }
}
