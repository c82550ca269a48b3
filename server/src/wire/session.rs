//! The SQL side of a connection: statements are prepared, described and run on the CPU runtime.
//!
//! A statement is parsed once and planned each time that it is described or run, so that a prepared statement sees
//! every commit made since. Neither plans nor batches leave the CPU runtime: what comes back is described columns and
//! encoded rows.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use bytes::Bytes;
use datafusion::common::format::ExplainStatementOptions;
use datafusion::common::{DataFusionError, ParamValues, ScalarValue};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::sql::parser::{ExplainStatement, Statement as EngineStatement};
use datafusion::sql::sqlparser::ast::{DataType as SqlType, ObjectType, Statement};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use futures::{Stream, StreamExt, TryStreamExt};
use pgwire::api::Type;
use pgwire::api::portal::Format;
use pgwire::api::results::FieldInfo;
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::data::DataRow;
use pgwire::types::format::FormatOptions;
use tokio::sync::mpsc::Sender;
use wayfare_engine::statement::Positions;
use wayfare_engine::{Action, Role, Session};

use super::Shared;
use super::activity::Activity;
use super::copy::{CopyIn, CopyOut, CopySource, CopyStatement};
use super::cursor::{Cursor, Output};
use super::cursor_statements::{CursorStatement, DeclareText, Fetch, Rows};
use super::cursors::OpenCursor;
use super::encode::{BatchEncoder, field_infos};
use super::explain::{self, ExplainOptions};
use super::names::result_names;
use super::observe::{Observed, Observer};
use super::origin::{origin, result_schema};
use super::params;
use super::prepared::{ExecuteText, PrepareText, parse_execute, parse_prepare};
use super::privilege;
use super::rewrite::{Rewriter, cast_parameters, parameters, reads_catalog};
use super::split::{StatementText, place_error, split};
use super::statements::SessionStatement;
use super::tokens::Tokens;
use super::types::typed_field;
use crate::catalog;
use crate::cpu::{CpuRuntime, CpuStream};
use crate::error::{error, from_cpu, from_datafusion, from_engine, sqlstate, user_error};
use crate::postgres::marks;

/// Rows that cross from the CPU runtime at once.
const ROWS_PER_CHUNK: usize = 1_024;

/// A parsed statement.
#[derive(Debug, Clone)]
pub(crate) enum Prepared {
    /// About the session; run by the connection itself.
    Session(SessionStatement),
    /// For the engine.
    Sql(Arc<SqlStatement>),
    /// A new cursor over a query.
    Declare(Arc<DeclareText>, Arc<SqlStatement>),
    Fetch(Fetch),
    /// `None` for all cursors.
    CloseCursor(Option<String>),
    CopyOut(Arc<CopyOut>),
    CopyIn(Arc<CopyIn>),
    /// A statement that gets a name.
    Prepare(Arc<PrepareText>, Arc<SqlStatement>),
    Execute(Arc<ExecuteText>),
}

impl Prepared {
    /// Whether the statement is allowed in a failed transaction.
    pub(crate) fn ends_failure(&self) -> bool {
        matches!(self, Self::Session(statement) if statement.ends_failure())
    }

    /// How many bind parameters the statement has.
    pub(crate) fn parameter_count(&self) -> usize {
        match self {
            Self::Sql(statement) | Self::Declare(_, statement) => statement.parameter_count(),
            _ => 0,
        }
    }
}

/// A parsed statement for the engine.
#[derive(Debug)]
pub(crate) struct SqlStatement {
    statement: EngineStatement,
    text: StatementText,
    pub(crate) answer: Answer,
    // Column names as PostgreSQL gives them, where they follow from the statement alone.
    names: Option<Vec<String>>,
    explain: Option<ExplainOptions>,
    // Whether it asks about tables, so that they are looked at before it is planned.
    reads_catalog: bool,
    // One for each parameter: the type that its place in the statement gives it.
    parameters: Vec<Option<Type>>,
}

impl SqlStatement {
    /// What to call the statement if it writes a table of the store, where that is allowed.
    pub(crate) fn writes_store(&self) -> Option<&'static str> {
        let EngineStatement::Statement(inner) = &self.statement else { return None };
        match inner.as_ref() {
            Statement::Insert(_) => Some("INSERT"),
            Statement::Delete(_) => Some("DELETE"),
            Statement::CreateTable(create) if !create.temporary => Some("CREATE TABLE"),
            _ => None,
        }
    }

    /// How many bind parameters the statement has.
    pub(crate) fn parameter_count(&self) -> usize {
        self.parameters.len()
    }
}

