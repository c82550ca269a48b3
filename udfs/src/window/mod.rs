//! Window functions.

mod sessionize;

pub use sessionize::Sessionize;
