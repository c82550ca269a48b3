//! The rows of a retention matrix, from the sums over all people.

use std::collections::HashMap;

use super::{MatrixSpec, SIZE};
use crate::journey::retention::cells::{Cells, Place};
use crate::journey::retention::range::{Range, TooManyRows};
use crate::journey::stats::wilson;

/// One row of the long form: a cohort and a column.
#[derive(Debug, Clone, PartialEq)]
pub struct MatrixRow {
    /// Index of the group.
    pub group: usize,
    /// Period in which the people began.
    pub cohort: i64,
    /// Column: 0 for the cohort's own period.
    pub period: i64,
    /// People in the cohort; where they have windows of their own, those whose window has begun, or else all.
    pub cohort_size: i64,
    /// People who came back; `None` where the period, or everybody's window, has yet to begin; of an empty cohort
    /// the period counts.
    pub returned: Option<i64>,
    /// `returned / cohort_size`; `None` also for an empty cohort.
    pub rate: Option<f64>,
    /// The 95 % Wilson score interval of `rate`.
    pub bounds: Option<(f64, f64)>,
    /// Values of the returns, and their sum; `None` without values.
    pub value: Option<(i64, f64)>,
}

/// What can be observed, and what is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    /// The cohorts.
    pub range: Range,
    /// Until when anything is known, in the unit of windows.
    pub latest_at: i64,
}

/// Returns the rows of all groups, by group, cohort and column: for every group all cohorts of the range, those
/// without people too, so that matrices are complete. Without people in any group there are none.
///
/// The range ends with the latest period that has begun, and starts with the first cohort that has people, unless
/// it was given.
///
/// # Errors
/// [`TooManyRows`] if the range has more rows than the limit.
pub fn rows(spec: &MatrixSpec, groups: &[&Cells], observed: Observed) -> Result<Vec<MatrixRow>, TooManyRows> {
    let columns = spec.columns.len() + 1;
    let Some((first, last)) = observed.range.periods(groups, columns)? else {
        return Ok(vec![]);
    };
    let mut rows = Vec::new();
    for (group, cells) in groups.iter().enumerate() {
        let sizes = sizes(cells);
        for cohort in first..=last {
            let people = sizes.get(&cohort).map_or(&[][..], Vec::as_slice);
            rows.extend((0..columns).map(|column| row(spec, cells, observed, group, cohort, people, column)));
        }
    }
    Ok(rows)
}

/// For each cohort, where windows begin and for how many people.
fn sizes(cells: &Cells) -> HashMap<i64, Vec<(i64, i64)>> {
    let mut sizes: HashMap<i64, Vec<(i64, i64)>> = HashMap::new();
    for (place, cell) in cells.iter().filter(|(place, _)| place.column == SIZE) {
        sizes.entry(place.row).or_default().push((place.detail, cell.people));
    }
    sizes
}

fn row(
    spec: &MatrixSpec,
    cells: &Cells,
    observed: Observed,
    group: usize,
    cohort: i64,
    people: &[(i64, i64)],
    column: usize,
) -> MatrixRow {
    let from = if column == 0 { 0 } else { spec.columns[column - 1].0 };
    let later = from.saturating_mul(spec.period_length);
    let all: i64 = people.iter().map(|(_, people)| people).sum();
    let begun: i64 = if spec.own_windows {
        let has_begun = |at: i64| at.saturating_add(later) <= observed.latest_at;
        people.iter().filter(|(at, _)| has_begun(*at)).map(|(_, people)| people).sum()
    } else {
        all
    };
    // Where nobody has a window of their own, the period of the calendar decides.
    let has_begun = match spec.own_windows && all > 0 {
        true => begun > 0,
        false => cohort.saturating_add(from) <= observed.range.latest,
    };
    let period = i64::try_from(column).unwrap_or(i64::MAX);
    let cell = cells.get(Place { row: cohort, column: period, detail: 0 });
    let returned = if column == 0 { all } else { cell.map_or(0, |cell| cell.people) };
    let cohort_size = if has_begun { begun } else { all };
    let counts = u64::try_from(returned).ok().zip(u64::try_from(cohort_size).ok());
    let bounds = counts.and_then(|(returned, size)| wilson(returned, size)).filter(|_| has_begun);
    MatrixRow {
        group,
        cohort,
        period,
        cohort_size,
        returned: has_begun.then_some(returned),
        rate: bounds.map(|_| returned as f64 / cohort_size as f64),
        bounds,
        value: cell.filter(|cell| cell.values > 0).map(|cell| (cell.values, cell.sum.value())),
    }
}