/// What a client is told at the end of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Rows, then this tag and their number.
    Rows(&'static str),
    /// No rows; this tag and the number of changed rows.
    Changed(&'static str),
    /// No rows; this tag.
    Done(String),
}

/// The columns and parameters of a statement.
#[derive(Debug)]
pub(crate) struct Description {
    pub parameter_types: Vec<Type>,
    /// Empty if the statement returns no rows.
    pub fields: Vec<FieldInfo>,
}

/// Values for the parameters of a statement, as they came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parameters {
    pub declared: Vec<Option<Type>>,
    pub values: Vec<Option<Bytes>>,
    pub format: Format,
}

/// How results are to be written.
#[derive(Debug, Clone)]
pub(crate) struct Presentation {
    pub format: Format,
    pub options: Arc<FormatOptions>,
}

/// The engine session of one connection.
#[derive(Debug, Clone)]
pub(crate) struct SqlSession {
    engine: Arc<Session>,
    cpu: Arc<CpuRuntime>,
    rewriter: Arc<Rewriter>,
    role: Role,
    observer: Observer,
    activity: Arc<Activity>,
}

impl SqlSession {
    /// A session on `engine`, of a user with `role`.
    pub(crate) fn new(engine: Arc<Session>, role: Role, shared: &Shared, activity: Arc<Activity>) -> Self {
        Self {
            engine,
            cpu: Arc::clone(&shared.cpu),
            rewriter: Arc::clone(&shared.rewriter),
            role,
            observer: shared.observer.clone(),
            activity,
        }
    }

    /// Notes that the statement `text` runs until the value is dropped.
    fn observe(&self, text: &StatementText) -> Observed {
        self.observer.begin(text, Arc::clone(&self.activity))
    }

    /// Whether statements of the session may change the store.
    pub(crate) fn allows_writes(&self) -> bool {
        self.engine.allows_writes()
    }

    /// Parses every statement of a query message.
    ///
    /// # Errors
    /// Those of [`split`]; 42601 with its position for the first statement that does not parse.
    pub(crate) async fn prepare(&self, message: String) -> PgWireResult<Vec<Prepared>> {
        self.on_planning_thread(move |session| {
            let statements = split(&message)?.into_iter();
            statements.map(|text| session.prepare_one(text)).collect()
        })
        .await
    }

    fn prepare_one(&self, text: StatementText) -> PgWireResult<Prepared> {
        if let Some(statement) = SessionStatement::parse(&text)? {
            return Ok(Prepared::Session(statement));
        }
        if let Some(statement) = CursorStatement::parse(&text)? {
            return Ok(match statement {
                CursorStatement::Declare(declare) => {
                    let query = self.prepare_query(text.inner(declare.query_at..text.tokens.len()))?;
                    Prepared::Declare(Arc::new(declare), query)
                }
                CursorStatement::Fetch(fetch) => Prepared::Fetch(fetch),
                CursorStatement::Close(name) => Prepared::CloseCursor(name),
            });
        }
        if let Some(statement) = CopyStatement::parse(&text)? {
            return Ok(match statement {
                CopyStatement::Query { query, options } => {
                    let query = self.prepare_query(text.inner(query))?;
                    Prepared::CopyOut(Arc::new(CopyOut { source: CopySource::Query(query), options }))
                }
                CopyStatement::TableOut { table, columns, options } => Prepared::CopyOut(Arc::new(CopyOut {
                    source: CopySource::Table { table, columns },
                    options,
                })),
                CopyStatement::TableIn { table, columns, options } => {
                    privilege::require(self.role, Action::Load)?;
                    Prepared::CopyIn(Arc::new(CopyIn { table, columns, options }))
                }
            });
        }
        if let Some(prepare) = parse_prepare(&text)? {
            let statement = self.prepare_sql(text.inner(prepare.statement_at..text.tokens.len()))?;
            return Ok(Prepared::Prepare(Arc::new(prepare), statement));
        }
        if let Some(execute) = parse_execute(&text)? {
            return Ok(Prepared::Execute(Arc::new(execute)));
        }
        self.prepare_sql(text).map(Prepared::Sql)
    }

