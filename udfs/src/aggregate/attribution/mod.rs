//! Attribution: the aggregates over the rows of one person, and the function `attribute`.
//!
//! All of them keep the rows that are touches, conversions or conditions of a rule, in order of time, and find for each
//! conversion the touches that count ([`crate::journey::attribution`]); cost as told there.

mod attribute;
mod credits;
mod divide;
mod explain;
mod keys;
mod layout;
mod models;
mod names;
mod summary;
mod totals;

pub(crate) use attribute::attribute_function;
pub(crate) use credits::{Credits, amounts};
pub(crate) use explain::Explain;
pub(crate) use layout::{Bound, Layout, half_life};
pub(crate) use models::{
    CUSTOM, DEFAULT_MODELS, EVENT_REGULAR, ModelKind, NamedModel, SEGMENT_ROWS, SegmentSpec, names,
};
pub(crate) use summary::Summary;
pub(crate) use totals::{Totals, wide};

/// Key of what no touch gets.
pub(crate) const NONE: &str = "(none)";
