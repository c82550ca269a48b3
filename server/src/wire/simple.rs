//! The simple query protocol: one message, any number of statements, results as text.

use std::collections::VecDeque;
use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use async_trait::async_trait;
use futures::sink::{Sink, SinkExt};
use futures::{Stream, StreamExt};
use pgwire::api::portal::Format;
use pgwire::api::query::{SimpleQueryHandler, send_ready_for_query};
use pgwire::api::results::Response;
use pgwire::api::store::PortalStore;
use pgwire::api::{ClientInfo, ClientPortalStore, PgWireConnectionState};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::response::{EmptyQueryResponse, TransactionStatus};
use pgwire::messages::simplequery::Query;
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};

use super::cancel::{Interrupt, lock};
use super::connection::Connection;
use super::copy::{ActiveCopy, Received};
use super::execute::{Delivery, complete, no_parameter, row_description};
use super::session::{Answer, Parameters, Prepared, SqlStatement};
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
        lock(&self.state).several = statements.len() > 1;
        self.run_message(client, statements).await
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
    /// Runs the statements of a message, or those that a copy has left of it.
    async fn run_message<C>(&self, client: &mut C, statements: Vec<Prepared>) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let mut statements = VecDeque::from(statements);
        while let Some(statement) = statements.pop_front() {
            self.begin_statement(client.transaction_status(), &statement)?;
            if statement.parameter_count() > 0 {
                return Err(no_parameter());
            }
            match &statement {
                Prepared::Sql(statement) => {
                    Box::pin(self.run_simple(client, statement, Parameters::default())).await?;
                    self.apply_settings(client).await?;
                }
                Prepared::Execute(execute) => {
                    let (statement, parameters) = Box::pin(self.executed(execute)).await?;
                    let status = client.transaction_status();
                    self.begin_statement(status, &Prepared::Sql(Arc::clone(&statement)))?;
                    Box::pin(self.run_simple(client, &statement, parameters)).await?;
                    self.apply_settings(client).await?;
                }
                // The client's data comes before the rest of the message.
                Prepared::CopyIn(copy) => {
                    return Box::pin(self.copy_in(client, copy, Some(statements.into()))).await;
                }
                other => {
                    let delivery = Delivery::Simple;
                    Box::pin(self.run_utility(client, other, Parameters::default(), delivery)).await?;
                }
            }
        }
        self.end_implicit(client).await?;
        client.set_state(PgWireConnectionState::ReadyForQuery);
        let status = client.transaction_status();
        send_ready_for_query(client, status).await
    }

    async fn run_simple<C>(
        &self,
        client: &mut C,
        statement: &Arc<SqlStatement>,
        parameters: Parameters,
    ) -> PgWireResult<()>
    where
        C: Sink<PgWireBackendMessage> + Unpin + Send,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let interrupt = self.interrupt();
        let sql = self.sql()?;
        let presentation = self.presentation(Format::UnifiedText);
        match &statement.answer {
            Answer::Rows(tag) => {
                let started =
                    sql.rows(Arc::clone(statement), parameters, presentation, std::convert::identity);
                let (fields, mut rows) = interrupt.guard(started).await??;
                client.feed(row_description(&fields)).await?;
                let sent =
                    send_rows(client, &mut rows, &interrupt, None, PgWireBackendMessage::DataRow).await?;
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

    /// Takes a message of the client during a copy; returns the copy if it goes on.
    ///
    /// # Errors
    /// What is wrong with the data, 57014 if the client gives up, 08P01 for a message that has no place here.
    pub(crate) async fn copy_message<C>(
        &self,
        client: &mut C,
        mut copy: ActiveCopy,
        message: PgWireFrontendMessage,
    ) -> PgWireResult<Option<ActiveCopy>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        match message {
            PgWireFrontendMessage::CopyData(data) => {
                copy.take(data.data).await?;
                Ok(Some(copy))
            }
            PgWireFrontendMessage::CopyDone(_) => {
                let received = copy.finish().await?;
                self.copy_received(client, received).await.map(|()| None)
            }
            PgWireFrontendMessage::CopyFail(fail) => Err(copy.failed(&fail.message)),
            // As PostgreSQL: clients may send these ahead of the data.
            PgWireFrontendMessage::Flush(_) | PgWireFrontendMessage::Sync(_) => Ok(Some(copy)),
            _ => Err(error(sqlstate::PROTOCOL_VIOLATION, "unexpected message type during COPY from stdin")),
        }
    }

    /// The rows of a copy are there: they are loaded now, or with the transaction that they belong to.
    async fn copy_received<C>(&self, client: &mut C, received: Received) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let Received { staged, interrupt, rest } = received;
        let rows = usize::try_from(staged.rows).unwrap_or(usize::MAX);
        let in_block = !matches!(client.transaction_status(), TransactionStatus::Idle);
        if in_block || rest.as_ref().is_some_and(|rest| !rest.is_empty()) {
            interrupt.guard(self.check_rows(&staged)).await??;
            lock(&self.state).stage(staged);
        } else {
            interrupt.guard(self.load(vec![staged])).await??;
        }
        drop(interrupt);
        client.feed(complete("COPY", Some(rows))).await?;
        client.set_state(PgWireConnectionState::ReadyForQuery);
        match rest {
            Some(rest) => self.run_message(client, rest).await,
            // A Sync follows.
            None => Ok(()),
        }
    }
}

/// How far [`send_rows`] came.
pub(crate) struct Sent {
    pub(crate) rows: usize,
    /// Whether there are no more rows.
    pub(crate) complete: bool,
}

/// Sends rows as they come, each in the message that `message` makes of it, until there are no more, `limit` is
/// reached, or the statement is interrupted.
///
/// Memory is bounded by the socket's buffer: a client that does not read stops the rows. What was sent is flushed
/// whenever the next row is not there yet.
///
/// # Errors
/// The first error among the rows; 57014; a failed socket.
pub(crate) async fn send_rows<C, S, T>(
    client: &mut C,
    rows: &mut S,
    interrupt: &Interrupt,
    limit: Option<usize>,
    mut message: impl FnMut(T) -> PgWireBackendMessage + Send,
) -> PgWireResult<Sent>
where
    C: Sink<PgWireBackendMessage> + Unpin + Send,
    PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    S: Stream<Item = PgWireResult<T>> + Unpin + Send,
    T: Send,
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
                interrupt.guard(async { client.flush().await.map_err(PgWireError::from) }).await??;
                interrupt.guard(rows.next()).await?
            }
        };
        let Some(row) = next else {
            return Ok(Sent { rows: sent, complete: true });
        };
        let message = message(row?);
        let mut feed = pin!(async { client.feed(message).await.map_err(PgWireError::from) });
        match poll_fn(|cx| Poll::Ready(feed.as_mut().poll(cx))).await {
            Poll::Ready(fed) => fed?,
            // A client that does not read must not keep a statement from its end.
            Poll::Pending => interrupt.guard(feed).await??,
        }
        sent += 1;
    }
}
