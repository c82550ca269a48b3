//! Generated data sets as a user of the crate sees them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first surprise and says what it did not run"
)]

mod files;
mod formats;
mod rows;

use wayfare_datasets::GeneratorConfig;

/// A small data set with all disturbances.
fn disturbed() -> GeneratorConfig {
    GeneratorConfig {
        events: 20_000,
        users: 700,
        days: 14,
        seed: 9,
        duplicates: 0.05,
        late: 0.02,
        out_of_order: 0.1,
        ..GeneratorConfig::default()
    }
}
