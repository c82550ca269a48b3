//! The touch that a row is attributed to, row by row: the first or the last one of its life.

use std::collections::VecDeque;

use crate::journey::time::Window;

/// Which touch of a life counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pick {
    /// The first.
    First,
    /// The last.
    Last,
}

/// When a touch ceases to count.
#[derive(Debug, Clone)]
pub enum Expiry<W> {
    /// Never.
    Never,
    /// With a row that expires. `before`: that row belongs to the new life already, with its own touch; else it is the
    /// last row of the old one.
    If { before: bool },
    /// When it is older than this, end included: the first touch is the first of those that are not.
    Timeout(W),
}

/// The touches of one person so far. Adobe's `ATTRIBUTION_FIRST_TOUCH` and `ATTRIBUTION_LAST_TOUCH`, rows up to the
/// current one.
#[derive(Debug, Clone)]
pub struct TouchLife<W> {
    pick: Pick,
    expiry: Expiry<W>,
    /// Rows and times of touches that may count; only with a timeout and the first touch more than one.
    touches: VecDeque<(usize, i64)>,
}

impl<W: Window> TouchLife<W> {
    /// No rows yet.
    pub fn new(pick: Pick, expiry: Expiry<W>) -> Self {
        Self { pick, expiry, touches: VecDeque::new() }
    }

    /// Takes the next row and returns the row of the touch that it is attributed to. Rows come in order of time, and
    /// `expires` is looked at with [`Expiry::If`] only. O(1) per row over all rows.
    pub fn push(&mut self, row: usize, time: i64, is_touch: bool, expires: bool) -> Option<usize> {
        if expires && matches!(self.expiry, Expiry::If { before: true }) {
            self.touches.clear();
        }
        if let Expiry::Timeout(window) = &self.expiry {
            while self.touches.front().is_some_and(|(_, touched)| window.end(*touched) < time) {
                self.touches.pop_front();
            }
        }
        if is_touch {
            match (self.pick, &self.expiry) {
                (Pick::First, Expiry::Timeout(_)) => self.touches.push_back((row, time)),
                (Pick::First, _) if !self.touches.is_empty() => {}
                _ => {
                    self.touches.clear();
                    self.touches.push_back((row, time));
                }
            }
        }
        let touch = self.touches.front().map(|(row, _)| *row);
        if expires && matches!(self.expiry, Expiry::If { before: false }) {
            self.touches.clear();
        }
        touch
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journey::time::FixedWindow;

    type Row = (i64, bool, bool);

    fn found(pick: Pick, expiry: Expiry<FixedWindow>, rows: &[Row]) -> Vec<Option<usize>> {
        let mut life = TouchLife::new(pick, expiry);
        let push = |(row, (time, touch, expires)): (usize, &Row)| life.push(row, *time, *touch, *expires);
        rows.iter().enumerate().map(push).collect()
    }

    /// All rows up to each row, looked at again.
    fn slow(pick: Pick, expiry: &Expiry<FixedWindow>, rows: &[Row]) -> Vec<Option<usize>> {
        let of = |current: usize| {
            let start = match expiry {
                Expiry::If { before: true } => (0..=current).rev().find(|row| rows[*row].2).unwrap_or(0),
                Expiry::If { before: false } => {
                    (0..current).rev().find(|row| rows[*row].2).map_or(0, |row| row + 1)
                }
                _ => 0,
            };
            let counts = |row: &usize| {
                let is_young = match expiry {
                    Expiry::Timeout(window) => window.end(rows[*row].0) >= rows[current].0,
                    _ => true,
                };
                rows[*row].1 && is_young
            };
            let mut touches = (start..=current).filter(counts);
            if pick == Pick::First { touches.next() } else { touches.next_back() }
        };
        (0..rows.len()).map(of).collect()
    }

    #[test]
    fn equals_looking_at_all_rows_again() {
        let mut state = 7_u64;
        let mut below = |limit: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % limit
        };
        for _ in 0..10_000 {
            let mut time = 0;
            let count = below(10);
            let rows: Vec<Row> = (0..count)
                .map(|_| {
                    time += below(4) as i64;
                    (time, below(2) == 0, below(4) == 0)
                })
                .collect();
            let length = FixedWindow::new(below(8) as i64).unwrap();
            for pick in [Pick::First, Pick::Last] {
                for expiry in [
                    Expiry::Never,
                    Expiry::If { before: true },
                    Expiry::If { before: false },
                    Expiry::Timeout(length),
                ] {
                    let expected = slow(pick, &expiry, &rows);
                    assert_eq!(found(pick, expiry.clone(), &rows), expected, "{pick:?} {expiry:?} {rows:?}");
                }
            }
        }
    }
}
