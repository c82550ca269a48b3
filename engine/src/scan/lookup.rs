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
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, exec_err, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, StatisticsArgs,
};
use futures::{StreamExt, TryStreamExt};
use parquet::arrow::arrow_reader::RowSelection;
use parquet::file::page_index::column_index::ColumnIndexMetaData;

use super::decode::{FileColumns, OpenFile};
use super::exec::ScanSummary;
use super::fetch::FetchedBytes;
use super::source::ScanSource;
use crate::schema;
use crate::store::layout::RowGroup;

/// More people than this are better found by a scan.
pub const MAX_KEYS: usize = 64;
/// Row groups of a partition that are read at the same time.
const AT_ONCE: usize = 32;
/// Rows that are looked through at once for one of [`FEW_KEYS`] people.
const BLOCK_ROWS: usize = 128;
const FEW_KEYS: usize = 8;

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

/// Rows of a row group to read.
struct Found {
    part: Part,
    open: OpenFile,
    rows: Vec<Range<usize>>,
}

impl Found {
    /// Bytes of the pages with the rows, and of the dictionaries.
    fn ranges(&self) -> Vec<Range<u64>> {
        let Part { row_group, .. } = self.part;
        let selection = self.selection();
        let mut ranges = Vec::new();
        for leaf in self.open.leaves() {
            let (start, length) = self.open.metadata.row_group(row_group).column(*leaf).byte_range();
            let Some(pages) = self.open.pages(row_group, *leaf) else {
                ranges.push(start..start + length);
                continue;
            };
            // A dictionary comes before the first page.
            let first = pages.first().and_then(|page| u64::try_from(page.offset).ok());
            ranges.extend(first.filter(|first| *first > start).map(|first| start..first));
            ranges.extend(selection.scan_ranges(pages));
        }
        ranges
    }

    fn selection(&self) -> RowSelection {
        RowSelection::from_consecutive_ranges(self.rows.iter().cloned(), self.part.rows())
    }
}

impl Part {
    fn rows(&self) -> usize {
        usize::try_from(self.told.rows).unwrap_or(usize::MAX)
    }
}

impl Readers {
    /// The rows of the people of `keys` in some row groups; no batch where there are none.
    async fn read(
        &self,
        parts: &[Part],
        keys: &[i64],
        baseline: &BaselineMetrics,
    ) -> Result<Vec<RecordBatch>> {
        let mut near = Vec::with_capacity(parts.len());
        for part in parts {
            let Part { file, row_group, told } = *part;
            let open = self.keys.open(file).await?;
            self.keys.row_group(file, &open, row_group, &told)?;
            let [leaf] = open.leaves() else {
                return exec_err!(
                    "{} has no column {}: it is damaged",
                    self.keys.path(file),
                    schema::USER_KEY
                );
            };
            let rows = pages_near(&open, row_group, *leaf, keys, part.rows());
            // A person who is not there can lie between the last of one page and the first of the next.
            if !rows.is_empty() {
                near.push(Found { part: *part, open, rows });
            }
        }
        let decoded = decode(&self.keys, &near, baseline).await?;
        let mut found = Vec::new();
        for (near, batch) in near.into_iter().zip(decoded) {
            let rows = rows_of(batch.column(0).as_primitive::<Int64Type>().values(), keys, &near.rows);
            if !rows.is_empty() {
                let open = self.wanted.open(near.part.file).await?;
                found.push(Found { part: near.part, open, rows });
            }
        }
        decode(&self.wanted, &found, baseline).await
    }
}

