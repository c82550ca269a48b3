//! A table at one version as DataFusion sees it.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use crate::scan::exec::{ScanSummary, TableScanExec};
use crate::scan::lookup::{self, LookupExec};
use crate::scan::parquet::ParquetScan;
use crate::scan::prune::{self, Pruning};
use crate::scan::source::{self, ScanSource};
use crate::schema;
use crate::settings::Settings;
use crate::store::integrity;
use crate::store::layout::{self, RowGroup};
use crate::store::snapshot::{DataFile, TableSnapshot};
use crate::store::table::TableKind;

/// One version of a table.
#[derive(Debug)]
pub struct SnapshotTable {
    snapshot: Arc<TableSnapshot>,
    /// All columns with their SQL types: stored in files, then the partition column.
    full_schema: SchemaRef,
    /// What statements see: a prefix of `full_schema`.
    visible_schema: SchemaRef,
}

/// A file to read and the row groups to read of it.
struct ChosenFile<'a> {
    /// Its place among the files of the version.
    number: usize,
    file: &'a DataFile,
    /// Which row groups to read; `None` for all.
    access: Option<Vec<bool>>,
}

impl ChosenFile<'_> {
    fn description(&self) -> source::ChosenFile {
        let is_read = |index: &usize| self.access.as_ref().is_none_or(|access| access[*index]);
        let row_groups =
            self.file.row_groups.as_ref().map(|groups| {
                groups.iter().copied().enumerate().filter(|(index, _)| is_read(index)).collect()
            });
        let (meta, day) = (self.file.object_meta(), self.file.day);
        source::ChosenFile { number: self.number, meta, day, row_groups }
    }
}

impl SnapshotTable {
    /// The table of `snapshot`; physical columns can be named only if `show_physical`.
    pub fn new(snapshot: Arc<TableSnapshot>, show_physical: bool) -> Self {
        let fields: Vec<Field> = snapshot
            .schema()
            .fields()
            .iter()
            .map(|f| Field::new(f.name(), schema::sql_type(f.data_type()), f.is_nullable()))
            .collect();
        let hides = !show_physical && snapshot.kind() == TableKind::Touchpoints;
        let visible: Vec<Field> =
            fields.iter().filter(|f| !hides || !schema::is_physical(f.name())).cloned().collect();
        Self {
            snapshot,
            full_schema: Arc::new(Schema::new(fields)),
            visible_schema: Arc::new(Schema::new(visible)),
        }
    }

    /// The version that is read.
    pub fn snapshot(&self) -> &Arc<TableSnapshot> {
        &self.snapshot
    }

    /// The `user_key`s that `filters` restrict to.
    ///
    /// Rows of other writers have no user_key: with such a file in the version a filter on it would drop them.
    fn keys(&self, filters: &[Expr]) -> Option<Vec<i64>> {
        let keyed = self.snapshot.all_files_ours() && self.full_schema.index_of(schema::USER_KEY).is_ok();
        if keyed { prune::user_keys(filters) } else { None }
    }

    /// `filters` as one expression over the full schema.
    fn physical(
        &self,
        state: &dyn Session,
        filters: impl IntoIterator<Item = Expr>,
    ) -> Result<Option<Arc<dyn PhysicalExpr>>> {
        let Some(all) = conjunction(filters) else { return Ok(None) };
        let columns = DFSchema::try_from(Arc::clone(&self.full_schema))?;
        state.create_physical_expr(all, &columns).map(Some)
    }

