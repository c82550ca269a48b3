//! Row groups as batches.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, RecordBatch};
use arrow::datatypes::Int32Type;
use datafusion::common::{Result, ScalarValue, exec_err, internal_err, resources_err};
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use parquet::arrow::arrow_reader::RowSelection;
use tokio::sync::OnceCell;

use super::buckets::Part;
use super::columns::{Columns, coded_type, without_values};
use crate::scan::decode::{FileColumns, OpenFile};
use crate::scan::fetch::FetchedBytes;
use crate::scan::source::ScanSource;
use crate::schema;
use crate::store::encodings::is_all_in_dictionary;

/// Reads columns of the row groups of a scan's files; footers are read once.
#[derive(Debug)]
pub struct Reader {
    columns: Columns,
    read: FileColumns,
    files: Vec<OnceCell<OpenFile>>,
}

/// The bytes of the columns of one row group.
#[derive(Debug)]
pub struct Fetched {
    /// Which row group.
    pub part: Part,
    /// Whether it says of itself that its rows are in the order of the layout.
    pub is_sorted: bool,
    bytes: FetchedBytes,
}

fn rows_of(fetched: &Fetched) -> usize {
    usize::try_from(fetched.part.range.rows).unwrap_or(usize::MAX)
}

impl Reader {
    /// Reads `columns` of the files of `source`.
    pub fn new(source: Arc<ScanSource>, cache: Arc<FileMetadataCache>, columns: Columns) -> Self {
        Self::leaving_out(source, cache, columns, None)
    }

    /// The same, with a column of nothing but NULL in the place of the one at `left_out`, which is not read.
    pub fn leaving_out(
        source: Arc<ScanSource>,
        cache: Arc<FileMetadataCache>,
        columns: Columns,
        left_out: Option<usize>,
    ) -> Self {
        let files = source.files.iter().map(|_| OnceCell::new()).collect();
        let delivered = without_values(columns.delivered(), left_out.as_slice());
        let read = FileColumns::new(source, cache, delivered, left_out);
        Self { columns, read, files }
    }

    /// The columns of the batches.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// The path of a file, for messages.
    pub fn path(&self, part: &Part) -> &str {
        self.read.path(part.file)
    }

    /// Brings the bytes of row groups into memory.
    ///
    /// # Errors
    /// Those of the object store, and of a damaged footer.
    pub async fn fetch(&self, parts: Vec<Part>) -> Result<Vec<Fetched>> {
        let mut wanted = Vec::with_capacity(parts.len());
        let mut are_sorted = Vec::with_capacity(parts.len());
        for part in &parts {
            let file = self.files[part.file].get_or_try_init(|| self.read.open(part.file)).await?;
            let row_group = self.read.row_group(part.file, file, part.row_group, &part.range)?;
            let ranges = file.leaves().iter().map(|leaf| {
                let (start, length) = row_group.column(*leaf).byte_range();
                start..start + length
            });
            wanted.push((part.file, ranges.collect()));
            are_sorted.push(self.read.is_sorted(file, row_group));
        }
        let fetched = self.read.fetch(wanted).await?;
        let fetched = parts.into_iter().zip(are_sorted).zip(fetched);
        Ok(fetched.map(|((part, is_sorted), bytes)| Fetched { part, is_sorted, bytes }).collect())
    }

    /// The rows of a row group.
    ///
    /// # Errors
    /// An error that names the file if it is damaged.
    pub fn decode(&self, fetched: Fetched) -> Result<RecordBatch> {
        let rows = rows_of(&fetched);
        self.decode_selected(fetched, None, rows)
    }

    /// Whether a row group has nothing to tell but who has rows in it, and its dictionary names them all: ours has no
    /// value that no row has, which a file that does not say that it is sorted as ours may have.
    pub fn has_only_people(&self, fetched: &Fetched) -> bool {
        let Part { file, row_group, .. } = fetched.part;
        let fields = self.columns.delivered().fields();
        let are_people = fields.iter().all(|field| match field.name().as_str() {
            schema::USER_ID => *field.data_type() == coded_type(),
            name => name == schema::DAY,
        });
        let file = self.files[file].get().filter(|_| are_people && fetched.is_sorted);
        file.is_some_and(|file| match (file.leaves(), file.metadata.row_groups().get(row_group)) {
            ([leaf], Some(row_group)) => is_all_in_dictionary(row_group.column(*leaf)) == Some(true),
            _ => false,
        })
    }

    /// One row for each of the people of a row group that has nothing else to tell: the values of its dictionary, in the
    /// order of their first rows.
    ///
    /// # Errors
    /// An error that names the file if it is damaged.
    pub fn decode_people(&self, fetched: Fetched) -> Result<RecordBatch> {
        let part = fetched.part;
        let rows = rows_of(&fetched);
        // The last row has the last value, unless values were lost.
        let last = rows.saturating_sub(1);
        let ends = [0..last.min(1), last..rows];
        let count = ends.iter().map(ExactSizeIterator::len).sum();
        let selected = RowSelection::from_consecutive_ranges(ends.into_iter(), rows);
        let ends = self.decode_selected(fetched, Some(selected), count)?;
        let people = ends.columns().iter().find_map(|column| column.as_dictionary_opt::<Int32Type>());
        let Some(people) = people else {
            return internal_err!("user_id comes without a dictionary");
        };
        let last = people.keys().iter().last().flatten();
        let people = people.values();
        let Ok(count) = i32::try_from(people.len()) else {
            return resources_err!("more than {} people in a row group", i32::MAX);
        };
        if last.and_then(|last| last.checked_add(1)) != Some(count) {
            return exec_err!(
                "the last row of row group {} of {} has not the last of its {count} people: the file is damaged",
                part.row_group,
                self.path(&part)
            );
        }
        let columns = ends.columns().iter().map(|column| -> Result<ArrayRef> {
            if column.as_any_dictionary_opt().is_some() {
                let codes = Int32Array::from_iter_values(0..count);
                return Ok(Arc::new(DictionaryArray::try_new(codes, Arc::clone(people))?));
            }
            ScalarValue::try_from_array(column, 0)?.to_array_of_size(people.len())
        });
        Ok(RecordBatch::try_new(ends.schema(), columns.collect::<Result<_>>()?)?)
    }

    fn decode_selected(
        &self,
        fetched: Fetched,
        selected: Option<RowSelection>,
        rows: usize,
    ) -> Result<RecordBatch> {
        let Fetched { part, bytes, .. } = fetched;
        let Some(file) = self.files[part.file].get() else {
            return exec_err!("{} was not opened", self.path(&part));
        };
        self.read.decode(part.file, file, part.row_group, bytes, selected, rows)
    }
}
