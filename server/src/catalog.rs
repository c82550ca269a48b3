//! PostgreSQL's system catalog over a session: schema `pg_catalog` and the functions that clients ask about it.
//!
//! Tables and most functions are those of datafusion-pg-catalog. Its own set-up reads some sixty files of static
//! tables for each session, so the parts are put together here, around one copy of them for the whole server.

mod functions;
mod session_functions;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::CatalogProviderList;
use datafusion::common::DataFusionError;
use datafusion::datasource::TableType;
use datafusion::execution::context::SessionContext;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion_pg_catalog::pg_catalog::catalog_info::CatalogInfo;
use datafusion_pg_catalog::pg_catalog::context::{PgCatalogContextProvider, Role};
use datafusion_pg_catalog::pg_catalog::generate_series_arg_coercion::CoerceIntArgsToBigInt;
use datafusion_pg_catalog::pg_catalog::has_privilege_udf::create_has_privilege_udf;
use datafusion_pg_catalog::pg_catalog::oid_type_planner::PgOidTypePlanner;
use datafusion_pg_catalog::pg_catalog::{
    PgCatalogSchemaProvider, PgCatalogStaticTables, array_bounds_udf, create_current_database_udf,
    create_pg_get_constraintdef, create_pg_get_partition_ancestors_udf, create_pg_get_partkeydef_udf,
    create_pg_get_statisticsobjdef_columns_udf, create_pg_relation_is_publishable_udf,
    create_pg_relation_size_udf, create_pg_stat_get_numscans, create_pg_table_is_visible,
    create_pg_total_relation_size_udf, format_type, pg_get_expr_udf, quote_ident_udf,
};
use wayfare_engine::catalog::provider::CATALOG;

use crate::wire::{CancelRegistry, SessionState};

/// Name of the schema.
const PG_CATALOG: &str = "pg_catalog";
/// Owner of everything that the store holds.
pub(crate) const OWNER: &str = "wayfare";

/// The part of the catalog that all sessions share.
#[derive(Debug)]
pub(crate) struct CatalogTemplate {
    static_tables: Arc<PgCatalogStaticTables>,
}

/// Whose session it is, as the catalog's functions tell it.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub user: String,
    pub pid: i32,
    pub state: Arc<Mutex<SessionState>>,
    pub cancels: Arc<CancelRegistry>,
}

impl CatalogTemplate {
    /// Reads the static tables.
    ///
    /// # Errors
    /// The tables in the binary are damaged.
    pub(crate) fn new() -> Result<Self, DataFusionError> {
        Ok(Self { static_tables: Arc::new(PgCatalogStaticTables::try_new()?) })
    }

    /// Gives the session behind `context` its catalog.
    ///
    /// # Errors
    /// The session has no catalog of the engine's name.
    pub(crate) fn install(
        &self,
        context: &SessionContext,
        identity: &Identity,
    ) -> Result<(), DataFusionError> {
        let visible = VisibleCatalog { list: Arc::clone(context.state().catalog_list()) };
        let roles = Roles { user: identity.user.clone() };
        let schema = PgCatalogSchemaProvider::try_new(visible, Arc::clone(&self.static_tables), roles)?;
        context
            .catalog(CATALOG)
            .ok_or_else(|| DataFusionError::Internal(format!("the session has no catalog {CATALOG:?}")))?
            .register_schema(PG_CATALOG, Arc::new(schema))?;

        for function in [
            create_current_database_udf(CATALOG),
            create_has_privilege_udf("has_table_privilege"),
            create_has_privilege_udf("has_schema_privilege"),
            create_has_privilege_udf("has_database_privilege"),
            create_has_privilege_udf("has_any_column_privilege"),
            create_pg_table_is_visible(),
            format_type::create_format_type_udf(),
            pg_get_expr_udf::create_pg_get_expr_udf(),
            create_pg_get_partkeydef_udf(),
            create_pg_relation_is_publishable_udf(),
            create_pg_get_statisticsobjdef_columns_udf(),
            create_pg_relation_size_udf(),
            create_pg_total_relation_size_udf(),
            create_pg_stat_get_numscans(),
            create_pg_get_constraintdef(),
            create_pg_get_partition_ancestors_udf(),
            quote_ident_udf::create_quote_ident_udf(),
            quote_ident_udf::create_parse_ident_udf(),
            array_bounds_udf::create_array_upper_udf(),
            array_bounds_udf::create_array_lower_udf(),
        ] {
            context.register_udf(function);
        }
        for function in functions::all(identity).into_iter().chain(session_functions::all(identity)) {
            context.register_udf(function);
        }
        context.register_udtf("pg_get_keywords", Arc::clone(&self.static_tables.pg_get_keywords) as _);

        // Makes `::regclass`, `::pg_catalog.text` and their like known to the planner.
        let state = context.state_ref();
        let with_types = SessionStateBuilder::new_from_existing(state.read().clone())
            .with_type_planner(Arc::new(PgOidTypePlanner))
            .build();
        *state.write() = with_types;
        CoerceIntArgsToBigInt::widen(context);
        Ok(())
    }
}

