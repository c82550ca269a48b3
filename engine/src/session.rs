//! One client's view of the engine: its own options and temporary tables, shared data and caches.
//!
//! The life of a statement: [`Session::parse`] to a syntax tree, [`Session::plan`] to a logical plan on one fresh
//! snapshot of the tables it names, [`Session::execute`] to a stream of batches. Dropping the stream stops it. All
//! three work on a large stack of their own, so that any thread of a Tokio runtime may call them.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, plan_err};
use datafusion::execution::context::SessionContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SendableRecordBatchStream, SessionState, SessionStateBuilder};
use datafusion::logical_expr::{DdlStatement, LogicalPlan, ScalarUDF, Statement as PlanStatement};
use datafusion::optimizer::{Analyzer, Optimizer};
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::Statement;
use wayfare_udfs::checked::with_checked_rule;
use wayfare_udfs::guarded::with_guard_rule;
use wayfare_udfs::interval::with_interval_rules;
use wayfare_udfs::table;
use wayfare_udfs::unnest::with_unnest_rule;

use crate::access::{Action, Role};
use crate::catalog::changes;
use crate::catalog::hidden;
use crate::catalog::journey::{self, JOURNEY_SCHEMA};
use crate::catalog::provider::{CATALOG, PUBLIC_SCHEMA, SessionCatalog};
use crate::catalog::relations::{self, Relation};
use crate::catalog::search_path::{SEARCH_PATH, SearchPathSchema};
use crate::catalog::store_schema::{JourneySchema, PublicSchema, StatementScope};
use crate::catalog::{rename_view, table_statements, view_statements};
use crate::config::{EngineConfig, SessionOptions};
use crate::deep::Planning;
use crate::error::{Error, Result};
use crate::execute::Executor;
use crate::people::rule::with_people_rule;
use crate::settings::Settings;
use crate::settled::settled;
use crate::store::Store;
use crate::yielding::with_yielding_joins;
use crate::{bounded, copies, deep, limits, statement};

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
    planning: Planning,
    executor: Executor,
    config: EngineConfig,
    /// See [`SessionOptions::allow_writes`].
    allow_writes: bool,
    role: Role,
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
        functions: &[ScalarUDF],
    ) -> Result<Self> {
        let scope = Arc::new(StatementScope::new(store, options.role, options.pin));
        let catalog = Arc::new(SessionCatalog::default());
        let state = SessionStateBuilder::new()
            .with_config(session_config(config, options))
            .with_runtime_env(Arc::clone(&runtime))
            .with_default_features()
            .with_analyzer_rules(with_guard_rule(with_checked_rule(with_unnest_rule(with_interval_rules(
                Analyzer::new().rules,
            )))))
            .with_optimizer_rules(table::with_table_rules(Optimizer::new().rules))
            .with_physical_optimizer_rules(with_yielding_joins(with_people_rule(
                PhysicalOptimizer::new().rules,
            )))
            .with_relation_planners(vec![table::relation_planner()])
            .build();
        let mut context = SessionContext::new_with_state(state);
        wayfare_udfs::register_all(&mut context)?;
        datafusion_functions_json::register_all(&mut context)?;
        bounded::install(&context);
        for function in functions {
            context.register_udf(function.clone());
        }
        register_schema(&catalog, PUBLIC_SCHEMA, Arc::new(PublicSchema::new(Arc::clone(&scope))))?;
        register_schema(&catalog, JOURNEY_SCHEMA, Arc::new(JourneySchema::new(Arc::clone(&scope))))?;
        let path = Arc::new(SearchPathSchema::new(&catalog));
        catalog.hide(Arc::clone(&path) as _);
        context.register_catalog(CATALOG, catalog);
        let context = Arc::new(context);
        scope.set_context(Arc::downgrade(&context));
        let executor = Executor::new(runtime, config);
        let planner = Planner {
            context,
            scope,
            path,
            planning: Planning::default(),
            executor,
            config: config.clone(),
            allow_writes: options.allow_writes,
            role: options.role,
        };
        Ok(Self { planner: Arc::new(planner) })
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

    /// Runs `work` on the thread with a large stack that plans for this session, where [`Self::parse`] blocks no
    /// other: for servers, that parse what strangers send. Dropping the future does not end `work` once it has begun.
    ///
    /// # Errors
    /// No thread can be started.
    pub async fn on_planning_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        self.planner.planning.run(async move { work() }).await
    }

    /// Plans `statement`, which [`Self::parse`] gave, on a fresh snapshot of the tables it names. Parameters stay
    /// placeholders.
    ///
    /// # Errors
    /// Those of planning; [`Error::Limit`] if views and common table expressions make the plan too large.
    pub async fn plan(&self, statement: Statement) -> Result<LogicalPlan> {
        let planner = Arc::clone(&self.planner);
        self.planner.planning.run(async move { planner.plan(statement).await }).await?
    }

    /// Runs a plan: DDL and SET at once, with an empty stream; queries as the stream is polled.
    ///
    /// # Errors
    /// Those of the plan. Also later, from the stream: out of memory or temporary disk; more rows than
    /// [`EngineConfig::max_result_rows`].
    pub async fn execute(&self, plan: LogicalPlan) -> Result<SendableRecordBatchStream> {
        let Planner { context, planning, executor, .. } = self.planner.as_ref();
        // A plan is copied and dropped on large stacks only.
        let plan = match plan {
            LogicalPlan::Ddl(_) | LogicalPlan::Dml(_) | LogicalPlan::Extension(_) => {
                let planner = Arc::clone(&self.planner);
                match planning.run(async move { planner.changes(plan).await }).await?? {
                    Changed::Done(answer) => return Ok(answer),
                    Changed::Not(plan) => *plan,
                }
            }
            other => other,
        };
        Box::pin(executor.run(planning, context, view_statements::for_the_session(plan))).await
    }

    /// Whether statements may change the store: see [`SessionOptions::allow_writes`].
    pub fn allows_writes(&self) -> bool {
        self.planner.allow_writes
    }

    /// The table of the store that `plan`, which [`Self::plan`] gave, writes: of `INSERT` and `CREATE TABLE` in a session
    /// that may write.
    pub fn written_table(&self, plan: &LogicalPlan) -> Option<String> {
        let written = table_statements::written_table(plan, &self.planner.scope);
        written.filter(|_| self.planner.allow_writes).map(str::to_owned)
    }

    /// Whether statements from now on read those versions of tables that earlier ones have read since then: what a
    /// transaction needs. Turning it off, or on again, lets the next statement see the newest versions.
    pub fn hold_snapshots(&self, hold: bool) {
        self.planner.scope.hold(hold);
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
        let list = async move {
            planner.scope.begin(None).await?;
            relations::list(&planner.scope, &planner.context).await
        };
        self.planner.planning.run(list).await?
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

/// Whether a plan was one that changes the store.
enum Changed {
    Done(SendableRecordBatchStream),
    Not(Box<LogicalPlan>),
}

impl Planner {
    /// Runs what changes the store or its views.
    async fn changes(&self, plan: LogicalPlan) -> Result<Changed> {
        if let Some(statement) = changes::deletion(&plan) {
            self.role.require(Action::Administer)?;
            let done = changes::delete(statement, &self.scope, &self.context, &self.config).await?;
            return Ok(Changed::Done(done));
        }
        if self.allow_writes
            && let Some(done) = table_statements::run(&plan, &self.scope, &self.context, &self.config).await?
        {
            return Ok(Changed::Done(done));
        }
        if view_statements::run(&plan, &self.scope, &self.context).await?
            || rename_view::run(&plan, &self.scope, &self.context).await?
        {
            return Ok(Changed::Done(view_statements::no_rows()));
        }
        Ok(Changed::Not(Box::new(plan)))
    }

    /// How deep the parser goes into brackets and sub-queries.
    fn recursion_limit(&self) -> usize {
        self.context.copied_config().options().sql_parser.recursion_limit.get()
    }

    async fn plan(&self, mut statement: Statement) -> Result<LogicalPlan> {
        let temporary = table_statements::take_temporary(&mut statement);
        let plan = self.plan_plain(statement).await?;
        Ok(if temporary { table_statements::make_temporary(plan) } else { plan })
    }

    async fn plan_plain(&self, statement: Statement) -> Result<LogicalPlan> {
        self.scope.begin(Some(&statement)).await?;
        if let Some(plan) = rename_view::plan(&statement, &self.scope)? {
            return Ok(plan);
        }
        let state = self.context.state();
        let error = match state.statement_to_plan(statement.clone()).await {
            Ok(plan) => return self.checked(settled(plan, &state)?),
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
        self.checked(settled(plan?, &state)?)
    }

    /// Refuses what a statement must not do anywhere in it: reach files, or change the store.
    fn checked(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        limits::check_plan(&plan)?;
        copies::check(&plan)?;
        let mut refused = None;
        plan.apply(|node| {
            refused = refused.take().or_else(|| self.refusal(node)).or_else(|| self.keeps(node));
            Ok(if refused.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        match refused {
            Some(what) => plan_err!("{what}").map_err(|e: DataFusionError| e.into()),
            None => Ok(plan),
        }
    }

    /// Why `node` is refused: what a session that may write can do is not.
    fn refusal(&self, node: &LogicalPlan) -> Option<String> {
        let writes = matches!(node, LogicalPlan::Dml(_))
            && self.allow_writes
            && (changes::deletion(node).is_some()
                || table_statements::written_table(node, &self.scope).is_some());
        if writes { None } else { refusal(node) }
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
        .insert(Settings { memory_limit_bytes: config.query_memory_bytes(), ..Settings::default() });
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
        LogicalPlan::Dml(_) => {
            Some("changing tables by statements: use `wayfare load`, or --allow-writes for INSERT and DELETE")
        }
        _ => None,
    };
    what.map(|what| format!("not supported: {what}"))
}
