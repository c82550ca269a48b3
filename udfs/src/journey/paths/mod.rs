//! Paths: the nodes that a person passes, cut into sessions or journeys, and what many paths have in common.
//!
//! Nodes are numbers that the caller gives to names. [`Cutter`] turns the rows of a person into paths; [`Edges`],
//! [`Frequent`] and [`Steps`] add up the paths of any number of people, in memory that grows with the different edges,
//! paths and steps, not with rows or people (except for the durations of [`Frequent`]).

mod centre;
mod cut;
mod edges;
mod frequent;
mod funnel;
mod hash;
mod steps;
mod transform;

pub use centre::{CentreSearch, PatternCentre};
pub use cut::{Cutter, Direction, Path, PathRow, Rules};
pub use edges::{Edge, EdgeKey, Edges};
pub use frequent::{Frequent, FrequentPath, FrequentPaths, median};
pub use funnel::FunnelPart;
pub use hash::BuildNumberHasher;
pub use steps::{StepKey, Steps};
pub use transform::Transform;

/// Numbers that stand for no name.
pub mod node {
    /// A row without a node.
    pub const NONE: u32 = u32::MAX;
    /// Before the first node.
    pub const START: u32 = u32::MAX - 1;
    /// After the last node of a path that converts.
    pub const CONVERSION: u32 = u32::MAX - 2;
    /// After the last node of a path that does not convert, where paths may.
    pub const NULL: u32 = u32::MAX - 3;
    /// After the last node where no conversion is asked for.
    pub const END: u32 = u32::MAX - 4;
    /// What was left out of the middle of a path.
    pub const ELLIPSIS: u32 = u32::MAX - 5;
    /// Names get numbers below this one.
    pub const LIMIT: u32 = u32::MAX - 5;

    /// Name of a number that stands for no name.
    pub fn special_name(node: u32) -> Option<&'static str> {
        match node {
            START => Some("(start)"),
            CONVERSION => Some("(conversion)"),
            NULL => Some("(null)"),
            END => Some("(end)"),
            ELLIPSIS => Some("..."),
            _ => None,
        }
    }
}

#[cfg(test)]
mod centre_tests;
#[cfg(test)]
mod tests;
