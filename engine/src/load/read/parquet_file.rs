//! Rows of Parquet files to batches of touchpoints.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::datatypes::FieldRef;
use arrow::error::ArrowError;
use arrow::json::writer::{EncoderOptions, make_encoder};

use super::assemble::{Assembler, ParsedBatch, Rows};
use super::json_text::append_string;
use super::options::ReadOptions;
use super::parquet_batches::Batches;
use super::parquet_footer::{Footer, one_line};
use super::rejected::RowPlace;
use super::source::SourceFile;
use super::stream::Passed;
use super::targets::{Matched, Targets, check_distinct, shared};
use super::text_column::TextColumn;
use super::timestamp::TimestampRule;
use crate::load::error::LoadError;
use crate::load::rows::text_bytes;
use crate::schema;

/// Bytes of decoded rows after which they are compared with the size of the file, and the most for each of its bytes:
/// a dictionary may repeat a long text in every row.
const SUSPICIOUS_OUTPUT: u64 = 256 << 20;
const MAX_OUTPUT_RATIO: u64 = 1_000;

/// Reads one Parquet file.
#[derive(Debug)]
pub(super) struct ParquetFile {
    path: Arc<str>,
    batches: Batches,
    assembler: Assembler,
    /// Positions within a batch of the columns that join `properties`, with `"name":`.
    extras: Vec<(usize, Vec<u8>)>,
    rows_read: u64,
    /// Bytes of the file, and of the rows that came out of it so far.
    size: u64,
    produced: u64,
    has_failed: bool,
}

impl ParquetFile {
    /// Reads the footer and matches the columns; only columns that are used will be read.
    pub(super) fn open(
        file: &SourceFile,
        options: &Arc<ReadOptions>,
        mut targets: Targets,
        rule: TimestampRule,
    ) -> Result<Self, LoadError> {
        let footer = Footer::read(file)?;
        let names = footer.names();
        check_distinct(&file.display, &names)?;
        let matched = targets.match_columns(&file.display, &names)?;
        // Columns that join properties do so as text.
        if matched.leftovers.is_empty() {
            targets.code_properties();
        }
        let footer = footer.with_codes(&columns_as_codes(&matched, &targets));
        let mut used: Vec<usize> = matched.by_target.iter().flatten().copied().collect();
        used.extend(&matched.leftovers);
        used.sort_unstable();
        used.dedup();
        let position = |column: usize| used.binary_search(&column).ok();
        let by_target: Vec<Option<usize>> = matched.by_target.iter().map(|c| c.and_then(position)).collect();
        let mut extras = Vec::new();
        for column in &matched.leftovers {
            let mut key = Vec::new();
            append_string(&names[*column], &mut key);
            key.push(b':');
            extras.extend(position(*column).map(|at| (at, key)));
        }
        let path = shared(&file.display);
        let mut assembler = Assembler::new(Arc::clone(&path), targets, rule, &by_target)?;
        for (target, column) in matched.by_target.iter().enumerate() {
            if let Some(column) = column {
                assembler.set_name(target, &names[*column]);
            }
        }
        let batches = Batches::open(file, footer, &used, options)?;
        Ok(Self {
            path,
            batches,
            assembler,
            extras,
            rows_read: 0,
            size: file.size,
            produced: 0,
            has_failed: false,
        })
    }

    /// The next batch; `None` at the end of the file.
    ///
    /// # Errors
    /// [`LoadError::Damaged`] if the file does not hold what its footer says. Nothing follows an error.
    pub(super) fn next_batch(&mut self) -> Option<Result<ParsedBatch, LoadError>> {
        if self.has_failed {
            return None;
        }
        let parsed = self.batches.next()?.and_then(|batch| self.parse(&batch));
        self.has_failed |= parsed.is_err();
        Some(parsed)
    }

    /// What of the file has passed by.
    pub(super) fn passed(&self) -> Arc<Passed> {
        self.batches.passed()
    }

