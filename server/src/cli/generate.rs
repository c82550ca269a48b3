//! `wayfare generate`.

use std::time::Instant;

use wayfare_datasets::{GeneratorConfig, write_dataset};

use super::args::GenerateArgs;
use super::error::CliError;
use super::output;

/// People per touchpoint if the number of people is not given.
const EVENTS_PER_USER: u64 = 30;

/// Writes the files and prints what was written.
pub async fn run(args: GenerateArgs) -> Result<(), CliError> {
    let config = GeneratorConfig {
        events: args.events,
        users: args.users.unwrap_or_else(|| args.events.div_ceil(EVENTS_PER_USER)),
        days: args.days,
        arrival_days: args.arrival_days,
        seed: args.seed,
        start: args.start,
        duplicates: args.duplicates,
        late: args.late,
        out_of_order: args.out_of_order,
    };
    let started = Instant::now();
    let report = tokio::task::spawn_blocking(move || {
        let compression = args.compression.map(Into::into);
        write_dataset(&config, &args.out, args.format.into(), compression, args.parts)
    })
    .await
    .map_err(|e| CliError::Other(e.to_string()))??;
    let seconds = started.elapsed().as_secs_f64();
    output::print(&format!(
        "wrote {} rows, {} bytes in {} files in {seconds:.2} s ({:.0} rows/s)\n",
        report.rows,
        report.bytes,
        report.files.len(),
        report.rows as f64 / seconds.max(0.001),
    ))
}
