//! Scalar functions.

mod path_transform;

pub(crate) use path_transform::PathTransform;
