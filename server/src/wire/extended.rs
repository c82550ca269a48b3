//! The extended query protocol: prepared statements with parameters, portals that are fetched in parts.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::Utc;
use futures::sink::{Sink, SinkExt};
use pgwire::api::portal::{Format, Portal, PortalExecutionState};
use pgwire::api::query::ExtendedQueryHandler;
use pgwire::api::results::{FieldInfo, QueryResponse, Response};
use pgwire::api::stmt::{QueryParser, StoredStatement};
use pgwire::api::store::{Entry, PortalStore};
use pgwire::api::{ClientInfo, ClientPortalStore, DEFAULT_NAME, PgWireConnectionState, Type};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::data::{NoData, ParameterDescription};
use pgwire::messages::extendedquery::{
    Bind, BindComplete, Close, CloseComplete, Describe, Execute, Parse, ParseComplete, PortalSuspended,
    Sync as PgSync, TARGET_TYPE_BYTE_PORTAL, TARGET_TYPE_BYTE_STATEMENT,
};
use pgwire::messages::response::{EmptyQueryResponse, ReadyForQuery, TransactionStatus};

use super::cancel::{Interrupt, lock};
use super::connection::Connection;
use super::execute::{Delivery, complete, format_at, row_description, text_fields};
use super::prepared::{ExecuteText, PreparedStatement, no_statement};
use super::session::{Answer, Description, Parameters, Prepared, SqlStatement};
use super::simple::send_rows;
use crate::error::{error, sqlstate};

/// Required by the trait of pgwire; statements are parsed by [`Connection`], which knows the session.
#[derive(Debug)]
pub(crate) struct NoParser;

#[async_trait]
impl QueryParser for NoParser {
    type Statement = Prepared;

    async fn parse_sql<C>(
        &self,
        _client: &C,
        _sql: &str,
        _types: &[Option<Type>],
    ) -> PgWireResult<Option<Prepared>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        Err(unexpected_call())
    }

    fn get_parameter_types(&self, _statement: &Prepared) -> PgWireResult<Vec<Type>> {
        Err(unexpected_call())
    }

    fn get_result_schema(
        &self,
        _statement: &Prepared,
        _format: Option<&Format>,
    ) -> PgWireResult<Vec<FieldInfo>> {
        Err(unexpected_call())
    }
}

fn unexpected_call() -> PgWireError {
    error(sqlstate::INTERNAL_ERROR, "internal error: unexpected call")
}

#[async_trait]
impl ExtendedQueryHandler for Connection {
    type Statement = Prepared;
    type QueryParser = NoParser;

    fn query_parser(&self) -> Arc<NoParser> {
        Arc::new(NoParser)
    }

