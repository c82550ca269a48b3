//! A `COPY ... FROM STDIN` that is going on: bytes of the client to rows on a stage.
//!
//! Reading runs on the CPU runtime, a few messages behind the socket.

use bytes::Bytes;
use futures::StreamExt;
use pgwire::api::results::FieldFormat;
use pgwire::error::{PgWireError, PgWireResult};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::super::cancel::Interrupt;
use super::super::session::{Prepared, SqlSession};
use super::binary::BinaryReader;
use super::csv::CsvReader;
use super::load::Target;
use super::options::{CopyFormat, CopyOptions};
use super::stage::{Stage, StagedCopy};
use super::text::TextReader;
use crate::cpu::{CpuStream, CpuTaskError};
use crate::error::{error, from_cpu, sqlstate, user_error};

/// Messages of the client that may wait for the reader.
const MESSAGES_AHEAD: usize = 4;

/// A copy in progress.
pub(crate) struct ActiveCopy {
    data: Sender<Bytes>,
    reader: CpuStream<PgWireResult<StagedCopy>>,
    /// What may end it early.
    pub interrupt: Interrupt,
    /// The rest of the message of the simple protocol that began it; `None` in the extended protocol.
    pub rest: Option<Vec<Prepared>>,
    table: String,
}

impl std::fmt::Debug for ActiveCopy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ActiveCopy").field("table", &self.table).finish_non_exhaustive()
    }
}

/// What came of a copy.
pub(crate) struct Received {
    pub staged: StagedCopy,
    pub interrupt: Interrupt,
    pub rest: Option<Vec<Prepared>>,
}

enum Reader {
    Text(TextReader),
    Csv(CsvReader),
    Binary(BinaryReader),
}

impl ActiveCopy {
    /// Starts to read rows for `target`.
    pub(super) fn start(
        session: &SqlSession,
        target: Target,
        options: CopyOptions,
        interrupt: Interrupt,
        rest: Option<Vec<Prepared>>,
    ) -> Self {
        let (sender, receiver) = channel(MESSAGES_AHEAD);
        let table = target.table.clone();
        let reader = session.cpu().stream(|answer| async move {
            // Nobody is left to tell if the copy has ended.
            let _ = answer.send(read(target, options, receiver).await).await;
        });
        Self { data: sender, reader, interrupt, rest, table }
    }

    /// Takes a piece of the data.
    ///
    /// # Errors
    /// What is wrong with the data so far; what interrupts the copy.
    pub(crate) async fn take(&mut self, bytes: Bytes) -> PgWireResult<()> {
        match self.interrupt.guard(self.data.send(bytes)).await? {
            Ok(()) => Ok(()),
            // The reader stops at the first error.
            Err(_) => Err(self.ended().await),
        }
    }

    /// Waits until the copy ends before its data does: a wrong row, or an interruption.
    pub(crate) async fn ended(&mut self) -> PgWireError {
        match self.interrupt.guard(self.reader.next()).await {
            Err(failure) => failure,
            Ok(ended) => reader_failure(ended),
        }
    }

    /// The data is complete.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(crate) async fn finish(self) -> PgWireResult<Received> {
        let Self { data, mut reader, interrupt, rest, .. } = self;
        drop(data);
        match interrupt.guard(reader.next()).await? {
            Some(Ok(staged)) => Ok(Received { staged: staged?, interrupt, rest }),
            Some(Err(failure)) => Err(user_error(from_cpu(failure))),
            None => Err(error(sqlstate::INTERNAL_ERROR, "internal error: a copy ended without an outcome")),
        }
    }

    /// The client gives up: nothing is loaded.
    pub(crate) fn failed(self, reason: &str) -> PgWireError {
        let mut info =
            crate::error::error_info(sqlstate::QUERY_CANCELED, format!("COPY from stdin failed: {reason}"));
        info.where_context = Some(format!("COPY {}", self.table));
        user_error(info)
    }
}

/// Why the reader has ended before the data.
fn reader_failure(ended: Option<Result<PgWireResult<StagedCopy>, CpuTaskError>>) -> PgWireError {
    match ended {
        Some(Ok(Err(failure))) => failure,
        Some(Err(failure)) => user_error(from_cpu(failure)),
        Some(Ok(Ok(_))) | None => {
            error(sqlstate::INTERNAL_ERROR, "internal error: a copy ended before its data")
        }
    }
}

async fn read(target: Target, options: CopyOptions, mut data: Receiver<Bytes>) -> PgWireResult<StagedCopy> {
    let names: Vec<String> = target.columns.iter().map(|column| column.name.clone()).collect();
    let mut reader = match options.format {
        CopyFormat::Text => Reader::Text(TextReader::new(options)),
        CopyFormat::Csv => Reader::Csv(CsvReader::new(options, &names)),
        CopyFormat::Binary => Reader::Binary(BinaryReader::default()),
    };
    let format = match &reader {
        Reader::Binary(_) => FieldFormat::Binary,
        _ => FieldFormat::Text,
    };
    let Target { table, columns, absent, time_zone, temp_dir } = target;
    let mut stage = Stage::create(table, columns, absent, format, time_zone, &temp_dir)?;
    while let Some(bytes) = data.recv().await {
        match &mut reader {
            Reader::Text(reader) => reader.feed(&bytes, &mut stage)?,
            Reader::Csv(reader) => reader.feed(&bytes, &mut stage)?,
            Reader::Binary(reader) => reader.feed(&bytes, &mut stage)?,
        }
    }
    match &mut reader {
        Reader::Text(reader) => reader.finish(&mut stage)?,
        Reader::Csv(reader) => reader.finish(&mut stage)?,
        Reader::Binary(reader) => reader.finish()?,
    }
    stage.finish()
}
