//! `wayfare tables` and `wayfare history`.

use wayfare_engine::Engine;
use wayfare_engine::store::layout::day_text;

use super::error::CliError;
use super::output;

/// Lists tables.
pub async fn tables(engine: &Engine) -> Result<(), CliError> {
    let mut rows = vec![["table", "kind", "version", "rows", "files", "bytes", "days"].map(str::to_owned)];
    for table in engine.tables().await? {
        let days = table
            .days
            .map_or_else(String::new, |(first, last)| format!("{} to {}", day_text(first), day_text(last)));
        rows.push([
            table.name,
            table.kind.as_str().to_owned(),
            table.version.to_string(),
            table.rows.map_or_else(|| "unknown".to_owned(), |n| n.to_string()),
            table.files.to_string(),
            table.bytes.to_string(),
            days,
        ]);
    }
    output::print(&aligned(&rows))
}

/// Lists the commits of `table`.
pub async fn history(engine: &Engine, table: &str) -> Result<(), CliError> {
    let mut rows =
        vec![["version", "time", "operation", "rows", "files", "removed", "source"].map(str::to_owned)];
    for commit in engine.history(table).await? {
        let sources = match commit.sources.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        };
        rows.push([
            commit.version.to_string(),
            commit.time.map_or_else(String::new, |t| t.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()),
            commit.operation,
            commit.rows_added.to_string(),
            commit.files_added.to_string(),
            commit.files_removed.to_string(),
            sources,
        ]);
    }
    output::print(&aligned(&rows))
}

/// Columns as wide as their widest cell, two spaces apart.
fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in rows {
        let line: String = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}  ")).collect();
        text += line.trim_end();
        text.push('\n');
    }
    text
}
