//! The schemas `pg_catalog` and `information_schema` of a session.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::information_schema::InformationSchemaProvider;
use datafusion::catalog::{CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::common::{Result, ToDFSchema};
use datafusion::datasource::{MemTable, ViewTable, provider_as_source};
use datafusion::logical_expr::{EmptyRelation, LogicalPlan, LogicalPlanBuilder, col, lit};

use super::objects::{CatalogView, INFORMATION_SCHEMA, PG_CATALOG};
use super::rows::{Row, batch};
use super::{CatalogTemplate, Identity, information, layout, pg_functions, pg_objects, pg_server};

/// What the tables are made from.
#[derive(Debug, Clone)]
pub(super) struct Sources {
    pub view: Arc<CatalogView>,
    pub identity: Identity,
    pub template: Arc<CatalogTemplate>,
}

/// One of the two schemas.
#[derive(Debug)]
pub(super) struct SystemSchema {
    name: &'static str,
    sources: Sources,
    engine: Arc<dyn CatalogProviderList>,
}

impl SystemSchema {
    pub(super) fn new(name: &'static str, sources: Sources, engine: Arc<dyn CatalogProviderList>) -> Self {
        Self { name, sources, engine }
    }
}

/// Settings of the engine, which `SHOW datafusion.x` reads.
const ENGINE_SETTINGS: &str = "df_settings";

#[async_trait]
impl SchemaProvider for SystemSchema {
    fn table_names(&self) -> Vec<String> {
        layout::tables()
            .filter(|(schema, _, _)| *schema == self.name)
            .map(|(_, name, _)| name.to_owned())
            .collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let name = name.to_ascii_lowercase();
        if self.name == INFORMATION_SCHEMA && name == ENGINE_SETTINGS {
            let all = InformationSchemaProvider::new(Arc::clone(&self.engine)).table(&name).await?;
            return all.map(shown_settings).transpose();
        }
        let Some(table) = layout::table(self.name, &name) else {
            return Ok(None);
        };
        let (schema, batches) = self.contents(&name, &table.schema)?;
        if batches.iter().all(|batch| batch.num_rows() == 0) {
            // Known to be empty when it is planned: what asks about policies, triggers or indexes costs nothing then, and
            // may use what the engine could not run.
            let empty = EmptyRelation { produce_one_row: false, schema: Arc::new(schema.to_dfschema()?) };
            return Ok(Some(Arc::new(ViewTable::new(LogicalPlan::EmptyRelation(empty), None))));
        }
        Ok(Some(Arc::new(MemTable::try_new(schema, vec![batches])?)))
    }

    fn table_exist(&self, name: &str) -> bool {
        let name = name.to_ascii_lowercase();
        layout::table(self.name, &name).is_some()
            || self.name == INFORMATION_SCHEMA && name == ENGINE_SETTINGS
    }
}

/// The settings without those of the runtime: where the server keeps its files is for its operator.
fn shown_settings(all: Arc<dyn TableProvider>) -> Result<Arc<dyn TableProvider>> {
    let shown = col("name").not_like(lit("datafusion.runtime.%"));
    let plan =
        LogicalPlanBuilder::scan(ENGINE_SETTINGS, provider_as_source(all), None)?.filter(shown)?.build()?;
    Ok(Arc::new(ViewTable::new(plan, None)))
}

impl SystemSchema {
    fn contents(&self, name: &str, schema: &SchemaRef) -> Result<(SchemaRef, Vec<RecordBatch>)> {
        let sources = &self.sources;
        if self.name == PG_CATALOG {
            // What is the same in every database of PostgreSQL.
            if let Some((schema, batches)) = sources.template.builtin.table(name) {
                let mut batches = batches.clone();
                if name == "pg_proc" {
                    batches.push(batch(schema, &pg_functions::rows(sources))?);
                }
                return Ok((Arc::clone(schema), batches));
            }
        }
        let rows: Vec<Row> = match self.name {
            PG_CATALOG => {
                pg_objects::rows(name, sources).or_else(|| pg_server::rows(name, sources)).unwrap_or_default()
            }
            _ => information::rows(name, sources).unwrap_or_default(),
        };
        Ok((Arc::clone(schema), vec![batch(schema, &rows)?]))
    }
}
