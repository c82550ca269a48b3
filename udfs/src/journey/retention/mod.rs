//! Who comes back: retention, stickiness, lifecycle, active users.

pub mod seen;
