//! The schemas whose tables come from the store: `public` and `journey`.
//!
//! Both share one [`StatementScope`]: the snapshots of the statement being planned. A name is resolved once per
//! statement, so that all its parts read the same version. Views, ready-made or of the session, are planned
//! anew each time, on that same scope.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::datasource::{MemTable, ViewTable};
use datafusion::execution::SessionState;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser;
use datafusion::sql::sqlparser::ast::{ObjectName, visit_relations};

use crate::access::Role;
use crate::catalog::journey::JOURNEY_SCHEMA;
use crate::catalog::provider::PUBLIC_SCHEMA;
use crate::catalog::raw_ids::with_raw_ids;
use crate::catalog::{journey, view_statements};
use crate::config::VersionPin;
use crate::error::StoreError;
use crate::limits::{self, Limit};
use crate::scan::provider::SnapshotTable;
use crate::settings::Settings;
use crate::settled::settled;
use crate::statement;
use crate::store::snapshot::TableSnapshot;
use crate::store::table::TableKind;
use crate::store::{Store, StoreNames};

/// The session's state, which views are planned with. Set once, after the state has been built.
type StateHandle = Weak<datafusion::execution::context::SessionContext>;

/// Whether snapshots stay from one statement to the next.
#[derive(Debug, Clone, Copy, Default)]
enum Holding {
    #[default]
    No,
    /// Those of the next statement and of later ones.
    FromNext,
    Yes,
}

/// Snapshots and names as the statement being planned sees them.
#[derive(Debug)]
pub struct StatementScope {
    store: Arc<Store>,
    role: Role,
    pin: Option<VersionPin>,
    names: Mutex<StoreNames>,
    snapshots: tokio::sync::Mutex<HashMap<String, Option<Arc<TableSnapshot>>>>,
    show_physical: AtomicBool,
    holding: Mutex<Holding>,
    // Views planned for this statement so far.
    views: AtomicUsize,
    state: OnceLock<StateHandle>,
}

impl StatementScope {
    /// The scope of a session on `store`.
    pub fn new(store: Arc<Store>, role: Role, pin: Option<VersionPin>) -> Self {
        Self {
            store,
            role,
            pin,
            names: Mutex::default(),
            snapshots: tokio::sync::Mutex::default(),
            show_physical: AtomicBool::new(false),
            holding: Mutex::default(),
            views: AtomicUsize::new(0),
            state: OnceLock::new(),
        }
    }

    /// Tells the scope what to plan views with.
    pub fn set_context(&self, context: StateHandle) {
        // A second call would be for the same session.
        let _ = self.state.set(context);
    }

    /// Whether statements from now on read the versions that earlier ones have read, as in a transaction.
    pub fn hold(&self, hold: bool) {
        *lock(&self.holding) = if hold { Holding::FromNext } else { Holding::No };
    }

    /// Forgets the last statement: the next resolution of a name sees the newest version, unless [`Self::hold`].
    ///
    /// The names of all tables and views are looked up anew unless `statement` does without: it is a query that names
    /// nothing but tables that the session knows already (tables are never taken away) and ready-made views.
    pub async fn begin(&self, statement: Option<&Statement>) -> Result<(), StoreError> {
        let holding = std::mem::replace(&mut *lock(&self.holding), Holding::Yes);
        match holding {
            Holding::Yes => {}
            Holding::FromNext => self.snapshots.lock().await.clear(),
            Holding::No => {
                *lock(&self.holding) = Holding::No;
                self.snapshots.lock().await.clear();
            }
        }
        self.show_physical(false);
        if !statement.is_some_and(|statement| self.does_without_names(statement)) {
            let names = self.store.names().await?;
            *lock(&self.names) = names;
        }
        Ok(())
    }

