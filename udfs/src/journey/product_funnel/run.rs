//! One pass over rows of a person, and what it finds.

use super::{Matched, Order, PersonRows, Rules};
use crate::journey::event::steps_of;
use crate::journey::ties::Ties;
use crate::journey::time::Window;

/// Rows to scan and what restricts them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scan<'a, W> {
    pub(super) rules: &'a Rules<W>,
    pub(super) data: &'a PersonRows<'a>,
    /// Ascending indices into the data.
    pub(super) rows: &'a [usize],
    /// A step that only rows with this value of the group meet.
    pub(super) only: Option<(usize, Option<u32>)>,
    /// The only interval in which chains start.
    pub(super) period: Option<i64>,
}

impl<W: Window> Scan<'_, W> {
    pub(super) fn time(&self, row: usize) -> i64 {
        self.data.times[row]
    }

    pub(super) fn set(&self, row: usize) -> &[u64] {
        let words = self.rules.words();
        &self.data.sets[row * words..(row + 1) * words]
    }

    /// Steps that the row meets, ascending.
    pub(super) fn steps_met(&self, row: usize) -> impl Iterator<Item = usize> + '_ {
        let steps = self.rules.steps();
        steps_of(self.set(row)).take_while(move |step| *step <= steps).filter(move |step| match self.only {
            Some((only, value)) if only == *step => {
                self.data.by.is_some_and(|by| by[row].is_some() && by[row] == value)
            }
            _ => true,
        })
    }

    /// Exclusions that the row meets, from 0.
    pub(super) fn exclusions_met(&self, row: usize) -> impl Iterator<Item = usize> + '_ {
        let steps = self.rules.steps();
        steps_of(self.set(row)).filter(move |bit| *bit > steps).map(move |bit| bit - steps - 1)
    }

    pub(super) fn may_enter(&self, row: usize) -> bool {
        let time = self.time(row);
        self.rules.entered_from.is_none_or(|from| time >= from)
            && self.rules.entered_to.is_none_or(|to| time < to)
            && match (self.period, self.data.period) {
                (Some(wanted), Some(periods)) => periods[row] == wanted,
                _ => true,
            }
    }

    /// Whether neither this row nor a later one can start a chain.
    pub(super) fn entry_is_over(&self, row: usize) -> bool {
        self.rules.entered_to.is_some_and(|to| self.time(row) >= to)
            || match (self.period, self.data.period) {
                (Some(wanted), Some(periods)) => periods[row] > wanted,
                _ => false,
            }
    }

    /// Rows that are taken at once: all of one instant, or single rows where a sequence decides.
    pub(super) fn instants(&self) -> impl Iterator<Item = &[usize]> {
        let by_row = self.rules.ties == Ties::Order && self.rules.order != Order::Unordered;
        self.rows.chunk_by(move |left, right| !by_row && self.time(*left) == self.time(*right))
    }
}

/// What a pass found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) chain: Vec<Matched>,
    pub(super) until: Option<i64>,
}

impl Found {
    pub(super) fn depth(&self) -> usize {
        self.chain.last().map_or(0, |matched| matched.step)
    }
}

/// Which chain of several goes on, and whether exclusions end chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pass {
    /// Prefer chains with more optional steps over those with a later entry.
    pub(super) more_steps: bool,
    pub(super) exclude: bool,
    /// Depth from which on chains are noted.
    pub(super) floor: usize,
}
