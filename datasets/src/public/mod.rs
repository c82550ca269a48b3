//! Public data sets that are bundled with the crate, each with its licence.

pub mod simple_shop;