    /// Share of the rows read, for progress: (rows read, rows in the file).
    pub(super) fn progress(&self) -> (u64, u64) {
        self.batches.progress()
    }

    fn parse(&mut self, batch: &RecordBatch) -> Result<ParsedBatch, LoadError> {
        self.produced += batch.get_array_memory_size() as u64;
        if self.produced > SUSPICIOUS_OUTPUT && self.produced / MAX_OUTPUT_RATIO > self.size {
            return Err(self.batches.damaged_after(self.rows_read, format!(
                "its rows come to more than {MAX_OUTPUT_RATIO} times its size, as those of a decompression bomb do"
            )));
        }
        let members = if self.extras.is_empty() { None } else { Some(self.members(batch)?) };
        let rows = ParquetRows { first: self.rows_read + 1, batch };
        self.rows_read += batch.num_rows() as u64;
        let columns: &[ArrayRef] = batch.columns();
        let parsed =
            self.assembler.assemble(batch.num_rows(), columns, members.as_ref(), &rows, Vec::new())?;
        // Whether `properties` come as codes makes no difference: their text counts.
        let properties = parsed.batch.column_by_name(schema::PROPERTIES);
        let coded = properties.and_then(|column| column.as_any_dictionary_opt());
        self.produced += coded.map_or(0, text_bytes) as u64;
        Ok(parsed)
    }

    /// The extra columns of each row as JSON members, by type.
    fn members(&self, batch: &RecordBatch) -> Result<StringArray, LoadError> {
        let unsupported = |name: &str, error: &ArrowError| {
            LoadError::input(
                self.path.as_ref(),
                format!("column {name:?} cannot become a property: {}", one_line(error)),
            )
        };
        let options = EncoderOptions::default();
        let schema = batch.schema();
        let fields: Vec<FieldRef> =
            self.extras.iter().map(|(at, _)| Arc::clone(&schema.fields()[*at])).collect();
        let mut encoders = Vec::with_capacity(fields.len());
        for ((at, key), field) in self.extras.iter().zip(&fields) {
            let encoder = make_encoder(field, batch.column(*at).as_ref(), &options)
                .map_err(|error| unsupported(field.name(), &error))?;
            encoders.push((key, encoder));
        }
        let mut members = TextColumn::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            for (key, encoder) in &mut encoders {
                if encoder.is_null(row) {
                    continue;
                }
                let separator = members.has_open_bytes();
                let out = members.open();
                if separator {
                    out.push(b',');
                }
                out.extend_from_slice(key);
                encoder.encode(row, out);
            }
            if members.has_open_bytes() {
                members.close();
            } else {
                members.push_null();
            }
        }
        members.finish().map_err(|error| unsupported("properties", &error))
    }
}

/// The columns of the file that fill nothing but columns whose text may come as codes.
fn columns_as_codes(matched: &Matched, targets: &Targets) -> Vec<usize> {
    let fills = || matched.by_target.iter().zip(&targets.as_codes);
    let fills_text = |column: &usize| fills().any(|(c, as_codes)| *c == Some(*column) && !as_codes);
    let columns = fills().filter(|(_, as_codes)| **as_codes).filter_map(|(column, _)| *column);
    columns.filter(|column| !fills_text(column) && !matched.leftovers.contains(column)).collect()
}

struct ParquetRows<'a> {
    /// Number of the batch's first row in the file, from 1.
    first: u64,
    batch: &'a RecordBatch,
}

impl Rows for ParquetRows<'_> {
    fn place(&self, row: usize) -> RowPlace {
        RowPlace::Row(self.first + row as u64)
    }

    fn raw(&self, row: usize) -> String {
        let mut writer = arrow::json::LineDelimitedWriter::new(Vec::new());
        let written = writer.write(&self.batch.slice(row, 1)).and_then(|()| writer.finish());
        match written {
            Ok(()) => String::from_utf8_lossy(writer.into_inner().trim_ascii_end()).into_owned(),
            Err(error) => format!("(cannot be shown: {})", one_line(&error)),
        }
    }
}

#[cfg(test)]
mod tests;