    async fn on_parse<C>(&self, client: &mut C, message: Parse) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        if message.name.is_some() {
            lock(&self.state).prepared.check_free(name)?;
        }
        lock(&self.state).several = false;
        let text = message.query.clone();
        let mut statements = {
            let interrupt = self.interrupt();
            interrupt.guard(self.sql()?.prepare(message.query)).await??
        };
        if statements.len() > 1 {
            return Err(error(
                sqlstate::SYNTAX_ERROR,
                "cannot insert multiple commands into a prepared statement",
            ));
        }
        match statements.pop() {
            Some(statement) => {
                self.check_transaction(client.transaction_status(), &statement)?;
                let types: Vec<_> = message.type_oids.iter().map(|oid| Type::from_oid(*oid)).collect();
                if message.name.is_some() {
                    let prepared = PreparedStatement {
                        text,
                        statement: statement.clone(),
                        declared: types.clone(),
                        types: Vec::new(),
                        from_sql: false,
                        since: Utc::now(),
                    };
                    lock(&self.state).prepared.add(name, prepared)?;
                }
                let stored = StoredStatement::new(name.to_owned(), statement, types);
                client.portal_store().put_statement(Arc::new(stored));
            }
            None => client.portal_store().put_empty_statement(name),
        }
        client.feed(PgWireBackendMessage::ParseComplete(ParseComplete::new())).await?;
        Ok(())
    }

    async fn on_bind<C>(&self, client: &mut C, message: Bind) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let statement_name = message.statement_name.as_deref().unwrap_or(DEFAULT_NAME);
        let portal_name = message.portal_name.as_deref().unwrap_or(DEFAULT_NAME);
        match self.stored(client, statement_name) {
            Some(Entry::Value(stored)) => {
                self.check_transaction(client.transaction_status(), &stored.statement)?;
                check_parameters(&message, &stored)?;
                let portal = Portal::try_new(&message, stored)?;
                client.portal_store().put_portal(Arc::new(portal));
            }
            Some(Entry::Empty) => client.portal_store().put_empty_portal(portal_name),
            None => return Err(no_statement(statement_name)),
        }
        client.feed(PgWireBackendMessage::BindComplete(BindComplete::new())).await?;
        Ok(())
    }

    async fn on_describe<C>(&self, client: &mut C, message: Describe) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        let (stored, format, of_statement) = match message.target_type {
            TARGET_TYPE_BYTE_STATEMENT => match self.stored(client, name) {
                Some(Entry::Value(stored)) => (Some(stored), Format::UnifiedText, true),
                Some(Entry::Empty) => (None, Format::UnifiedText, true),
                None => return Err(no_statement(name)),
            },
            TARGET_TYPE_BYTE_PORTAL => match client.portal_store().get_portal(name) {
                Some(Entry::Value(portal)) => {
                    let format = portal.result_column_format.clone();
                    (Some(Arc::clone(&portal.statement)), format, false)
                }
                Some(Entry::Empty) => (None, Format::UnifiedText, false),
                // A cursor is a portal too.
                None => return self.describe_cursor(client, name).await,
            },
            other => return Err(PgWireError::InvalidTargetType(other)),
        };
        let description = match stored {
            Some(stored) => {
                self.check_transaction(client.transaction_status(), &stored.statement)?;
                self.describe(&stored, format).await?
            }
            None => Description { parameter_types: Vec::new(), fields: Vec::new() },
        };
        if of_statement {
            let oids = description.parameter_types.iter().map(Type::oid).collect();
            client.feed(PgWireBackendMessage::ParameterDescription(ParameterDescription::new(oids))).await?;
        }
        if description.fields.is_empty() {
            client.feed(PgWireBackendMessage::NoData(NoData::new())).await?;
        } else {
            client.feed(row_description(&description.fields)).await?;
        }
        Ok(())
    }

    async fn on_execute<C>(&self, client: &mut C, message: Execute) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if !matches!(client.state(), PgWireConnectionState::ReadyForQuery) {
            return Err(PgWireError::NotReadyForQuery);
        }
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        let portal = match client.portal_store().get_portal(name) {
            Some(Entry::Value(portal)) => portal,
            Some(Entry::Empty) => {
                client.feed(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new())).await?;
                return Ok(());
            }
            None => return Err(no_portal(name)),
        };
        self.begin_statement(client.transaction_status(), &portal.statement.statement)?;
        client.set_state(PgWireConnectionState::QueryInProgress);
        let limit = usize::try_from(message.max_rows).ok().filter(|limit| *limit > 0);
        let parameters = Parameters {
            declared: portal.statement.parameter_types.clone(),
            values: portal.parameters.clone(),
            format: portal.parameter_format.clone(),
        };
        let outcome = match &portal.statement.statement {
            Prepared::Sql(statement) => {
                let interrupt = self.interrupt();
                self.execute_sql(client, &portal, statement, parameters, limit, &interrupt).await
            }
            Prepared::CopyIn(copy) => return self.copy_in(client, copy, None).await,
            Prepared::Execute(execute) => self.execute_prepared(client, &portal, execute, limit).await,
            other => {
                let delivery = Delivery::Extended(&portal.result_column_format);
                self.run_utility(client, other, parameters, delivery).await
            }
        };
        if outcome.is_err() {
            // The rows of a failed portal are gone, and with them its query.
            *portal.state().lock().await = PortalExecutionState::Finished;
        }
        client.set_state(PgWireConnectionState::ReadyForQuery);
        outcome?;
        self.apply_settings(client).await
    }

    async fn on_sync<C>(&self, client: &mut C, _message: PgSync) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        // Outside a transaction block each Sync ends a transaction, and portals end with it.
        if matches!(client.transaction_status(), TransactionStatus::Idle) {
            client.portal_store().clear_portals();
        }
        if let Err(failure) = self.end_implicit(client).await {
            // The client waits for the answer to this Sync, so the error must not skip messages up to the next one.
            self.statement_failed(client).await;
            let info = ErrorInfo::from(failure);
            client.feed(PgWireBackendMessage::ErrorResponse(info.into())).await?;
        }
        let status = client.transaction_status();
        client.send(PgWireBackendMessage::ReadyForQuery(ReadyForQuery::new(status))).await?;
        Ok(())
    }

    async fn on_close<C>(&self, client: &mut C, message: Close) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let name = message.name.as_deref().unwrap_or(DEFAULT_NAME);
        match message.target_type {
            TARGET_TYPE_BYTE_STATEMENT => {
                client.portal_store().rm_statement(name);
                lock(&self.state).prepared.remove(name);
            }
            TARGET_TYPE_BYTE_PORTAL => {
                client.portal_store().rm_portal(name);
                // A cursor is a portal too; closing one that is not there is no error.
                let _ = lock(&self.cursors).close(name);
            }
            other => return Err(PgWireError::InvalidTargetType(other)),
        }
        client.feed(PgWireBackendMessage::CloseComplete(CloseComplete::new())).await?;
        Ok(())
    }

    async fn do_query<C>(
        &self,
        _client: &mut C,
        _portal: &Portal<Prepared>,
        _max_rows: usize,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        // `on_execute` above never comes here: a portal's fetch in pgwire would collect the whole result first.
        Err(unexpected_call())
    }
}

