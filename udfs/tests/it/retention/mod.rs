//! Retention, stickiness, lifecycle, active users.

mod aggregate_vectors;
mod arguments;
mod data;
mod lifecycle_vectors;
mod matrix_vectors;
mod people;
mod properties;
mod reference;
mod reports;
mod sql;
