//! Integration tests: the functions as SQL sees them, against known answers and slow references.

mod examples;
mod funnel_properties;
mod reference;
mod sessionize_sql;
mod sessionize_vectors;
mod sql;
mod window_funnel_sql;
mod window_funnel_vectors;
