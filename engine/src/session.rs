//! One client's view of the engine: its own options and temporary tables, shared data and caches.
//!
//! The life of a statement: [`Session::parse`] to a syntax tree, [`Session::plan`] to a logical plan on one fresh
//! snapshot of the tables it names, [`Session::execute`] to a stream of batches. Dropping the stream stops it. All
//! three work on a large stack of their own, so that any thread of a Tokio runtime may call them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, plan_err};
use datafusion::execution::context::SessionContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, SessionState, SessionStateBuilder};
use datafusion::logical_expr::{DdlStatement, LogicalPlan, Statement as PlanStatement};
use datafusion::optimizer::{Analyzer, Optimizer};
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::Statement;
use wayfare_udfs::interval::with_interval_rules;
use wayfare_udfs::table;
use wayfare_udfs::unnest::with_unnest_rule;

use crate::catalog::changes;
use crate::catalog::hidden;
use crate::catalog::journey::{self, JOURNEY_SCHEMA};
use crate::catalog::provider::{CATALOG, PUBLIC_SCHEMA, SessionCatalog};
use crate::catalog::relations::{self, Relation};
use crate::catalog::search_path::{SEARCH_PATH, SearchPathSchema};
use crate::catalog::store_schema::{JourneySchema, PublicSchema, StatementScope};
use crate::catalog::view_statements;
use crate::config::{EngineConfig, SessionOptions};
use crate::error::{Error, Result};
use crate::people::rule::with_people_rule;
use crate::settings::Settings;
use crate::store::Store;
use crate::yielding::with_yielding_joins;
use crate::{deep, limits, statement};

/// Options of DataFusion that would bring the dynamic filters of aggregates back, which drop rows that hold the
/// answer where a partition has only NULLs: <https://github.com/apache/datafusion/issues/25147>.
const WRONG_OPTIONS: [&str; 2] = [
    "datafusion.optimizer.enable_aggregate_dynamic_filter_pushdown",
    "datafusion.optimizer.enable_dynamic_filter_pushdown",
];

/// A session. Statements of one session are planned one after the other; they may run side by side.
pub struct Session {
    planner: Arc<Planner>,
}

/// What plans: shared with the threads that it runs on.
struct Planner {
    context: Arc<SessionContext>,
    scope: Arc<StatementScope>,
    path: Arc<SearchPathSchema>,
    planning: tokio::sync::Mutex<()>,
    config: EngineConfig,
    may_delete: AtomicBool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    /// A session on `store`.
    pub(crate) fn new(
        store: Arc<Store>,
        runtime: Arc<RuntimeEnv>,
        config: &EngineConfig,
        options: &SessionOptions,
    ) -> Result<Self> {
        let scope = Arc::new(StatementScope::new(store, options.pin));
        let catalog = Arc::new(SessionCatalog::default());
        let state = SessionStateBuilder::new()
            .with_config(session_config(config, options))
            .with_runtime_env(runtime)
            .with_default_features()
            .with_analyzer_rules(with_unnest_rule(with_interval_rules(Analyzer::new().rules)))
            .with_optimizer_rules(table::with_table_rules(Optimizer::new().rules))
            .with_physical_optimizer_rules(with_yielding_joins(with_people_rule(
                PhysicalOptimizer::new().rules,
            )))
            .with_relation_planners(vec![table::relation_planner()])
            .build();
        let mut context = SessionContext::new_with_state(state);
        wayfare_udfs::register_all(&mut context)?;
        datafusion_functions_json::register_all(&mut context)?;
        register_schema(&catalog, PUBLIC_SCHEMA, Arc::new(PublicSchema::new(Arc::clone(&scope))))?;
        register_schema(&catalog, JOURNEY_SCHEMA, Arc::new(JourneySchema::new(Arc::clone(&scope))))?;
        let path = Arc::new(SearchPathSchema::new(&catalog));
        catalog.hide(Arc::clone(&path) as _);
        context.register_catalog(CATALOG, catalog);
        let context = Arc::new(context);
        scope.set_context(Arc::downgrade(&context));
        Ok(Self {
            planner: Arc::new(Planner {
                context,
                scope,
                path,
                planning: tokio::sync::Mutex::default(),
                config: config.clone(),
                may_delete: AtomicBool::new(false),
            }),
        })
    }

