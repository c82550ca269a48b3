//! Paths made simpler, as attribution models want them.

use std::collections::HashSet;
use std::hash::Hash;

/// One change of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transform<'a, T> {
    /// Nothing.
    Unique,
    /// Neighbouring equal nodes become one.
    Exposure,
    /// Only the first of equal nodes.
    First,
    /// Only the last `count` nodes.
    Last(usize),
    /// All but the last `count` nodes.
    RemoveLast(usize),
    /// The given node nowhere, unless there is nothing else.
    RemoveIfNotAll(&'a T),
    /// The given node not at the end, unless there is nothing else.
    RemoveIfLastAndNotAll(&'a T),
}

impl<T: Eq + Hash> Transform<'_, T> {
    /// Returns the positions of the nodes that stay, in order. O(n).
    ///
    /// Source: the path transforms of Snowplow's fractribution package.
    pub fn apply(&self, path: &[T]) -> Vec<usize> {
        let all = 0..path.len();
        match self {
            Self::Unique => all.collect(),
            Self::Exposure => all.filter(|at| *at == 0 || path[*at] != path[at - 1]).collect(),
            Self::First => {
                let mut seen = HashSet::new();
                all.filter(|at| seen.insert(&path[*at])).collect()
            }
            Self::Last(count) => (path.len().saturating_sub(*count)..path.len()).collect(),
            Self::RemoveLast(count) => (0..path.len().saturating_sub(*count)).collect(),
            Self::RemoveIfNotAll(node) => {
                let kept: Vec<usize> = all.clone().filter(|at| path[*at] != **node).collect();
                if kept.is_empty() { all.collect() } else { kept }
            }
            Self::RemoveIfLastAndNotAll(node) => {
                let end = path.iter().rposition(|other| other != *node).map_or(path.len(), |last| last + 1);
                (0..end).collect()
            }
        }
    }
}
