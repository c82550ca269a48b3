//! Whether the files of a table are what its log says.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use futures::TryStreamExt;

use crate::error::Result;
use crate::load::rows::required;
use crate::maintain::order::OrderCheck;
use crate::maintain::{read, touchpoint_snapshot};
use crate::schema;
use crate::store::Store;
use crate::store::layout::{self, KeyPrefix, RowGroup};
use crate::store::snapshot::{DataFile, TableSnapshot};
use crate::store::stats::StatisticsCollector;
use crate::store::table::{COUNTED_COLUMNS, STATISTICS_COLUMNS};
use crate::store::{integrity, writer};

const BATCH_ROWS: usize = 8192;

/// What was looked at and what is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// Files read, whole.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their rows.
    pub rows: u64,
    /// Files of other writers, of which less is known.
    pub files_of_others: u64,
    /// One sentence for each thing that is wrong, with the file's name.
    pub problems: Vec<String>,
}

/// Reads every file of the newest version of a touchpoint table and compares size, checksum, order, ranges of
/// people, day, hashes and statistics with the log.
///
/// # Errors
/// If the log itself cannot be read. What is wrong with files is in the report.
pub async fn check(store: &Store, table: &str) -> Result<CheckReport> {
    let snapshot = touchpoint_snapshot(store, table).await?;
    let mut report = CheckReport::default();
    for file in snapshot.files() {
        report.files += 1;
        report.bytes += file.size;
        report.files_of_others += u64::from(file.row_groups.is_none());
        match check_file(&snapshot, file).await {
            Ok((rows, problem)) => {
                report.rows += rows;
                report
                    .problems
                    .extend(problem.map(|p| format!("{:?} {p}", integrity::place(snapshot.table(), file))));
            }
            Err(error) => report.problems.push(error.to_string()),
        }
    }
    Ok(report)
}

/// The rows of a file and the first thing that is wrong with it.
async fn check_file(snapshot: &TableSnapshot, file: &DataFile) -> Result<(u64, Option<String>)> {
    let open = read::open(snapshot.table(), file).await?;
    let rows = open.rows();
    let file_schema = writer::file_schema(&snapshot.extra_fields());
    let mut batches = open.rows_as(file_schema, BATCH_ROWS)?;
    let is_ours = file.row_groups.is_some();
    let mut order = OrderCheck::default();
    let mut statistics = StatisticsCollector::default();
    let mut keys = Vec::new();
    while let Some(batch) = batches.try_next().await? {
        if !is_ours {
            continue;
        }
        if let Some(row) = order.first_misplaced(&batch)? {
            return Ok((rows, Some(format!("is not sorted: row {row} comes too late"))));
        }
        if let Some(problem) = misplaced(file, &batch)? {
            return Ok((rows, Some(problem)));
        }
        statistics.add(&batch, &STATISTICS_COLUMNS, &COUNTED_COLUMNS)?;
        keys.extend_from_slice(required(&batch, schema::USER_KEY)?.as_primitive::<Int64Type>().values());
    }
    if !is_ours {
        let told = file.statistics.num_records.filter(|told| *told != rows);
        return Ok((rows, told.map(|told| format!("has {rows} rows, but the log says {told}"))));
    }
    let mut found = statistics.finish();
    // Files of before tell nothing of them.
    found.null_count.retain(|column, _| {
        file.statistics.null_count.contains_key(column) || !COUNTED_COLUMNS.contains(&column.as_str())
    });
    if found != file.statistics {
        return Ok((rows, Some("has other statistics than the log says".to_owned())));
    }
    let groups = file.row_groups.as_deref().unwrap_or_default();
    Ok((
        rows,
        wrong_groups(groups, &keys).map(|n| format!("has other rows in row group {n} than the log says")),
    ))
}

/// Whether a row has another hash, prefix or day than its file.
fn misplaced(file: &DataFile, batch: &RecordBatch) -> Result<Option<String>> {
    let keys = required(batch, schema::USER_KEY)?.as_primitive::<Int64Type>();
    let users = required(batch, schema::USER_ID)?.as_string::<i32>();
    let times = required(batch, schema::TS)?.as_primitive::<TimestampMicrosecondType>();
    let prefix = KeyPrefix::of_file(&file.relative_path);
    for row in 0..batch.num_rows() {
        let key = keys.value(row);
        if key != schema::user_key(users.value(row)) {
            return Ok(Some("has a user_key that is not the hash of its user_id".to_owned()));
        }
        if prefix.is_some_and(|prefix| KeyPrefix::of(key, prefix.bits) != prefix) {
            return Ok(Some("has a person of another range than its name says".to_owned()));
        }
        if Some(layout::day_of(times.value(row))) != file.day {
            return Ok(Some("has a row of another day".to_owned()));
        }
    }
    Ok(None)
}

/// The first of `groups` that does not describe the keys, from 0.
fn wrong_groups(groups: &[RowGroup], keys: &[i64]) -> Option<usize> {
    let mut rest = keys;
    for (number, group) in groups.iter().enumerate() {
        let rows = usize::try_from(group.rows).unwrap_or(usize::MAX);
        let Some((these, after)) = rest.split_at_checked(rows) else { return Some(number) };
        if these.first() != Some(&group.min_key) || these.last() != Some(&group.max_key) {
            return Some(number);
        }
        rest = after;
    }
    (!rest.is_empty()).then_some(groups.len())
}