impl Connection {
    async fn describe(
        &self,
        stored: &StoredStatement<Prepared>,
        format: Format,
    ) -> PgWireResult<Description> {
        match &stored.statement {
            Prepared::Session(statement) => {
                Ok(without_parameters(text_fields(statement.columns(), format_at(&format, 0))))
            }
            Prepared::Sql(statement) => self.describe_sql(&stored.parameter_types, statement, format).await,
            Prepared::Execute(execute) => {
                let (prepared, statement) = self.executed_statement(execute)?;
                let described = self.describe_sql(&prepared.declared, &statement, format).await?;
                Ok(without_parameters(described.fields))
            }
            Prepared::Declare(_, query) => {
                let described =
                    self.describe_sql(&stored.parameter_types, query, Format::UnifiedText).await?;
                Ok(Description { fields: Vec::new(), ..described })
            }
            Prepared::Fetch(fetch) if !fetch.moves => {
                let open = lock(&self.cursors).get(&fetch.cursor);
                // A cursor may be declared between this and the fetch.
                let Ok(open) = open else {
                    return Ok(without_parameters(Vec::new()));
                };
                let presentation = self.presentation(format);
                Ok(without_parameters(self.sql()?.cursor_fields(&open, &presentation).await?))
            }
            _ => Ok(without_parameters(Vec::new())),
        }
    }

    async fn describe_sql(
        &self,
        declared: &[Option<Type>],
        statement: &Arc<SqlStatement>,
        format: Format,
    ) -> PgWireResult<Description> {
        let declared = declared.to_vec();
        let presentation = self.presentation(format);
        let described = self.sql()?.describe(Arc::clone(statement), declared, presentation);
        self.interrupt().guard(described).await?
    }