    /// Parses a query inside another statement.
    ///
    /// # Errors
    /// 42601; 0A000 for what returns no rows.
    pub(crate) fn prepare_query(&self, text: StatementText) -> PgWireResult<Arc<SqlStatement>> {
        let statement = self.prepare_sql(text)?;
        match &statement.answer {
            Answer::Rows("SELECT") => Ok(statement),
            _ => Err(error(sqlstate::FEATURE_NOT_SUPPORTED, "only a query can be used here")),
        }
    }

    fn prepare_sql(&self, text: StatementText) -> PgWireResult<Arc<SqlStatement>> {
        check_from(&text)?;
        let explain = ExplainOptions::parse(&text.tokens)?;
        let marked = text.symmetric_marked();
        let source = marked.as_ref().unwrap_or(&text);
        let sql = match explain {
            Some((_, head)) => Cow::Owned(without_head(&source.text, head)),
            None => match source.without_table_commands() {
                Some(rewritten) => Cow::Owned(rewritten),
                None => Cow::Borrowed(source.text.as_str()),
            },
        };
        let explain = explain.map(|(options, _)| options);
        let mut parsed =
            self.engine.parse(&sql).map_err(|e| user_error(place_error(from_engine(&e), &text)))?;
        let (Some(statement), true) = (parsed.pop(), parsed.is_empty()) else {
            return Err(error(
                sqlstate::SYNTAX_ERROR,
                "cannot insert multiple commands into a prepared statement",
            ));
        };
        let statement = match explain {
            Some(options) => EngineStatement::Explain(ExplainStatement {
                statement: Box::new(statement),
                options: ExplainStatementOptions {
                    analyze: options.analyze,
                    verbose: options.verbose,
                    ..ExplainStatementOptions::default()
                },
            }),
            None => statement,
        };
        privilege::check(self.role, &statement)?;
        let names = match &statement {
            EngineStatement::Statement(inner) => result_names(inner),
            _ => None,
        };
        let answer = answer_of(&statement)?;
        let statement = self.rewriter.rewrite(statement);
        Ok(Arc::new(SqlStatement {
            parameters: parameters(&statement),
            reads_catalog: reads_catalog(&statement),
            statement,
            text,
            answer,
            names,
            explain,
        }))
    }

    /// Plans `statement` to learn its columns and the types of its parameters.
    ///
    /// # Errors
    /// Everything that planning fails with.
    pub(crate) async fn describe(
        &self,
        statement: Arc<SqlStatement>,
        declared: Vec<Option<Type>>,
        presentation: Presentation,
    ) -> PgWireResult<Description> {
        let engine = Arc::clone(&self.engine);
        self.on_cpu(async move {
            let (plan, mut parameter_types) = plan(&engine, &statement, &declared).await?;
            // A client is told the types that it declared, also where its texts are read as what stands beside them.
            for (told, declared) in parameter_types.iter_mut().zip(&declared) {
                if let Some(declared) = declared.as_ref().filter(|declared| **declared != Type::UNKNOWN) {
                    *told = declared.clone();
                }
            }
            let fields = match &statement.answer {
                Answer::Rows(_) => fields(&statement, &plan, &presentation)?,
                _ => Vec::new(),
            };
            Ok(Description { parameter_types, fields })
        })
        .await
    }

