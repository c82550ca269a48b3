//! Which touches count for a conversion.

use super::person::{PersonRows, mark};
use super::{Path, Rules};
use crate::journey::ties::Ties;
use crate::journey::time::Window;

/// A conversion and the touches that count for it.
#[derive(Debug, Clone, Copy)]
pub struct Conversion<'a> {
    /// The converting row.
    pub row: usize,
    /// Rows of the touches, ascending.
    pub touches: &'a [usize],
    /// The same touches as models see them.
    pub path: Path<'a>,
}

/// What a touch and a conversion must share: container and session.
pub(super) type Bucket = (u32, u32);

/// Finds the touches of conversions, person by person. Keeps its memory from one person to the next.
#[derive(Debug, Default)]
pub struct Evaluator {
    /// Touches by bucket, then by row.
    touches: Vec<Touch>,
    /// Conversions by bucket, then by row.
    conversions: Vec<(Bucket, usize)>,
    expiring: Vec<usize>,
    /// Rows that meet each required condition.
    required: Vec<Vec<usize>>,
    sessions: Vec<u32>,
    rows: Vec<usize>,
    times: Vec<i64>,
    keys: Vec<u32>,
    direct: Vec<bool>,
}

#[derive(Debug, Clone, Copy)]
struct Touch {
    bucket: Bucket,
    row: usize,
    /// Last tick at which the touch counts.
    end: i64,
    /// The latest `end` of this and all earlier touches of the bucket. On a calendar an earlier touch may count longer.
    latest_end: i64,
}

