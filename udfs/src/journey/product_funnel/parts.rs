//! A person's rows, divided by session, held property or group.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{PersonRows, Rules};
use crate::journey::session::{Limit, SessionRow, SessionRules, Sessions};
use crate::journey::time::Window;

/// Rows that form a funnel of their own: a session, the rows of one held value, or all.
#[derive(Debug, Clone)]
pub(super) struct Part<'a> {
    pub(super) rows: Cow<'a, [usize]>,
    /// Last instant at which the session may go on.
    pub(super) session_until: Option<i64>,
}

impl Part<'_> {
    /// The rows from the given position on.
    pub(super) fn borrowed(&self, from: usize) -> Part<'_> {
        Part { rows: Cow::from(&self.rows[from..]), session_until: self.session_until }
    }
}

/// Rows with equal keys together, in the order of their first rows; rows without a key are left out.
pub(super) fn divided(rows: &[usize], key: impl Fn(usize) -> Option<Option<u32>>) -> Vec<Vec<usize>> {
    let mut parts: Vec<Vec<usize>> = Vec::new();
    let mut part_of = HashMap::new();
    for row in rows {
        let Some(key) = key(*row) else {
            continue;
        };
        let part = *part_of.entry(key).or_insert(parts.len());
        if part == parts.len() {
            parts.push(Vec::new());
        }
        parts[part].push(*row);
    }
    parts
}

/// Rows by held value.
pub(super) fn held<'a>(data: &PersonRows, part: &'a Part<'_>) -> Vec<Part<'a>> {
    let session_until = part.session_until;
    match data.hold {
        None => vec![part.borrowed(0)],
        Some(hold) => divided(&part.rows, |row| hold[row].map(Some))
            .into_iter()
            .map(|rows| Part { rows: Cow::from(rows), session_until })
            .collect(),
    }
}

/// Rows by session: the session that they carry, else by inactivity.
pub(super) fn by_session<'a, W: Window>(
    rules: &Rules<W>,
    data: &PersonRows,
    all: &'a Part<'_>,
) -> Vec<Part<'a>> {
    let Some(gap) = &rules.session_gap else {
        return vec![all.borrowed(0)];
    };
    let parts = match data.session {
        Some(session) => divided(&all.rows, |row| session[row].map(Some)),
        None => {
            let session_rules = SessionRules { gap: Some(Limit::through(gap)), ..SessionRules::default() };
            let mut sessions = Sessions::default();
            let mut numbers = Vec::with_capacity(all.rows.len());
            for row in all.rows.iter() {
                let session_row = SessionRow { time: data.times[*row], ..SessionRow::default() };
                // Rows ascend by time and none is a separator, so each has a place.
                let place = sessions.push(&session_rules, &session_row).ok().flatten();
                numbers.push((place.map_or(0, |place| place.number), *row));
            }
            let parts = numbers.chunk_by(|left, right| left.0 == right.0);
            parts.map(|part| part.iter().map(|(_, row)| *row).collect()).collect()
        }
    };
    let with_end = |rows: Vec<usize>| {
        let session_until = rows.last().map(|row| gap.end(data.times[*row]));
        Part { rows: Cow::from(rows), session_until }
    };
    parts.into_iter().map(with_end).collect()
}
