//! Data files for rewriting: checked against their checksum, and brought to the columns of the table.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimestampMicrosecondType};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use parquet::arrow::{ParquetRecordBatchStreamBuilder, ProjectionMask};

use crate::error::{Error, StoreError};
use crate::object_file::ObjectFile;
use crate::schema;
use crate::store::integrity::{self, damaged, undecodable};
use crate::store::layout;
use crate::store::snapshot::DataFile;
use crate::store::table::Table;

/// A checked data file of a table, ready to be decoded.
pub struct OpenFile {
    builder: ParquetRecordBatchStreamBuilder<ObjectFile>,
    /// Where it is, for errors.
    place: String,
    day: Option<i32>,
    is_ours: bool,
}

impl std::fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenFile").field("place", &self.place).finish_non_exhaustive()
    }
}

/// Opens `file` after its size and, if it is one of ours, its checksum were found to be those of the log.
///
/// # Errors
/// [`StoreError::Damaged`] with the file's name if it is missing, has another size or other bytes.
pub async fn open(table: &Table, file: &DataFile) -> Result<OpenFile, StoreError> {
    let place = integrity::place(table, file);
    let reader = match integrity::checked_bytes(table, file).await? {
        Some(bytes) => ObjectFile::in_memory(bytes),
        None => ObjectFile::new(Arc::clone(&table.location().store), file.path.clone(), file.size),
    };
    let builder = footer(reader, &place).await?;
    Ok(OpenFile { builder, place, day: file.day, is_ours: file.row_groups.is_some() })
}

/// The rows of `file` with only these of its columns, all if `None`, without a look at its checksum: to find rows.
/// Columns that the file lacks are NULL, and so are those not asked for.
///
/// # Errors
/// [`StoreError::Damaged`] with the file's name if it cannot be read.
pub async fn peek(
    table: &Table,
    file: &DataFile,
    file_schema: &SchemaRef,
    columns: Option<&[String]>,
    batch_rows: usize,
) -> Result<BoxStream<'static, Result<RecordBatch, Error>>, Error> {
    let place = integrity::place(table, file);
    let reader = ObjectFile::new(Arc::clone(&table.location().store), file.path.clone(), file.size);
    let mut builder = footer(reader, &place).await?;
    let mut wanted: Vec<Field> = file_schema.fields().iter().map(|f| f.as_ref().clone()).collect();
    if let Some(columns) = columns {
        wanted.retain(|field| columns.contains(field.name()));
        let roots: Vec<usize> = columns.iter().filter_map(|c| builder.schema().index_of(c).ok()).collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        builder = builder.with_projection(mask);
    }
    let open = OpenFile { builder, place, day: None, is_ours: true };
    Ok(open.rows_as(Arc::new(Schema::new(wanted)), batch_rows)?)
}

async fn footer(
    reader: ObjectFile,
    place: &str,
) -> Result<ParquetRecordBatchStreamBuilder<ObjectFile>, StoreError> {
    let opened = AssertUnwindSafe(ParquetRecordBatchStreamBuilder::new(reader)).catch_unwind().await;
    match opened {
        Ok(Ok(builder)) => Ok(builder),
        Ok(Err(error)) => Err(undecodable(place, &error)),
        Err(_) => Err(damaged(place, "its footer cannot be decoded")),
    }
}

impl OpenFile {
    /// Rows according to its footer.
    pub fn rows(&self) -> u64 {
        self.builder.metadata().file_metadata().num_rows().unsigned_abs()
    }

    /// All its rows with the columns of `file_schema`: those it lacks are NULL, `user_key` is computed for a file
    /// of another writer.
    ///
    /// # Errors
    /// Each batch can be an error that names the file: damage, or rows that the layout cannot hold.
    pub fn rows_as(
        self,
        file_schema: SchemaRef,
        batch_rows: usize,
    ) -> Result<BoxStream<'static, Result<RecordBatch, Error>>, StoreError> {
        let Self { builder, place, day, is_ours } = self;
        let batches = builder.with_batch_size(batch_rows).build().map_err(|e| undecodable(&place, &e))?;
        let stream = futures::stream::unfold(Some(batches), move |batches| {
            let (file_schema, place) = (Arc::clone(&file_schema), place.clone());
            async move {
                let mut batches = batches?;
                // The decoder panics on some kinds of damage.
                let next = AssertUnwindSafe(batches.next()).catch_unwind().await;
                let batch = match next {
                    Ok(None) => return None,
                    Ok(Some(Ok(batch))) => batch,
                    Ok(Some(Err(error))) => {
                        return Some((Err(undecodable(&place, &error).into()), None));
                    }
                    Err(_) => {
                        let error = damaged(&place, "its pages are not what its footer says");
                        return Some((Err(error.into()), None));
                    }
                };
                match conform(&batch, &file_schema, day, is_ours) {
                    Ok(rows) => Some((Ok(rows), Some(batches))),
                    Err(reason) => {
                        let error = StoreError::NotAdoptable { file: place, reason };
                        Some((Err(error.into()), None))
                    }
                }
            }
        });
        Ok(stream.boxed())
    }
}

/// `batch` with the columns of `file_schema`, or why that cannot be.
fn conform(
    batch: &RecordBatch,
    file_schema: &SchemaRef,
    day: Option<i32>,
    is_ours: bool,
) -> Result<RecordBatch, String> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(file_schema.fields().len());
    for field in file_schema.fields() {
        let stored = batch.column_by_name(field.name());
        let column = match stored {
            _ if field.name() == schema::USER_KEY && !is_ours => user_keys(batch)?,
            Some(column) if column.data_type() == field.data_type() => Arc::clone(column),
            // The same conversion as queries make.
            Some(column) => {
                let options = CastOptions { safe: false, ..CastOptions::default() };
                cast_with_options(column, field.data_type(), &options)
                    .map_err(|e| format!("column {:?}: {e}", field.name()))?
            }
            None => new_null_array(field.data_type(), batch.num_rows()),
        };
        if !field.is_nullable() && column.null_count() > 0 {
            return Err(format!("it has rows without {:?}", field.name()));
        }
        columns.push(column);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let rows = RecordBatch::try_new_with_options(Arc::clone(file_schema), columns, &options)
        .map_err(|e| e.to_string())?;
    if !is_ours {
        let times = rows.column_by_name(schema::TS).ok_or_else(|| "it has no ts".to_owned())?;
        let times = times.as_primitive::<TimestampMicrosecondType>();
        if times.values().iter().any(|ts| Some(layout::day_of(*ts)) != day) {
            return Err("it has rows of another day than its partition".to_owned());
        }
    }
    Ok(rows)
}

fn user_keys(batch: &RecordBatch) -> Result<ArrayRef, String> {
    let users =
        batch.column_by_name(schema::USER_ID).ok_or_else(|| "it has no column \"user_id\"".to_owned())?;
    let users = cast_with_options(users, &DataType::Utf8, &CastOptions::default())
        .map_err(|e| format!("column \"user_id\": {e}"))?;
    let users = users.as_string::<i32>();
    let keys = users.iter().map(|user| user.map(schema::user_key));
    Ok(Arc::new(Int64Array::from_iter(keys)))
}
