//! Compaction in the background of a server, by a simple policy.
//!
//! Every [`Policy::interval`] each touchpoint table is looked at. A day is due if it has at least
//! [`Policy::min_extra_files`] files more than ranges of people, or a file of another writer, and nothing was written to it
//! for [`Policy::quiet`]; or if it has [`Policy::max_extra_files`] more, even while it is written to. Of the days that are
//! due, [`Policy::days_at_once`] are merged, those with most files first, with one thread and a quarter of the memory.
//! Whatever fails is logged and tried again the next time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::Clock;
use crate::config::EngineConfig;
use crate::error::Result;
use crate::maintain::optimize::{self, OptimizeReport, OptimizeRequest, plan};
use crate::store::Store;
use crate::store::layout::KeyPrefix;
use crate::store::snapshot::{DataFile, TableSnapshot};
use crate::store::table::TableKind;

/// When days are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// How often tables are looked at.
    pub interval: Duration,
    /// How long nothing must have been written to a day.
    pub quiet: Duration,
    /// Files beyond one for each range of people that are worth a rewrite of a quiet day.
    pub min_extra_files: usize,
    /// As many are worth it while the day is written to.
    pub max_extra_files: usize,
    /// Days merged in one round.
    pub days_at_once: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
            quiet: Duration::from_secs(300),
            min_extra_files: 4,
            max_extra_files: 64,
            days_at_once: 31,
        }
    }
}

impl Policy {
    /// The days of `snapshot` that are due at `now`, at most [`Self::days_at_once`].
    pub fn due(&self, snapshot: &TableSnapshot, now: DateTime<Utc>) -> HashSet<i32> {
        let days = plan::days_of(snapshot, None);
        self.choose(days, now)
    }

    fn choose(&self, days: BTreeMap<i32, Vec<DataFile>>, now: DateTime<Utc>) -> HashSet<i32> {
        let quiet_from = TimeDelta::from_std(self.quiet).ok().and_then(|quiet| now.checked_sub_signed(quiet));
        let mut due: Vec<(Reverse<usize>, i32)> = days
            .into_iter()
            .filter_map(|(day, files)| {
                let ranges: HashSet<(u8, u16)> = files
                    .iter()
                    .filter(|file| file.row_groups.is_some())
                    .filter_map(|file| KeyPrefix::of_file(&file.relative_path))
                    .map(|prefix| (prefix.bits, prefix.prefix))
                    .collect();
                let extra = files.len() - ranges.len();
                let is_foreign = files.iter().any(|file| file.row_groups.is_none());
                let newest = files.iter().map(|file| file.modified).max();
                let is_quiet = newest.zip(quiet_from).is_some_and(|(newest, from)| newest <= from);
                let is_due = extra >= self.max_extra_files
                    || (is_quiet && (extra >= self.min_extra_files.max(1) || is_foreign));
                is_due.then_some((Reverse(extra), day))
            })
            .collect();
        due.sort_unstable();
        due.into_iter().take(self.days_at_once).map(|(_, day)| day).collect()
    }
}

/// Looks at tables again and again, and merges what is due. Never ends; dropping it stops it, between two commits.
pub async fn run(store: Arc<Store>, config: EngineConfig, policy: Policy, clock: Arc<dyn Clock>) {
    let config =
        EngineConfig { target_partitions: 1, memory_limit_bytes: config.memory_limit_bytes / 4, ..config };
    // Tables whose newest version had nothing due, so that files that cannot be adopted are not tried for ever.
    let mut settled: HashMap<String, u64> = HashMap::new();
    loop {
        clock.sleep(policy.interval).await;
        if let Err(error) = round(&store, &config, &policy, clock.as_ref(), &mut settled).await {
            tracing::warn!(%error, "background maintenance failed; it is tried again");
        }
    }
}

/// Merges what is due now; the reports of the tables that had something.
///
/// # Errors
/// The first table that fails ends the round.
pub async fn round(
    store: &Store,
    config: &EngineConfig,
    policy: &Policy,
    clock: &dyn Clock,
    settled: &mut HashMap<String, u64>,
) -> Result<Vec<OptimizeReport>> {
    let mut reports = Vec::new();
    for table in store.table_names().await? {
        let Some(snapshot) = store.newest(&table).await? else { continue };
        if snapshot.kind() != TableKind::Touchpoints || settled.get(&table) == Some(&snapshot.version()) {
            continue;
        }
        let days = policy.due(&snapshot, clock.now());
        if days.is_empty() {
            continue;
        }
        store.require_writable().await?;
        let request = OptimizeRequest { table: table.clone(), days: None };
        let report = optimize::optimize_days(store, config, &request, Some(days)).await?;
        if report.version.is_none() {
            settled.insert(table.clone(), snapshot.version());
        }
        tracing::info!(
            %table,
            days = report.days_rewritten,
            files = report.files_removed,
            rows = report.rows,
            seconds = report.elapsed.as_secs_f64(),
            "days merged"
        );
        reports.push(report);
    }
    Ok(reports)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::layout::RowGroup;
    use crate::store::stats::FileStatistics;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap_or_default()
    }

    fn file(prefix: KeyPrefix, written: i64, is_ours: bool) -> DataFile {
        let path = prefix.file_path(1);
        DataFile {
            path: path.as_str().into(),
            relative_path: path,
            size: 1,
            modified: at(written),
            day: Some(1),
            statistics: FileStatistics::default(),
            row_groups: is_ours.then(|| vec![RowGroup { rows: 1, min_key: 0, max_key: 1 }]),
            checksum: is_ours.then_some(0),
        }
    }

    fn days(files: &[(i32, usize, i64, bool)]) -> BTreeMap<i32, Vec<DataFile>> {
        let prefix = KeyPrefix { bits: 1, prefix: 0 };
        let of = |(day, count, written, is_ours): &(i32, usize, i64, bool)| {
            (*day, (0..*count).map(|_| file(prefix, *written, *is_ours)).collect())
        };
        files.iter().map(of).collect()
    }

    #[test]
    fn quiet_days_with_many_files_are_due() {
        let policy = Policy { quiet: Duration::from_secs(100), days_at_once: 2, ..Policy::default() };
        let due = |files: &[_], now| {
            let mut due: Vec<i32> = policy.choose(days(files), at(now)).into_iter().collect();
            due.sort_unstable();
            due
        };
        assert_eq!(due(&[(1, 4, 0, true)], 1_000), [0_i32; 0], "not enough");
        assert_eq!(due(&[(1, 5, 0, true)], 1_000), [1], "four more than the one range");
        assert_eq!(due(&[(1, 5, 950, true)], 1_000), [0_i32; 0], "still written to");
        assert_eq!(due(&[(1, 65, 950, true)], 1_000), [1], "too many to wait");
        assert_eq!(due(&[(1, 1, 0, false)], 1_000), [1], "of another writer");
        assert_eq!(
            due(&[(1, 6, 0, true), (2, 8, 0, true), (3, 7, 0, true)], 1_000),
            [2, 3],
            "the worst first"
        );
    }
}
