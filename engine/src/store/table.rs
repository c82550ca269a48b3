//! One Delta table of the store: existence, creation, snapshots.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use deltalake_core::kernel::engine::arrow_conversion::TryIntoKernel;
use deltalake_core::kernel::transaction::CommitProperties;
use deltalake_core::kernel::{Action, Add, StructField, StructType};
use deltalake_core::logstore::LogStoreRef;
use deltalake_core::operations::create::CreateBuilder;
use deltalake_core::table::state::DeltaTableState;
use deltalake_core::{DeltaTable, DeltaTableBuilder, DeltaTableError};

use crate::config::VersionPin;
use crate::error::StoreError;
use crate::schema;
use crate::storage::StorageLocation;
use crate::store::snapshot::TableSnapshot;
use crate::store::{Verified, history};

/// Table property: what the table holds, `touchpoints` or `reference`.
pub const PROPERTY_KIND: &str = "wayfare.kind";
/// Table property: the layout its files follow.
pub const PROPERTY_LAYOUT: &str = "wayfare.layout";
/// Columns whose smallest and largest values stand in the log. Never one that holds personal data.
pub const STATISTICS_COLUMNS: [&str; 8] =
    [schema::USER_KEY, schema::TS, "received_at", schema::EVENT, "channel", "revenue", "cost", "score"];

/// Columns of which the log only tells how many rows have no value: nobody needs to see ids there.
pub const COUNTED_COLUMNS: [&str; 1] = [schema::EVENT_ID];

/// What a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableKind {
    /// Touchpoints: canonical columns, partitioned by day, laid out by person and time.
    Touchpoints,
    /// Anything else: any columns, not partitioned.
    Reference,
}

impl TableKind {
    /// The value of [`PROPERTY_KIND`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Touchpoints => "touchpoints",
            Self::Reference => "reference",
        }
    }
}

/// What a new table is made of.
#[derive(Debug, Clone)]
pub struct TableDefinition {
    /// What it holds.
    pub kind: TableKind,
    /// Columns in order, as stored.
    pub schema: SchemaRef,
}

/// The definition of a touchpoint table without extra columns.
pub fn touchpoint_definition() -> TableDefinition {
    TableDefinition { kind: TableKind::Touchpoints, schema: touchpoint_table_schema(&[]) }
}

/// All columns of a touchpoint table as the log declares them: load columns, `extra`, then the physical ones.
pub fn touchpoint_table_schema(extra: &[Field]) -> SchemaRef {
    let mut fields: Vec<Field> =
        schema::load_schema_with(extra).fields().iter().map(|f| f.as_ref().clone()).collect();
    // Nullable, because files of other writers do not have it.
    fields.push(Field::new(schema::USER_KEY, DataType::Int64, true));
    fields.push(Field::new(schema::DAY, DataType::Date32, true));
    Arc::new(Schema::new(fields))
}