    /// Parses `sql` into its statements; empty text gives none.
    ///
    /// Table functions take a table by its name, and named arguments of this product's functions may leave gaps: see
    /// [`wayfare_udfs::statement`].
    ///
    /// # Errors
    /// Those of the parser; plan errors about named arguments; [`Error::Limit`] for what is too long or too complex.
    pub fn parse(&self, sql: &str) -> Result<Vec<Statement>> {
        let limit = self.planner.recursion_limit();
        deep::call(|| statement::parse(sql, limit))?
    }

    /// Plans `statement`, which [`Self::parse`] gave, on a fresh snapshot of the tables it names. Parameters stay
    /// placeholders.
    ///
    /// # Errors
    /// Those of planning; [`Error::Limit`] if views and common table expressions make the plan too large.
    pub async fn plan(&self, statement: Statement) -> Result<LogicalPlan> {
        let planner = Arc::clone(&self.planner);
        deep::run(async move { planner.plan(statement).await }).await?
    }

    /// Runs a plan: DDL and SET at once, with an empty stream; queries as the stream is polled.
    pub async fn execute(&self, plan: LogicalPlan) -> Result<SendableRecordBatchStream> {
        let context = Arc::clone(&self.planner.context);
        let planner = Arc::clone(&self.planner);
        deep::run(async move {
            if let Some(statement) = changes::deletion(&plan) {
                let is_allowed = planner.may_delete.load(Ordering::Relaxed);
                return changes::delete(statement, &planner.scope, &context, &planner.config, is_allowed)
                    .await;
            }
            if view_statements::run(&plan, &planner.scope, &context).await? {
                return Ok(view_statements::no_rows());
            }
            let frame = context.execute_logical_plan(view_statements::for_the_session(plan)).await?;
            Ok(frame.execute_stream().await?)
        })
        .await?
    }

    /// Whether statements from now on read those versions of tables that earlier ones have read since then: what a
    /// transaction needs. Turning it off, or on again, lets the next statement see the newest versions.
    pub fn hold_snapshots(&self, hold: bool) {
        self.planner.scope.hold(hold);
    }

    /// Whether this session may delete rows of touchpoint tables; none may at first.
    pub fn allow_deletes(&self, allow: bool) {
        self.planner.may_delete.store(allow, Ordering::Relaxed);
    }

    /// The schemas in which names without one are looked up, in this order; the first is also where such tables are
    /// created. Schemas that do not exist are passed over.
    pub fn set_search_path(&self, mut schemas: Vec<String>) {
        let context = &self.planner.context;
        let existing = context.catalog(CATALOG).map(|catalog| catalog.schema_names()).unwrap_or_default();
        schemas.retain(|schema| existing.contains(schema));
        let name = if schemas == [PUBLIC_SCHEMA] { PUBLIC_SCHEMA } else { SEARCH_PATH };
        self.planner.path.set(schemas);
        let state = context.state_ref();
        name.clone_into(&mut state.write().config_mut().options_mut().catalog.default_schema);
    }

    /// Everything that statements of this session can name now, in order of schema and name.
    ///
    /// # Errors
    /// The store cannot be read. A view that cannot be planned is listed without columns.
    pub async fn relations(&self) -> Result<Vec<Relation>> {
        let planner = Arc::clone(&self.planner);
        deep::run(async move {
            let _one_at_a_time = planner.planning.lock().await;
            planner.scope.begin().await?;
            relations::list(&planner.scope, &planner.context).await
        })
        .await?
    }

    /// Runs one statement.
    ///
    /// # Errors
    /// Also if `sql` holds no statement or more than one.
    pub async fn query(&self, sql: &str) -> Result<SendableRecordBatchStream> {
        let mut statements = self.parse(sql)?;
        let (Some(statement), true) = (statements.pop(), statements.is_empty()) else {
            return Err(Error::InvalidArgument("expected exactly one statement".to_owned()));
        };
        let plan = self.plan(statement).await?;
        self.execute(plan).await
    }

    /// DataFusion's context, for registering functions, schemas and options. Statements go through
    /// [`Self::plan`], not through this.
    pub fn context(&self) -> &SessionContext {
        &self.planner.context
    }

    /// The current state, for planning expressions and reading options.
    pub fn state(&self) -> SessionState {
        self.planner.context.state()
    }
}

impl Planner {
    /// How deep the parser goes into brackets and sub-queries.
    fn recursion_limit(&self) -> usize {
        self.context.copied_config().options().sql_parser.recursion_limit.get()
    }

