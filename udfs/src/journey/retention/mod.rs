//! Who comes back: retention, stickiness, lifecycle, active users.
//!
//! A report is made in two steps. First, what one person's rows contribute: [`cells::Contribution`]s. Second, what
//! all contributions sum up to ([`cells::Cells`], which merge in any order) gives the rows of the report.

pub mod active;
pub mod cells;
pub mod lifecycle;
pub mod matrix;
pub mod range;
pub mod seen;
pub mod stickiness;