/// Whether `name` can name a table: lower-case letters, digits and underscores, not starting with a digit.
pub fn is_valid_name(name: &str) -> bool {
    let mut chars = name.chars();
    let first_is_letter = chars.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_');
    first_is_letter
        && name.len() <= 63
        && chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// A Delta schema from an Arrow one.
pub fn delta_schema(table: &str, arrow_schema: &Schema) -> Result<StructType, StoreError> {
    arrow_schema.try_into_kernel().map_err(|e: arrow::error::ArrowError| StoreError::Unsupported {
        table: table.to_owned(),
        reason: e.to_string(),
    })
}

/// A handle on a table that may or may not exist yet.
#[derive(Debug, Clone)]
pub struct Table {
    name: String,
    location: StorageLocation,
    log_store: LogStoreRef,
    verified: Option<Arc<Verified>>,
}

impl Table {
    /// The table `name` of the store at `store_location`.
    ///
    /// # Errors
    /// If the name is not one that tables may have.
    pub fn new(store_location: &StorageLocation, name: &str) -> Result<Self, StoreError> {
        if !is_valid_name(name) {
            return Err(StoreError::Location {
                url: name.to_owned(),
                reason: "a table name has lower-case letters, digits and underscores, at most 63".to_owned(),
            });
        }
        let location = store_location.child_directory(name)?;
        let log_store =
            log_store(&location).map_err(|e| StoreError::io("open the table at", location.display(), e))?;
        Ok(Self { name: name.to_owned(), location, log_store, verified: None })
    }

    /// The same, whose files are checked before they are read first, if there is a list to note them in.
    pub fn verifying(mut self, verified: Option<Arc<Verified>>) -> Self {
        self.verified = verified;
        self
    }

    /// The files that were checked already, if files are to be checked.
    pub fn verified(&self) -> Option<&Arc<Verified>> {
        self.verified.as_ref()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is.
    pub fn location(&self) -> &StorageLocation {
        &self.location
    }

    /// Its log.
    pub fn log_store(&self) -> &LogStoreRef {
        &self.log_store
    }

    /// Whether it has been created.
    pub async fn exists(&self) -> Result<bool, StoreError> {
        self.log_store.is_delta_table_location().await.map_err(|e| self.io("open", e))
    }

    /// Creates it; a table that another process created meanwhile is taken as it is.
    pub async fn create(&self, definition: &TableDefinition) -> Result<(), StoreError> {
        self.create_with(definition, None).await.map(|_| ())
    }

    /// Creates it with the rows of a file, in one commit; `false` if another process was first.
    pub async fn create_with(
        &self,
        definition: &TableDefinition,
        file: Option<Add>,
    ) -> Result<bool, StoreError> {
        let path = file.as_ref().map(|add| add.path.clone());
        let fields: Vec<StructField> =
            delta_schema(&self.name, &definition.schema)?.fields().cloned().collect();
        let mut properties =
            HashMap::from([(PROPERTY_KIND.to_owned(), Some(definition.kind.as_str().to_owned()))]);
        let mut partition_columns = Vec::new();
        if definition.kind == TableKind::Touchpoints {
            properties.insert(PROPERTY_LAYOUT.to_owned(), Some(super::layout::LAYOUT_VERSION.to_owned()));
            properties
                .insert("delta.dataSkippingStatsColumns".to_owned(), Some(STATISTICS_COLUMNS.join(",")));
            partition_columns.push(schema::DAY);
        }
        let created = CreateBuilder::new()
            .with_log_store(Arc::clone(&self.log_store))
            .with_columns(fields)
            .with_partition_columns(partition_columns)
            .with_configuration(properties)
            // `wayfare.*` properties are unknown to Delta.
            .with_raise_if_key_not_exists(false)
            .with_actions(file.map(Action::Add))
            // A creation whose answer was lost would be made again as the next version.
            .with_commit_properties(CommitProperties::default().with_max_retries(0))
            .await;
        match created {
            Ok(_) => Ok(true),
            Err(_) if self.exists().await? => {
                // Or the answer was lost: the file tells.
                let Some(path) = path else { return Ok(false) };
                Ok(self.snapshot().await?.files().iter().any(|file| file.relative_path == path))
            }
            Err(e) => Err(self.io("create", e)),
        }
    }

    /// The newest snapshot.
    pub async fn snapshot(&self) -> Result<TableSnapshot, StoreError> {
        let state =
            DeltaTableState::try_new(self.log_store.as_ref(), None).await.map_err(|e| self.io("read", e))?;
        TableSnapshot::new(self, state)
    }

    /// The snapshot that `pin` names.
    pub async fn snapshot_at(&self, pin: VersionPin) -> Result<TableSnapshot, StoreError> {
        let version = match pin {
            VersionPin::Version(version) => version,
            VersionPin::AsOf(time) => history::version_at(self, time).await?,
        };
        let mut delta = DeltaTable::new(Arc::clone(&self.log_store));
        if let Err(error) = delta.load_version(version).await {
            return Err(self.missing_version(version, &error).await);
        }
        let state = delta.snapshot().map_err(|e| self.io("read", e))?.clone();
        TableSnapshot::new(self, state)
    }

    async fn missing_version(&self, version: u64, error: &DeltaTableError) -> StoreError {
        let reason = match self.snapshot().await {
            Ok(newest) if newest.version() < version => format!("the newest is {}", newest.version()),
            _ => crate::error::root_cause(error),
        };
        StoreError::Version {
            table: self.name.clone(),
            wanted: version.to_string(),
            reason: format!("{reason}; `wayfare history` lists the versions"),
        }
    }

    pub(crate) fn io(&self, action: &'static str, source: DeltaTableError) -> StoreError {
        StoreError::io(action, format!("table {}", self.name), source)
    }
}

fn log_store(location: &StorageLocation) -> Result<LogStoreRef, DeltaTableError> {
    register_schemes();
    DeltaTableBuilder::from_url(location.url.clone())?
        .with_storage_backend(Arc::clone(&location.store), location.url.clone())
        .build_storage()
}

/// Lets Delta use its default log store, which commits by conditional put, for the remote schemes too.
fn register_schemes() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let factories = deltalake_core::logstore::logstore_factories();
        let default = url::Url::parse("file://")
            .ok()
            .and_then(|file| factories.get(&file).map(|f| Arc::clone(f.value())));
        let Some(default) = default else { return };
        for scheme in ["s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl"] {
            if let Ok(url) = url::Url::parse(&format!("{scheme}://")) {
                factories.insert(url, Arc::clone(&default));
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tables() {
        for good in ["touchpoints", "spend_2026", "_x"] {
            assert!(is_valid_name(good), "{good}");
        }
        for bad in ["", "1st", "Touch", "a-b", "a/b", "_delta log", "../x"] {
            assert!(!is_valid_name(bad), "{bad}");
        }
    }
}