    async fn plan(&self, statement: Statement) -> Result<LogicalPlan> {
        let _one_at_a_time = self.planning.lock().await;
        self.scope.begin().await?;
        let state = self.context.state();
        let error = match state.statement_to_plan(statement.clone()).await {
            Ok(plan) => return self.checked(plan),
            Err(error) => error,
        };
        if !hidden::misses_physical_column(&error) {
            return Err(error.into());
        }
        // The statement names a physical column: plan it again with them in sight.
        let mut statement = statement;
        hidden::exclude_from_wildcards(&mut statement, &self.scope.touchpoint_tables().await);
        self.scope.show_physical(true);
        let plan = state.statement_to_plan(statement).await;
        self.scope.show_physical(false);
        self.checked(plan?)
    }

    /// Refuses what a statement must not do anywhere in it: reach files, or change the store.
    fn checked(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        limits::check_plan(&plan)?;
        let mut refused = None;
        plan.apply(|node| {
            refused = refused.take().or_else(|| refusal(node)).or_else(|| self.keeps(node));
            Ok(if refused.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        match refused {
            Some(what) => plan_err!("{what}").map_err(|e: DataFusionError| e.into()),
            None => Ok(plan),
        }
    }

    /// Why `node` must not drop what it names. DataFusion would only say that there is no such table.
    fn keeps(&self, node: &LogicalPlan) -> Option<String> {
        let name = match node {
            LogicalPlan::Ddl(DdlStatement::DropTable(drop)) => &drop.name,
            LogicalPlan::Ddl(DdlStatement::DropView(drop)) => &drop.name,
            _ => return None,
        };
        let (schema, table) = (name.schema().unwrap_or(PUBLIC_SCHEMA), name.table());
        let stays = match schema {
            PUBLIC_SCHEMA => self.scope.is_stored(table),
            JOURNEY_SCHEMA => journey::view(table).is_some(),
            _ => false,
        };
        stays.then(|| format!("{schema}.{table} belongs to the store and cannot be dropped by a statement"))
    }
}

fn register_schema(
    catalog: &SessionCatalog,
    name: &str,
    schema: Arc<dyn datafusion::catalog::SchemaProvider>,
) -> Result<()> {
    datafusion::catalog::CatalogProvider::register_schema(catalog, name, schema)?;
    Ok(())
}

fn session_config(config: &EngineConfig, options: &SessionOptions) -> SessionConfig {
    let mut session = SessionConfig::new()
        .with_information_schema(true)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(CATALOG, PUBLIC_SCHEMA)
        .with_target_partitions(config.target_partitions.max(1));
    if let Some(batch_size) = options.batch_size {
        session = session.with_batch_size(batch_size.max(1));
    }
    let settings = session.options_mut();
    settings
        .extensions
        .insert(Settings { memory_limit_bytes: config.memory_limit_bytes, ..Settings::default() });
    settings.sql_parser.dialect = datafusion::config::Dialect::PostgreSQL;
    settings.execution.parquet.pushdown_filters = true;
    settings.execution.parquet.reorder_filters = true;
    // See WRONG_OPTIONS.
    settings.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    settings.execution.time_zone =
        Some(options.time_zone.clone().unwrap_or_else(|| crate::schema::UTC.to_owned()));
    session
}

/// Why `node` is refused.
fn refusal(node: &LogicalPlan) -> Option<String> {
    let what = match node {
        LogicalPlan::Copy(_) => Some("COPY TO a file: use `wayfare query --output FILE`"),
        LogicalPlan::Ddl(DdlStatement::CreateExternalTable(_)) => {
            Some("CREATE EXTERNAL TABLE: use `wayfare load` to bring files in")
        }
        LogicalPlan::Ddl(
            DdlStatement::CreateFunction(_)
            | DdlStatement::DropFunction(_)
            | DdlStatement::CreateCatalog(_)
            | DdlStatement::CreateCatalogSchema(_)
            | DdlStatement::DropCatalogSchema(_)
            | DdlStatement::CreateIndex(_),
        ) => Some("this kind of CREATE or DROP"),
        LogicalPlan::Statement(PlanStatement::SetVariable(set))
            if WRONG_OPTIONS.contains(&set.variable.as_str()) =>
        {
            Some("setting this option: with it, min and max are wrong where files hold only NULLs")
        }
        LogicalPlan::Dml(_) if changes::deletion(node).is_some() => None,
        LogicalPlan::Dml(_) => Some("changing tables by statements: use `wayfare load`"),
        _ => None,
    };
    what.map(|what| format!("not supported: {what}"))
}
