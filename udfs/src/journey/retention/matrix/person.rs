//! One person's part of a retention matrix.

use std::ops::Range;

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
    let mut returns: Vec<&PersonRow> = rows.iter().filter(|row| row.is_return).collect();
    returns.sort_by_key(|row| row.at);
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
            let (_, sums) = returned(spec, &opened, (0, 1), 1, &returns, true);
            if sums.values > 0 {
                add(contribution(0, 0, 0, sums));
            }
        }
        for (column, periods) in (1_i64..).zip(&spec.columns) {
            let (has_returned, sums) =
                returned(spec, &opened, *periods, spec.min_events.max(1), &returns, has_value);
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

/// Whether one of the windows that were `opened` holds enough returns, and the values in all that do; a return that
/// lies in several windows counts once.
fn returned(
    spec: &MatrixSpec,
    opened: &[i64],
    (from, to): (i64, i64),
    min_events: usize,
    returns: &[&PersonRow],
    has_value: bool,
) -> (bool, Sums) {
    let mut has_returned = false;
    let mut sums = Sums::default();
    let mut summed_to = 0;
    for start in opened {
        let window = window(spec, *start, (from, to), returns);
        if window.len() < min_events {
            continue;
        }
        has_returned = true;
        if !has_value {
            break;
        }
        for row in &returns[window.start.max(summed_to).min(window.end)..window.end] {
            if let Some(value) = row.value {
                sums.values += 1;
                sums.sum += value;
            }
        }
        summed_to = window.end;
    }
    (has_returned, sums)
}

fn window(spec: &MatrixSpec, start: i64, (from, to): (i64, i64), returns: &[&PersonRow]) -> Range<usize> {
    let bound = |periods: i64| start.saturating_add(periods.saturating_mul(spec.period_length));
    let first = returns.partition_point(|row| row.at < bound(from));
    let end = if spec.or_after && from > 0 {
        returns.len()
    } else {
        first + returns[first..].partition_point(|row| row.at < bound(to))
    };
    first..end
}
