//! Integration tests: the functions as SQL sees them, against known answers and slow references.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and says what it did not run"
)]

mod attribution;
mod channel_paths;
mod clickhouse_differential;
mod examples;
mod funnel_accumulators;
mod funnel_cases;
mod funnel_companions_sql;
mod funnel_plans;
mod funnel_properties;
mod funnel_reference;
mod funnel_sql;
mod intervals;
mod paths;
mod product_funnel_groups;
mod product_funnel_properties;
mod product_funnel_reference;
mod product_funnel_vectors;
mod reference;
mod retention;
mod sequences;
mod sessions;
mod sql;
mod table_keys;
mod window_funnel_sql;
mod window_funnel_vectors;
