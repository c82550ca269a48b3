//! The retention matrix: of the people who began in one period, how many came back 1, 2, 3 ... periods later.
//!
//! Definitions: PostHog's retention (kinds, calendar periods, brackets, on or after), Amplitude's for windows of
//! 24 hours (times floored to the hour, a month is 30 days, each start opens its own windows, and only people whose
//! window has begun count in the denominator).

mod person;
mod report;
#[cfg(test)]
mod tests;

pub use person::{PersonRow, contributions};
pub use report::{MatrixRow, Observed, rows};

/// Which of a person's starts put them into a cohort.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Kind {
    /// All: a person is in the cohort of every period with a start in it.
    Recurring,
    /// The first one in the range.
    #[default]
    FirstTime,
    /// The first one in the data, if it is in the range.
    FirstEver,
}

impl Kind {
    /// All kinds with their names in SQL.
    pub const NAMES: [(&'static str, Self); 3] =
        [("recurring", Self::Recurring), ("first_time", Self::FirstTime), ("first_ever", Self::FirstEver)];
}

/// What a matrix counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MatrixSpec {
    /// Who is in a cohort.
    pub kind: Kind,
    /// Columns behind column 0: from how many periods after the start, to how many (exclusive), ascending.
    pub columns: Vec<(i64, i64)>,
    /// Whether a column counts everybody who comes back in it or in any later one.
    pub or_after: bool,
    /// Returns that a person needs in a column.
    pub min_events: usize,
    /// Length of a period, in the unit of [`PersonRow::at`]: 1 for calendar periods, which are numbered.
    pub period_length: i64,
    /// Whether people of one cohort start at different times, so that their windows begin at different times.
    pub own_windows: bool,
}

impl MatrixSpec {
    /// Columns for 1, 2 .. `last` periods after the start.
    pub fn single_periods(last: i64) -> Vec<(i64, i64)> {
        (1..=last).map(|period| (period, period.saturating_add(1))).collect()
    }

    /// Columns of as many periods as `lengths` says, one behind the other, the first one right after the start.
    pub fn brackets(lengths: &[i64]) -> Vec<(i64, i64)> {
        let mut from = 1_i64;
        let mut columns = Vec::with_capacity(lengths.len());
        for length in lengths {
            let to = from.saturating_add(*length);
            columns.push((from, to));
            from = to;
        }
        columns
    }
}

/// Column that holds the size of a cohort; the detail is where the windows of these people begin.
const SIZE: i64 = -1;
