//! The simple query protocol: one message, any number of statements, results as text.

use std::fmt::Debug;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use futures::sink::{Sink, SinkExt};
use futures::{Stream, StreamExt};
use pgwire::api::portal::Format;
use pgwire::api::query::{SimpleQueryHandler, send_ready_for_query};
use pgwire::api::results::{FieldFormat, FieldInfo, Response};
use pgwire::api::store::PortalStore;
use pgwire::api::{ClientInfo, ClientPortalStore, PgWireConnectionState};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::data::{DataRow, RowDescription};
use pgwire::messages::response::EmptyQueryResponse;
use pgwire::messages::simplequery::Query;

use super::cancel::Interrupt;
use super::connection::{Connection, complete, text_fields, text_row};
use super::session::{Answer, Parameters, Prepared, SqlStatement};
use super::statements::SessionStatement;
use crate::error::{error, sqlstate};

/// How many rows may be sent between two looks at the interrupt.
const ROWS_BETWEEN_CHECKS: usize = 256;

#[async_trait]
impl SimpleQueryHandler for Connection {
    /// Parses all statements, then runs them in order; the first error ends the message.
    async fn on_query<C>(&self, client: &mut C, query: Query) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if !matches!(client.state(), PgWireConnectionState::ReadyForQuery) {
            return Err(PgWireError::NotReadyForQuery);
        }
        client.set_state(PgWireConnectionState::QueryInProgress);
        let statements = {
            let interrupt = self.interrupt();
            interrupt.guard(self.sql()?.prepare(query.query)).await??
        };
        if statements.is_empty() {
            client.feed(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new())).await?;
        }
        for statement in &statements {
            self.check_transaction(client.transaction_status(), statement)?;
            let interrupt = self.interrupt();
            match statement {
                Prepared::Session(statement) => self.show_session_statement(client, statement).await?,
                Prepared::Sql(statement) => self.run_simple(client, statement, &interrupt).await?,
            }
        }
        client.set_state(PgWireConnectionState::ReadyForQuery);
        let status = client.transaction_status();
        send_ready_for_query(client, status).await
    }

    async fn do_query<C>(&self, _client: &mut C, _query: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        // `on_query` above never comes here: a list of responses could not stream in one transaction status each.
        Err(error(sqlstate::INTERNAL_ERROR, "internal error: unexpected call"))
    }
}

impl Connection {
    async fn show_session_statement<C>(
        &self,
        client: &mut C,
        statement: &SessionStatement,
    ) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let outcome = self.run_session_statement(client, statement).await?;
        if let Some(rows) = outcome.rows {
            let fields = Arc::new(text_fields(statement.columns(), FieldFormat::Text));
            client.feed(row_description(&fields)).await?;
            for row in rows {
                let row = text_row(&fields, &row)?;
                client.feed(PgWireBackendMessage::DataRow(row)).await?;
            }
        }
        client.feed(complete(&outcome.tag, None)).await?;
        Ok(())
    }

    async fn run_simple<C>(
        &self,
        client: &mut C,
        statement: &Arc<SqlStatement>,
        interrupt: &Interrupt,
    ) -> PgWireResult<()>
    where
        C: Sink<PgWireBackendMessage> + Unpin + Send,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if statement.parameter_count() > 0 {
            return Err(error("42P02", "there is no parameter $1"));
        }
        let sql = self.sql()?;
        let presentation = self.presentation(Format::UnifiedText);
        let parameters = Parameters::default();
        match &statement.answer {
            Answer::Rows(tag) => {
                let started = sql.rows(Arc::clone(statement), parameters, presentation);
                let (fields, mut rows) = interrupt.guard(started).await??;
                client.feed(row_description(&fields)).await?;
                let sent = send_rows(client, &mut rows, interrupt, None).await?;
                client.feed(complete(tag, Some(sent.rows))).await?;
            }
            Answer::Changed(tag) => {
                let run = sql.run(Arc::clone(statement), parameters, presentation);
                let changed = interrupt.guard(run).await??;
                client.feed(complete(tag, Some(changed))).await?;
            }
            Answer::Done(tag) => {
                let run = sql.run(Arc::clone(statement), parameters, presentation);
                interrupt.guard(run).await??;
                client.feed(complete(tag, None)).await?;
            }
        }
        Ok(())
    }
}

/// The message that describes columns.
pub(crate) fn row_description(fields: &[FieldInfo]) -> PgWireBackendMessage {
    let fields = fields.iter().map(Into::into).collect();
    PgWireBackendMessage::RowDescription(RowDescription::new(fields))
}

/// How far [`send_rows`] came.
pub(crate) struct Sent {
    pub(crate) rows: usize,
    /// Whether there are no more rows.
    pub(crate) complete: bool,
}

/// Sends rows as they come until there are no more, `limit` is reached, or the statement is interrupted.
///
/// Memory is bounded by the socket's buffer: a client that does not read stops the rows. What was sent is flushed
/// whenever the next row is not there yet.
///
/// # Errors
/// The first error among the rows; 57014; a failed socket.
pub(crate) async fn send_rows<C, S>(
    client: &mut C,
    rows: &mut S,
    interrupt: &Interrupt,
    limit: Option<usize>,
) -> PgWireResult<Sent>
where
    C: Sink<PgWireBackendMessage> + Unpin + Send,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    S: Stream<Item = PgWireResult<DataRow>> + Unpin + Send,
{
    let mut sent = 0;
    loop {
        if limit.is_some_and(|limit| sent >= limit) {
            return Ok(Sent { rows: sent, complete: false });
        }
        if sent % ROWS_BETWEEN_CHECKS == 0 {
            interrupt.check()?;
        }
        let next = match poll_fn(|cx| Poll::Ready(rows.poll_next_unpin(cx))).await {
            Poll::Ready(next) => next,
            Poll::Pending => {
                client.flush().await?;
                interrupt.guard(rows.next()).await?
            }
        };
        let Some(row) = next else {
            return Ok(Sent { rows: sent, complete: true });
        };
        client.feed(PgWireBackendMessage::DataRow(row?)).await?;
        sent += 1;
    }
}