    fn does_without_names(&self, statement: &Statement) -> bool {
        let Statement::Statement(statement) = statement else { return false };
        let sqlparser::ast::Statement::Query(query) = statement.as_ref() else { return false };
        let is_known = |relation: &ObjectName| {
            let parts: Vec<&str> =
                relation.0.iter().filter_map(|part| Some(part.as_ident()?.value.as_str())).collect();
            match parts.as_slice() {
                [name] | [PUBLIC_SCHEMA, name] => self.is_stored(name),
                [JOURNEY_SCHEMA, name] => journey::view(name).is_some(),
                _ => false,
            }
        };
        let all_known = visit_relations(query.as_ref(), |relation| {
            if is_known(relation) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        all_known.is_continue()
    }

    /// From here on the statement may name physical columns.
    pub fn show_physical(&self, show: bool) {
        self.show_physical.store(show, Ordering::Relaxed);
        self.views.store(0, Ordering::Relaxed);
    }

    /// Whether the store has a table called `name`.
    pub fn is_stored(&self, name: &str) -> bool {
        lock(&self.names).tables.iter().any(|n| n == name)
    }

    /// Whether the store has a view called `name`.
    pub fn is_stored_view(&self, name: &str) -> bool {
        lock(&self.names).views.iter().any(|n| n == name)
    }

    /// What the session may do.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The snapshot of the table called `name` that this statement reads.
    pub async fn snapshot_of(&self, name: &str) -> Result<Option<Arc<TableSnapshot>>, StoreError> {
        self.snapshot(name).await
    }

    /// The touchpoint tables that the statement has named so far.
    pub async fn touchpoint_tables(&self) -> Vec<String> {
        self.snapshots
            .lock()
            .await
            .iter()
            .filter(|(_, s)| s.as_ref().is_some_and(|s| s.kind() == TableKind::Touchpoints))
            .map(|(name, _)| name.clone())
            .collect()
    }

    async fn snapshot(&self, name: &str) -> Result<Option<Arc<TableSnapshot>>, StoreError> {
        let mut snapshots = self.snapshots.lock().await;
        if let Some(known) = snapshots.get(name) {
            return Ok(known.clone());
        }
        let newest = self.store.newest(name).await?;
        let snapshot = match (newest, self.pin) {
            // A pin is about the history of touchpoints; reference tables are read as they are.
            (Some(newest), Some(pin)) if newest.kind() == TableKind::Touchpoints => {
                Some(Arc::new(newest.table().snapshot_at(pin).await?))
            }
            (newest, _) => newest,
        };
        snapshots.insert(name.to_owned(), snapshot.clone());
        Ok(snapshot)
    }

    /// The settings of the session.
    fn settings(&self) -> Settings {
        let context = self.state.get().and_then(Weak::upgrade);
        let settings =
            context.and_then(|c| c.copied_config().options().extensions.get::<Settings>().copied());
        settings.unwrap_or_default()
    }

    async fn plan_view(&self, sql: &str) -> Result<Arc<dyn TableProvider>> {
        let Some(context) = self.state.get().and_then(Weak::upgrade) else {
            return exec_err!("the session that this view belongs to has ended");
        };
        Limit::Views.check(self.views.fetch_add(1, Ordering::Relaxed) + 1)?;
        let mut state: SessionState = context.state();
        // Names in a view mean what they meant where it was written, whatever the session's path is.
        state.config_mut().options_mut().catalog.default_schema = PUBLIC_SCHEMA.to_owned();
        let recursion_limit = state.config_options().sql_parser.recursion_limit.get();
        let mut statements = statement::parse(sql, recursion_limit)?;
        let (Some(statement), true) = (statements.pop(), statements.is_empty()) else {
            return plan_err!("a view needs the text of one query");
        };
        // Boxed: a view may name a view.
        let plan = Box::pin(state.statement_to_plan(statement)).await?;
        limits::check_plan(&plan)?;
        Ok(Arc::new(ViewTable::new(settled(plan, &state)?, Some(sql.to_owned()))))
    }
}

/// Schema `public`: the store's tables, and what the session created itself.
#[derive(Debug)]
pub struct PublicSchema {
    scope: Arc<StatementScope>,
    local: Mutex<BTreeMap<String, Local>>,
}

/// A table or view of this session alone.
#[derive(Debug, Clone)]
enum Local {
    Table(Arc<dyn TableProvider>),
    /// The query behind a view: its plan holds old snapshots, its text does not.
    View(String),
}

impl PublicSchema {
    /// The schema over `scope`.
    pub fn new(scope: Arc<StatementScope>) -> Self {
        Self { scope, local: Mutex::default() }
    }
}

#[async_trait]
impl SchemaProvider for PublicSchema {
    fn table_names(&self) -> Vec<String> {
        let StoreNames { tables: mut names, views } = lock(&self.scope.names).clone();
        names.extend(views);
        names.extend(lock(&self.local).keys().cloned());
        names.sort_unstable();
        names.dedup();
        names
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let local = lock(&self.local).get(name).cloned();
        match local {
            Some(Local::Table(table)) => return Ok(Some(table)),
            Some(Local::View(sql)) => return self.scope.plan_view(&sql).await.map(Some),
            None => {}
        }
        let show_physical = self.scope.show_physical.load(Ordering::Relaxed);
        if let Some(snapshot) = self.scope.snapshot(name).await? {
            let is_raw = snapshot.kind() == TableKind::Touchpoints && self.scope.settings().raw_ids;
            let table = Arc::new(SnapshotTable::new(snapshot, show_physical));
            return if is_raw { with_raw_ids(name, table) } else { Ok(table as _) }.map(Some);
        }
        // Names are those at the begin of the statement, so that no object is asked for that is no view.
        if !self.scope.is_stored_view(name) {
            return Ok(None);
        }
        match self.scope.store.view(name).await? {
            Some(view) => self.scope.plan_view(&view.sql).await.map(Some),
            None => Ok(None),
        }
    }

    fn register_table(
        &self,
        name: String,
        table: Arc<dyn TableProvider>,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        if self.scope.is_stored(&name) || self.scope.is_stored_view(&name) {
            return plan_err!("relation '{name}' exists in the store: choose another name");
        }
        let local = match table.downcast_ref::<ViewTable>() {
            Some(view) => Local::View(view_query(view)?),
            None if table.is::<MemTable>() => Local::Table(table),
            None => return plan_err!("only tables in memory and views can be created in a session"),
        };
        lock(&self.local).insert(name, local);
        Ok(None)
    }

    fn deregister_table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if self.scope.is_stored(name) {
            return plan_err!("table '{name}' belongs to the store and cannot be dropped by a statement");
        }
        Ok(lock(&self.local).remove(name).map(|local| match local {
            Local::Table(table) => table,
            Local::View(_) => Arc::new(datafusion::datasource::empty::EmptyTable::new(Arc::new(
                arrow::datatypes::Schema::empty(),
            ))),
        }))
    }

    fn table_exist(&self, name: &str) -> bool {
        lock(&self.local).contains_key(name) || self.scope.is_stored(name) || self.scope.is_stored_view(name)
    }
}

/// The query of a view that DataFusion registers, which keeps the text of its whole statement.
fn view_query(view: &ViewTable) -> Result<String> {
    match view.definition() {
        Some(text) => view_statements::query_of(text),
        None => plan_err!("a view needs the text of its query"),
    }
}

/// Schema `journey`: ready-made views.
#[derive(Debug)]
pub struct JourneySchema {
    scope: Arc<StatementScope>,
}

impl JourneySchema {
    /// The schema over `scope`.
    pub fn new(scope: Arc<StatementScope>) -> Self {
        Self { scope }
    }
}

#[async_trait]
impl SchemaProvider for JourneySchema {
    fn table_names(&self) -> Vec<String> {
        journey::VIEWS.iter().map(|v| v.name.to_owned()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        match journey::view(name) {
            Some(view) => self.scope.plan_view(view.sql).await.map(Some),
            None => Ok(None),
        }
    }

    fn register_table(
        &self,
        name: String,
        _: Arc<dyn TableProvider>,
    ) -> Result<Option<Arc<dyn TableProvider>>> {
        plan_err!("schema 'journey' holds ready-made views only: create '{name}' in schema public")
    }

    fn table_exist(&self, name: &str) -> bool {
        journey::view(name).is_some()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
