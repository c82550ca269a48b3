//! Comparisons of the time between rows, as whole ticks.

use crate::journey::time::TickUnit;

/// A closed range of elapsed ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Elapsed {
    pub(super) min: u64,
    pub(super) max: u64,
}

impl Elapsed {
    pub(super) const ANY: Self = Self { min: 0, max: u64::MAX };

    pub(super) fn and(self, other: Self) -> Self {
        Self { min: self.min.max(other.min), max: self.max.min(other.max) }
    }

    pub(super) fn is_empty(self) -> bool {
        self.min > self.max
    }

    pub(super) fn holds(self, elapsed: u64) -> bool {
        (self.min..=self.max).contains(&elapsed)
    }
}

/// Ticks from `from` to `to`, which is not earlier.
pub(super) fn elapsed(from: i64, to: i64) -> u64 {
    debug_assert!(from <= to);
    // Exact also where the difference is beyond i64.
    to.wrapping_sub(from) as u64
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    AtLeast,
    More,
    AtMost,
    Less,
    Equal,
    NotEqual,
}

impl Comparison {
    /// Longer signs stand before those that they begin with.
    pub(super) const SIGNS: [(&'static str, Self); 7] = [
        (">=", Self::AtLeast),
        ("<=", Self::AtMost),
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        (">", Self::More),
        ("<", Self::Less),
        ("=", Self::Equal),
    ];

    /// The elapsed ticks for which it holds: no range, one or two. The length is `amount` times `unit`
    /// nanoseconds and need not be a whole number of ticks.
    pub(super) fn ranges(self, length: Length) -> Vec<Elapsed> {
        let Length { floor, is_whole } = length;
        let max = u64::MAX;
        let below = |bound: u64| bound.checked_sub(1).map(|max| Elapsed { min: 0, max });
        let above = |bound: u64| bound.checked_add(1).map(|min| Elapsed { min, max });
        let from_floor = Some(Elapsed { min: floor, max });
        let ranges = match (self, is_whole) {
            (Self::AtLeast, true) => [from_floor, None],
            (Self::AtLeast | Self::More, _) => [above(floor), None],
            (Self::AtMost, _) | (Self::Less, false) => [Some(Elapsed { min: 0, max: floor }), None],
            (Self::Less, true) => [below(floor), None],
            (Self::Equal, true) => [Some(Elapsed { min: floor, max: floor }), None],
            (Self::Equal, false) => [None, None],
            (Self::NotEqual, true) => [below(floor), above(floor)],
            (Self::NotEqual, false) => [Some(Elapsed::ANY), None],
        };
        ranges.into_iter().flatten().collect()
    }
}

/// A length in ticks, rounded down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Length {
    floor: u64,
    is_whole: bool,
}

/// Units that may stand behind a number, in nanoseconds.
pub(super) const UNITS: [(&str, u64); 7] = [
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

impl Length {
    /// `amount` ticks.
    pub(super) fn of_ticks(amount: u64) -> Self {
        Self { floor: amount, is_whole: true }
    }

    /// `amount` units of so many nanoseconds, in ticks of `tick`; beyond the largest length it is the largest.
    pub(super) fn of_units(amount: u64, nanos: u64, tick: TickUnit) -> Self {
        let nanos = u128::from(amount) * u128::from(nanos);
        let tick = u128::from(tick.nanos().unsigned_abs());
        Self { floor: u64::try_from(nanos / tick).unwrap_or(u64::MAX), is_whole: nanos.is_multiple_of(tick) }
    }
}