    /// Starts `statement` and returns its columns and its rows, each as `convert` makes it.
    ///
    /// # Errors
    /// Everything that planning fails with; later errors come with the rows.
    pub(crate) async fn rows<T: Send + Sync + 'static>(
        &self,
        statement: Arc<SqlStatement>,
        parameters: Parameters,
        presentation: Presentation,
        convert: impl Fn(DataRow) -> T + Send + Sync + 'static,
    ) -> PgWireResult<(Arc<Vec<FieldInfo>>, RowStream<T>)> {
        let observed = self.observe(&statement.text);
        let engine = Arc::clone(&self.engine);
        let stream = self.cpu.stream(|sender| async move {
            let sent = send_rows(&engine, &statement, parameters, &presentation, &sender, &convert).await;
            if let Err(e) = sent {
                // Nobody is left to tell if the receiver is gone.
                let _ = sender.send(Err(e)).await;
            }
        });
        begun(stream, observed).await
    }

    /// Starts the query of a cursor.
    ///
    /// # Errors
    /// Everything that planning fails with.
    pub(crate) async fn cursor(
        &self,
        statement: Arc<SqlStatement>,
        parameters: Parameters,
        presentation: Presentation,
        scrolls: bool,
    ) -> PgWireResult<Cursor> {
        let _observed = self.observe(&statement.text);
        let engine = Arc::clone(&self.engine);
        self.on_cpu(async move {
            let plan = bound_plan(&engine, &statement, parameters, &presentation).await?;
            let schema = Arc::new(plan.schema().as_arrow().clone());
            let stream = engine.execute(plan).await.map_err(|e| engine_error(&e))?;
            Ok(Cursor::new(&engine, schema, stream, scrolls))
        })
        .await
    }

    /// The columns of a cursor.
    ///
    /// # Errors
    /// Those of [`field_infos`].
    pub(crate) async fn cursor_fields(
        &self,
        cursor: &OpenCursor,
        presentation: &Presentation,
    ) -> PgWireResult<Vec<FieldInfo>> {
        let schema = Arc::clone(cursor.cursor.lock().await.schema());
        schema_fields(&cursor.statement, &schema, presentation)
    }

    /// Moves a cursor and returns its columns and the rows that it passes.
    ///
    /// # Errors
    /// Those of [`field_infos`]; later errors, those of [`Cursor::fetch`], come with the rows.
    pub(crate) async fn fetch(
        &self,
        cursor: OpenCursor,
        rows: Rows,
        presentation: Presentation,
    ) -> PgWireResult<(Arc<Vec<FieldInfo>>, RowStream<DataRow>)> {
        let observed = self.observe(&cursor.statement.text);
        let names = if cursor.statement.reads_catalog { catalog::names(&self.engine) } else { None };
        let stream = self.cpu.stream(|sender| async move {
            if let Err(e) = fetch_rows(&cursor, rows, &presentation, names, &sender).await {
                // Nobody is left to tell if the receiver is gone.
                let _ = sender.send(Err(e)).await;
            }
        });
        begun(stream, observed).await
    }

    /// Moves a cursor; returns how many rows it passes.
    ///
    /// # Errors
    /// Those of [`Cursor::fetch`].
    pub(crate) async fn move_cursor(&self, cursor: OpenCursor, rows: Rows) -> PgWireResult<usize> {
        self.on_cpu(async move { cursor.cursor.lock().await.fetch(rows, None).await }).await
    }

    /// Whether statements from now on see the versions of tables that earlier ones have seen.
    pub(crate) fn hold_snapshots(&self, hold: bool) {
        self.engine.hold_snapshots(hold);
    }

    /// The schemas in which names without one are looked up.
    pub(crate) fn set_search_path(&self, schemas: Vec<String>) {
        self.engine.set_search_path(schemas);
    }

    /// Runs `statement` to its end and returns how many rows it changed.
    ///
    /// # Errors
    /// Everything that planning and running fail with.
    pub(crate) async fn run(
        &self,
        statement: Arc<SqlStatement>,
        parameters: Parameters,
        presentation: Presentation,
    ) -> PgWireResult<usize> {
        let _observed = self.observe(&statement.text);
        let engine = Arc::clone(&self.engine);
        self.on_cpu(async move {
            let plan = bound_plan(&engine, &statement, parameters, &presentation).await?;
            let mut batches = engine.execute(plan).await.map_err(|e| engine_error(&e))?;
            let mut changed = 0;
            while let Some(batch) = batches.next().await {
                let batch = batch.map_err(|e| user_error(from_datafusion(&e)))?;
                changed += changed_rows(&batch);
            }
            Ok(changed)
        })
        .await
    }

    /// Makes the engine read and compute local times in `time_zone`, which must be a valid zone name.
    ///
    /// # Errors
    /// The engine refuses the option.
    pub(crate) async fn set_time_zone(&self, time_zone: String) -> PgWireResult<()> {
        let engine = Arc::clone(&self.engine);
        self.on_cpu(async move {
            let set = format!("SET datafusion.execution.time_zone = '{time_zone}'");
            let mut batches = engine.query(&set).await.map_err(|e| engine_error(&e))?;
            while let Some(batch) = batches.next().await {
                batch.map_err(|e| user_error(from_datafusion(&e)))?;
            }
            Ok(())
        })
        .await
    }

    /// The threads that statements run on.
    pub(crate) fn cpu(&self) -> &CpuRuntime {
        &self.cpu
    }

    /// Runs `work`, which parses, where it holds up no other session: see [`Session::on_planning_thread`].
    pub(crate) async fn on_planning_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> PgWireResult<T> + Send + 'static,
    ) -> PgWireResult<T> {
        let session = self.clone();
        let engine = Arc::clone(&self.engine);
        let planned = async move { engine.on_planning_thread(move || work(&session)).await };
        self.on_cpu(async move { planned.await.map_err(|e| engine_error(&e))? }).await
    }

    pub(crate) async fn on_cpu<T: Send + 'static>(
        &self,
        work: impl Future<Output = PgWireResult<T>> + Send + 'static,
    ) -> PgWireResult<T> {
        // On the heap: planning has many states, and the callers keep them on their stacks.
        match self.cpu.run(Box::pin(work)).await {
            Ok(outcome) => outcome,
            Err(e) => Err(user_error(from_cpu(e))),
        }
    }
}

