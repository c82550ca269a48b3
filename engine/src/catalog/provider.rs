//! The catalog `wayfare` of one session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::catalog::{CatalogProvider, SchemaProvider};
use datafusion::common::Result;

/// Name of the catalog.
pub const CATALOG: &str = "wayfare";
/// Schema of the store's tables.
pub const PUBLIC_SCHEMA: &str = "public";

/// Schemas by name. Others (such as `pg_catalog`) can be registered.
#[derive(Debug, Default)]
pub struct SessionCatalog {
    schemas: Mutex<HashMap<String, Arc<dyn SchemaProvider>>>,
}

impl CatalogProvider for SessionCatalog {
    fn schema_names(&self) -> Vec<String> {
        let schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<String> = schemas.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        self.schemas.lock().unwrap_or_else(PoisonError::into_inner).get(name).map(Arc::clone)
    }

    fn register_schema(
        &self,
        name: &str,
        schema: Arc<dyn SchemaProvider>,
    ) -> Result<Option<Arc<dyn SchemaProvider>>> {
        Ok(self.schemas.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), schema))
    }
}
