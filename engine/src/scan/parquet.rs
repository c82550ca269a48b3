//! The chosen files as a Parquet source of DataFusion's.
//!
//! It is made when someone asks for it, and operators that read the files themselves do not: to tell the planner of
//! hundreds of files with dozens of columns takes longer than all else that is planned.

use std::sync::{Arc, OnceLock};

use arrow::datatypes::{Field, Schema};
use datafusion::common::config::TableParquetOptions;
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Result, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::{CachedParquetFileReaderFactory, ParquetAccessPlan};
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, SchedulingType};
use datafusion::physical_plan::{ExecutionPlan, Partitioning, PlanProperties, StatisticsArgs};

use super::source::{ChosenFile, ScanSource};
use crate::schema;
use crate::store::snapshot::DataFile;
use crate::store::table::TableKind;

/// What the source is made of.
#[derive(Debug)]
pub struct ParquetScan {
    /// The files, and the columns asked for.
    pub source: Arc<ScanSource>,
    /// Rows after which it may stop.
    pub limit: Option<usize>,
    /// The most groups that files are dealt over.
    pub partitions: usize,
    /// How Parquet is read.
    pub options: TableParquetOptions,
    /// Keeps footers.
    pub cache: Arc<FileMetadataCache>,
    /// What the optimizer will not hand down.
    pub predicate: Option<Arc<dyn PhysicalExpr>>,
}

/// A source that is made when someone asks for it.
#[derive(Debug)]
pub struct LazyParquet {
    scan: ParquetScan,
    files: OnceLock<Vec<PartitionedFile>>,
    made: OnceLock<Arc<dyn ExecutionPlan>>,
}

impl LazyParquet {
    /// The source of `scan`, not yet made.
    pub fn new(scan: ParquetScan) -> Self {
        Self { scan, files: OnceLock::new(), made: OnceLock::new() }
    }

    /// The source.
    ///
    /// # Errors
    /// Those of its making.
    pub fn get(&self) -> Result<&Arc<dyn ExecutionPlan>> {
        if let Some(made) = self.made.get() {
            return Ok(made);
        }
        let files = self.files();
        let statistics = match self.statistics_of_all()? {
            Some(of_all) => of_all.clone(),
            None => self.scan.merged(files)?,
        };
        let groups = dealt(files, self.scan.groups()).into_iter().map(|files| {
            let statistics = self.scan.merged(&files)?;
            Ok(FileGroup::new(files).with_statistics(Arc::new(statistics)))
        });
        let made = self.scan.over(groups.collect::<Result<_>>()?, statistics)?;
        Ok(self.made.get_or_init(|| made))
    }

    /// What the source says of its rows. Of all rows of a table it is known without the source.
    ///
    /// # Errors
    /// Those of its making.
    pub fn statistics(&self, inputs: &[Arc<Statistics>], args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        if self.made.get().is_none()
            && args.partition().is_none()
            && let Some(of_all) = self.statistics_of_all()?
        {
            return self.scan.over(Vec::new(), of_all.clone())?.statistics_from_inputs(inputs, args);
        }
        self.get()?.statistics_from_inputs(inputs, args)
    }

    /// The source, if someone has asked for it.
    pub fn made(&self) -> Option<&Arc<dyn ExecutionPlan>> {
        self.made.get()
    }

    fn files(&self) -> &[PartitionedFile] {
        self.files.get_or_init(|| self.scan.files())
    }

    /// Statistics of all rows of the table, if all are read.
    fn statistics_of_all(&self) -> Result<Option<&Statistics>> {
        if !self.scan.is_whole() {
            return Ok(None);
        }
        let snapshot = &self.scan.source.snapshot;
        snapshot.planner_statistics(|| self.scan.merged(self.files())).map(Some)
    }
}

impl ParquetScan {
    /// What is known of the source before it is made.
    ///
    /// # Errors
    /// If a column that is asked for is not there.
    pub fn properties(&self) -> Result<PlanProperties> {
        let columns = Arc::new(self.source.full_schema.project(&self.source.projection)?);
        Ok(PlanProperties::new(
            EquivalenceProperties::new(columns),
            Partitioning::UnknownPartitioning(self.groups()),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative))
    }

    fn groups(&self) -> usize {
        self.partitions.clamp(1, self.source.files.len().max(1))
    }

