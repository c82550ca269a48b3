//! Scalar functions.

mod date_trunc;
mod path_transform;

pub(crate) use date_trunc::DateTrunc;
pub(crate) use path_transform::PathTransform;
