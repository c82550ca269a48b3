//! A data set as many small batches, each with rows of all its days and people.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::data::{self, Dataset};
use crate::error::{BenchError, Result};

/// Is there once all files are.
const COMPLETE: &str = "complete";
/// Rows in memory at once.
const ROWS_AT_ONCE: usize = 1 << 20;

/// Deals the rows of a data set of Parquet files in turn to `count` files, which are kept and used again; their paths.
pub fn deal(dataset: &Dataset, count: u32) -> Result<Vec<PathBuf>> {
    let dir = dataset.dir.join(format!("dealt-{count}"));
    if !dir.join(COMPLETE).exists() {
        if dir.exists() {
            fs::remove_dir_all(&dir).map_err(|e| failed(&dir, e))?;
        }
        fs::create_dir_all(&dir).map_err(|e| failed(&dir, e))?;
        write(&data::data_files(&dataset.dir)?, &dir, count)?;
        fs::write(dir.join(COMPLETE), "").map_err(|e| failed(&dir, e))?;
    }
    let mut files = data::data_files(&dir)?;
    files.sort();
    Ok(files)
}

fn write(inputs: &[PathBuf], dir: &Path, count: u32) -> Result<()> {
    let mut writers: Vec<ArrowWriter<File>> = Vec::new();
    let mut dealt: u32 = 0;
    for input in inputs {
        let file = File::open(input).map_err(|e| failed(input, e))?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| failed(input, e))?;
        let reader = reader.with_batch_size(ROWS_AT_ONCE).build().map_err(|e| failed(input, e))?;
        let batches = reader.collect::<std::result::Result<Vec<_>, _>>().map_err(|e| failed(input, e))?;
        let Some(schema) = batches.first().map(RecordBatch::schema) else { continue };
        let rows = concat_batches(&schema, &batches).map_err(|e| failed(input, e))?;
        if writers.is_empty() {
            for number in 0..count {
                let path = dir.join(format!("{number:05}.parquet"));
                let file = File::create(&path).map_err(|e| failed(&path, e))?;
                writers.push(
                    ArrowWriter::try_new(file, Arc::clone(&schema), None).map_err(|e| failed(&path, e))?,
                );
            }
        }
        let row_count = u32::try_from(rows.num_rows()).map_err(|e| failed(input, e))?;
        for (number, writer) in (0_u32..).zip(&mut writers) {
            // Goes on where the file before ended, so that all get as many.
            let first = (number + count - dealt % count) % count;
            let mine = UInt32Array::from_iter_values((first..row_count).step_by(count as usize));
            let mine = take_record_batch(&rows, &mine).map_err(|e| failed(input, e))?;
            writer.write(&mine).map_err(|e| failed(dir, e))?;
        }
        dealt = (dealt + row_count % count) % count;
    }
    writers.into_iter().try_for_each(|writer| writer.close().map(drop).map_err(|e| failed(dir, e)))
}

fn failed(path: &Path, cause: impl std::fmt::Display) -> BenchError {
    BenchError::new(format!("cannot deal the rows of {}", path.display()), cause)
}
