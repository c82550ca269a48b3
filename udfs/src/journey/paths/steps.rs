//! Where paths are at each step.

use std::collections::HashMap;

use super::cut::Path;
use super::hash::BuildNumberHasher;
use super::node;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepKey {
    /// The segment of the path.
    pub segment: u32,
    /// The step: 0 is the start, or the centre where there is one.
    pub step: i32,
    /// The node, or the start or the end.
    pub node: u32,
}

/// Counts paths by node and step. Memory grows with nodes times steps.
#[derive(Debug, Clone)]
pub struct Steps {
    steps: i32,
    may_convert: bool,
    counts: HashMap<StepKey, i128, BuildNumberHasher>,
}

impl Steps {
    /// Counts up to `steps` steps, to both sides of a centre. The end has the name of a conversion or of none where
    /// paths `may_convert`.
    pub fn new(steps: u16, may_convert: bool) -> Self {
        Self { steps: i32::from(steps), may_convert, counts: HashMap::default() }
    }

    /// Adds a path. Its start is step 0 and its first node step 1; with `centred` its centre is step 0, and a path
    /// without one is left out. Before its first node a path is at the start, behind its last at the end, in all steps.
    pub fn add(&mut self, path: &Path<'_>, centred: bool) {
        let end = match path.converted {
            Some(_) => node::CONVERSION,
            None if self.may_convert => node::NULL,
            None => node::END,
        };
        let (first, zero) = match path.centre {
            _ if !centred => (0, -1),
            Some(centre) => (-self.steps, i64::try_from(centre).unwrap_or(i64::MAX)),
            None => return,
        };
        for step in first..=self.steps {
            let node = match usize::try_from(zero + i64::from(step)) {
                Err(_) => node::START,
                Ok(position) => path.nodes.get(position).copied().unwrap_or(end),
            };
            let key = StepKey { segment: path.segment, step, node };
            *self.counts.entry(key).or_default() += i128::from(path.weight);
        }
    }

    /// The counts in order of their keys.
    pub fn sorted(&self) -> Vec<(StepKey, i128)> {
        let mut counts: Vec<(StepKey, i128)> =
            self.counts.iter().map(|(key, count)| (*key, *count)).collect();
        counts.sort_unstable();
        counts
    }
}