fn engine_error(failure: &wayfare_engine::Error) -> PgWireError {
    user_error(from_engine(failure))
}

/// Refuses a clause in the place of a table, which the engine's parser takes for the table's name.
fn check_from(text: &StatementText) -> PgWireResult<()> {
    let mut tokens = Tokens::new(text);
    while let Some(token) = tokens.next() {
        let is_from =
            matches!(token, Token::Word(word) if word.keyword == Keyword::FROM && word.quote_style.is_none());
        let is_clause = matches!(tokens.peek(), Some(Token::Word(word)) if word.quote_style.is_none()
            && matches!(word.keyword, Keyword::WHERE | Keyword::GROUP | Keyword::HAVING | Keyword::LIMIT));
        if is_from && is_clause {
            return Err(tokens.syntax_error());
        }
    }
    Ok(())
}

/// `text` with blanks in the place of its first `head` tokens, so that places in what is left stay.
fn without_head(text: &str, head: usize) -> String {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location().unwrap_or_default();
    let mut tokens = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF));
    let start =
        tokens.nth(head).map_or(text.len(), |token| Positions::new(text).byte_index(token.span.start));
    let (before, after) = text.split_at(start);
    let blanks: String = before.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect();
    blanks + after
}

/// Plans `statement` and settles the type of each parameter: as the client declared it, else as a cast in the
/// statement or a `LIMIT` says, else as the planner infers it from its surroundings, else text.
async fn plan(
    engine: &Session,
    statement: &SqlStatement,
    declared: &[Option<Type>],
) -> PgWireResult<(LogicalPlan, Vec<Type>)> {
    let count = statement.parameters.len();
    let declared_at = |index: usize| declared.get(index).and_then(Option::as_ref);
    // Declared types are put into the statement as casts; text, which fits everywhere, and numeric, whose precision
    // is that of each value, are not.
    let mut casts: Vec<Option<SqlType>> = (0..count)
        .map(|index| {
            // The planner has no type for a list without knowing that it is one.
            let list = || statement.parameters[index].as_ref().filter(|pg_type| params::is_array(pg_type));
            declared_at(index).and_then(params::cast_type).or_else(|| list().and_then(params::cast_type))
        })
        .collect();
    let mut planned = plan_once(engine, statement, &casts).await?;
    if count == 0 {
        return Ok((planned, extra_declared(declared, Vec::new())));
    }
    let mut inferred = inferred_types(&planned, count)?;
    let settled = |index: usize, inferred: &[Option<Type>]| {
        let strong = declared_at(index).filter(|pg_type| !params::is_text(pg_type));
        strong.or(statement.parameters[index].as_ref()).or(inferred[index].as_ref()).cloned()
    };
    let unsettled: Vec<usize> = (0..count)
        .filter(|index| inferred[*index].is_none() && casts[*index].is_none())
        .filter(|index| statement.parameters[*index].is_none())
        .collect();
    if !unsettled.is_empty() {
        for index in unsettled {
            let pg_type = declared_at(index).unwrap_or(&Type::TEXT);
            casts[index] = Some(params::fallback_cast_type(pg_type));
        }
        planned = plan_once(engine, statement, &casts).await?;
        inferred = inferred_types(&planned, count)?;
    }
    let types = (0..count)
        .map(|index| match (settled(index, &inferred), declared_at(index)) {
            // One of the types of text is as good as another: the client's.
            (Some(found), Some(declared)) if params::is_text(&found) && *declared != Type::UNKNOWN => {
                declared.clone()
            }
            (found, declared) => found.or_else(|| declared.cloned()).unwrap_or(Type::TEXT),
        })
        .collect();
    Ok((planned, extra_declared(declared, types)))
}