/// What `pg_class`, `pg_attribute` and the other live tables list: the engine's catalog alone.
#[derive(Debug, Clone)]
struct VisibleCatalog {
    list: Arc<dyn CatalogProviderList>,
}

impl VisibleCatalog {
    fn schema(&self, catalog: &str, schema: &str) -> Option<Arc<dyn datafusion::catalog::SchemaProvider>> {
        self.list.catalog(catalog)?.schema(schema)
    }
}

#[async_trait]
impl CatalogInfo for VisibleCatalog {
    async fn catalog_names(&self) -> Result<Vec<String>, DataFusionError> {
        Ok(vec![CATALOG.to_owned()])
    }

    async fn schema_names(&self, catalog: &str) -> Result<Option<Vec<String>>, DataFusionError> {
        Ok(self.list.catalog(catalog).map(|catalog| catalog.schema_names()))
    }

    async fn table_names(&self, catalog: &str, schema: &str) -> Result<Option<Vec<String>>, DataFusionError> {
        Ok(self.schema(catalog, schema).map(|schema| schema.table_names()))
    }

    async fn table_schema(
        &self,
        catalog: &str,
        schema: &str,
        table: &str,
    ) -> Result<Option<SchemaRef>, DataFusionError> {
        let Some(schema) = self.schema(catalog, schema) else {
            return Ok(None);
        };
        // A view whose tables do not exist (yet) must not hide all others.
        Ok(match schema.table(table).await {
            Ok(found) => found.map(|table| table.schema()),
            Err(error) => {
                tracing::debug!(table, error = %error.strip_backtrace(), "left out of pg_class");
                None
            }
        })
    }

    async fn table_type(
        &self,
        catalog: &str,
        schema: &str,
        table: &str,
    ) -> Result<Option<TableType>, DataFusionError> {
        match self.schema(catalog, schema) {
            Some(schema) => schema.table_type(table).await,
            None => Ok(None),
        }
    }
}

/// The roles of the server: its owner and the session's user, until there are accounts.
#[derive(Debug, Clone)]
struct Roles {
    user: String,
}

#[async_trait]
impl PgCatalogContextProvider for Roles {
    async fn roles(&self) -> Vec<String> {
        let mut roles = vec![OWNER.to_owned(), self.user.clone()];
        roles.dedup();
        roles
    }

    async fn role(&self, name: &str) -> Option<Role> {
        let known = name == OWNER || name == self.user;
        known.then(|| Role {
            name: name.to_owned(),
            is_superuser: false,
            can_login: true,
            can_create_db: false,
            can_create_role: false,
            can_create_user: false,
            can_replication: false,
            grants: Vec::new(),
            inherited_roles: Vec::new(),
        })
    }
}
