//! The writing half of a load: sorted rows to data files.

use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int32Type, UInt64Type};
use deltalake_core::kernel::Add;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::sync::watch;

use super::{Decision, Job, SORTED_BATCHES, arrow_error, join_error};
use crate::error::{Error, Result, StoreError};
use crate::load::coded::Codes;
use crate::load::day_sort::{self, SortSettings};
use crate::load::duplicates::RowNumber;
use crate::load::request::LoadProgress;
use crate::load::rows::{self, OccurrenceNumbers, WORK_DAY, WORK_ROW};
use crate::schema;
use crate::store::writer::LayoutWriter;

/// Sorts the rows of some days and writes them, once the decision is there.
pub(super) async fn write_part(
    job: Arc<Job>,
    input: Receiver<RecordBatch>,
    settings: SortSettings,
    mut decision: watch::Receiver<Option<Arc<Decision>>>,
    progress: Arc<dyn LoadProgress>,
) -> Result<Vec<Add>> {
    let codes = Arc::clone(&settings.codes);
    let (sender, sorted) = channel(SORTED_BATCHES);
    // A thread of its own: those of the runtime for blocking work may all be taken by readers that wait for this one.
    let runtime = tokio::runtime::Handle::current();
    let sorter = std::thread::Builder::new()
        .name("load-sort".to_owned())
        .spawn(move || {
            let _inside = runtime.enter();
            day_sort::run(settings, input, &sender);
        })
        .map_err(|e| StoreError::io("start", "a thread that sorts rows", e))?;
    let written = write_sorted(&job, sorted, &codes, &mut decision, progress.as_ref()).await;
    // It ends when nobody takes its rows; what it spilled is removed then.
    let ended = tokio::task::spawn_blocking(move || sorter.join()).await.map_err(join_error)?;
    if let Err(panic) = ended {
        if let Ok(adds) = &written {
            crate::store::commit::discard(&job.table, adds).await;
        }
        std::panic::resume_unwind(panic);
    }
    written
}

/// Writes sorted rows, once the decision is there.
async fn write_sorted(
    job: &Job,
    mut sorted: Receiver<Result<RecordBatch>>,
    codes: &Codes,
    decision: &mut watch::Receiver<Option<Arc<Decision>>>,
    progress: &dyn LoadProgress,
) -> Result<Vec<Add>> {
    // The first batch comes when the whole input has been read.
    let mut next = sorted.recv().await;
    if let Some(Err(error)) = next {
        // The readers stop for want of a receiver, so that no decision comes.
        return Err(unsortable(error, job));
    }
    let Ok(decided) = decision.wait_for(Option::is_some).await.map(|d| d.clone()) else {
        return Ok(Vec::new());
    };
    let Some(decided) = decided else { return Ok(Vec::new()) };

    let mut writer = LayoutWriter::new(job.table.clone(), Arc::clone(&job.file_schema), job.row_group_rows);
    let mut numbers = OccurrenceNumbers::default();
    while let Some(batch) = next {
        let outcome = match batch {
            Ok(batch) => write_batch(&batch, &decided, codes, &mut numbers, &mut writer).await,
            Err(error) => Err(unsortable(error, job)),
        };
        match outcome {
            Ok(rows) => progress.rows(rows),
            Err(error) => {
                writer.abort().await;
                return Err(error);
            }
        }
        next = sorted.recv().await;
    }
    Ok(writer.finish().await?)
}

/// Sorting failed; if for want of memory, the message names whose rows they are.
fn unsortable(error: Error, job: &Job) -> Error {
    match (error, job.files.as_slice()) {
        (Error::InvalidArgument(what), [file]) => {
            Error::InvalidArgument(format!("{:?}: {what}", file.display))
        }
        (Error::InvalidArgument(what), [file, more @ ..]) => {
            Error::InvalidArgument(format!("{:?} and {} more files: {what}", file.display, more.len()))
        }
        (error, _) => error,
    }
}

/// Writes one sorted batch and gives the number of rows that were not dropped.
async fn write_batch(
    batch: &RecordBatch,
    decision: &Decision,
    codes: &Codes,
    numbers: &mut OccurrenceNumbers,
    writer: &mut LayoutWriter,
) -> Result<u64> {
    let ids = numbers.number(batch)?;
    let mut columns = batch.columns().to_vec();
    columns[batch.schema_ref().index_of(schema::EVENT_ID).map_err(arrow_error)?] = ids;
    let mut batch = RecordBatch::try_new(batch.schema(), columns).map_err(arrow_error)?;
    if decision.dropped.count() > 0 {
        let rows = rows::required(&batch, WORK_ROW)?.as_primitive::<UInt64Type>();
        let keep: BooleanArray = rows
            .values()
            .iter()
            .map(|bits| Some(!decision.dropped.contains(RowNumber::from_bits(*bits))))
            .collect();
        if keep.true_count() < keep.len() {
            batch = filter_record_batch(&batch, &keep).map_err(arrow_error)?;
        }
    }
    let days = rows::required(&batch, WORK_DAY)?.as_primitive::<Int32Type>().clone();
    let batch = codes.as_dictionaries(&batch).map_err(arrow_error)?;
    let file_columns: Vec<usize> = (0..batch.num_columns() - 2).collect();
    let data = batch.project(&file_columns).map_err(arrow_error)?;
    let mut start = 0;
    for run in days.values().chunk_by(|a, b| a == b) {
        let day = run[0];
        let division = decision.divisions.get(&day).copied().unwrap_or_default();
        writer.write(day, division, &data.slice(start, run.len())).await?;
        start += run.len();
    }
    Ok(data.num_rows() as u64)
}
