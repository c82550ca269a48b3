//! Edges of many paths: how often one node follows another.

use std::collections::HashMap;

use super::cut::{Direction, Path};
use super::hash::BuildNumberHasher;
use super::node;

/// What an edge is counted under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EdgeKey {
    /// The segment of the path.
    pub segment: u32,
    /// Position of the edge in the path, from 1, or 0 where positions are not told apart. Backward it is counted from
    /// the end of the path.
    pub step: u32,
    /// From.
    pub source: u32,
    /// To.
    pub target: u32,
}

/// The figures of an edge.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Edge {
    /// How often it is passed.
    pub count: i128,
    /// People who pass it.
    pub persons: u64,
    /// How often it is passed with both times known.
    pub timed: i128,
    /// Ticks between its two nodes, over all of those.
    pub ticks: i128,
    /// How often it is part of a path that converts.
    pub conversions: i128,
    /// What the paths are worth, each counted once.
    pub value: i128,
    /// Number of the last person seen, from 1, and of the last path.
    last: (u64, u64),
}

/// Edges of any number of paths. Memory grows with the different edges.
#[derive(Debug, Clone)]
pub struct Edges {
    steps: Option<Direction>,
    ends: bool,
    may_convert: bool,
    person: u64,
    path: u64,
    edges: Vec<(EdgeKey, Edge)>,
    /// Positions in `edges`.
    places: HashMap<EdgeKey, usize, BuildNumberHasher>,
    /// The same for edges of step 0 in the first segment between the nodes that came first: by [`near`], [`UNKNOWN`] for
    /// an edge that did not come yet.
    near: Vec<usize>,
    /// Paths of each segment.
    paths: HashMap<u32, i128, BuildNumberHasher>,
}

/// Nodes whose edges are found without a hash: the numbers that stand for no name, and the first names.
const NEAR_NODES: usize = 64;
/// Numbers that stand for no name, of which there are at most so many.
const SPECIAL_NODES: u32 = 8;
const UNKNOWN: usize = usize::MAX;

/// The place of an edge among those between near nodes; `None` for any other one.
fn near(key: &EdgeKey) -> Option<usize> {
    // The special ones are the last numbers there are, and come to stand before the names.
    let number = |node: u32| node.wrapping_add(SPECIAL_NODES) as usize;
    let (source, target) = (number(key.source), number(key.target));
    let is_near = key.segment == 0 && key.step == 0 && source < NEAR_NODES && target < NEAR_NODES;
    is_near.then_some(source * NEAR_NODES + target)
}

impl Edges {
    /// Counts edges; by their position where `steps` says from which end. With `ends` also those from the start and to
    /// the end, which has the name of a conversion or of none where paths `may_convert`.
    pub fn new(steps: Option<Direction>, ends: bool, may_convert: bool) -> Self {
        Self {
            steps,
            ends,
            may_convert,
            person: 0,
            path: 0,
            edges: Vec::new(),
            places: HashMap::default(),
            near: vec![UNKNOWN; NEAR_NODES * NEAR_NODES],
            paths: HashMap::default(),
        }
    }

    /// The paths that follow are those of another person.
    pub fn next_person(&mut self) {
        self.person += 1;
    }

    /// Adds a path.
    pub fn add(&mut self, path: &Path<'_>) {
        self.path += 1;
        *self.paths.entry(path.segment).or_default() += i128::from(path.weight);
        // The edge from the start is number 0; backward the one to the end is.
        let count = path.nodes.len();
        let steps = self.steps;
        let step = |target: usize| match steps {
            None => 0,
            Some(Direction::Forward) => target,
            Some(Direction::Backward) => count - target,
        };
        let number = |step: usize| u32::try_from(step).unwrap_or(u32::MAX);
        if self.ends && !path.cut_before {
            let first = path.nodes.first().copied().unwrap_or_else(|| self.end(path));
            self.pass(path, number(step(0)), node::START, first, None);
        }
        for target in 1..count {
            let ticks = i128::from(path.times[target]) - i128::from(path.times[target - 1]);
            let is_known = path.nodes[target] != node::ELLIPSIS && path.nodes[target - 1] != node::ELLIPSIS;
            let (source, node) = (path.nodes[target - 1], path.nodes[target]);
            self.pass(path, number(step(target)), source, node, is_known.then_some(ticks));
        }
        if self.ends
            && !path.cut_behind
            && let (Some(last), Some(time)) = (path.nodes.last(), path.times.last())
        {
            let ticks = path.converted.map(|converted| i128::from(converted) - i128::from(*time));
            self.pass(path, number(step(count)), *last, self.end(path), ticks);
        }
    }

    fn end(&self, path: &Path<'_>) -> u32 {
        match path.converted {
            Some(_) => node::CONVERSION,
            None if self.may_convert => node::NULL,
            None => node::END,
        }
    }

    fn pass(&mut self, path: &Path<'_>, step: u32, source: u32, target: u32, ticks: Option<i128>) {
        let weight = i128::from(path.weight);
        let place = self.place(EdgeKey { segment: path.segment, step, source, target });
        let edge = &mut self.edges[place].1;
        edge.count += weight;
        if let Some(ticks) = ticks {
            edge.timed += weight;
            edge.ticks = edge.ticks.saturating_add(ticks.saturating_mul(weight));
        }
        edge.persons += u64::from(edge.last.0 != self.person);
        if edge.last.1 != self.path {
            edge.value = edge.value.saturating_add(path.value);
        }
        edge.last = (self.person, self.path);
        edge.conversions += if path.converted.is_some() { weight } else { 0 };
    }

    /// Where the figures of an edge are; those of a new one are zeros.
    fn place(&mut self, key: EdgeKey) -> usize {
        let next = self.edges.len();
        let place = match near(&key) {
            Some(near) => {
                let place = &mut self.near[near];
                if *place == UNKNOWN {
                    *place = next;
                }
                *place
            }
            None => *self.places.entry(key).or_insert(next),
        };
        if place == next {
            self.edges.push((key, Edge::default()));
        }
        place
    }

    /// The edges in order of their keys.
    pub fn sorted(&self) -> Vec<(EdgeKey, Edge)> {
        let mut edges = self.edges.clone();
        edges.sort_unstable_by_key(|(key, _)| *key);
        edges
    }

    /// Number of paths in each segment, in order of the segments.
    pub fn paths(&self) -> Vec<(u32, i128)> {
        let mut paths: Vec<(u32, i128)> =
            self.paths.iter().map(|(segment, count)| (*segment, *count)).collect();
        paths.sort_unstable();
        paths
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        // Few nodes near the last number and around the last near one.
        #[test]
        fn each_edge_has_a_place_of_its_own(
            keys in prop::collection::vec((0_u32..2, 0_u32..2, 0_u32..66, 50_u32..60), 0..300),
        ) {
            let mut edges = Edges::new(None, false, false);
            let mut known: Vec<EdgeKey> = Vec::new();
            for (segment, step, source, target) in keys {
                let key = EdgeKey { segment, step, source: source.wrapping_sub(6), target };
                let wanted = known.iter().position(|known| *known == key).unwrap_or(known.len());
                if wanted == known.len() {
                    known.push(key);
                }
                prop_assert_eq!(edges.place(key), wanted);
            }
            known.sort_unstable();
            prop_assert_eq!(edges.sorted().into_iter().map(|(key, _)| key).collect::<Vec<_>>(), known);
        }
    }
}
