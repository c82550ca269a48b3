//! Files whose rows change: finding them, rewriting each once, exchanging them all in one commit.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use futures::stream::FuturesUnordered;
use futures::{StreamExt, TryStreamExt};
use tokio::task::JoinHandle;

use crate::config::EngineConfig;
use crate::error::{Error, Result};
use crate::maintain::optimize::merge::{self, Edit, Job};
use crate::maintain::optimize::plan::DayPlan;
use crate::maintain::read;
use crate::store::commit;
use crate::store::layout::{DayDivision, KeyPrefix};
use crate::store::replace::{self, Replacement, Terms};
use crate::store::snapshot::{DataFile, TableSnapshot};

/// Rows of a batch in which rows are looked for.
const PROBE_ROWS: usize = 8192;

/// Files with changed rows, and those to come in their place; not committed yet.
#[derive(Debug)]
pub struct Rewritten {
    files: Vec<Replacement>,
}

impl Rewritten {
    /// Whether no row changes.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// How many files are to go.
    pub fn files(&self) -> u64 {
        self.files.iter().map(|f| f.removes.len() as u64).sum()
    }

    /// Rows in the files that are to go and that are not in those to come.
    pub fn rows_removed(&self) -> u64 {
        self.files.iter().map(|f| f.rows_before - f.rows).sum()
    }

    /// Bytes of the files that are to go.
    pub fn bytes_removed(&self) -> u64 {
        self.files.iter().flat_map(|f| &f.removes).map(|f| f.size).sum()
    }

    /// Bytes of the files to come.
    pub fn bytes_added(&self) -> u64 {
        self.files.iter().flat_map(|f| &f.adds).map(|a| a.size.unsigned_abs()).sum()
    }

    /// Commits all of it; `None` if that came too late, by what `terms` says.
    pub async fn commit(self, snapshot: &Arc<TableSnapshot>, terms: &Terms) -> Result<Option<u64>> {
        let table = snapshot.table();
        let replaced = replace::replace(table, Arc::clone(snapshot), self.files, terms).await?;
        for stale in &replaced.stale {
            commit::discard(table, &stale.adds).await;
        }
        Ok(replaced.version)
    }
}

/// Rewrites the files of `snapshot` in which `edit` changes rows; new files have the columns of `file_schema`, or those
/// of the table.
///
/// # Errors
/// A damaged file is named; nothing that was written stays.
pub async fn rewrite(
    config: &EngineConfig,
    snapshot: &Arc<TableSnapshot>,
    edit: Arc<dyn Edit>,
    file_schema: Option<SchemaRef>,
) -> Result<Rewritten> {
    let mut job = Job::new(snapshot, config);
    job.file_schema = file_schema.unwrap_or(job.file_schema);
    job.edit = Some(Arc::clone(&edit));
    let job = Arc::new(job);
    let at_once = config.target_partitions.max(1);
    let candidates: Vec<DataFile> = edit.files(snapshot)?.into_iter().cloned().collect();
    let probes = candidates.into_iter().map(|file| {
        let (job, edit) = (Arc::clone(&job), Arc::clone(&edit));
        async move { Ok(is_touched(&job, &file, edit.as_ref()).await?.then_some(file)) }
    });
    let touched: Vec<DataFile> = all(probes, at_once).await.0?.into_iter().flatten().collect();
    let plans = plans(touched, edit.keeps_order(), config);
    let merges = plans.into_iter().map(|plan| merge::merge_day(Arc::clone(&job), plan));
    match all(merges, at_once).await {
        (Ok(files), _) => Ok(Rewritten { files }),
        (Err(error), done) => {
            for replacement in &done {
                commit::discard(snapshot.table(), &replacement.adds).await;
            }
            Err(error)
        }
    }
}

/// Runs all of `work`, so many tasks at once; the first error if there is one, and with it what was done.
async fn all<T, F>(work: impl Iterator<Item = F>, at_once: usize) -> (Result<Vec<T>>, Vec<T>)
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let mut waiting = work;
    let mut running: FuturesUnordered<JoinHandle<Result<T>>> =
        waiting.by_ref().take(at_once).map(tokio::spawn).collect();
    let (mut done, mut failure) = (Vec::new(), None);
    while let Some(joined) = running.next().await {
        match joined.unwrap_or_else(|e| Err(Error::Query(DataFusionError::External(Box::new(e))))) {
            Ok(value) => done.push(value),
            Err(error) => {
                failure.get_or_insert(error);
            }
        }
        if failure.is_none() {
            running.extend(waiting.next().map(tokio::spawn));
        }
    }
    match failure {
        None => (Ok(done), Vec::new()),
        Some(error) => (Err(error), done),
    }
}

/// A file whose people stay where they are is rewritten alone, others with those of its day.
fn plans(files: Vec<DataFile>, keeps_order: bool, config: &EngineConfig) -> Vec<DayPlan> {
    let plan = |file: DataFile| DayPlan {
        day: file.day.unwrap_or_default(),
        division: division_of(&file, config),
        files: vec![file],
    };
    if keeps_order {
        return files.into_iter().map(plan).collect();
    }
    let mut days: BTreeMap<i32, DayPlan> = BTreeMap::new();
    for single in files.into_iter().map(plan) {
        match days.get_mut(&single.day) {
            None => {
                days.insert(single.day, single);
            }
            Some(day) => {
                day.files.extend(single.files);
                day.division = DayDivision {
                    file_bits: day.division.file_bits.max(single.division.file_bits),
                    group_bits: day.division.group_bits.max(single.division.group_bits),
                };
            }
        }
    }
    days.into_values().collect()
}

/// A rewritten file stays what it was: one range of people.
fn division_of(file: &DataFile, config: &EngineConfig) -> DayDivision {
    let rows = file.statistics.num_records.unwrap_or(0);
    let target = config.target_file_bytes;
    let fresh = DayDivision::new(rows, file.size, target, config.row_group_rows as u64);
    let bits = file.row_groups.as_ref().and_then(|_| KeyPrefix::of_file(&file.relative_path)).map(|p| p.bits);
    match bits {
        None => fresh,
        // A part of the keys needs as many bits more for pieces of the same size.
        Some(bits) => {
            DayDivision { file_bits: bits, group_bits: fresh.group_bits.saturating_add(bits).min(16) }
        }
    }
}

async fn is_touched(job: &Job, file: &DataFile, edit: &dyn Edit) -> Result<bool> {
    let mut rows = read::peek(&job.table, file, &job.file_schema, edit.reading(), PROBE_ROWS).await?;
    while let Some(batch) = rows.try_next().await? {
        if edit.touches(file.day.unwrap_or_default(), &batch)? {
            return Ok(true);
        }
    }
    Ok(false)
}