/// Clients may declare more parameters than the statement uses.
fn extra_declared(declared: &[Option<Type>], mut types: Vec<Type>) -> Vec<Type> {
    for pg_type in declared.iter().skip(types.len()) {
        types.push(pg_type.clone().unwrap_or(Type::TEXT));
    }
    types
}

async fn plan_once(
    engine: &Session,
    statement: &SqlStatement,
    casts: &[Option<SqlType>],
) -> PgWireResult<LogicalPlan> {
    if statement.reads_catalog {
        catalog::refresh(engine).await.map_err(|e| engine_error(&e))?;
    }
    let mut parsed = statement.statement.clone();
    cast_parameters(&mut parsed, casts);
    let plan = engine.plan(parsed).await;
    let plan = plan.map_err(|e| user_error(place_error(from_engine(&e), &statement.text)))?;
    marks::kept(plan).map_err(|e| user_error(from_datafusion(&e)))
}

fn inferred_types(plan: &LogicalPlan, count: usize) -> PgWireResult<Vec<Option<Type>>> {
    let by_name = plan.get_parameter_types().map_err(|e| user_error(from_datafusion(&e)))?;
    (1..=count)
        .map(|number| {
            let inferred = by_name.get(&format!("${number}")).and_then(Option::as_ref);
            match inferred {
                None | Some(DataType::Null) => Ok(None),
                Some(data_type) => arrow_pg::datatypes::into_pg_type(data_type).map(Some),
            }
        })
        .collect()
}

/// Plans `statement` with the values of its parameters in place.
async fn bound_plan(
    engine: &Session,
    statement: &SqlStatement,
    parameters: Parameters,
    presentation: &Presentation,
) -> PgWireResult<LogicalPlan> {
    let (plan, types) = plan(engine, statement, &parameters.declared).await?;
    if statement.parameters.is_empty() {
        return Ok(plan);
    }
    let values = parameters.values.iter().zip(&types).enumerate();
    let values: PgWireResult<Vec<ScalarValue>> = values
        .map(|(index, (value, pg_type))| {
            let format = parameters.format.format_for(index);
            params::decode(index + 1, value.as_ref(), format, pg_type, &presentation.options.time_zone)
        })
        .collect();
    plan.with_param_values(ParamValues::from(values?)).map_err(|e| user_error(from_datafusion(&e)))
}

/// The columns of the answer.
fn answer_schema(statement: &SqlStatement, plan: &LogicalPlan) -> Schema {
    match statement.explain {
        Some(options) if options.json => Schema::new(vec![typed_field(explain::COLUMN, "json", true)]),
        Some(_) => Schema::new(vec![Field::new(explain::COLUMN, DataType::Utf8, true)]),
        None => result_schema(plan),
    }
}

/// The rows of an `EXPLAIN` as the answer shows them.
async fn explained(
    options: ExplainOptions,
    batches: SendableRecordBatchStream,
) -> Result<RecordBatch, DataFusionError> {
    let batches: Vec<RecordBatch> = batches.try_collect().await?;
    let mut plans = Vec::new();
    for batch in &batches {
        let column = |index: usize| cast(batch.column(index), &DataType::Utf8);
        let (kinds, texts) = (column(0)?, column(1)?);
        for (kind, text) in kinds.as_string::<i32>().iter().zip(texts.as_string::<i32>()) {
            plans.push((kind.unwrap_or_default().to_owned(), text.unwrap_or_default().to_owned()));
        }
    }
    let lines: ArrayRef = Arc::new(StringArray::from(options.rows(&plans)));
    Ok(RecordBatch::try_from_iter([(explain::COLUMN, lines)])?)
}

