//! The leaf operator that reads the rows of a few people.
//!
//! Row groups are sorted by `user_key`. For each that can hold one of the people, the page index tells the pages of
//! `user_key` where they would be; those are read first, and only where the people are there, the pages of the other
//! columns that hold their rows. The filter on `user_id` stays above: hashes only tell where to look.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::{StreamExt, TryStreamExt};
use parquet::arrow::arrow_reader::RowSelection;
use parquet::file::page_index::column_index::ColumnIndexMetaData;

use super::decode::{FetchedBytes, FileColumns, OpenFile};
use super::exec::ScanSummary;
use super::source::ScanSource;
use crate::schema;
use crate::store::layout::RowGroup;

/// More people than this are better found by a scan.
pub const MAX_KEYS: usize = 64;
/// Row groups of a partition that are read at the same time.
const AT_ONCE: usize = 16;

/// Reads the rows of few people of one version of a table.
#[derive(Debug)]
pub struct LookupExec {
    summary: ScanSummary,
    source: Arc<ScanSource>,
    /// Sorted.
    keys: Arc<[i64]>,
    /// Row groups of each partition.
    parts: Vec<Vec<Part>>,
    readers: OnceLock<Arc<Readers>>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

/// A row group to look into.
#[derive(Debug, Clone, Copy)]
struct Part {
    file: usize,
    row_group: usize,
    told: RowGroup,
}

/// What reads the files.
#[derive(Debug)]
struct Readers {
    keys: FileColumns,
    wanted: FileColumns,
}

impl LookupExec {
    /// The rows of `source` of people whose `user_key` is one of `keys`, which are sorted.
    ///
    /// # Errors
    /// An internal error if a file is of another writer.
    pub fn new(summary: ScanSummary, source: ScanSource, keys: Vec<i64>, partitions: usize) -> Result<Self> {
        let mut parts: Vec<Part> = Vec::new();
        for (file, chosen) in source.files.iter().enumerate() {
            let Some(row_groups) = &chosen.row_groups else {
                return internal_err!("people are looked up in a file of another writer");
            };
            parts.extend(row_groups.iter().map(|(row_group, told)| Part {
                file,
                row_group: *row_group,
                told: *told,
            }));
        }
        let partitions = partitions.min(parts.len()).max(1);
        let mut dealt = vec![Vec::new(); partitions];
        for (number, part) in parts.into_iter().enumerate() {
            dealt[number % partitions].push(part);
        }
        let schema: SchemaRef = Arc::new(source.full_schema.project(&source.projection)?);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self {
            summary,
            source: Arc::new(source),
            keys: keys.into(),
            parts: dealt,
            readers: OnceLock::new(),
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    fn readers(&self, context: &TaskContext) -> Arc<Readers> {
        let readers = self.readers.get_or_init(|| {
            let cache = context.runtime_env().cache_manager.get_file_metadata_cache();
            let key = Schema::new(vec![Field::new(schema::USER_KEY, DataType::Int64, false)]);
            let of =
                |delivered| FileColumns::new(Arc::clone(&self.source), Arc::clone(&cache), delivered, None);
            Arc::new(Readers { keys: of(Arc::new(key)), wanted: of(self.schema()) })
        });
        Arc::clone(readers)
    }
}

impl Readers {
    /// The rows of the people of `keys` in a row group; `None` if there are none.
    async fn read(
        &self,
        part: Part,
        keys: &[i64],
        baseline: &BaselineMetrics,
    ) -> Result<Option<RecordBatch>> {
        let Part { file, row_group, told } = part;
        let open = self.keys.open(file).await?;
        self.keys.row_group(file, &open, row_group, &told)?;
        let total = usize::try_from(told.rows).unwrap_or(usize::MAX);
        let [leaf] = open.leaves() else {
            return exec_err!("{} has no column {}: it is damaged", self.keys.path(file), schema::USER_KEY);
        };
        let near = pages_near(&open, row_group, *leaf, keys, total);
        let fetched = fetch(&self.keys, file, &open, row_group, &near, total).await?;
        let rows = {
            let _timer = baseline.elapsed_compute().timer();
            let selection = RowSelection::from_consecutive_ranges(near.iter().cloned(), total);
            let count = near.iter().map(ExactSizeIterator::len).sum();
            let found = self.keys.decode(file, &open, row_group, fetched, Some(selection), count)?;
            rows_of(found.column(0).as_primitive::<Int64Type>().values(), keys, &near)
        };
        if rows.is_empty() {
            return Ok(None);
        }
        let open = self.wanted.open(file).await?;
        let fetched = fetch(&self.wanted, file, &open, row_group, &rows, total).await?;
        let _timer = baseline.elapsed_compute().timer();
        let selection = RowSelection::from_consecutive_ranges(rows.iter().cloned(), total);
        let count = rows.iter().map(ExactSizeIterator::len).sum();
        self.wanted.decode(file, &open, row_group, fetched, Some(selection), count).map(Some)
    }
}

/// Brings the pages with `rows` into memory, and the dictionaries.
async fn fetch(
    columns: &FileColumns,
    file: usize,
    open: &OpenFile,
    row_group: usize,
    rows: &[Range<usize>],
    total: usize,
) -> Result<FetchedBytes> {
    let selection = RowSelection::from_consecutive_ranges(rows.iter().cloned(), total);
    let mut ranges = Vec::new();
    for leaf in open.leaves() {
        let (start, length) = open.metadata.row_group(row_group).column(*leaf).byte_range();
        let Some(pages) = open.pages(row_group, *leaf) else {
            ranges.push(start..start + length);
            continue;
        };
        // A dictionary comes before the first page.
        let first = pages.first().and_then(|page| u64::try_from(page.offset).ok());
        ranges.extend(first.filter(|first| *first > start).map(|first| start..first));
        ranges.extend(selection.scan_ranges(pages));
    }
    columns.fetch(file, ranges).await
}

/// The rows of the pages of `user_key` that can hold one of `keys`; all rows if the file does not tell.
fn pages_near(
    open: &OpenFile,
    row_group: usize,
    leaf: usize,
    keys: &[i64],
    total: usize,
) -> Vec<Range<usize>> {
    let index = open.metadata.column_index().and_then(|index| index.get(row_group)?.get(leaf));
    let (Some(ColumnIndexMetaData::INT64(index)), Some(pages)) = (index, open.pages(row_group, leaf)) else {
        return vec![0..total];
    };
    let first_row = |page: usize| pages.get(page).and_then(|page| usize::try_from(page.first_row_index).ok());
    let bounds = index.min_values().iter().zip(index.max_values());
    let mut near: Vec<Range<usize>> = Vec::new();
    for (page, (smallest, largest)) in bounds.enumerate().take(pages.len()) {
        let first = keys.partition_point(|key| key < smallest);
        if keys.get(first).is_some_and(|key| key <= largest) {
            let start = first_row(page).unwrap_or(0).min(total);
            add(&mut near, start..first_row(page + 1).unwrap_or(total).clamp(start, total));
        }
    }
    near
}

/// The places of `keys` in `found`, which are the keys of the rows of `read`.
fn rows_of(found: &[i64], keys: &[i64], read: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    let mut found = found.iter();
    for row in read.iter().cloned().flatten() {
        if found.next().is_some_and(|key| keys.binary_search(key).is_ok()) {
            add(&mut rows, row..row + 1);
        }
    }
    rows
}

/// Adds a range behind the others, or to the last one if it follows on it.
fn add(ranges: &mut Vec<Range<usize>>, range: Range<usize>) {
    match ranges.last_mut() {
        Some(last) if last.end == range.start => last.end = range.end,
        _ if range.is_empty() => {}
        _ => ranges.push(range),
    }
}

impl DisplayAs for LookupExec {
    fn fmt_as(&self, t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match t {
            DisplayFormatType::Default | DisplayFormatType::Verbose => {
                write!(f, "LookupExec: people={}, {}", self.keys.len(), self.summary)?;
                let names: Vec<String> =
                    self.schema().fields().iter().map(|field| field.name().clone()).collect();
                write!(f, ", projection=[{}]", names.join(", "))
            }
            DisplayFormatType::TreeRender => write!(f, "{}", self.summary),
        }
    }
}

impl ExecutionPlan for LookupExec {
    fn name(&self) -> &'static str {
        "LookupExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let Some(parts) = self.parts.get(partition).cloned() else {
            return internal_err!("LookupExec has no partition {partition}");
        };
        let readers = self.readers(&context);
        let keys = Arc::clone(&self.keys);
        let baseline = BaselineMetrics::new(&self.metrics, partition);
        let counted = baseline.clone();
        let reads = futures::stream::iter(parts).map(move |part| {
            let (readers, keys, baseline) = (Arc::clone(&readers), Arc::clone(&keys), baseline.clone());
            async move { readers.read(part, &keys, &baseline).await }
        });
        let batches = reads
            .buffered(AT_ONCE)
            .try_filter_map(|rows| std::future::ready(Ok(rows)))
            .inspect_ok(move |batch| counted.output_rows().add(batch.num_rows()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_where_they_were_read() {
        let read = [2..4, 10..14];
        assert_eq!(rows_of(&[1, 2, 2, 2, 3, 9], &[2, 9], &read), [3..4, 10..12, 13..14]);
        assert!(rows_of(&[1, 1, 1, 1, 1, 1], &[2], &read).is_empty());
        assert!(rows_of(&[], &[2], &[]).is_empty());
    }

    #[test]
    fn ranges_that_follow_each_other_are_one() {
        let mut ranges = Vec::new();
        for range in [0..2, 2..3, 3..3, 5..6, 6..9] {
            add(&mut ranges, range);
        }
        assert_eq!(ranges, [0..3, 5..9]);
    }
}
