//! Loading reference tables: any columns, with the names and types that the files have.
//!
//! Types are inferred by DataFusion's readers from the first rows; a later value that does not fit ends the
//! load. A load appends; the same content is loaded once.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::dataframe::DataFrame;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::error::DataFusionError;
use datafusion::execution::options::JsonReadOptions;
use datafusion::prelude::{CsvReadOptions, ParquetReadOptions, SessionContext};
use futures::TryStreamExt;

use crate::error::{Error, Result, StoreError};
use crate::load::error::LoadError;
use crate::load::known::{self, Identify, NewFiles, select_new_files};
use crate::load::read::{self, Compression, InputFormat, Origin, ReadOptions, SourceFile};
use crate::load::request::{LoadReport, LoadRequest, NoProgress, OnError};
use crate::schema;
use crate::storage::ObjectStores;
use crate::store::commit::{self, Append, Outcome};
use crate::store::snapshot::TableSnapshot;
use crate::store::table::{TableDefinition, TableKind};
use crate::store::writer::ReferenceWriter;
use crate::store::{Store, history};

/// Loads what `request` names into a reference table, which is created from the first file's columns.
///
/// # Errors
/// Any error leaves the table as it was. Mapping, constants and skipping of bad rows are for touchpoints only.
pub async fn load_reference(
    store: &Store,
    stores: &ObjectStores,
    request: &LoadRequest,
) -> Result<LoadReport> {
    let started = Instant::now();
    refuse_touchpoint_options(request)?;
    let files = read::discover(&request.inputs, &request.read, stores).await?;
    let mut report = LoadReport { files: files.len() as u64, ..LoadReport::default() };
    let before = store.newest(&request.table).await?;
    let identities =
        known::identify(&files, before.as_deref(), request.force, Identify::Now, &NoProgress).await?;
    let context = SessionContext::new();
    let first = open(&context, &files[0], &request.read).await?;
    let definition = TableDefinition {
        kind: TableKind::Reference,
        schema: stored_schema(&files[0].display, first.schema().as_arrow())?,
    };
    let table = store.table_or_create(&request.table, &definition).await?;
    let snapshot = store.newest(&request.table).await?.ok_or_else(|| StoreError::NoTable {
        table: request.table.clone(),
        url: store.location().display(),
    })?;
    if snapshot.kind() != TableKind::Reference {
        return Err(StoreError::TableKind {
            table: request.table.clone(),
            found: snapshot.kind().as_str().to_owned(),
            advice: "load it without --reference".to_owned(),
        }
        .into());
    }
    let NewFiles { files: new, ids: transaction_ids, .. } =
        select_new_files(&snapshot, &files, &identities, request.force, &mut report).await?;
    let mut writer = ReferenceWriter::new(table.clone(), Arc::clone(snapshot.schema()))?;
    for file in &new {
        match copy(&context, file, &request.read, &snapshot, &mut writer).await {
            Ok(rows) => report.rows_read += rows,
            Err(error) => {
                writer.abort();
                return Err(error);
            }
        }
    }
    report.bytes_read = new.iter().map(|f| f.size).sum();
    report.rows_loaded = report.rows_read;
    if report.rows_loaded > 0 {
        let add = writer.finish().await?;
        report.bytes_written = add.size.unsigned_abs();
        report.files_written = 1;
        let sources: Vec<String> = new.iter().map(|f| f.display.clone()).collect();
        let append = Append {
            adds: vec![add],
            transaction_ids,
            info: vec![
                (history::INFO_OPERATION.to_owned(), "load".into()),
                (history::INFO_SOURCES.to_owned(), sources.into()),
            ],
            new_schema: None,
        };
        // Rows are only added: loads of other content do not disturb.
        match commit::append(&table, snapshot, &append, Some(&std::collections::HashSet::new())).await? {
            Outcome::Committed(version) => report.version = Some(version),
            Outcome::Stale => {
                commit::discard(&table, &append.adds).await;
                return Err(StoreError::Contention { table: request.table.clone(), attempts: 1 }.into());
            }
        }
    }
    report.elapsed = started.elapsed();
    Ok(report)
}

fn refuse_touchpoint_options(request: &LoadRequest) -> Result<()> {
    let used = [
        ("--map", !request.read.mapping.is_empty()),
        ("--set", !request.read.constants.is_empty()),
        ("--preset", request.read.preset.is_some()),
        ("--on-error skip", request.on_error != OnError::Abort),
    ];
    match used.iter().find(|(_, used)| *used) {
        Some((option, _)) => Err(LoadError::Argument(format!(
            "{option} is for touchpoint tables: a reference table takes the columns as they are"
        ))
        .into()),
        None => Ok(()),
    }
}