fn fields(
    statement: &SqlStatement,
    plan: &LogicalPlan,
    presentation: &Presentation,
) -> PgWireResult<Vec<FieldInfo>> {
    let infos = schema_fields(statement, &answer_schema(statement, plan), presentation)?;
    if statement.explain.is_some() {
        return Ok(infos);
    }
    let placed = infos.into_iter().enumerate().map(|(index, info)| match origin(plan, index) {
        None => info,
        Some(place) => FieldInfo::new(
            info.name().to_owned(),
            Some(place.table),
            Some(place.column),
            info.datatype().clone(),
            info.format(),
        )
        .with_format_options(Arc::clone(info.format_options()))
        .with_type_size(info.type_size())
        .with_type_modifier(info.type_modifier()),
    });
    Ok(placed.collect())
}

fn schema_fields(
    statement: &SqlStatement,
    schema: &Schema,
    presentation: &Presentation,
) -> PgWireResult<Vec<FieldInfo>> {
    field_infos(schema, statement.names.as_deref(), &presentation.format, &presentation.options)
}

/// What crosses from the CPU runtime: the columns once, then rows.
pub(crate) enum Item<T> {
    Fields(Arc<Vec<FieldInfo>>),
    Rows(Vec<T>),
}

pub(crate) type ItemSender<T> = Sender<PgWireResult<Item<T>>>;

async fn send_rows<T>(
    engine: &Session,
    statement: &SqlStatement,
    parameters: Parameters,
    presentation: &Presentation,
    sender: &ItemSender<T>,
    convert: &impl Fn(DataRow) -> T,
) -> PgWireResult<()> {
    let plan = bound_plan(engine, statement, parameters, presentation).await?;
    let schema = answer_schema(statement, &plan);
    let fields = Arc::new(fields(statement, &plan, presentation)?);
    let names = if statement.reads_catalog { catalog::names(engine) } else { None };
    let mut encoder =
        BatchEncoder::new(Arc::clone(&fields), &schema, &presentation.options.time_zone, names)?;
    if sender.send(Ok(Item::Fields(fields))).await.is_err() {
        return Ok(());
    }
    let placed = |info: ErrorInfo| user_error(place_error(info, &statement.text));
    let mut batches = engine.execute(plan).await.map_err(|e| placed(from_engine(&e)))?;
    if let Some(options) = statement.explain {
        let lines = explained(options, batches).await;
        let schema = Arc::new(schema.clone());
        batches = Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter([lines])));
    }
    while let Some(batch) = batches.next().await {
        let batch = batch.map_err(|e| placed(from_datafusion(&e)))?;
        let columns = encoder.prepare(&batch)?;
        let mut start = 0;
        while start < batch.num_rows() {
            let end = batch.num_rows().min(start + ROWS_PER_CHUNK);
            let rows: PgWireResult<Vec<T>> =
                (start..end).map(|row| encoder.row(&columns, row).map(convert)).collect();
            if sender.send(Ok(Item::Rows(rows?))).await.is_err() {
                return Ok(());
            }
            start = end;
        }
    }
    Ok(())
}

async fn fetch_rows(
    cursor: &OpenCursor,
    rows: Rows,
    presentation: &Presentation,
    names: Option<catalog::reg::RegNames>,
    sender: &ItemSender<DataRow>,
) -> PgWireResult<()> {
    let mut open = cursor.cursor.lock().await;
    let schema = Arc::clone(open.schema());
    let fields = Arc::new(schema_fields(&cursor.statement, &schema, presentation)?);
    let encoder = BatchEncoder::new(Arc::clone(&fields), &schema, &presentation.options.time_zone, names)?;
    if sender.send(Ok(Item::Fields(fields))).await.is_err() {
        return Ok(());
    }
    open.fetch(rows, Some(&mut Output::new(encoder, sender))).await.map(drop)
}

/// Waits for the columns, which come first.
async fn begun<T: Send + 'static>(
    mut stream: CpuStream<PgWireResult<Item<T>>>,
    observed: Observed,
) -> PgWireResult<(Arc<Vec<FieldInfo>>, RowStream<T>)> {
    match stream.next().await {
        Some(Ok(Ok(Item::Fields(fields)))) => {
            Ok((fields, RowStream { stream, chunk: Vec::new().into_iter(), observed }))
        }
        Some(Ok(Ok(Item::Rows(_)))) | None => {
            Err(error(sqlstate::INTERNAL_ERROR, "internal error: a result began without its columns"))
        }
        Some(Ok(Err(e))) => Err(e),
        Some(Err(e)) => Err(user_error(from_cpu(e))),
    }
}

