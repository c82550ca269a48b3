//! Who is who: links between ids, and what they make of touchpoints.
//!
//! The reference table `identities` holds links: from an instant on, an `anonymous_id` is known as a `user_id`
//! ([`links`]). [`Resolver`] makes people of them. Loads apply them to new rows, `stitch`
//! ([`crate::maintain::stitch`]) to rows that are there already; both start from the id that a row came with, so that
//! the table does not depend on which came first. That id stays in the column `raw_user_id` where it is another than
//! `user_id`.

pub mod blocked;
pub mod links;
pub mod resolver;
pub mod rows;
mod union_find;

pub use resolver::{IdentityLimits, IdentitySummary, Link, Resolver};

/// The reference table of links.
pub const IDENTITIES: &str = "identities";
