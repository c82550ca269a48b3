//! `wayfare load`.

use std::collections::BTreeSet;
use std::sync::Arc;

use wayfare_engine::load::read::{ReadOptions, parse_assignments, parse_time_zone};
use wayfare_engine::load::{Dedup, LoadReport, LoadRequest, OnError};
use wayfare_engine::store::layout::day_text;
use wayfare_engine::{Engine, EngineConfig};

use super::args::{DedupArg, LoadArgs, OnErrorArg};
use super::error::CliError;
use super::progress::Progress;
use super::{follow, output};

/// Loads and prints the report.
pub async fn run(config: EngineConfig, args: &LoadArgs) -> Result<(), CliError> {
    let config = EngineConfig { target_file_bytes: args.target_file_size as u64, ..config };
    let request = request(args)?;
    if args.follow {
        return follow::run(config, args, request).await;
    }
    wayfare_engine::load::check(&request, &config).await?;
    let engine = Engine::open_or_create(config).await?;
    let progress = Arc::new(Progress::new());
    let loaded = if args.reference {
        engine.load_reference(&request).await
    } else {
        engine.load(&request, Arc::clone(&progress) as _).await
    };
    progress.finish();
    output::print(&render(&loaded?, &args.table))
}

fn request(args: &LoadArgs) -> Result<LoadRequest, CliError> {
    if args.rejects.is_some() && args.on_error == OnErrorArg::Abort {
        return Err(CliError::Other("--rejects needs --on-error skip".to_owned()));
    }
    let read = ReadOptions {
        format: args.format.map(Into::into),
        preset: args.preset.map(Into::into),
        mapping: assignments(&args.map)?,
        constants: assignments(&args.set)?,
        extra: args.extra.into(),
        ts_unit: args.ts_unit.map(Into::into),
        time_zone: parse_time_zone(&args.timezone).map_err(wayfare_engine::Error::from)?,
        ..ReadOptions::default()
    };
    Ok(LoadRequest {
        table: args.table.clone(),
        inputs: args.inputs.clone(),
        read,
        on_error: match args.on_error {
            OnErrorArg::Abort => OnError::Abort,
            OnErrorArg::Skip => OnError::Skip { rejects: args.rejects.clone() },
        },
        dedup: match args.dedup {
            DedupArg::EventId => Dedup::EventId,
            DedupArg::None => Dedup::None,
        },
        force: args.force,
    })
}

/// Parses `COLUMN=VALUE,...`, given any number of times.
pub fn assignments(texts: &[String]) -> Result<Vec<(String, String)>, CliError> {
    let mut all = Vec::new();
    for text in texts {
        all.extend(parse_assignments(text).map_err(wayfare_engine::Error::from)?);
    }
    Ok(all)
}

/// The report as text, one figure per line.
pub fn render(report: &LoadReport, table: &str) -> String {
    let mut text = String::new();
    if report.rows_erased > 0 {
        text += &format!("left out: {} rows of people who were erased\n", report.rows_erased);
    }
    if report.rows_left_out > 0 {
        text += &format!("left out: {} rows that the tool itself does not count\n", report.rows_left_out);
    }
    if report.rows_resolved > 0 {
        text += &format!("known people: {} rows came with another id of theirs\n", report.rows_resolved);
    }
    for file in &report.files_already_loaded {
        text += &format!("already loaded: {file} (its content is in the log; --force loads it again)\n");
    }
    let seconds = report.elapsed.as_secs_f64();
    let rate = report.rows_read as f64 / seconds.max(0.001);
    text += &output::figures(&[
        ("files", report.files.to_string()),
        ("rows read", report.rows_read.to_string()),
        ("rows loaded", report.rows_loaded.to_string()),
        ("rows skipped as duplicates", report.rows_duplicate.to_string()),
        ("rows rejected", report.rows_rejected.to_string()),
        ("days touched", days(&report.days)),
        ("bytes read", report.bytes_read.to_string()),
        ("bytes written", format!("{} in {} files", report.bytes_written, report.files_written)),
        ("seconds", format!("{seconds:.2} ({rate:.0} rows/s)")),
    ]);
    text += &match report.version {
        Some(version) => format!("table {table} is now at version {version}\n"),
        None => format!("nothing new: table {table} is unchanged\n"),
    };
    text
}

fn days(days: &BTreeSet<i32>) -> String {
    match (days.first(), days.last()) {
        (Some(first), Some(last)) => format!("{} ({} to {})", days.len(), day_text(*first), day_text(*last)),
        _ => "0".to_owned(),
    }
}