/// A file as DataFusion reads it.
async fn open(context: &SessionContext, file: &SourceFile, options: &ReadOptions) -> Result<DataFrame> {
    let url = match &file.origin {
        Origin::Local(path) => path.display().to_string(),
        Origin::Object { .. } => {
            return Err(LoadError::Argument(format!(
                "reference tables are loaded from local files; copy {:?} here first",
                file.display
            ))
            .into());
        }
    };
    let (source, options) = (file.clone(), options.clone());
    let kind = tokio::task::spawn_blocking(move || read::recognised_kind(&source, &options));
    let (format, compression) =
        kind.await.map_err(|e| Error::Query(DataFusionError::External(Box::new(e))))??;
    let compression = match compression {
        Compression::None => FileCompressionType::UNCOMPRESSED,
        Compression::Gzip => FileCompressionType::GZIP,
        Compression::Zstd => FileCompressionType::ZSTD,
        Compression::Bzip2 => FileCompressionType::BZIP2,
        Compression::Xz => FileCompressionType::XZ,
        Compression::Snappy => {
            let problem = "reference tables are not loaded from files in snappy; decompress it first";
            return Err(LoadError::input(&file.display, problem).into());
        }
    };
    // Any extension: the format is known already.
    let extension = "";
    let frame = match format {
        InputFormat::Csv => {
            let options = CsvReadOptions::new().file_compression_type(compression).file_extension(extension);
            context.read_csv(url, options).await
        }
        InputFormat::Ndjson => {
            let options =
                JsonReadOptions::default().file_compression_type(compression).file_extension(extension);
            context.read_json(url, options).await
        }
        InputFormat::Parquet => {
            let options = ParquetReadOptions { file_extension: extension, ..ParquetReadOptions::default() };
            context.read_parquet(url, options).await
        }
        InputFormat::Avro => {
            let problem = "reference tables are loaded from CSV, NDJSON and Parquet; convert the Avro file";
            return Err(LoadError::input(&file.display, problem).into());
        }
    };
    frame.map_err(|e| damaged(file, &e))
}

fn damaged(file: &SourceFile, error: &datafusion::error::DataFusionError) -> Error {
    LoadError::input(file.display.clone(), crate::error::root_cause(error)).into()
}

/// The columns of `source` as a Delta table can hold them.
///
/// # Errors
/// A column of another type, or two of one name.
pub(crate) fn stored_schema(source: &str, found: &Schema) -> Result<SchemaRef> {
    let fields = found
        .fields()
        .iter()
        .map(|field| {
            let stored = match field.data_type() {
                DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => DataType::Utf8,
                DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => {
                    DataType::Int32
                }
                DataType::Int64 | DataType::UInt32 => DataType::Int64,
                DataType::UInt64 => DataType::Decimal128(20, 0),
                DataType::Timestamp(_, _) => {
                    DataType::Timestamp(TimeUnit::Microsecond, Some(schema::UTC.into()))
                }
                DataType::Date64 => DataType::Date32,
                plain @ (DataType::Boolean
                | DataType::Float32
                | DataType::Float64
                | DataType::Date32
                | DataType::Decimal128(_, _)) => plain.clone(),
                other => {
                    return Err(LoadError::input(
                        source,
                        format!(
                            "column {:?} has type {other}, which a reference table cannot hold",
                            field.name()
                        ),
                    ));
                }
            };
            Ok(Field::new(field.name().to_lowercase(), stored, true))
        })
        .collect::<std::result::Result<Vec<_>, _>>()?;
    let mut names = std::collections::HashSet::new();
    if let Some(twice) = fields.iter().find(|field| !names.insert(field.name().as_str())) {
        let problem = format!("there are two columns {:?}: give one another name", twice.name());
        return Err(LoadError::input(source, problem).into());
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// Appends the rows of one file, columns matched by name.
async fn copy(
    context: &SessionContext,
    file: &SourceFile,
    options: &ReadOptions,
    snapshot: &TableSnapshot,
    writer: &mut ReferenceWriter,
) -> Result<u64> {
    let frame = open(context, file, options).await?;
    let columns = matched_columns(file, frame.schema().as_arrow(), snapshot.schema())?;
    let mut rows = 0;
    let mut stream = frame.execute_stream().await?;
    while let Some(batch) = stream.try_next().await.map_err(|e| damaged(file, &e))? {
        let arrays = columns
            .iter()
            .zip(snapshot.schema().fields())
            .map(|(index, field)| match index {
                Some(index) => cast(batch.column(*index), field.data_type()),
                None => Ok(arrow::array::new_null_array(field.data_type(), batch.num_rows())),
            })
            .collect::<std::result::Result<Vec<_>, _>>()
            .map_err(|e| damaged(file, &e.into()))?;
        let stored = RecordBatch::try_new(Arc::clone(snapshot.schema()), arrays)
            .map_err(|e| damaged(file, &e.into()))?;
        rows += stored.num_rows() as u64;
        writer.write(&stored).await?;
    }
    Ok(rows)
}

/// For each column of the table its index in the file.
fn matched_columns(file: &SourceFile, found: &Schema, table: &Schema) -> Result<Vec<Option<usize>>> {
    let index_of = |name: &str| found.fields().iter().position(|f| f.name().eq_ignore_ascii_case(name));
    let unknown = found
        .fields()
        .iter()
        .find(|f| !table.fields().iter().any(|t| t.name().eq_ignore_ascii_case(f.name())));
    if let Some(unknown) = unknown {
        return Err(LoadError::input(
            file.display.clone(),
            format!("the table has no column {:?}: load it into a table of its own", unknown.name()),
        )
        .into());
    }
    Ok(table.fields().iter().map(|f| index_of(f.name())).collect())
}
