//! An immutable view of one table at one version: its columns and its live files.

use std::sync::{Arc, OnceLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use chrono::{DateTime, Utc};
use datafusion::common::Statistics;
use deltalake_core::kernel::engine::arrow_conversion::TryIntoArrow;
use deltalake_core::kernel::transaction::TableReference;
use deltalake_core::table::state::DeltaTableState;
use futures::TryStreamExt;
use object_store::{ObjectMeta, path::Path};
use tokio::sync::OnceCell;

use crate::error::StoreError;
use crate::schema;
use crate::store::changes;
use crate::store::layout::{self, RowGroup};
use crate::store::stats::FileStatistics;
use crate::store::table::{PROPERTY_KIND, Table, TableKind};
use crate::store::transactions::KnownTransactions;

/// Delta's property that gives columns other names in the files than in the table.
const PROPERTY_COLUMN_MAPPING: &str = "delta.columnMapping.mode";

/// A live data file.
#[derive(Debug, Clone)]
pub struct DataFile {
    /// Path inside the object store's root.
    pub path: Path,
    /// Path relative to the table, as the log has it.
    pub relative_path: String,
    /// Bytes.
    pub size: u64,
    /// When it was written.
    pub modified: DateTime<Utc>,
    /// UTC day of its rows; `None` in a reference table.
    pub day: Option<i32>,
    /// Statistics from the log.
    pub statistics: FileStatistics,
    /// Its row groups if it follows our layout; `None` for a file of another writer.
    pub row_groups: Option<Vec<RowGroup>>,
    /// XXH64 of its bytes if it follows our layout.
    pub checksum: Option<u64>,
}

impl DataFile {
    /// The file as object stores describe it.
    pub fn object_meta(&self) -> ObjectMeta {
        ObjectMeta {
            location: self.path.clone(),
            last_modified: self.modified,
            size: self.size,
            e_tag: None,
            version: None,
        }
    }
}

/// A table at one version.
#[derive(Debug)]
pub struct TableSnapshot {
    table: Table,
    kind: TableKind,
    schema: SchemaRef,
    files: Vec<DataFile>,
    state: DeltaTableState,
    /// What the log says of all files together, in the planner's terms, once it was asked for.
    planner_statistics: OnceLock<Statistics>,
    /// The application ids up to this version, once they were asked for; `None` in it if only Delta can tell.
    transactions: OnceCell<Option<Arc<KnownTransactions>>>,
    /// Those of an older version.
    older_transactions: Option<Arc<KnownTransactions>>,
}

impl TableSnapshot {
    /// Reads columns and files out of `state`.
    ///
    /// # Errors
    /// [`StoreError::Unsupported`] if the table uses deletion vectors, which only another reader could apply.
    pub fn new(table: &Table, state: DeltaTableState) -> Result<Self, StoreError> {
        let kind = match state.metadata().configuration().get(PROPERTY_KIND) {
            Some(kind) if kind == TableKind::Touchpoints.as_str() => TableKind::Touchpoints,
            _ => TableKind::Reference,
        };
        let mapping = state.metadata().configuration().get(PROPERTY_COLUMN_MAPPING);
        if mapping.is_some_and(|mode| mode != "none") {
            return Err(unsupported(
                table,
                "its columns have other names in the files (column mapping); rewrite it without".to_owned(),
            ));
        }
        let partitioned_by = state.metadata().partition_columns();
        let expected: &[&str] = match kind {
            TableKind::Touchpoints => &[schema::DAY],
            TableKind::Reference => &[],
        };
        if partitioned_by != expected {
            return Err(unsupported(
                table,
                format!("it is partitioned by {partitioned_by:?}, not by {expected:?}"),
            ));
        }
        let stored: Schema = state
            .schema()
            .as_ref()
            .try_into_arrow()
            .map_err(|e: arrow::error::ArrowError| unsupported(table, e.to_string()))?;
        let mut files = Vec::new();
        for view in state.log_data().iter() {
            if view.deletion_vector_descriptor().is_some() {
                return Err(unsupported(
                    table,
                    "it has deletion vectors; purge them with the engine that wrote them".to_owned(),
                ));
            }
            let relative = view.object_store_path();
            // Tags are only on the action itself.
            #[expect(deprecated, reason = "the view has no accessor for tags")]
            let tags = view.add_action().tags.unwrap_or_default();
            let day = view
                .partition_values_map()
                .get(schema::DAY)
                .and_then(|v| v.as_deref())
                .and_then(layout::parse_day);
            files.push(DataFile {
                path: table.location().path.clone().join_path(&relative),
                relative_path: relative.to_string(),
                size: u64::try_from(view.size()).unwrap_or(0),
                modified: view.modification_datetime().unwrap_or_default(),
                day,
                statistics: FileStatistics::parse(view.stats().as_deref()),
                row_groups: layout::row_groups_of(&tags),
                checksum: layout::checksum_of(&tags),
            });
        }
        // Time order, then people: the order in which a scan reads them.
        files.sort_by(|a, b| (a.day, &a.relative_path).cmp(&(b.day, &b.relative_path)));
        Ok(Self {
            table: table.clone(),
            kind,
            schema: Arc::new(normalized(&stored, kind)),
            files,
            state,
            planner_statistics: OnceLock::new(),
            transactions: OnceCell::new(),
            older_transactions: None,
        })
    }

    /// The same table at its newest version, or `None` if this is it.
    ///
    /// Costs one listing of the commits after this version.
    pub async fn newer(&self, table: &Table) -> Result<Option<Arc<Self>>, StoreError> {
        if !self.has_later_commits(table).await? {
            return Ok(None);
        }
        let mut state = self.state.clone();
        state.update(table.log_store().as_ref(), None).await.map_err(|e| table.io("read", e))?;
        if state.version() == self.version() {
            return Ok(None);
        }
        let mut newer = Self::new(table, state)?;
        let known = self.transactions.get().cloned().flatten();
        newer.older_transactions = known.or_else(|| self.older_transactions.clone());
        Ok(Some(Arc::new(newer)))
    }

    /// Whether the log has files of later versions: commits, or checkpoints that took their place.
    async fn has_later_commits(&self, table: &Table) -> Result<bool, StoreError> {
        let this = changes::commit_path(table, self.version());
        let log = table.location().path.clone().join("_delta_log");
        let failed = |e| StoreError::io("list", format!("the log of table {}", table.name()), e);
        let is_later = |file: &ObjectMeta| {
            let digits = file.location.filename().and_then(|name| name.split('.').next());
            digits.and_then(|digits| digits.parse().ok()).is_some_and(|version: u64| version > self.version())
        };
        let mut files = table.location().store.list_with_offset(Some(&log), &this);
        while let Some(file) = files.try_next().await.map_err(failed)? {
            if is_later(&file) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The table that this is a snapshot of.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// What the table holds.
    pub fn kind(&self) -> TableKind {
        self.kind
    }

    /// The version of the log.
    pub fn version(&self) -> u64 {
        self.state.version()
    }

    /// All columns as stored, the physical ones last.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The columns beyond the canonical and the physical ones.
    pub fn extra_fields(&self) -> Vec<Field> {
        let canonical = schema::load_schema();
        self.schema
            .fields()
            .iter()
            .filter(|f| !schema::is_physical(f.name()) && canonical.index_of(f.name()).is_err())
            .map(|f| f.as_ref().clone())
            .collect()
    }

    /// The live files, by day and path.
    pub fn files(&self) -> &[DataFile] {
        &self.files
    }

    /// Whether every file follows our layout, so that `user_key` can be relied on.
    pub fn all_files_ours(&self) -> bool {
        self.files.iter().all(|f| f.row_groups.is_some())
    }

    /// Statistics of all files together, over all columns in their order: what `work_out` gives, once.
    ///
    /// # Errors
    /// Those of `work_out`.
    pub fn planner_statistics(
        &self,
        work_out: impl FnOnce() -> datafusion::common::Result<Statistics>,
    ) -> datafusion::common::Result<&Statistics> {
        if let Some(known) = self.planner_statistics.get() {
            return Ok(known);
        }
        let statistics = work_out()?;
        Ok(self.planner_statistics.get_or_init(|| statistics))
    }

    /// Rows according to the log; `None` if a file does not say.
    pub fn row_count(&self) -> Option<u64> {
        self.files.iter().map(|f| f.statistics.num_records).sum()
    }

    /// The log's state, for commits on top of it.
    pub fn state(&self) -> &DeltaTableState {
        &self.state
    }

    /// The state as commits want it.
    pub fn reference(&self) -> &dyn TableReference {
        &self.state
    }

    /// Whether a commit may have brought content of `size` bytes; false only if none did. The first call reads the log.
    pub async fn may_have_content_of(&self, size: u64) -> Result<bool, StoreError> {
        Ok(self.known_transactions().await?.is_none_or(|known| known.may_end_with(size)))
    }

    async fn known_transactions(&self) -> Result<Option<&KnownTransactions>, StoreError> {
        let known = self.transactions.get_or_try_init(|| async {
            let older = self.older_transactions.as_deref();
            let known = KnownTransactions::read(&self.table, self.version(), older).await?;
            Ok::<_, StoreError>(known.map(Arc::new))
        });
        Ok(known.await?.as_deref())
    }

    /// Whether a commit with the application id `id` is in this snapshot. The first call reads the log.
    pub async fn has_transaction(&self, id: &str) -> Result<bool, StoreError> {
        if let Some(known) = self.known_transactions().await? {
            return Ok(known.contains(id));
        }
        self.state
            .transaction_version(self.table.log_store().as_ref(), id)
            .await
            .map(|version| version.is_some())
            .map_err(|e| self.table.io("read", e))
    }
}

fn unsupported(table: &Table, reason: String) -> StoreError {
    StoreError::Unsupported { table: table.name().to_owned(), reason }
}

/// Types as our writer uses them, physical columns last: other writers may declare the same column with a wider
/// text type or elsewhere. In a reference table no name has a meaning.
fn normalized(stored: &Schema, kind: TableKind) -> Schema {
    let canonical = match kind {
        TableKind::Touchpoints => schema::load_schema(),
        TableKind::Reference => Arc::new(Schema::empty()),
    };
    let physical: &[&str] = match kind {
        TableKind::Touchpoints => &[schema::USER_KEY, schema::DAY],
        TableKind::Reference => &[],
    };
    let rank = |name: &str| physical.iter().position(|p| *p == name).map_or(0, |p| p + 1);
    let mut ordered: Vec<&Field> = stored.fields().iter().map(AsRef::as_ref).collect();
    ordered.sort_by_key(|f| rank(f.name()));
    let fields: Vec<Field> = ordered
        .into_iter()
        .map(|field| {
            let data_type = match canonical.field_with_name(field.name()) {
                Ok(known) => known.data_type().clone(),
                Err(_) => match field.data_type() {
                    DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
                    other => other.clone(),
                },
            };
            Field::new(field.name(), data_type, field.is_nullable())
        })
        .collect();
    Schema::new(fields)
}

/// Appends all parts of one path to another.
trait JoinPath {
    fn join_path(self, tail: &Path) -> Path;
}

impl JoinPath for Path {
    fn join_path(self, tail: &Path) -> Path {
        self.parts().chain(tail.parts()).collect()
    }
}
