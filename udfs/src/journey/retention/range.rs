//! The periods of a report: which rows it has.

use super::cells::Cells;

/// More rows than the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyRows;

/// What is asked for, and until when anything is known, in periods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// First period, if it was given; else the first one with people.
    pub from: Option<i64>,
    /// Last period, if it was given.
    pub to: Option<i64>,
    /// Latest period that has begun: the last one at most.
    pub latest: i64,
    /// Rows of an answer that are too many.
    pub row_limit: usize,
}

impl Range {
    /// First and last period of the report, `None` if there is none, where every group has `rows_per_period` rows
    /// for each.
    ///
    /// # Errors
    /// [`TooManyRows`] if that is more than the limit.
    pub fn periods(
        &self,
        groups: &[&Cells],
        rows_per_period: usize,
    ) -> Result<Option<(i64, i64)>, TooManyRows> {
        let first = self
            .from
            .or_else(|| groups.iter().filter_map(|cells| cells.row_range()).map(|range| range.0).min());
        let last = self.to.map_or(self.latest, |to| to.min(self.latest));
        let Some(first) = first.filter(|first| *first <= last && !groups.is_empty()) else {
            return Ok(None);
        };
        let periods = last.checked_sub(first).and_then(|more| usize::try_from(more).ok());
        let rows = periods
            .and_then(|more| more.checked_add(1))
            .and_then(|periods| periods.checked_mul(rows_per_period.checked_mul(groups.len())?));
        match rows {
            Some(rows) if rows <= self.row_limit => Ok(Some((first, last))),
            _ => Err(TooManyRows),
        }
    }
}
