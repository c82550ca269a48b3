//! Cursors: queries that are read in parts, forwards and, with `SCROLL`, backwards.
//!
//! A cursor is a running query that moves on only while it is fetched from. Without `SCROLL` it holds one batch; with
//! it, all batches read so far, which count against the memory limit of queries. One declared `WITH HOLD` goes on
//! after its transaction, on the versions of the tables that it began with.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use futures::StreamExt;
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::data::DataRow;
use wayfare_engine::Session;

use super::cursor_statements::Rows;
use super::encode::{BatchEncoder, Column};
use super::session::{Item, ItemSender};
use crate::error::{error, from_datafusion, sqlstate, user_error};

/// Rows that are sent at once.
const ROWS_PER_CHUNK: usize = 1_024;

/// A running query with a place in its result.
pub(crate) struct Cursor {
    schema: SchemaRef,
    batches: Batches,
    scrolls: bool,
    /// The current row, from 1; 0 before the first. After the last, its number.
    row: usize,
    after_last: bool,
}

impl std::fmt::Debug for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cursor")
            .field("row", &self.row)
            .field("after_last", &self.after_last)
            .finish_non_exhaustive()
    }
}

/// Takes the rows that a fetch passes; a move has none.
pub(crate) struct Output<'a> {
    encoder: BatchEncoder,
    chunk: Vec<DataRow>,
    sender: &'a ItemSender<DataRow>,
    columns: Option<(usize, Vec<Column>)>,
}

impl<'a> Output<'a> {
    /// Encodes rows with `encoder` and gives them to `sender`.
    pub(crate) fn new(encoder: BatchEncoder, sender: &'a ItemSender<DataRow>) -> Self {
        Self { encoder, chunk: Vec::new(), sender, columns: None }
    }

    /// Encodes a row. [`Self::flush_if_full`] sends what has gathered.
    fn row(&mut self, batches: &Batches, row: usize) -> PgWireResult<()> {
        let (index, batch, within) = batches.find(row)?;
        if self.columns.as_ref().is_none_or(|(prepared, _)| *prepared != index) {
            self.columns = Some((index, self.encoder.prepare(batch)?));
        }
        if let Some((_, columns)) = &self.columns {
            self.chunk.push(self.encoder.row(columns, within)?);
        }
        Ok(())
    }

