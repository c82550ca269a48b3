//! Lengths of time and where they end: the only place that computes with times.

/// Unit of the `i64` ticks that the algorithms compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TickUnit {
    /// One tick is a second.
    Second,
    /// One tick is a millisecond.
    Millisecond,
    /// One tick is a microsecond.
    Microsecond,
    /// One tick is a nanosecond.
    Nanosecond,
}

impl TickUnit {
    /// Nanoseconds in one tick.
    pub fn nanos(self) -> i64 {
        match self {
            Self::Second => 1_000_000_000,
            Self::Millisecond => 1_000_000,
            Self::Microsecond => 1_000,
            Self::Nanosecond => 1,
        }
    }

    /// Ticks in one second.
    pub fn per_second(self) -> i64 {
        1_000_000_000 / self.nanos()
    }
}

/// A rule for the last instant that still belongs to what began at `start`.
///
/// The end is inclusive. An end beyond the largest `i64` is the largest `i64`: a window that
/// overflows has no limit.
pub trait Window {
    /// Whether it is as long wherever it starts: then its end costs less than the choice not to ask for it.
    const IS_FIXED: bool = false;

    /// Returns the last tick of the window that starts at tick `start`: never one before it.
    fn end(&self, start: i64) -> i64;
}

impl<W: Window> Window for &W {
    const IS_FIXED: bool = W::IS_FIXED;

    fn end(&self, start: i64) -> i64 {
        (**self).end(start)
    }
}

/// A window of the same number of ticks wherever it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedWindow {
    ticks: i64,
}

impl FixedWindow {
    /// Returns a window of `ticks`, or `None` if `ticks` is negative.
    pub fn new(ticks: i64) -> Option<Self> {
        (ticks >= 0).then_some(Self { ticks })
    }

    /// Returns a window of `nanos` nanoseconds counted in `unit`, or `None` if it is negative.
    ///
    /// Rounded down to whole ticks, which loses nothing: times are whole ticks too, so
    /// `time - start <= nanos` holds exactly when it holds for the rounded length.
    /// A length beyond the largest `i64` becomes the largest, which never ends.
    pub fn from_nanos(nanos: i128, unit: TickUnit) -> Option<Self> {
        if nanos < 0 {
            return None;
        }
        let ticks = nanos / i128::from(unit.nanos());
        Some(Self { ticks: i64::try_from(ticks).unwrap_or(i64::MAX) })
    }
}

impl Window for FixedWindow {
    const IS_FIXED: bool = true;

    fn end(&self, start: i64) -> i64 {
        start.saturating_add(self.ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negative_lengths_are_refused() {
        assert_eq!(FixedWindow::new(-1), None);
        assert_eq!(FixedWindow::from_nanos(-1, TickUnit::Second), None);
        assert!(FixedWindow::new(0).is_some());
    }

    #[test]
    fn nanoseconds_round_down_to_ticks() {
        let window = FixedWindow::from_nanos(1_999_999_999, TickUnit::Second);
        assert_eq!(window.map(|w| w.end(10)), Some(11));
        let window = FixedWindow::from_nanos(1_999_999_999, TickUnit::Millisecond);
        assert_eq!(window.map(|w| w.end(0)), Some(1_999));
        let window = FixedWindow::from_nanos(1_500, TickUnit::Microsecond);
        assert_eq!(window.map(|w| w.end(0)), Some(1));
        let window = FixedWindow::from_nanos(1_500, TickUnit::Nanosecond);
        assert_eq!(window.map(|w| w.end(0)), Some(1_500));
    }

    #[test]
    fn overflow_means_no_limit() {
        let window = FixedWindow::new(100);
        assert_eq!(window.map(|w| w.end(i64::MAX - 5)), Some(i64::MAX));
        let window = FixedWindow::from_nanos(i128::MAX, TickUnit::Nanosecond);
        assert_eq!(window.map(|w| w.end(1)), Some(i64::MAX));
        let window = FixedWindow::new(i64::MAX);
        assert_eq!(window.map(|w| w.end(-1)), Some(i64::MAX - 1));
    }

    #[test]
    fn units_agree() {
        for unit in [TickUnit::Second, TickUnit::Millisecond, TickUnit::Microsecond, TickUnit::Nanosecond] {
            assert_eq!(unit.nanos() * unit.per_second(), 1_000_000_000);
        }
    }
}