/// The rows of each of `found`.
async fn decode(
    columns: &FileColumns,
    found: &[Found],
    baseline: &BaselineMetrics,
) -> Result<Vec<RecordBatch>> {
    let wanted = found.iter().map(|found| (found.part.file, found.ranges())).collect();
    let fetched = columns.fetch(wanted).await?;
    let _timer = baseline.elapsed_compute().timer();
    let rows = |(found, fetched): (&Found, FetchedBytes)| {
        let count = found.rows.iter().map(ExactSizeIterator::len).sum();
        let Part { file, row_group, .. } = found.part;
        columns.decode(file, &found.open, row_group, fetched, Some(found.selection()), count)
    };
    found.iter().zip(fetched).map(rows).collect()
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
        return Vec::from_iter(std::iter::once(0..total));
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

/// The places of `keys` in `found`, which are the keys of the rows of `read`. Rows need not be in an order.
fn rows_of(found: &[i64], keys: &[i64], read: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut rows = Vec::new();
    let mut found = found;
    for range in read {
        let (here, rest) = found.split_at(range.len().min(found.len()));
        for (number, block) in here.chunks(BLOCK_ROWS).enumerate() {
            // Many rows of nobody who is wanted are passed over at once.
            if keys.len() <= FEW_KEYS && !keys.iter().any(|key| block.contains(key)) {
                continue;
            }
            for (row, key) in (range.start + number * BLOCK_ROWS..).zip(block) {
                if keys.binary_search(key).is_ok() {
                    add(&mut rows, row..row + 1);
                }
            }
        }
        found = rest;
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
        let chunks: Vec<Vec<Part>> = parts.chunks(AT_ONCE).map(<[Part]>::to_vec).collect();
        let reads = futures::stream::iter(chunks).then(move |parts| {
            let (readers, keys, baseline) = (Arc::clone(&readers), Arc::clone(&keys), baseline.clone());
            async move { readers.read(&parts, &keys, &baseline).await }
        });
        let batches = reads
            .map_ok(|batches| futures::stream::iter(batches.into_iter().map(Ok)))
            .try_flatten()
            .inspect_ok(move |batch| counted.output_rows().add(batch.num_rows()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), batches)))
    }

    /// An estimate: a person has few rows in a row group.
    fn statistics_from_inputs(&self, _: &[Arc<Statistics>], _: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let row_groups: usize = self.parts.iter().map(Vec::len).sum();
        let num_rows = Precision::Inexact(row_groups * self.keys.len());
        Ok(Arc::new(Statistics { num_rows, ..Statistics::new_unknown(&self.schema()) }))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rows_are_found_where_they_were_read() {
        let read = [2..4, 10..14];
        assert_eq!(rows_of(&[1, 2, 2, 2, 3, 9], &[2, 9], &read), [3..4, 10..12, 13..14]);
        assert!(rows_of(&[1, 1, 1, 1, 1, 1], &[2], &read).is_empty());
        assert!(rows_of(&[], &[2], &[]).is_empty());
        // Fewer keys than were asked for, as only a damaged file gives.
        assert_eq!(rows_of(&[2, 2], &[2], &only(3..9)), only(3..5));
    }

    proptest! {
        #[test]
        fn rows_are_found_in_any_order(
            lengths in prop::collection::vec((0_usize..300, 0_usize..9), 0..4),
            seeds in prop::collection::vec(0_i64..40, 1200),
            keys in prop::collection::btree_set(0_i64..40, 1..12),
        ) {
            let keys: Vec<i64> = keys.into_iter().collect();
            let mut read = Vec::new();
            let mut end = 0;
            for (length, pause) in lengths {
                read.push(end + pause..end + pause + length);
                end += pause + length;
            }
            let places: Vec<usize> = read.iter().cloned().flatten().collect();
            let found = &seeds[..places.len()];
            let wanted = places.iter().zip(found).filter(|(_, key)| keys.contains(key));
            let wanted: Vec<usize> = wanted.map(|(place, _)| *place).collect();
            let rows = rows_of(found, &keys, &read).into_iter().flatten();
            prop_assert_eq!(rows.collect::<Vec<_>>(), wanted);
        }
    }

    fn only(range: Range<usize>) -> [Range<usize>; 1] {
        std::array::from_fn(|_| range.clone())
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