/// The encoded rows of a running statement. Dropping it stops the statement.
pub(crate) struct RowStream<T = DataRow> {
    stream: CpuStream<PgWireResult<Item<T>>>,
    chunk: std::vec::IntoIter<T>,
    observed: Observed,
}

impl<T: Unpin> Stream for RowStream<T> {
    type Item = PgWireResult<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(row) = self.chunk.next() {
                self.observed.row();
                return Poll::Ready(Some(Ok(row)));
            }
            match std::task::ready!(self.stream.poll_next_unpin(cx)) {
                None => return Poll::Ready(None),
                Some(Ok(Ok(Item::Rows(rows)))) => self.chunk = rows.into_iter(),
                Some(Ok(Ok(Item::Fields(_)))) => {}
                Some(Ok(Err(e))) => return Poll::Ready(Some(Err(e))),
                Some(Err(e)) => return Poll::Ready(Some(Err(user_error(from_cpu(e))))),
            }
        }
    }
}

/// The number in the single cell of a change's result, 0 for any other result.
fn changed_rows(batch: &arrow::array::RecordBatch) -> usize {
    use arrow::array::AsArray;
    use arrow::datatypes::UInt64Type;
    let cell = batch
        .columns()
        .first()
        .filter(|_| batch.num_rows() == 1)
        .and_then(|column| column.as_primitive_opt::<UInt64Type>());
    cell.map_or(0, |cell| usize::try_from(cell.value(0)).unwrap_or(usize::MAX))
}

/// What to answer at the end of `statement`.
///
/// # Errors
/// 42501 for statements that would reach the server's files or network.
fn answer_of(statement: &EngineStatement) -> PgWireResult<Answer> {
    let inner = match statement {
        EngineStatement::Statement(inner) => inner.as_ref(),
        EngineStatement::Explain(_) => return Ok(Answer::Rows("EXPLAIN")),
        EngineStatement::Reset(_) => return Ok(Answer::Done("RESET".to_owned())),
        // COPY in PostgreSQL's forms does not come here.
        EngineStatement::CopyTo(_) => return Err(error(sqlstate::SYNTAX_ERROR, "malformed COPY statement")),
        EngineStatement::CreateExternalTable(_) => {
            return Err(error(
                sqlstate::INSUFFICIENT_PRIVILEGE,
                "permission denied to read files or URLs of the server: load them with `wayfare load`",
            ));
        }
    };
    Ok(match inner {
        Statement::Query(_) => Answer::Rows("SELECT"),
        Statement::Explain { .. } | Statement::ExplainTable { .. } => Answer::Rows("EXPLAIN"),
        Statement::ShowVariable { .. }
        | Statement::ShowTables { .. }
        | Statement::ShowColumns { .. }
        | Statement::ShowFunctions { .. }
        | Statement::ShowDatabases { .. }
        | Statement::ShowSchemas { .. }
        | Statement::ShowCreate { .. } => Answer::Rows("SHOW"),
        Statement::Insert(_) => Answer::Changed("INSERT 0"),
        Statement::Update(_) => Answer::Changed("UPDATE"),
        Statement::Delete(_) => Answer::Changed("DELETE"),
        Statement::Set(_) => Answer::Done("SET".to_owned()),
        Statement::CreateTable(_) => Answer::Done("CREATE TABLE".to_owned()),
        Statement::CreateView(_) => Answer::Done("CREATE VIEW".to_owned()),
        Statement::Drop { object_type, .. } => Answer::Done(match object_type {
            ObjectType::View => "DROP VIEW".to_owned(),
            ObjectType::Schema => "DROP SCHEMA".to_owned(),
            _ => "DROP TABLE".to_owned(),
        }),
        other => Answer::Done(first_words(&other.to_string())),
    })
}

/// The leading upper-case words of a statement, at most two: `ANALYZE`, `CREATE SCHEMA`.
fn first_words(sql: &str) -> String {
    let words = sql.split_whitespace().take(2);
    let words = words.take_while(|word| word.bytes().all(|byte| byte.is_ascii_uppercase()));
    words.collect::<Vec<_>>().join(" ")
}
