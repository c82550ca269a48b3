//! Where the sessions of people lie among their rows.

use std::ops::Range;

use crate::journey::session::{Limit, SessionPlace, SessionReason, starts_after_pauses};
use crate::journey::time::Window;

/// A session: consecutive rows of one person.
///
/// Rows are counted in 32 bits, as the rows of an aggregate are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    first: u32,
    end: u32,
    /// Number among the sessions of the person, from 1.
    pub(super) number: u32,
    /// Number among those of the person that start at the same time, from 1.
    pub(super) ordinal: u32,
    /// The rule that started it.
    pub(super) reason: SessionReason,
}

impl Span {
    /// Its rows.
    pub(super) fn rows(&self) -> Range<usize> {
        self.first as usize..self.end as usize
    }

    /// Its first row.
    pub(super) fn first(&self) -> usize {
        self.first as usize
    }

    /// Its last row.
    pub(super) fn last(&self) -> usize {
        self.end as usize - 1
    }
}

/// The sessions found so far.
#[derive(Debug, Default)]
pub(super) struct Spans {
    spans: Vec<Span>,
    /// Whether the latest session has a row faster than human.
    is_robot: bool,
}

impl Spans {
    /// The sessions.
    pub(super) fn as_slice(&self) -> &[Span] {
        &self.spans
    }

    /// Adds the sessions of a person with these `rows`, whose `times` ascend, if only a pause cuts.
    pub(super) fn push_person(&mut self, rows: Range<usize>, times: &[i64], gap: &Limit<impl Window>) {
        let (first, end) = (rows.start, rows.end as u32);
        let times = &times[rows];
        let (mut number, mut latest, mut ordinal) = (0, None, 0);
        for start in starts_after_pauses(times, gap) {
            let row = (first + start) as u32;
            if number > 0
                && let Some(before) = self.spans.last_mut()
            {
                before.end = row;
            }
            number += 1;
            ordinal = if latest == Some(times[start]) { ordinal + 1 } else { 1 };
            latest = Some(times[start]);
            let reason = if number == 1 { SessionReason::First } else { SessionReason::Gap };
            self.spans.push(Span { first: row, end, number, ordinal, reason });
        }
    }

    /// Adds a row to the latest session or to a new one; one with a row faster than human is left out.
    pub(super) fn push_row(&mut self, row: usize, place: &SessionPlace) {
        let row = row as u32;
        match self.spans.last_mut() {
            Some(session) if !place.is_new() => session.end = row + 1,
            _ => {
                self.leave_out_robot();
                self.spans.push(Span {
                    first: row,
                    end: row + 1,
                    number: place.number as u32,
                    ordinal: place.ordinal as u32,
                    reason: place.reason,
                });
            }
        }
        self.is_robot |= place.is_robot;
    }

    /// To be called when all rows of a person were pushed.
    pub(super) fn end_person(&mut self) {
        self.leave_out_robot();
    }

    fn leave_out_robot(&mut self) {
        if std::mem::take(&mut self.is_robot) {
            self.spans.pop();
        }
    }
}