    /// The source over some groups of files, with the statistics of all.
    fn over(&self, groups: Vec<FileGroup>, statistics: Statistics) -> Result<Arc<dyn ExecutionPlan>> {
        let source = &self.source;
        let partition_fields = match source.full_schema.field_with_name(schema::DAY) {
            Ok(day) if self.has_day() => vec![Arc::new(day.clone())],
            _ => Vec::new(),
        };
        let table_schema = TableSchema::builder(Arc::new(Schema::new(self.file_fields())))
            .with_table_partition_cols(partition_fields)
            .build();
        let location = source.snapshot.table().location();
        let readers =
            CachedParquetFileReaderFactory::new(Arc::clone(&location.store), Arc::clone(&self.cache));
        let mut parquet = ParquetSource::new(table_schema)
            .with_table_parquet_options(self.options.clone())
            .with_parquet_file_reader_factory(Arc::new(readers));
        if let Some(predicate) = &self.predicate {
            parquet = parquet.with_predicate(Arc::clone(predicate));
        }
        let url = ObjectStoreUrl::parse(location.root_url().as_str())?;
        let config = FileScanConfigBuilder::new(url, Arc::new(parquet))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(Some(source.projection.clone()))?
            .with_limit(self.limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// Columns inside the files.
    fn file_fields(&self) -> Vec<Arc<Field>> {
        let has_day = self.has_day();
        let fields = self.source.full_schema.fields().iter();
        fields.filter(|field| !has_day || field.name() != schema::DAY).cloned().collect()
    }

    fn files(&self) -> Vec<PartitionedFile> {
        let fields = self.file_fields();
        self.source.files.iter().map(|file| self.partitioned_file(file, &fields)).collect()
    }

    /// Whether all rows of the table are read.
    fn is_whole(&self) -> bool {
        let all = self.source.snapshot.files();
        let is_whole = |chosen: &ChosenFile| {
            let of_file = all[chosen.number].row_groups.as_ref();
            chosen.row_groups.as_ref().map(Vec::len) == of_file.map(Vec::len)
        };
        self.source.files.len() == all.len() && self.source.files.iter().all(is_whole)
    }

    fn partitioned_file(&self, chosen: &ChosenFile, fields: &[Arc<Field>]) -> PartitionedFile {
        let file = &self.source.snapshot.files()[chosen.number];
        let mut partitioned = PartitionedFile::new_from_meta(chosen.meta.clone());
        if self.has_day() {
            partitioned = partitioned.with_partition_values(vec![ScalarValue::Date32(chosen.day)]);
        }
        match (&chosen.row_groups, &file.row_groups) {
            (Some(read), Some(all)) if read.len() < all.len() => {
                let mut plan = ParquetAccessPlan::new_none(all.len());
                read.iter().for_each(|(row_group, _)| plan.scan(*row_group));
                partitioned.with_extension(plan)
            }
            _ => partitioned.with_statistics(Arc::new(file_statistics(file, fields))),
        }
    }

    /// Statistics of several files together; unknown if one of them is.
    fn merged(&self, files: &[PartitionedFile]) -> Result<Statistics> {
        match files.iter().map(|file| file.statistics.as_deref()).collect::<Option<Vec<_>>>() {
            Some(all) => Statistics::try_merge_iter(all, &self.source.full_schema),
            None => Ok(Statistics::new_unknown(&self.source.full_schema)),
        }
    }

    /// Whether files lie by day: then the column is not in them. A reference table may have one of that name.
    fn has_day(&self) -> bool {
        let source = &self.source;
        source.snapshot.kind() == TableKind::Touchpoints && source.full_schema.index_of(schema::DAY).is_ok()
    }
}

/// Exact for files of ours; what other writers say is only good for estimates.
fn file_statistics(file: &DataFile, fields: &[Arc<Field>]) -> Statistics {
    let exact = file.row_groups.is_some();
    let rows = file.statistics.num_records.map(|rows| rows as usize);
    let columns = fields
        .iter()
        .map(|field| {
            let value = |v: Option<ScalarValue>| v.map_or(Precision::Absent, |v| precision(v, exact));
            let nulls = file.statistics.null_count.get(field.name()).map(|n| *n as usize);
            ColumnStatistics {
                null_count: nulls.map_or(Precision::Absent, |n| precision(n, exact)),
                min_value: value(file.statistics.min(field.name(), field.data_type())),
                max_value: value(file.statistics.max(field.name(), field.data_type())),
                ..ColumnStatistics::new_unknown()
            }
        })
        .collect();
    Statistics {
        num_rows: rows.map_or(Precision::Absent, |n| precision(n, exact)),
        total_byte_size: Precision::Inexact(file.size as usize),
        column_statistics: columns,
    }
}

fn precision<T: std::fmt::Debug + Clone + PartialEq + Eq + PartialOrd>(
    value: T,
    exact: bool,
) -> Precision<T> {
    if exact { Precision::Exact(value) } else { Precision::Inexact(value) }
}

/// Deals files over `groups` of similar size, keeping their order inside a group.
fn dealt(files: &[PartitionedFile], groups: usize) -> Vec<Vec<PartitionedFile>> {
    let mut dealt: Vec<(u64, Vec<PartitionedFile>)> = vec![(0, Vec::new()); groups];
    for file in files {
        let smallest =
            dealt.iter().enumerate().min_by_key(|(_, (bytes, _))| *bytes).map_or(0, |(index, _)| index);
        dealt[smallest].0 += file.object_meta.size;
        dealt[smallest].1.push(file.clone());
    }
    dealt.into_iter().map(|(_, files)| files).collect()
}
