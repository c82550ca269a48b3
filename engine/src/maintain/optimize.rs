//! Compaction: the files of a day become one for each range of people, sorted, with statistics and checksum.
//!
//! Many small loads leave many small files in each day; files that other engines appended have neither order nor
//! `user_key`. Both are read by the slower ways. Compaction never changes an answer, changes no rows (Delta's
//! `dataChange` is false), and can run at any time: a day whose files were taken away by somebody else meanwhile is
//! merged again, and a day to which rows came meanwhile keeps them. The old files stay until they are vacuumed, for
//! readers of older versions.

pub(super) mod merge;
pub(super) mod plan;

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::{Duration, Instant};

use deltalake_core::protocol::DeltaOperation;
use futures::StreamExt;

use crate::config::EngineConfig;
use crate::error::{Error, Result, StoreError};
use crate::maintain::touchpoint_snapshot;
use crate::store::replace::{self, Replacement, Terms};
use crate::store::snapshot::TableSnapshot;
use crate::store::{Store, commit, history};
use merge::Job;
use plan::DayPlan;

/// How often days are planned again because their files were taken away by others.
const MAX_ROUNDS: usize = 20;
/// One commit exchanges at most so many days, and after so many bytes: what is done is not lost if the rest is
/// interrupted, and the log does not grow by a commit per day.
const COMMIT_DAYS: usize = 64;
const COMMIT_BYTES: u64 = 8 << 30;

/// A range of days, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayRange {
    /// The first day, as days since the epoch.
    pub first: i32,
    /// The last day.
    pub last: i32,
}

impl DayRange {
    /// Whether `day` is in the range.
    pub fn contains(self, day: i32) -> bool {
        RangeInclusive::new(self.first, self.last).contains(&day)
    }
}

/// What is to be compacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptimizeRequest {
    /// The touchpoint table.
    pub table: String,
    /// Only these days; all if `None`.
    pub days: Option<DayRange>,
}

/// How a compaction ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptimizeReport {
    /// Newest version with merged days; `None` if there was nothing to do.
    pub version: Option<u64>,
    /// Days looked at.
    pub days: u64,
    /// Days that were rewritten.
    pub days_rewritten: u64,
    /// Rows in them.
    pub rows: u64,
    /// Files that were merged, and those of other writers among them.
    pub files_removed: u64,
    /// Files of other writers that were taken over.
    pub files_adopted: u64,
    /// Files written.
    pub files_added: u64,
    /// Bytes of the files that were merged.
    pub bytes_removed: u64,
    /// Bytes written.
    pub bytes_added: u64,
    /// Files of other writers that do not fit the layout, and why: they stay as they are.
    pub not_adopted: Vec<String>,
    /// Time taken.
    pub elapsed: Duration,
}

/// Merges the files of each day of `request` that is not in order.
///
/// # Errors
/// A damaged file ends it with an error that names the file. Days that were committed before stay merged.
pub async fn optimize(
    store: &Store,
    config: &EngineConfig,
    request: &OptimizeRequest,
) -> Result<OptimizeReport> {
    optimize_days(store, config, request, None).await
}

/// The same for these days alone, if it says.
pub(super) async fn optimize_days(
    store: &Store,
    config: &EngineConfig,
    request: &OptimizeRequest,
    mut only: Option<HashSet<i32>>,
) -> Result<OptimizeReport> {
    let started = Instant::now();
    let mut run = Run { config, request, leave: HashSet::new(), report: OptimizeReport::default() };
    for _ in 0..MAX_ROUNDS {
        let snapshot = touchpoint_snapshot(store, &request.table).await?;
        let again = run.round(snapshot, only.as_ref()).await?;
        if again.is_empty() {
            run.report.elapsed = started.elapsed();
            return Ok(run.report);
        }
        tracing::info!(table = %request.table, days = again.len(), "files changed meanwhile; merging again");
        only = Some(again);
    }
    Err(StoreError::Contention { table: request.table.clone(), attempts: MAX_ROUNDS }.into())
}

struct Run<'a> {
    config: &'a EngineConfig,
    request: &'a OptimizeRequest,
    /// Paths of files that cannot be adopted.
    leave: HashSet<String>,
    report: OptimizeReport,
}

