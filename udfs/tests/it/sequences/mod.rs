//! Patterns of rows, and the value next to a sequence.

mod clickhouse;
mod next_node_vectors;
mod properties;
mod sql;
mod vectors;
