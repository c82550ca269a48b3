//! `wayfare optimize`.

use wayfare_engine::maintain::optimize::{OptimizeReport, OptimizeRequest};
use wayfare_engine::{Engine, EngineConfig};

use super::args::OptimizeArgs;
use super::error::CliError;
use super::output;

/// Merges files and prints the report.
pub async fn optimize(config: EngineConfig, args: &OptimizeArgs) -> Result<(), CliError> {
    let config = EngineConfig { target_file_bytes: args.target_file_size as u64, ..config };
    let request = OptimizeRequest { table: args.table.clone(), days: args.days };
    let report = Engine::open(config).await?.optimize(&request).await?;
    output::print(&render(&report, &args.table))
}

fn render(report: &OptimizeReport, table: &str) -> String {
    let seconds = report.elapsed.as_secs_f64();
    let rate = report.rows as f64 / seconds.max(0.001);
    let mut text = String::new();
    for file in &report.not_adopted {
        text += &format!("left as it is: {file}\n");
    }
    text += &output::figures(&[
        ("days looked at", report.days.to_string()),
        ("days rewritten", report.days_rewritten.to_string()),
        ("rows rewritten", report.rows.to_string()),
        ("files merged", format!("{} of {} bytes", report.files_removed, report.bytes_removed)),
        ("files of other writers", report.files_adopted.to_string()),
        ("files written", format!("{} of {} bytes", report.files_added, report.bytes_added)),
        ("seconds", format!("{seconds:.2} ({rate:.0} rows/s)")),
    ]);
    text += &outcome(report.version, table);
    text
}

/// The last line of a report.
fn outcome(version: Option<u64>, table: &str) -> String {
    match version {
        Some(version) => format!("table {table} is now at version {version}\n"),
        None => format!("nothing to do: table {table} is unchanged\n"),
    }
}
