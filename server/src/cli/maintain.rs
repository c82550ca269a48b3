//! `wayfare optimize`, `erase`, `expire`, `vacuum`, `restore` and `check`.

use wayfare_engine::maintain::erase::EraseRequest;
use wayfare_engine::maintain::optimize::{OptimizeReport, OptimizeRequest};
use wayfare_engine::maintain::vacuum::VacuumRequest;
use wayfare_engine::store::layout::day_of;
use wayfare_engine::{Engine, EngineConfig};

use super::args::{EraseArgs, ExpireArgs, OptimizeArgs, RestoreArgs, VacuumArgs};
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
    text += &output::outcome(report.version, table);
    text
}

/// Erases people.
pub async fn erase(engine: &Engine, args: &EraseArgs) -> Result<(), CliError> {
    let ids = match (&args.user_id, &args.file) {
        (Some(id), _) => id.clone(),
        (None, Some(file)) => {
            std::fs::read_to_string(file).map_err(|e| CliError::io("read", file.display().to_string(), e))?
        }
        (None, None) => String::new(),
    };
    let request = EraseRequest {
        table: args.table.clone(),
        ids: match args.user_id {
            Some(_) => [ids].into(),
            None => ids.lines().map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned).collect(),
        },
        include_aliases: args.include_aliases,
        purge: args.purge,
    };
    for report in engine.erase(&request).await? {
        let mut text = output::figures(&[
            ("ids", format!("{} and {} aliases", report.ids, report.aliases)),
            ("rows erased", report.rows.to_string()),
            ("files rewritten", format!("{} of {} bytes", report.files, report.bytes_removed)),
            ("bytes written", report.bytes_added.to_string()),
            ("older files deleted", report.files_purged.to_string()),
            ("seconds", format!("{:.2}", report.elapsed.as_secs_f64())),
        ]);
        text += &output::outcome(Some(report.version), &report.table);
        output::print(&text)?;
    }
    Ok(())
}

/// Drops old days.
pub async fn expire(engine: &Engine, args: &ExpireArgs) -> Result<(), CliError> {
    let now = chrono::Utc::now().timestamp_micros();
    let age = i64::try_from(args.older_than.as_micros()).unwrap_or(i64::MAX);
    let report = engine.expire(&args.table, day_of(now.saturating_sub(age))).await?;
    let mut text = output::figures(&[
        ("days dropped", report.days.to_string()),
        ("rows dropped", report.rows.to_string()),
        ("files", report.files.to_string()),
    ]);
    text += &output::outcome(report.version, &args.table);
    output::print(&text)
}

/// Deletes files that only older versions need.
pub async fn vacuum(engine: &Engine, args: &VacuumArgs) -> Result<(), CliError> {
    let request =
        VacuumRequest { table: args.table.clone(), retention: args.retention, dry_run: args.dry_run };
    let report = engine.vacuum(&request).await?;
    let mut text = String::new();
    if args.dry_run {
        for file in &report.files {
            text += &format!("would delete {file}\n");
        }
    }
    text += &output::figures(&[
        (if args.dry_run { "files to delete" } else { "files deleted" }, report.files.len().to_string()),
        ("bytes", report.bytes.to_string()),
        ("unfinished files", report.unfinished.to_string()),
    ]);
    output::print(&text)
}

/// Goes back to an older version.
pub async fn restore(engine: &Engine, args: &RestoreArgs) -> Result<(), CliError> {
    let version = engine.restore(&args.table, args.to_version).await?;
    output::print(&output::outcome(version, &args.table))
}

/// Reads all files; what is wrong makes the command fail.
pub async fn check(engine: &Engine, table: &str) -> Result<(), CliError> {
    let report = engine.check(table).await?;
    let mut text: String = report.problems.iter().map(|problem| format!("wrong: {problem}\n")).collect();
    text += &output::figures(&[
        ("files read", format!("{} of {} bytes", report.files, report.bytes)),
        ("files of other writers", report.files_of_others.to_string()),
        ("rows", report.rows.to_string()),
        ("problems", report.problems.len().to_string()),
    ]);
    output::print(&text)?;
    match report.problems.len() {
        0 => Ok(()),
        1 => Err(CliError::Other(format!("table {table:?} has 1 problem, named above"))),
        n => Err(CliError::Other(format!("table {table:?} has {n} problems, named above"))),
    }
}
