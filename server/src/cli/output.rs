//! Results as text or files.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::json::{ArrayWriter, LineDelimitedWriter};
use arrow::util::pretty::pretty_format_batches_with_schema;
use datafusion::execution::SendableRecordBatchStream;
use futures::TryStreamExt;
use parquet::arrow::ArrowWriter;

use super::args::OutputFormat;
use super::error::CliError;

const STANDARD_OUTPUT: &str = "standard output";

/// Writes `text` to standard output.
pub fn print(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(closed_or)
}

/// A report, one figure per line.
pub fn figures(lines: &[(&str, String)]) -> String {
    lines.iter().map(|(name, value)| format!("{name:<27}{value}\n")).collect()
}

/// The last line of a report: what the table is now.
pub fn outcome(version: Option<u64>, table: &str) -> String {
    match version {
        Some(version) => format!("table {table} is now at version {version}\n"),
        None => format!("nothing to do: table {table} is unchanged\n"),
    }
}

fn closed_or(error: io::Error) -> CliError {
    if error.kind() == io::ErrorKind::BrokenPipe {
        CliError::OutputClosed
    } else {
        CliError::io("write", STANDARD_OUTPUT, error)
    }
}

/// Where results go.
pub enum Target {
    /// Standard output.
    Standard,
    /// A file that takes its final name only when it is complete.
    File { path: PathBuf, partial: PathBuf },
}

impl Target {
    /// Standard output, or the file at `path`.
    pub fn new(path: Option<&Path>) -> Self {
        match path {
            None => Self::Standard,
            Some(path) => {
                let mut name = path.as_os_str().to_owned();
                name.push(".partial");
                Self::File { path: path.to_owned(), partial: name.into() }
            }
        }
    }

    fn place(&self) -> String {
        match self {
            Self::Standard => STANDARD_OUTPUT.to_owned(),
            Self::File { path, .. } => path.display().to_string(),
        }
    }

    fn failed(&self, error: io::Error) -> CliError {
        match self {
            Self::Standard => closed_or(error),
            Self::File { .. } => CliError::io("write", self.place(), error),
        }
    }

    fn open(&self) -> Result<Box<dyn Write + Send>, CliError> {
        match self {
            Self::Standard => Ok(Box::new(BufWriter::new(io::stdout()))),
            Self::File { partial, .. } => {
                let file = File::create(partial).map_err(|e| CliError::io("write", self.place(), e))?;
                Ok(Box::new(BufWriter::new(file)))
            }
        }
    }

    fn finish(&self, outcome: Result<(), CliError>) -> Result<(), CliError> {
        let Self::File { path, partial } = self else { return outcome };
        let outcome = outcome.and_then(|()| {
            std::fs::rename(partial, path).map_err(|e| CliError::io("write", self.place(), e))
        });
        if outcome.is_err() {
            // The command failed already; what is left over does no harm.
            let _ = std::fs::remove_file(partial);
        }
        outcome
    }
}

/// Remembers why a write failed: the writers of the formats keep only its text.
struct Remembering {
    out: Box<dyn Write + Send>,
    failure: Arc<Mutex<Option<io::Error>>>,
}

impl Remembering {
    fn remember<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.map_err(|error| {
            let copy = io::Error::new(error.kind(), error.to_string());
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            copy
        })
    }
}

impl Write for Remembering {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.out.write(bytes);
        self.remember(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.out.flush();
        self.remember(result)
    }
}

/// Writes all batches of `stream`; only the `table` format holds them in memory.
pub async fn write(
    stream: SendableRecordBatchStream,
    format: OutputFormat,
    target: &Target,
) -> Result<(), CliError> {
    let outcome = match target.open() {
        Ok(out) => {
            let failure = Arc::default();
            let out = Remembering { out, failure: Arc::clone(&failure) };
            let outcome = write_to(stream, format, Box::new(out)).await;
            let failure = failure.lock().unwrap_or_else(PoisonError::into_inner).take();
            match failure {
                Some(error) => Err(target.failed(error)),
                None => outcome,
            }
        }
        Err(error) => Err(error),
    };
    target.finish(outcome)
}

async fn write_to(
    mut stream: SendableRecordBatchStream,
    format: OutputFormat,
    mut out: Box<dyn Write + Send>,
) -> Result<(), CliError> {
    let schema = stream.schema();
    if format == OutputFormat::Table {
        let batches: Vec<RecordBatch> = stream.try_collect().await?;
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        let table = pretty_format_batches_with_schema(schema, &batches)?;
        let plural = if rows == 1 { "row" } else { "rows" };
        return writeln!(out, "{table}\n({rows} {plural})").and_then(|()| out.flush()).map_err(closed_or);
    }
    let mut writer = BatchWriter::new(format, schema, out)?;
    while let Some(batch) = stream.try_next().await? {
        writer.write(&batch)?;
    }
    writer.finish()
}

enum BatchWriter {
    Csv(Box<arrow::csv::Writer<Box<dyn Write + Send>>>),
    Json(ArrayWriter<Box<dyn Write + Send>>),
    Ndjson(LineDelimitedWriter<Box<dyn Write + Send>>),
    Parquet(Box<ArrowWriter<Box<dyn Write + Send>>>),
}

impl BatchWriter {
    fn new(format: OutputFormat, schema: SchemaRef, out: Box<dyn Write + Send>) -> Result<Self, CliError> {
        Ok(match format {
            OutputFormat::Csv | OutputFormat::Table => {
                let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(out);
                // The header comes also when no row does.
                writer.write(&RecordBatch::new_empty(schema))?;
                Self::Csv(Box::new(writer))
            }
            OutputFormat::Json => Self::Json(ArrayWriter::new(out)),
            OutputFormat::Ndjson => Self::Ndjson(LineDelimitedWriter::new(out)),
            OutputFormat::Parquet => Self::Parquet(Box::new(
                ArrowWriter::try_new(out, schema, None).map_err(datafusion::error::DataFusionError::from)?,
            )),
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), CliError> {
        match self {
            Self::Csv(writer) => writer.write(batch)?,
            Self::Json(writer) => writer.write(batch)?,
            Self::Ndjson(writer) => writer.write(batch)?,
            Self::Parquet(writer) => writer.write(batch).map_err(datafusion::error::DataFusionError::from)?,
        }
        Ok(())
    }

    fn finish(self) -> Result<(), CliError> {
        let mut out = match self {
            Self::Csv(writer) => writer.into_inner(),
            Self::Json(mut writer) => {
                writer.finish()?;
                let mut out = writer.into_inner();
                out.write_all(b"\n").map_err(closed_or)?;
                out
            }
            Self::Ndjson(mut writer) => {
                writer.finish()?;
                writer.into_inner()
            }
            Self::Parquet(writer) => writer.into_inner().map_err(datafusion::error::DataFusionError::from)?,
        };
        out.flush().map_err(closed_or)
    }
}