    async fn describe_cursor<C>(&self, client: &mut C, name: &str) -> PgWireResult<()>
    where
        C: Sink<PgWireBackendMessage> + Unpin + Send,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let Ok(open) = lock(&self.cursors).get(name) else {
            return Err(no_portal(name));
        };
        let format = if open.binary { Format::UnifiedBinary } else { Format::UnifiedText };
        let presentation = self.presentation(format);
        let fields = self.sql()?.cursor_fields(&open, &presentation).await?;
        client.feed(row_description(&fields)).await?;
        Ok(())
    }

    /// The prepared statement called `name`: the protocol's, or one that `PREPARE` made.
    fn stored<C>(&self, client: &C, name: &str) -> Option<Entry<StoredStatement<Prepared>>>
    where
        C: ClientPortalStore,
        C::PortalStore: PortalStore<Statement = Prepared>,
    {
        let own = client.portal_store().get_statement(name);
        own.or_else(|| self.sql_prepared(name).map(Entry::Value))
    }

    /// Starts or continues a portal over an `EXECUTE`.
    async fn execute_prepared<C>(
        &self,
        client: &mut C,
        portal: &Portal<Prepared>,
        execute: &ExecuteText,
        limit: Option<usize>,
    ) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let (statement, parameters) = self.executed(execute).await?;
        self.begin_statement(client.transaction_status(), &Prepared::Sql(Arc::clone(&statement)))?;
        let interrupt = self.interrupt();
        self.execute_sql(client, portal, &statement, parameters, limit, &interrupt).await
    }

    /// Starts or continues a portal.
    async fn execute_sql<C>(
        &self,
        client: &mut C,
        portal: &Portal<Prepared>,
        statement: &Arc<SqlStatement>,
        parameters: Parameters,
        limit: Option<usize>,
        interrupt: &Interrupt,
    ) -> PgWireResult<()>
    where
        C: Sink<PgWireBackendMessage> + Unpin + Send,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let state = portal.state();
        let mut state = state.lock().await;
        if matches!(*state, PortalExecutionState::Initial) {
            let presentation = self.presentation(portal.result_column_format.clone());
            let sql = self.sql()?;
            match &statement.answer {
                Answer::Rows(tag) => {
                    let started =
                        sql.rows(Arc::clone(statement), parameters, presentation, std::convert::identity);
                    let (fields, rows) = interrupt.guard(started).await??;
                    let mut response = QueryResponse::new(fields, rows);
                    response.set_command_tag(tag);
                    *state = PortalExecutionState::Suspended(response);
                }
                Answer::Changed(tag) => {
                    let run = sql.run(Arc::clone(statement), parameters, presentation);
                    let changed = interrupt.guard(run).await??;
                    *state = PortalExecutionState::Finished;
                    client.feed(complete(tag, Some(changed))).await?;
                    return Ok(());
                }
                Answer::Done(tag) => {
                    let run = sql.run(Arc::clone(statement), parameters, presentation);
                    interrupt.guard(run).await??;
                    *state = PortalExecutionState::Finished;
                    client.feed(complete(tag, None)).await?;
                    return Ok(());
                }
            }
        }
        let PortalExecutionState::Suspended(response) = &mut *state else {
            // Fetched to its end before: no more rows.
            let message = match &statement.answer {
                Answer::Rows(tag) => complete(tag, Some(0)),
                _ => {
                    return Err(error("55000", "portal cannot be run again"));
                }
            };
            client.feed(message).await?;
            return Ok(());
        };
        let sent =
            send_rows(client, response.data_rows(), interrupt, limit, PgWireBackendMessage::DataRow).await?;
        if sent.complete {
            let message = complete(response.command_tag(), Some(sent.rows));
            *state = PortalExecutionState::Finished;
            client.feed(message).await?;
        } else {
            client.feed(PgWireBackendMessage::PortalSuspended(PortalSuspended::new())).await?;
        }
        Ok(())
    }
}

/// The description of a statement that takes no values.
fn without_parameters(fields: Vec<FieldInfo>) -> Description {
    Description { parameter_types: Vec::new(), fields }
}

/// Checks the numbers of a Bind message, which the library would index by.
fn check_parameters(message: &Bind, stored: &StoredStatement<Prepared>) -> PgWireResult<()> {
    let expected = stored.statement.parameter_count().max(stored.parameter_types.len());
    let found = message.parameters.len();
    if found != expected {
        let name = message.statement_name.as_deref().unwrap_or_default();
        return Err(error(
            sqlstate::PROTOCOL_VIOLATION,
            format!(
                "bind message supplies {found} parameters, but prepared statement \"{name}\" requires {expected}"
            ),
        ));
    }
    let formats = message.parameter_format_codes.len();
    if formats > 1 && formats != found {
        return Err(error(
            sqlstate::PROTOCOL_VIOLATION,
            format!("bind message has {formats} parameter formats but {found} parameters"),
        ));
    }
    Ok(())
}

fn no_portal(name: &str) -> PgWireError {
    let name = if name == DEFAULT_NAME { "" } else { name };
    error(sqlstate::INVALID_CURSOR_NAME, format!("portal \"{name}\" does not exist"))
}
