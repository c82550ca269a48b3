//! The reading half of a load: files to working batches, and these to the sorters.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use tokio::sync::mpsc::Sender;

use super::{CHANNEL_BATCHES, Job, Shared, arrow_error, lock};
use crate::error::{Error, Result, StoreError};
use crate::identity;
use crate::load::duplicates::DuplicateIndex;
use crate::load::error::LoadError;
use crate::load::read::{self, ParsedBatch};
use crate::load::rows::{self, RowPreparer};
use crate::schema;

/// Reads files until there are none left or an earlier one is bad. `index` gets the keys of all their rows.
pub(super) fn read_files(
    job: &Job,
    shared: &Shared,
    work_schema: &SchemaRef,
    senders: &[Sender<RecordBatch>],
    mut index: Option<&mut DuplicateIndex>,
) {
    loop {
        let file = shared.next_file.fetch_add(1, Ordering::Relaxed);
        if file >= job.files.len() || shared.first_bad_file.load(Ordering::Relaxed) < file {
            return;
        }
        if let Err(error) = read_file(job, shared, work_schema, senders, index.as_deref_mut(), file) {
            shared.first_bad_file.fetch_min(file, Ordering::Relaxed);
            let mut failure = lock(&shared.failure);
            if failure.as_ref().is_none_or(|(earlier, _)| file < *earlier) {
                *failure = Some((file, error));
            }
            return;
        }
    }
}

/// Parses a file on a thread of its own, while this one prepares and hands on what was parsed.
fn read_file(
    job: &Job,
    shared: &Shared,
    work_schema: &SchemaRef,
    senders: &[Sender<RecordBatch>],
    index: Option<&mut DuplicateIndex>,
    file: usize,
) -> Result<()> {
    let mut input = read::open_coded(&job.files[file], &job.read, &job.extra)?;
    let runtime = tokio::runtime::Handle::current();
    let (parsed, batches) = std::sync::mpsc::sync_channel(CHANNEL_BATCHES);
    let progress = Arc::clone(&shared.progress);
    std::thread::scope(|scope| {
        let parser = scope.spawn(move || {
            // Files in object stores are read through the runtime.
            let _inside = runtime.enter();
            let mut told = 0;
            while let Some(batch) = input.next() {
                let read = input.bytes_read();
                progress.input(0, read.saturating_sub(told));
                told = read;
                // Nobody takes the next batch: the load has failed and says why elsewhere.
                if parsed.send(batch).is_err() {
                    break;
                }
            }
            progress.input(1, 0);
            (input.unseen_sources(), input.content().map(str::to_owned))
        });
        hand_on(job, shared, work_schema, senders, index, file, batches)?;
        match parser.join() {
            Ok((unseen, content)) => {
                shared.note_unseen(unseen);
                lock(&shared.contents).extend(content.map(|content| (file, content)));
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
        Ok(())
    })
}

/// Prepares the batches of one file and sends them to the sorters.
fn hand_on(
    job: &Job,
    shared: &Shared,
    work_schema: &SchemaRef,
    senders: &[Sender<RecordBatch>],
    mut index: Option<&mut DuplicateIndex>,
    file: usize,
    batches: std::sync::mpsc::Receiver<std::result::Result<ParsedBatch, LoadError>>,
) -> Result<()> {
    let batch_schema = schema::load_schema_with(&job.extra);
    let mut preparer = RowPreparer::new(file, &batch_schema, Arc::clone(work_schema));
    let mut days = BTreeMap::new();
    for parsed in batches {
        if shared.first_bad_file.load(Ordering::Relaxed) < file {
            return Ok(());
        }
        let ParsedBatch { batch, rejected, rows_read, rows_left_out } = parsed?;
        shared.rows_left_out.fetch_add(rows_left_out, Ordering::Relaxed);
        shared.rows_read.fetch_add(rows_read, Ordering::Relaxed);
        shared.progress.rows(rows_read);
        shared.reject(rejected)?;
        let all_rows = batch.num_rows();
        let batch = rows::without_erased(batch, &job.erased, &job.people_before)?;
        shared.rows_erased.fetch_add((all_rows - batch.num_rows()) as u64, Ordering::Relaxed);
        if batch.num_rows() == 0 {
            continue;
        }
        // Identities of rows are made before people are found: they stay the same when more links are known.
        let (mut work, keys) = preparer.prepare(&batch)?;
        if !job.people.is_empty() {
            let resolved = identity::rows::count_changed(&job.people, &work)?;
            shared.rows_resolved.fetch_add(resolved as u64, Ordering::Relaxed);
            work = identity::rows::resolve(&job.people, &work)?;
        }
        shared.rows_good.fetch_add(keys.len() as u64, Ordering::Relaxed);
        shared.memory_bytes.fetch_add(rows::memory_size(&work) as u64, Ordering::Relaxed);
        rows::count_days(&keys, &mut days);
        if let Some(index) = &mut index {
            for key in &keys {
                index
                    .add_input(key.day, key.key, key.row)
                    .map_err(|e| StoreError::io("write to", job.temp_dir.display().to_string(), e))?;
            }
        }
        let work = shared.codes.encode(&work).map_err(arrow_error)?;
        for (part, batch) in rows::split_by_day(&work, &keys, senders.len())? {
            if senders[part].blocking_send(batch).is_err() {
                // The sorter has failed and says why itself.
                return Err(Error::InvalidArgument("the load was stopped".to_owned()));
            }
        }
    }
    let mut all_days = lock(&shared.days);
    for (day, rows) in days {
        *all_days.entry(day).or_default() += rows;
    }
    Ok(())
}
