//! The least that a query can cost: decoding its columns, texts as dictionaries, on all cores, and nothing else.

use std::fs::File;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use arrow::datatypes::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};

use super::{RepeatArgs, StoreArgs, repeated};
use crate::error::{BenchError, Result};
use crate::load::TABLE;
use crate::measurement::Measurement;

/// Rows per batch: large enough that the cost of a batch is small, small enough for the cache.
const BATCH_ROWS: usize = 32 * 1024;

/// Decodes `columns` of all files of the store again and again. Footers are read before the clock starts.
pub fn measure(store: &StoreArgs, repeat: RepeatArgs, columns: &[String]) -> Result<Measurement> {
    let files = files(store)?;
    let mut groups = Vec::new();
    for path in files {
        let metadata = footer(&path)?;
        let projection = projection(&metadata, columns)?;
        for index in 0..metadata.metadata().num_row_groups() {
            groups.push(RowGroup {
                path: path.clone(),
                metadata: metadata.clone(),
                projection: projection.clone(),
                index,
            });
        }
    }
    let (mut measurement, rows) = repeated(repeat, || decode_all(&groups, store.threads))?;
    measurement.rows = Some(rows);
    Ok(measurement)
}

/// One piece of work.
struct RowGroup {
    path: PathBuf,
    metadata: ArrowReaderMetadata,
    projection: ProjectionMask,
    index: usize,
}

impl RowGroup {
    /// Gives the number of rows.
    fn decode(&self) -> Result<u64> {
        let failed =
            |e: &dyn std::fmt::Display| BenchError::new(format!("cannot read {}", self.path.display()), e);
        let file = File::open(&self.path).map_err(|e| failed(&e))?;
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, self.metadata.clone())
            .with_row_groups(vec![self.index])
            .with_projection(self.projection.clone())
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|e| failed(&e))?;
        let mut rows = 0;
        for batch in reader {
            let batch = black_box(batch.map_err(|e| failed(&e))?);
            rows += batch.num_rows() as u64;
        }
        Ok(rows)
    }
}

fn decode_all(groups: &[RowGroup], threads: usize) -> Result<u64> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<u64> {
        let mut rows = 0;
        while let Some(group) = groups.get(next.fetch_add(1, Ordering::Relaxed)) {
            rows += group.decode()?;
        }
        Ok(rows)
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut rows = work()?;
        for worker in workers {
            rows += worker.join().map_err(|_| BenchError::plain("a thread that decodes stopped"))??;
        }
        Ok(rows)
    })
}

/// The live data files of the store.
fn files(store: &StoreArgs) -> Result<Vec<PathBuf>> {
    let failed =
        |e: &dyn std::fmt::Display| BenchError::new(format!("cannot read {}", store.store.display()), e);
    let snapshot = store
        .runtime()?
        .block_on(async { store.open().await?.store().newest(TABLE).await.map_err(|e| failed(&e)) })?;
    let snapshot = snapshot.ok_or_else(|| failed(&"it has no table of touchpoints"))?;
    let directory = store.store.join(TABLE);
    Ok(snapshot.files().iter().map(|file| directory.join(&file.relative_path)).collect())
}

/// The footer, with every text column to be decoded as a dictionary.
fn footer(path: &PathBuf) -> Result<ArrowReaderMetadata> {
    let failed = |e: &dyn std::fmt::Display| BenchError::new(format!("cannot read {}", path.display()), e);
    let file = File::open(path).map_err(|e| failed(&e))?;
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::default()).map_err(|e| failed(&e))?;
    let fields: Vec<Field> = metadata.schema().fields().iter().map(|field| as_dictionary(field)).collect();
    let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
    ArrowReaderMetadata::try_new(Arc::clone(metadata.metadata()), options).map_err(|e| failed(&e))
}

fn as_dictionary(field: &Field) -> Field {
    match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let data_type = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
            field.clone().with_data_type(data_type)
        }
        _ => field.clone(),
    }
}

fn projection(metadata: &ArrowReaderMetadata, columns: &[String]) -> Result<ProjectionMask> {
    let indexes: Vec<usize> = columns
        .iter()
        .map(|name| {
            metadata
                .schema()
                .index_of(name)
                .map_err(|e| BenchError::new(format!("no column {name:?} to decode"), e))
        })
        .collect::<Result<_>>()?;
    Ok(ProjectionMask::roots(metadata.parquet_schema(), indexes))
}