impl Evaluator {
    /// Calls `found` for each conversion of the person: in the order of rows, or by container and session if there are
    /// any.
    pub fn conversions<W: Window>(
        &mut self,
        rules: &Rules<W>,
        person: &PersonRows,
        mut found: impl FnMut(Conversion<'_>),
    ) {
        self.prepare(rules, person);
        let mut before: Before = Before::default();
        for index in 0..self.conversions.len() {
            let (bucket, row) = self.conversions[index];
            let previous = before.advance(rules.ties, person, bucket, row);
            self.collect(rules, person, bucket, row, previous.filter(|_| rules.cut_at_conversion));
            found(Conversion {
                row,
                touches: &self.rows,
                path: Path {
                    times: &self.times,
                    keys: &self.keys,
                    direct: &self.direct,
                    own: self.rows.binary_search(&row).ok(),
                    conversion: person.times[row],
                },
            });
        }
    }

    /// Keys of the touches that precede no conversion of the person whom [`Self::conversions`] was called for last, in
    /// order: the journey that is still open.
    pub fn open_touches<W>(&mut self, rules: &Rules<W>, person: &PersonRows) -> &[u32] {
        let last = self.conversions.iter().map(|(_, row)| *row).max();
        let is_open = |touch: &&Touch| last.is_none_or(|last| !precedes(rules.ties, person, touch.row, last));
        self.rows.clear();
        self.rows.extend(self.touches.iter().filter(is_open).map(|touch| touch.row));
        self.rows.sort_unstable();
        self.keys.clear();
        self.keys.extend(self.rows.iter().map(|row| person.keys[*row]));
        &self.keys
    }

    fn prepare<W: Window>(&mut self, rules: &Rules<W>, person: &PersonRows) {
        self.touches.clear();
        self.conversions.clear();
        self.expiring.clear();
        self.required.resize(rules.required, Vec::new());
        self.required.iter_mut().for_each(Vec::clear);
        sessions_by_gap(rules.session_gap.as_ref(), person, &mut self.sessions);
        for row in 0..person.times.len() {
            if person.is(row, mark::EXPIRES) {
                self.expiring.push(row);
            }
            for (index, rows) in self.required.iter_mut().enumerate() {
                if person.is(row, mark::required(index)) {
                    rows.push(row);
                }
            }
            let bucket = bucket(person, &self.sessions, row);
            if person.is(row, mark::CONVERSION) {
                // A conversion that shares nothing has no touches: there are none in this bucket.
                self.conversions.push((bucket.unwrap_or((u32::MAX, u32::MAX)), row));
            }
            if let Some(bucket) = bucket
                && person.is(row, mark::TOUCH)
            {
                let end = rules.lookback.as_ref().map_or(i64::MAX, |window| window.end(person.times[row]));
                self.touches.push(Touch { bucket, row, end, latest_end: end });
            }
        }
        if !self.touches.is_sorted_by_key(|touch| touch.bucket) {
            self.touches.sort_by_key(|touch| touch.bucket);
        }
        if !self.conversions.is_sorted() {
            self.conversions.sort();
        }
        for index in 1..self.touches.len() {
            let before = self.touches[index - 1];
            let touch = &mut self.touches[index];
            if before.bucket == touch.bucket {
                touch.latest_end = touch.latest_end.max(before.latest_end);
            }
        }
    }

    /// Gathers the touches of the conversion in `row`. `previous` is the conversion that has used up what precedes it.
    fn collect<W: Window>(
        &mut self,
        rules: &Rules<W>,
        person: &PersonRows,
        bucket: Bucket,
        row: usize,
        previous: Option<usize>,
    ) {
        let time = person.times[row];
        let start = self.touches.partition_point(|touch| touch.bucket < bucket);
        let in_bucket = &self.touches[start..];
        let end = in_bucket
            .partition_point(|touch| touch.bucket == bucket && precedes(rules.ties, person, touch.row, row));
        let mut range = &in_bucket[..end];
        if let Some(previous) = previous {
            let used = range.partition_point(|touch| precedes(rules.ties, person, touch.row, previous));
            range = &range[used..];
        }
        if let Some(expired) = last_expiry(rules.ties, person, &self.expiring, row) {
            let old = range.partition_point(|touch| !is_after(rules.ties, person, touch.row, expired));
            range = &range[old..];
        }
        for rows in &self.required {
            let met = last_not_after(rules.ties, person, rows, row);
            let before = |touch: &Touch| met.is_some_and(|met| is_after(rules.ties, person, met, touch.row));
            range = &range[..range.partition_point(before)];
        }
        range = &range[range.partition_point(|touch| touch.latest_end < time)..];

        let has_regular =
            range.iter().any(|touch| touch.end >= time && !person.is(touch.row, mark::OPTIONAL));
        let counts =
            |touch: &&Touch| touch.end >= time && !(has_regular && person.is(touch.row, mark::OPTIONAL));
        self.rows.clear();
        self.rows.extend(
            range
                .iter()
                .rev()
                .filter(counts)
                .take(rules.lookback_touches.unwrap_or(usize::MAX))
                .map(|touch| touch.row),
        );
        self.rows.reverse();
        self.times.clear();
        self.times.extend(self.rows.iter().map(|row| person.times[*row]));
        self.keys.clear();
        self.keys.extend(self.rows.iter().map(|row| person.keys[*row]));
        self.direct.clear();
        self.direct.extend(self.rows.iter().map(|row| person.is(*row, mark::DIRECT)));
    }
}

/// The conversion before the current one, of an earlier instant, or row where rows have an order.
#[derive(Debug, Default)]
struct Before {
    bucket: Option<Bucket>,
    previous: Option<usize>,
    current: Option<usize>,
}

impl Before {
    fn advance(&mut self, ties: Ties, person: &PersonRows, bucket: Bucket, row: usize) -> Option<usize> {
        if self.bucket != Some(bucket) {
            *self = Self { bucket: Some(bucket), previous: None, current: None };
        }
        let is_later = |current: usize| ties == Ties::Order || person.times[current] < person.times[row];
        if self.current.is_none_or(is_later) {
            self.previous = self.current;
            self.current = Some(row);
        }
        self.previous
    }
}

/// Whether the touch comes before the conversion, as `ties` says.
pub(super) fn precedes(ties: Ties, person: &PersonRows, touch: usize, conversion: usize) -> bool {
    match ties {
        Ties::SameInstant => person.times[touch] <= person.times[conversion],
        Ties::Order => touch <= conversion,
        Ties::Strict => person.times[touch] < person.times[conversion],
    }
}

/// Whether `later` comes after `row`: at a later time, or in a later row where rows have an order.
pub(super) fn is_after(ties: Ties, person: &PersonRows, later: usize, row: usize) -> bool {
    match ties {
        Ties::Order => later > row,
        Ties::SameInstant | Ties::Strict => person.times[later] > person.times[row],
    }
}

/// The last of the expiring `rows` that comes before the conversion.
pub(super) fn last_expiry(
    ties: Ties,
    person: &PersonRows,
    rows: &[usize],
    conversion: usize,
) -> Option<usize> {
    let before = rows.partition_point(|row| is_after(ties, person, conversion, *row));
    rows[..before].last().copied()
}

/// The last of `rows` that is not after the conversion.
pub(super) fn last_not_after(
    ties: Ties,
    person: &PersonRows,
    rows: &[usize],
    conversion: usize,
) -> Option<usize> {
    let before = rows.partition_point(|row| precedes(ties, person, *row, conversion));
    rows[..before].last().copied()
}

/// Numbers the sessions of the rows: a pause longer than `gap` starts another one. Empty without a gap, and where the
/// rows say which session they belong to.
pub(super) fn sessions_by_gap<W: Window>(gap: Option<&W>, person: &PersonRows, sessions: &mut Vec<u32>) {
    sessions.clear();
    let (Some(gap), None) = (gap, person.session) else {
        return;
    };
    let mut session = 0_u32;
    for row in 0..person.times.len() {
        if row > 0 && gap.end(person.times[row - 1]) < person.times[row] {
            session = session.saturating_add(1);
        }
        sessions.push(session);
    }
}

/// What a touch in this row shares with its conversions; `None` if it shares nothing.
pub(super) fn bucket(person: &PersonRows, sessions: &[u32], row: usize) -> Option<Bucket> {
    let container = person.container.map_or(Some(0), |values| values[row])?;
    let session = match person.session {
        Some(values) => values[row]?,
        None => sessions.get(row).copied().unwrap_or(0),
    };
    Some((container, session))
}