    async fn flush_if_full(&mut self) -> PgWireResult<()> {
        if self.chunk.len() >= ROWS_PER_CHUNK { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> PgWireResult<()> {
        let rows = std::mem::take(&mut self.chunk);
        if rows.is_empty() || self.sender.send(Ok(Item::Rows(rows))).await.is_ok() {
            return Ok(());
        }
        Err(error(sqlstate::QUERY_CANCELED, "canceling statement because nobody takes its rows"))
    }
}

impl Cursor {
    /// A cursor before the first row of `stream`.
    pub(crate) fn new(
        engine: &Session,
        schema: SchemaRef,
        stream: SendableRecordBatchStream,
        scrolls: bool,
    ) -> Self {
        let pool = Arc::clone(&engine.state().runtime_env().memory_pool);
        let kept = scrolls.then(|| MemoryConsumer::new("scroll cursor").register(&pool));
        let batches =
            Batches { stream: Some(stream), kept, first: 0, number: 0, batches: Vec::new(), read: 0 };
        Self { schema, batches, scrolls, row: 0, after_last: false }
    }

    /// The columns of its rows.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Moves, and gives what it passes to `output`; returns how many rows that is.
    ///
    /// # Errors
    /// 55000 for going back without `SCROLL`; 53200 if the rows to go back to do not fit into memory; those of the query.
    pub(crate) async fn fetch(&mut self, rows: Rows, output: Option<&mut Output<'_>>) -> PgWireResult<usize> {
        let mut output = output;
        let counted = match rows {
            Rows::Forward(Some(count)) if count < 0 => self.backward(count.unsigned_abs(), &mut output).await,
            Rows::Backward(Some(count)) if count < 0 => self.forward(count.unsigned_abs(), &mut output).await,
            Rows::Forward(Some(0)) | Rows::Backward(Some(0)) | Rows::Relative(0) => {
                self.again(&mut output).await
            }
            Rows::Forward(count) => {
                self.forward(count.map_or(u64::MAX, i64::unsigned_abs), &mut output).await
            }
            Rows::Backward(count) => {
                self.backward(count.map_or(u64::MAX, i64::unsigned_abs), &mut output).await
            }
            Rows::Relative(count) if count > 0 => {
                self.forward(count.unsigned_abs() - 1, &mut None).await?;
                self.forward(1, &mut output).await
            }
            Rows::Relative(count) => {
                self.backward(count.unsigned_abs() - 1, &mut None).await?;
                self.backward(1, &mut output).await
            }
            Rows::Absolute(number) => self.absolute(number, &mut output).await,
        }?;
        if let Some(output) = output {
            output.flush().await?;
        }
        Ok(counted)
    }

    async fn forward(&mut self, count: u64, output: &mut Option<&mut Output<'_>>) -> PgWireResult<usize> {
        let mut passed = 0;
        while passed < count && !self.after_last {
            if !self.batches.reach(self.row + 1).await? {
                self.after_last = true;
                break;
            }
            self.row += 1;
            passed += 1;
            self.give(output).await?;
        }
        Ok(usize::try_from(passed).unwrap_or(usize::MAX))
    }

    async fn backward(&mut self, count: u64, output: &mut Option<&mut Output<'_>>) -> PgWireResult<usize> {
        let mut passed = 0;
        if count > 0 && (self.row > 0 || self.after_last) {
            self.check_scrolls()?;
        }
        while passed < count && (self.row > 0 || self.after_last) {
            if self.after_last {
                self.after_last = false;
            } else {
                self.row -= 1;
            }
            if self.row > 0 {
                passed += 1;
                self.give(output).await?;
            }
        }
        Ok(usize::try_from(passed).unwrap_or(usize::MAX))
    }

    /// The current row once more.
    async fn again(&mut self, output: &mut Option<&mut Output<'_>>) -> PgWireResult<usize> {
        if self.row == 0 || self.after_last {
            return Ok(0);
        }
        if output.is_some() {
            self.check_scrolls()?;
        }
        self.give(output).await?;
        Ok(1)
    }

    async fn absolute(&mut self, number: i64, output: &mut Option<&mut Output<'_>>) -> PgWireResult<usize> {
        if number < 0 {
            self.check_scrolls()?;
            self.forward(u64::MAX, &mut None).await?;
            self.backward(number.unsigned_abs() - 1, &mut None).await?;
            return self.backward(1, output).await;
        }
        let wanted = usize::try_from(number).unwrap_or(usize::MAX);
        let here = self.row + usize::from(self.after_last);
        if wanted <= here && here > 0 {
            self.check_scrolls()?;
            self.row = wanted.saturating_sub(1);
            self.after_last = false;
        } else {
            self.forward((wanted - here).saturating_sub(1) as u64, &mut None).await?;
        }
        if wanted == 0 { Ok(0) } else { self.forward(1, output).await }
    }

    fn check_scrolls(&self) -> PgWireResult<()> {
        if self.scrolls {
            return Ok(());
        }
        let mut refused = crate::error::error_info(
            sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE,
            "cursor can only scan forward",
        );
        refused.hint = Some("Declare it with SCROLL option to enable backward scan.".to_owned());
        Err(user_error(refused))
    }

    async fn give(&mut self, output: &mut Option<&mut Output<'_>>) -> PgWireResult<()> {
        let Some(output) = output else {
            return Ok(());
        };
        output.row(&self.batches, self.row)?;
        output.flush_if_full().await
    }
}

/// The batches of a result that are there, and the query that gives the others.
struct Batches {
    /// `None` after its end.
    stream: Option<SendableRecordBatchStream>,
    /// Memory of the batches, where all are kept.
    kept: Option<MemoryReservation>,
    /// Rows before the first of `batches`.
    first: usize,
    /// How many batches were dropped.
    number: usize,
    /// Batches, each with the number of its last row from 1.
    batches: Vec<(usize, RecordBatch)>,
    /// Rows read.
    read: usize,
}

impl Batches {
    /// Reads until row `row` is there; `false` if there are fewer rows.
    async fn reach(&mut self, row: usize) -> PgWireResult<bool> {
        while self.read < row {
            let Some(stream) = &mut self.stream else {
                return Ok(false);
            };
            let batch = match stream.next().await {
                Some(Ok(batch)) => batch,
                Some(Err(failure)) => {
                    self.stream = None;
                    return Err(user_error(from_datafusion(&failure)));
                }
                None => {
                    self.stream = None;
                    return Ok(false);
                }
            };
            if batch.num_rows() == 0 {
                continue;
            }
            match &mut self.kept {
                Some(memory) => memory
                    .try_grow(batch.get_array_memory_size())
                    .map_err(|failure| user_error(from_datafusion(&failure)))?,
                None => {
                    self.first = self.read;
                    self.number += self.batches.len();
                    self.batches.clear();
                }
            }
            self.read += batch.num_rows();
            self.batches.push((self.read, batch));
        }
        Ok(true)
    }

    /// The number of the batch that holds row `row`, the batch, and the row's place in it.
    fn find(&self, row: usize) -> PgWireResult<(usize, &RecordBatch, usize)> {
        let index = self.batches.partition_point(|(last, _)| *last < row);
        let before = index.checked_sub(1).map_or(self.first, |before| self.batches[before].0);
        match self.batches.get(index) {
            Some((_, batch)) if row > before => Ok((self.number + index, batch, row - before - 1)),
            _ => Err(gone()),
        }
    }
}

fn gone() -> PgWireError {
    error(sqlstate::INTERNAL_ERROR, "internal error: a row of a cursor is gone")
}
