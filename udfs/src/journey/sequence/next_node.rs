//! The value before or after a sequence of rows.

use crate::journey::event::contains_step;

/// Where the sequence is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Base {
    /// It begins with the first row.
    Head,
    /// It begins with the last row and goes back.
    Tail,
    /// It begins with the first row that may be its base.
    FirstMatch,
    /// It begins with the last row that may be its base.
    LastMatch,
}

/// Which way the sequence goes from its base.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To later rows.
    Forward,
    /// To earlier rows.
    Backward,
}

impl Base {
    /// Names in SQL.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("head", Self::Head),
        ("tail", Self::Tail),
        ("first_match", Self::FirstMatch),
        ("last_match", Self::LastMatch),
    ];
}

impl Direction {
    /// Names in SQL.
    pub const NAMES: [(&'static str, Self); 2] = [("forward", Self::Forward), ("backward", Self::Backward)];
}

/// One call of `sequence_next_node`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NextNode {
    direction: Direction,
    base: Base,
    /// Events of the sequence.
    events: usize,
}

impl NextNode {
    /// Returns the call; `None` for a sequence that would leave the rows at once: forward from the last one, backward
    /// from the first.
    pub fn new(direction: Direction, base: Base, events: usize) -> Option<Self> {
        match (direction, base) {
            (Direction::Forward, Base::Tail) | (Direction::Backward, Base::Head) => None,
            _ => Some(Self { direction, base, events }),
        }
    }

    /// Returns the row next to the sequence, or `None` if the sequence is not there or nothing is next to it. Without
    /// events it is the base itself.
    ///
    /// `sets` has `words` words for each row, in order of time: condition 1 says whether the row may be the base, the
    /// events are conditions 2 and up. Where the base is a match, it must also meet the first event. Only one base is
    /// tried. O(rows).
    ///
    /// Source: ClickHouse's `sequenceNextNode`.
    pub fn find(&self, sets: &[u64], words: usize) -> Option<usize> {
        let rows = sets.len() / words;
        let meets =
            |row: usize, condition: usize| contains_step(&sets[row * words..(row + 1) * words], condition);
        let may_be_base = |row: &usize| meets(*row, 1) && (self.events == 0 || meets(*row, 2));
        let base = match self.base {
            Base::Head => Some(0).filter(|row| *row < rows && meets(*row, 1)),
            Base::Tail => rows.checked_sub(1).filter(|row| meets(*row, 1)),
            Base::FirstMatch => (0..rows).find(may_be_base),
            Base::LastMatch => (0..rows).rev().find(may_be_base),
        };
        let mut row = base?;
        for event in 0..self.events {
            if !meets(row, event + 2) {
                return None;
            }
            row = match self.direction {
                Direction::Forward => Some(row + 1).filter(|next| *next < rows)?,
                Direction::Backward => row.checked_sub(1)?,
            };
        }
        Some(row)
    }
}
