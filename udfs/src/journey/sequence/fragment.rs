//! Parts of a pattern while it is compiled: where they begin, where they end, what passes through.

use super::pattern::Between;

/// What lies between two rows, and the place of a time in it, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) between: Between,
    pub(super) gate: Option<usize>,
}

impl Gap {
    pub(super) const NOTHING: Self = Self { between: Between::NOTHING, gate: None };
    pub(super) const ANY_ROWS: Self = Self { between: Between::ANYTHING, gate: None };

    pub(super) fn and(self, other: Self) -> Self {
        Self { between: self.between.and(other.between), gate: self.gate.or(other.gate) }
    }
}

/// Gaps with the same state at one of their ends; none that another one covers.
pub(super) type Ends = Vec<(usize, Gap)>;

/// A part of a pattern.
#[derive(Debug, Clone, Default)]
pub(super) struct Fragment {
    /// States of its first row, with what lies before it in the part.
    pub(super) firsts: Ends,
    /// States of its last row, with what lies behind it in the part.
    pub(super) lasts: Ends,
    /// Gaps that the part can be, without any row.
    pub(super) through: Vec<Gap>,
}

/// Adds a gap unless another one of the same state covers it; removes those that it covers.
pub(super) fn add_end(ends: &mut Ends, state: usize, gap: Gap) {
    if gap.between.elapsed.is_empty()
        || ends.iter().any(|(known, other)| *known == state && other.between.covers(gap.between))
    {
        return;
    }
    ends.retain(|(known, other)| *known != state || !gap.between.covers(other.between));
    ends.push((state, gap));
}

pub(super) fn add_gap(gaps: &mut Vec<Gap>, gap: Gap) {
    if gap.between.elapsed.is_empty() || gaps.iter().any(|other| other.between.covers(gap.between)) {
        return;
    }
    gaps.retain(|other| !gap.between.covers(other.between));
    gaps.push(gap);
}

impl Fragment {
    /// Nothing, as between two parentheses.
    pub(super) fn empty() -> Self {
        Self { through: vec![Gap::NOTHING], ..Self::default() }
    }

    /// One row in `state`.
    pub(super) fn row(state: usize) -> Self {
        Self { firsts: vec![(state, Gap::NOTHING)], lasts: vec![(state, Gap::NOTHING)], through: vec![] }
    }

    /// Only gaps.
    pub(super) fn gaps(gaps: impl IntoIterator<Item = Gap>) -> Self {
        let mut fragment = Self::default();
        gaps.into_iter().for_each(|gap| add_gap(&mut fragment.through, gap));
        fragment
    }

    /// This one, or `other`.
    pub(super) fn or(mut self, other: Self) -> Self {
        other.firsts.into_iter().for_each(|(state, gap)| add_end(&mut self.firsts, state, gap));
        other.lasts.into_iter().for_each(|(state, gap)| add_end(&mut self.lasts, state, gap));
        other.through.into_iter().for_each(|gap| add_gap(&mut self.through, gap));
        self
    }
}
