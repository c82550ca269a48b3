//! The schemas in which names without a schema are looked up: PostgreSQL's `search_path`.
//!
//! DataFusion knows one default schema. While the path is not just `public`, that default is the schema here, which
//! holds no tables of its own and asks those of the path in order. `pg_catalog` comes first unless the path names it,
//! as in PostgreSQL.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::common::{Result, plan_err};
use datafusion::datasource::TableType;

use crate::catalog::provider::SessionCatalog;

/// Name under which the catalog has it. No list shows it, and no statement needs to write it.
pub const SEARCH_PATH: &str = "search path";
const PG_CATALOG: &str = "pg_catalog";

/// A schema that looks into others.
#[derive(Debug)]
pub struct SearchPathSchema {
    // The catalog owns this.
    catalog: Weak<SessionCatalog>,
    path: Mutex<Vec<String>>,
}

impl SearchPathSchema {
    /// A path without schemas over those of `catalog`.
    pub fn new(catalog: &Arc<SessionCatalog>) -> Self {
        Self { catalog: Arc::downgrade(catalog), path: Mutex::default() }
    }

    /// Looks into `schemas` from now on.
    pub fn set(&self, mut schemas: Vec<String>) {
        if !schemas.iter().any(|schema| schema == PG_CATALOG) {
            schemas.insert(0, PG_CATALOG.to_owned());
        }
        *self.path.lock().unwrap_or_else(PoisonError::into_inner) = schemas;
    }

    fn schemas(&self) -> Vec<(String, Arc<dyn SchemaProvider>)> {
        let Some(catalog) = self.catalog.upgrade() else {
            return Vec::new();
        };
        let path = self.path.lock().unwrap_or_else(PoisonError::into_inner).clone();
        path.into_iter().filter_map(|name| catalog.schema(&name).map(|schema| (name, schema))).collect()
    }

    /// Where tables without a schema are created.
    fn first(&self) -> Option<Arc<dyn SchemaProvider>> {
        self.schemas().into_iter().find(|(name, _)| name != PG_CATALOG).map(|(_, schema)| schema)
    }

    fn holder(&self, table: &str) -> Option<Arc<dyn SchemaProvider>> {
        self.schemas().into_iter().map(|(_, schema)| schema).find(|schema| schema.table_exist(table))
    }
}

#[async_trait]
impl SchemaProvider for SearchPathSchema {
    fn table_names(&self) -> Vec<String> {
        self.schemas().iter().flat_map(|(_, schema)| schema.table_names()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        for (_, schema) in self.schemas() {
            if let Some(table) = schema.table(name).await? {
                return Ok(Some(table));
            }
        }
        Ok(None)
    }

    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        match self.holder(name) {
            Some(schema) => schema.table_type(name).await,
            None => Ok(None),
        }
    }

    fn register_table(
        &self,
        name: String,
        table: Arc<dyn TableProvider>,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        match self.first() {
            Some(schema) => schema.register_table(name, table),
            None => plan_err!("no schema has been selected to create in"),
        }
    }

    fn deregister_table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        match self.holder(name) {
            Some(schema) => schema.deregister_table(name),
            None => Ok(None),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        self.holder(name).is_some()
    }
}
