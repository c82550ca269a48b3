//! Data-driven attribution: journeys reduced to what a method needs, and the methods over all of them.
//!
//! Two steps. The first reduces journeys, of each person's rows ([`Journeys`]) or as they are given ([`GivenPaths`]), to
//! different transitions, sets or paths with their counts ([`cells`]): counts are whole numbers, so sums do not depend on
//! any order. The second ([`Method`]) takes those of all people at once and computes the report.

mod cells;
mod given;
mod journeys;
mod method;
mod report;

pub(crate) use cells::{FIELDS, Reduce};
pub(crate) use given::GivenPaths;
pub(crate) use journeys::Journeys;
pub(crate) use method::{Kind, MethodCall as Method};