    fn choose(&self, predicate: Option<&Arc<dyn PhysicalExpr>>) -> Result<Vec<ChosenFile<'_>>> {
        let files = self.snapshot.files();
        let Some(predicate) = predicate else {
            let all = files.iter().enumerate();
            return Ok(all.map(|(number, file)| ChosenFile { number, file, access: None }).collect());
        };
        let pruning = Pruning::new(predicate, &self.full_schema)?;
        let kept = pruning.files(files)?;
        let accesses = pruning.row_groups(kept.iter().map(|(_, file)| *file))?;
        let chosen = kept.into_iter().zip(accesses).filter_map(|((number, file), access)| {
            // Without row groups in the log the whole file is read.
            let access = (!access.is_empty()).then_some(access);
            access.as_ref().is_none_or(|a| a.contains(&true)).then_some(ChosenFile { number, file, access })
        });
        Ok(chosen.collect())
    }

    /// For each column whether it has a value in every row of files of ours.
    fn complete_columns(&self, chosen: &[ChosenFile<'_>]) -> Vec<bool> {
        let has_all = |name: &str| {
            chosen.iter().all(|chosen| {
                let nulls = chosen.file.statistics.null_count.get(name);
                chosen.file.row_groups.is_some() && nulls == Some(&0)
            })
        };
        self.full_schema.fields().iter().map(|field| has_all(field.name())).collect()
    }

    /// Compares the bytes of the files with their checksums, if that is wanted, once in a process.
    async fn verify(&self, chosen: &[ChosenFile<'_>]) -> Result<()> {
        let table = self.snapshot.table();
        let Some(verified) = table.verified() else { return Ok(()) };
        for file in chosen.iter().map(|c| c.file) {
            if !verified.contains(file.path.as_ref()) {
                integrity::checked_bytes(table, file).await?;
                verified.insert(file.path.as_ref());
            }
        }
        Ok(())
    }

    fn summary(&self, chosen: &[ChosenFile<'_>]) -> ScanSummary {
        let days = |mut days: Box<dyn Iterator<Item = i32> + '_>| {
            let first = days.next()?;
            Some((layout::day_text(first), layout::day_text(days.last().unwrap_or(first))))
        };
        let groups = |c: &ChosenFile<'_>| {
            let all = c.file.row_groups.as_ref().map(Vec::<RowGroup>::len)?;
            let read = c.access.as_ref().map_or(all, |a| a.iter().filter(|read| **read).count());
            Some((read, all))
        };
        // The table is a directory of the store.
        let root = self.snapshot.table().location().path.as_ref().rsplit_once('/');
        ScanSummary {
            table: self.snapshot.table().name().to_owned(),
            version: self.snapshot.version(),
            files: (chosen.len(), self.snapshot.files().len()),
            row_groups: chosen
                .iter()
                .map(groups)
                .try_fold((0, 0), |sum, g| g.map(|g| (sum.0 + g.0, sum.1 + g.1))),
            days: days(Box::new(chosen.iter().filter_map(|c| c.file.day))),
            note: None,
            root: root.map_or_else(String::new, |(root, _)| root.to_owned()),
        }
    }
}

#[async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.visible_schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // Used for pruning here; the optimizer moves the filters themselves into the source later.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let keys = self.keys(filters);
        let key_filter = keys.as_deref().map(prune::key_filter);
        let predicate = self.physical(state, filters.iter().cloned().chain(key_filter.clone()))?;
        let chosen = self.choose(predicate.as_ref())?;
        let all_visible: Vec<usize>;
        let projection = match projection {
            Some(projection) => projection,
            None => {
                all_visible = (0..self.visible_schema.fields().len()).collect();
                &all_visible
            }
        };
        if chosen.is_empty() {
            let schema = Arc::new(self.visible_schema.project(projection)?);
            return Ok(Arc::new(EmptyExec::new(schema)));
        }

        self.verify(&chosen).await?;
        let summary = self.summary(&chosen);
        let source = ScanSource {
            snapshot: Arc::clone(&self.snapshot),
            files: chosen.iter().map(ChosenFile::description).collect(),
            full_schema: Arc::clone(&self.full_schema),
            projection: projection.clone(),
            complete: self.complete_columns(&chosen),
            is_limited: limit.is_some(),
        };
        let uses_layout = state.config_options().extensions.get::<Settings>().is_none_or(|s| s.fast_path);
        if let Some(keys) = keys.filter(|keys| uses_layout && keys.len() <= lookup::MAX_KEYS) {
            let partitions = state.config().target_partitions();
            return Ok(Arc::new(LookupExec::new(summary, source, keys, partitions)?));
        }
        let scan = ParquetScan {
            source: Arc::new(source),
            limit,
            partitions: state.config().target_partitions(),
            options: state.default_table_options().parquet,
            cache: state.runtime_env().cache_manager.get_file_metadata_cache(),
            // The optimizer hands down `filters` itself later; only what it cannot know is set here.
            predicate: self.physical(state, key_filter)?,
        };
        Ok(Arc::new(TableScanExec::new(scan, summary)?))
    }
}
