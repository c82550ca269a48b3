//! The catalog `wayfare` of one session.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use datafusion::catalog::{CatalogProvider, SchemaProvider};
use datafusion::common::Result;

use crate::catalog::search_path::SEARCH_PATH;

/// Name of the catalog.
pub const CATALOG: &str = "wayfare";
/// Schema of the store's tables.
pub const PUBLIC_SCHEMA: &str = "public";

/// Schemas by name. Others (such as `pg_catalog`) can be registered.
#[derive(Debug, Default)]
pub struct SessionCatalog {
    schemas: Mutex<HashMap<String, Arc<dyn SchemaProvider>>>,
    search_path: OnceLock<Arc<dyn SchemaProvider>>,
}

impl SessionCatalog {
    /// Makes `schema` reachable under [`SEARCH_PATH`], which no list of schemas shows.
    pub fn hide(&self, schema: Arc<dyn SchemaProvider>) {
        // A second call would be for the same session.
        let _ = self.search_path.set(schema);
    }
}

impl CatalogProvider for SessionCatalog {
    fn schema_names(&self) -> Vec<String> {
        let schemas = self.schemas.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<String> = schemas.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        if name == SEARCH_PATH {
            return self.search_path.get().map(Arc::clone);
        }
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