impl Run<'_> {
    /// Merges the days that need it, those of `only` if it says; gives the days that must be planned again.
    async fn round(
        &mut self,
        snapshot: Arc<TableSnapshot>,
        only: Option<&HashSet<i32>>,
    ) -> Result<HashSet<i32>> {
        let days = plan::days_of(&snapshot, self.request.days);
        self.report.days = days.len() as u64;
        let plans: Vec<DayPlan> = days
            .iter()
            .filter(|(day, _)| only.is_none_or(|only| only.contains(day)))
            .filter_map(|(day, files)| plan::plan_day(*day, files, &self.leave, self.config))
            .collect();
        if plans.is_empty() {
            return Ok(HashSet::new());
        }
        let job = Arc::new(Job::new(&snapshot, self.config));
        let mut merging = futures::stream::iter(plans)
            .map(|plan| {
                let day = plan.day;
                let merged = tokio::spawn(merge::merge_day(Arc::clone(&job), plan));
                async move { (day, merged.await) }
            })
            .buffer_unordered(self.config.target_partitions.max(1));
        let mut ready: Vec<Replacement> = Vec::new();
        let (mut again, mut failure) = (HashSet::new(), None);
        while let Some((day, merged)) = merging.next().await {
            let merged = merged
                .unwrap_or_else(|e| Err(datafusion::error::DataFusionError::External(Box::new(e)).into()));
            match merged {
                Ok(merged) => ready.push(merged),
                Err(Error::Store(StoreError::NotAdoptable { file, reason })) => {
                    self.leave(&snapshot, &file, &reason);
                    again.insert(day);
                }
                Err(error) => {
                    // What is being merged elsewhere would be left lying about.
                    failure.get_or_insert(error);
                }
            }
            let bytes: u64 = ready.iter().flat_map(|m| &m.adds).map(|a| a.size.unsigned_abs()).sum();
            if failure.is_none() && (ready.len() >= COMMIT_DAYS || bytes >= COMMIT_BYTES) {
                let batch = std::mem::take(&mut ready);
                again.extend(self.commit(&job, &snapshot, batch).await?);
            }
        }
        if let Some(error) = failure {
            // A file that was read may have been vacuumed after others merged it too.
            for merged in &ready {
                commit::discard(&job.table, &merged.adds).await;
            }
            return Err(error);
        }
        again.extend(self.commit(&job, &snapshot, ready).await?);
        Ok(again)
    }

    fn leave(&mut self, snapshot: &TableSnapshot, place: &str, reason: &str) {
        let path = place.strip_prefix(&snapshot.table().location().display()).unwrap_or(place);
        if self.leave.insert(path.to_owned()) {
            self.report.not_adopted.push(format!("{place}: {reason}"));
        }
    }

    /// Commits what was merged; gives the days that came too late.
    async fn commit(
        &mut self,
        job: &Job,
        planned_on: &Arc<TableSnapshot>,
        merged: Vec<Replacement>,
    ) -> Result<HashSet<i32>> {
        if merged.is_empty() {
            return Ok(HashSet::new());
        }
        let terms = Terms {
            operation: DeltaOperation::Optimize {
                predicate: None,
                target_size: i64::try_from(self.config.target_file_bytes).unwrap_or(i64::MAX),
            },
            data_change: false,
            needs_all_rows: false,
            together: false,
            new_schema: None,
            info: vec![(history::INFO_OPERATION.to_owned(), "optimize".into())],
            transaction_ids: Vec::new(),
        };
        let replaced = replace::replace(&job.table, Arc::clone(planned_on), merged, &terms).await?;
        self.report.version = replaced.version.or(self.report.version);
        for day in &replaced.done {
            self.count(day);
        }
        for day in &replaced.stale {
            commit::discard(&job.table, &day.adds).await;
        }
        Ok(replaced.stale.iter().filter_map(|day| day.removes.first()?.day).collect())
    }

    fn count(&mut self, day: &Replacement) {
        let report = &mut self.report;
        report.days_rewritten += 1;
        report.rows += day.rows;
        report.files_removed += day.removes.len() as u64;
        report.files_adopted += day.removes.iter().filter(|f| f.row_groups.is_none()).count() as u64;
        report.files_added += day.adds.len() as u64;
        report.bytes_removed += day.removes.iter().map(|f| f.size).sum::<u64>();
        report.bytes_added += day.adds.iter().map(|a| a.size.unsigned_abs()).sum::<u64>();
    }
}
