//! What both protocols do around and besides plain queries: transactions, settings, cursors, `COPY`.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::SinkExt;
use futures::sink::Sink;
use pgwire::api::portal::Format;
use pgwire::api::results::{DataRowEncoder, FieldFormat, FieldInfo, Tag};
use pgwire::api::store::PortalStore;
use pgwire::api::{ClientInfo, ClientPortalStore, PgWireConnectionState, Type};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::copy::{CopyData, CopyDone, CopyInResponse, CopyOutResponse};
use pgwire::messages::data::{DataRow, RowDescription};
use pgwire::messages::response::TransactionStatus;
use pgwire::messages::startup::ParameterStatus;

use super::cancel::{Interrupt, lock};
use super::connection::Connection;
use super::copy::{CopyFormat, CopyIn, CopyOut, CopySource, CopyWriter, chosen_columns, without_position};
use super::cursor_statements::{DeclareText, Fetch};
use super::cursors::OpenCursor;
use super::prepared::no_statement;
use super::session::{Answer, Parameters, Prepared, SqlStatement};
use super::simple::send_rows;
use super::split::split;
use super::state::{Ended, Forget, Outcome};
use super::statements::SessionStatement;
use super::transaction::needs_block;
use crate::error::{copy_info, error, sqlstate};

/// How the rows of a statement reach the client.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Delivery<'a> {
    /// As text, after a description.
    Simple,
    /// As the client asked, who asks for a description itself.
    Extended(&'a Format),
}

impl Delivery<'_> {
    /// The format of the rows of a cursor.
    fn of_cursor(self, binary: bool) -> Format {
        match self {
            Self::Simple if binary => Format::UnifiedBinary,
            Self::Simple => Format::UnifiedText,
            Self::Extended(format) => format.clone(),
        }
    }
}

impl Connection {
    /// What comes before each statement: it may not be allowed, and belongs to a transaction.
    ///
    /// # Errors
    /// 25P02 in a failed transaction, 25006 for a change in a read-only one.
    pub(crate) fn begin_statement(
        &self,
        status: TransactionStatus,
        statement: &Prepared,
    ) -> PgWireResult<()> {
        self.check_transaction(status, statement)?;
        let mut state = lock(&self.state);
        let transaction = state.transaction();
        transaction.queried |= !matches!(statement, Prepared::Session(_));
        drop(state);
        match statement {
            Prepared::Sql(statement) => {
                if let Some(what) = statement.changes() {
                    self.check_writable(what)?;
                }
                match statement.writes_store() {
                    // It is one commit of its own, which a rollback would not take back.
                    Some(what)
                        if self.sql()?.allows_writes() && !matches!(status, TransactionStatus::Idle) =>
                    {
                        Err(error(
                            sqlstate::ACTIVE_SQL_TRANSACTION,
                            format!("{what} cannot run inside a transaction block"),
                        ))
                    }
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Refuses `statement` if the transaction has failed and the statement does not end it.
    ///
    /// # Errors
    /// 25P02.
    pub(crate) fn check_transaction(
        &self,
        status: TransactionStatus,
        statement: &Prepared,
    ) -> PgWireResult<()> {
        if matches!(status, TransactionStatus::Error) && !statement.ends_failure() {
            return Err(error(
                sqlstate::IN_FAILED_SQL_TRANSACTION,
                "current transaction is aborted, commands ignored until end of transaction block",
            ));
        }
        Ok(())
    }

    /// Refuses a change in a transaction that only reads.
    ///
    /// # Errors
    /// 25006.
    pub(crate) fn check_writable(&self, what: &str) -> PgWireResult<()> {
        if !lock(&self.state).settings.is_read_only() {
            return Ok(());
        }
        Err(error(
            sqlstate::READ_ONLY_SQL_TRANSACTION,
            format!("cannot execute {what} in a read-only transaction"),
        ))
    }

    /// Ends the transaction of a message in which the client began none, or of a pipeline.
    ///
    /// # Errors
    /// Those of loading rows that were copied in; everything is undone then.
    pub(crate) async fn end_implicit<C>(&self, client: &mut C) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        lock(&self.state).several = false;
        if !matches!(client.transaction_status(), TransactionStatus::Idle) {
            return Ok(());
        }
        self.load_staged().await?;
        lock(&self.state).commit()?;
        self.ended(Ended::Committed)?;
        self.apply_settings(client).await
    }

    /// Undoes what a failed statement's transaction did, unless it is in a block, whose end does so.
    pub(crate) async fn statement_failed<C>(&self, client: &mut C)
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        lock(&self.state).several = false;
        if !matches!(client.transaction_status(), TransactionStatus::Idle) || self.sql().is_err() {
            return;
        }
        lock(&self.state).roll_back();
        let undone = self.ended(Ended::RolledBack);
        if let Err(failure) = undone.and(self.apply_settings(client).await) {
            tracing::warn!(
                code = ErrorInfo::from(failure).code,
                "cannot undo the settings of a failed statement"
            );
        }
    }

    async fn load_staged(&self) -> PgWireResult<()> {
        let staged = lock(&self.state).take_staged();
        if staged.is_empty() {
            return Ok(());
        }
        let interrupt = self.interrupt();
        interrupt.guard(self.load(staged)).await?
    }

    fn ended(&self, ended: Ended) -> PgWireResult<()> {
        lock(&self.cursors).transaction_ended(ended);
        if matches!(ended, Ended::Committed | Ended::RolledBack) {
            self.sql()?.hold_snapshots(false);
        }
        Ok(())
    }

    /// Makes changed settings known to the engine and to the client.
    ///
    /// # Errors
    /// The engine refuses one; the socket fails.
    pub(crate) async fn apply_settings<C>(&self, client: &mut C) -> PgWireResult<()>
    where
        C: Sink<PgWireBackendMessage> + Unpin + Send,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let (before, now) = {
            let mut state = lock(&self.state);
            match state.take_changes() {
                Some(before) => (before, state.settings.clone()),
                None => return Ok(()),
            }
        };
        let sql = self.sql()?;
        if before.time_zone() != now.time_zone() {
            sql.set_time_zone(now.time_zone()).await?;
        }
        if before.search_path() != now.search_path() {
            sql.set_search_path(now.search_path());
        }
        for (name, value) in now.reported_changes(&before) {
            let status = ParameterStatus::new(name, value);
            client.feed(PgWireBackendMessage::ParameterStatus(status)).await?;
        }
        Ok(())
    }

    /// Runs a statement that is no plain query and no `COPY FROM`, and tells the client all about it.
    ///
    /// # Errors
    /// Those of the statement.
    pub(crate) async fn run_utility<C>(
        &self,
        client: &mut C,
        statement: &Prepared,
        parameters: Parameters,
        delivery: Delivery<'_>,
    ) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let interrupt = self.interrupt();
        match statement {
            Prepared::Session(statement) => self.run_session(client, statement, delivery).await,
            Prepared::Declare(declare, query) => {
                self.declare(client.transaction_status(), declare, query, parameters, &interrupt).await?;
                client.feed(complete("DECLARE CURSOR", None)).await?;
                Ok(())
            }
            Prepared::Fetch(fetch) => self.fetch(client, fetch, delivery, &interrupt).await,
            Prepared::CloseCursor(Some(name)) => {
                lock(&self.cursors).close(name)?;
                client.feed(complete("CLOSE CURSOR", None)).await?;
                Ok(())
            }
            Prepared::CloseCursor(None) => {
                lock(&self.cursors).close_all();
                client.feed(complete("CLOSE CURSOR ALL", None)).await?;
                Ok(())
            }
            Prepared::CopyOut(copy) => self.copy_out(client, copy, &interrupt).await,
            Prepared::Prepare(prepare, statement) => self.prepare_statement(client, prepare, statement).await,
            Prepared::Sql(_) | Prepared::CopyIn(_) | Prepared::Execute(_) => {
                Err(error(sqlstate::INTERNAL_ERROR, "internal error: unexpected call"))
            }
        }
    }

    async fn run_session<C>(
        &self,
        client: &mut C,
        statement: &SessionStatement,
        delivery: Delivery<'_>,
    ) -> PgWireResult<()>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let before = client.transaction_status();
        let commits = matches!(statement, SessionStatement::Commit { .. });
        if commits
            && matches!(before, TransactionStatus::Transaction)
            && let Err(failure) = self.load_staged().await
        {
            // Nothing was loaded: the transaction ends as if it had been rolled back.
            client.set_transaction_status(TransactionStatus::Idle);
            client.portal_store().clear_portals();
            return Err(failure);
        }
        let outcome = lock(&self.state).run(statement, before)?;
        client.set_transaction_status(outcome.status);
        self.follow(client, &outcome)?;
        if matches!(outcome.status, TransactionStatus::Transaction)
            && (matches!(before, TransactionStatus::Idle)
                || matches!(outcome.ended, Some(Ended::Committed | Ended::RolledBack)))
        {
            self.sql()?.hold_snapshots(true);
        }
        self.apply_settings(client).await?;
        if let Some(notice) = &outcome.notice {
            self.notify(client, notice).await?;
        }
        if let Some(rows) = outcome.rows {
            let format = match delivery {
                Delivery::Simple => FieldFormat::Text,
                Delivery::Extended(format) => format_at(format, 0),
            };
            let fields = Arc::new(text_fields(statement.columns(), format));
            if matches!(delivery, Delivery::Simple) {
                client.feed(row_description(&fields)).await?;
            }
            for row in rows {
                let row = text_row(&fields, &row)?;
                client.feed(PgWireBackendMessage::DataRow(row)).await?;
            }
        }
        client.feed(complete(&outcome.tag, None)).await?;
        Ok(())
    }

    /// Ends what ends with a statement: portals, cursors, prepared statements.
    fn follow<C>(&self, client: &mut C, outcome: &Outcome) -> PgWireResult<()>
    where
        C: ClientPortalStore,
        C::PortalStore: PortalStore,
    {
        if let Some(ended) = outcome.ended {
            if matches!(ended, Ended::Committed | Ended::RolledBack) {
                client.portal_store().clear_portals();
            }
            self.ended(ended)?;
        }
        if outcome.closes_all {
            client.portal_store().clear_portals();
            lock(&self.cursors).close_all();
        }
        self.forget(client, &outcome.forgets)
    }

    fn forget<C>(&self, client: &mut C, forgets: &Forget) -> PgWireResult<()>
    where
        C: ClientPortalStore,
        C::PortalStore: PortalStore,
    {
        let names = {
            let prepared = &mut lock(&self.state).prepared;
            match forgets {
                Forget::Nothing => Vec::new(),
                Forget::All => prepared.remove_all(),
                Forget::One(name) if prepared.remove(name) => vec![name.clone()],
                Forget::One(name) => return Err(no_statement(name)),
            }
        };
        // Those that `PREPARE` made are not in the protocol's store, where removing them does nothing.
        for name in names {
            client.portal_store().rm_statement(&name);
        }
        Ok(())
    }

    /// Sends a notice, if the client wants to hear of such.
    pub(crate) async fn notify<C>(&self, client: &mut C, notice: &ErrorInfo) -> PgWireResult<()>
    where
        C: Sink<PgWireBackendMessage> + Unpin + Send,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if lock(&self.state).settings.sends_notice(&notice.severity) {
            client.feed(PgWireBackendMessage::NoticeResponse(copy_info(notice).into())).await?;
        }
        Ok(())
    }

    async fn declare(
        &self,
        status: TransactionStatus,
        declare: &DeclareText,
        query: &Arc<SqlStatement>,
        parameters: Parameters,
        interrupt: &Interrupt,
    ) -> PgWireResult<()> {
        let in_block = !matches!(status, TransactionStatus::Idle) || lock(&self.state).several;
        if !declare.hold && !in_block {
            return Err(needs_block("DECLARE CURSOR"));
        }
        lock(&self.cursors).check_free(&declare.name)?;
        let presentation = self.presentation(Format::UnifiedText);
        let started = self.sql()?.cursor(Arc::clone(query), parameters, presentation, declare.scroll);
        let cursor = interrupt.guard(started).await??;
        let depth = lock(&self.state).depth();
        let open = OpenCursor::new(Arc::clone(query), cursor, declare.binary, declare.hold, depth);
        lock(&self.cursors).add(declare.name.clone(), open)
    }

    async fn fetch<C>(
        &self,
        client: &mut C,
        fetch: &Fetch,
        delivery: Delivery<'_>,
        interrupt: &Interrupt,
    ) -> PgWireResult<()>
    where
        C: Sink<PgWireBackendMessage> + Unpin + Send,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let open = lock(&self.cursors).get(&fetch.cursor)?;
        let sql = self.sql()?;
        if fetch.moves {
            let moved = interrupt.guard(sql.move_cursor(open, fetch.rows)).await??;
            client.feed(complete("MOVE", Some(moved))).await?;
            return Ok(());
        }
        let presentation = self.presentation(delivery.of_cursor(open.binary));
        let (fields, mut rows) = interrupt.guard(sql.fetch(open, fetch.rows, presentation)).await??;
        if matches!(delivery, Delivery::Simple) {
            client.feed(row_description(&fields)).await?;
        }
        let sent = send_rows(client, &mut rows, interrupt, None, PgWireBackendMessage::DataRow).await?;
        client.feed(complete("FETCH", Some(sent.rows))).await?;
        Ok(())
    }

    async fn copy_out<C>(&self, client: &mut C, copy: &CopyOut, interrupt: &Interrupt) -> PgWireResult<()>
    where
        C: Sink<PgWireBackendMessage> + Unpin + Send,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let binary = copy.options.format == CopyFormat::Binary;
        let format = if binary { Format::UnifiedBinary } else { Format::UnifiedText };
        let statement = interrupt.guard(self.copied(copy)).await??;
        if statement.parameter_count() > 0 {
            return Err(no_parameter());
        }
        let sql = self.sql()?;
        let presentation = self.presentation(format);
        let mut writer = CopyWriter::new(copy.options.clone());
        if writer.needs_columns() {
            let described = sql.describe(Arc::clone(&statement), Vec::new(), presentation.clone());
            let described = interrupt.guard(described).await??;
            writer = writer.with_columns(&names(&described.fields))?;
        }
        let convert = {
            let writer = writer.clone();
            move |row: DataRow| writer.row(&row)
        };
        let started = sql.rows(statement, Parameters::default(), presentation, convert);
        let (fields, mut rows) = interrupt.guard(started).await??;
        let columns = i16::try_from(fields.len()).unwrap_or(i16::MAX);
        let code = i16::from(binary);
        let response = CopyOutResponse::new(i8::from(binary), columns, vec![code; fields.len()]);
        client.feed(PgWireBackendMessage::CopyOutResponse(response)).await?;
        let mut header = writer.header(&names(&fields));
        if !binary && let Some(line) = header.take() {
            client.feed(copy_data(line)).await?;
        }
        // What binary data begins with is part of the message of its first row.
        let message = |row: Bytes| match header.take() {
            Some(header) => copy_data(joined(&header, &row)),
            None => copy_data(row),
        };
        let sent = send_rows(client, &mut rows, interrupt, None, message).await?;
        if let Some(trailer) = writer.trailer() {
            let trailer = header.map(|header| joined(&header, &trailer)).unwrap_or(trailer);
            client.feed(copy_data(trailer)).await?;
        }
        client.feed(PgWireBackendMessage::CopyDone(CopyDone::new())).await?;
        client.feed(complete("COPY", Some(sent.rows))).await?;
        Ok(())
    }

    /// The query whose rows a `COPY ... TO` gives.
    async fn copied(&self, copy: &CopyOut) -> PgWireResult<Arc<SqlStatement>> {
        let (table, asked) = match &copy.source {
            CopySource::Query(query) => return Ok(Arc::clone(query)),
            CopySource::Table { table, columns } => (table, columns),
        };
        let sql = self.sql()?;
        let all = sql.table_columns(table, self.presentation(Format::UnifiedText)).await?;
        let all: Vec<String> = all.into_iter().map(|(name, _)| name).collect();
        let chosen = chosen_columns(asked.as_deref(), &all, table)?;
        let chosen: Vec<String> =
            chosen.iter().map(|column| format!("\"{}\"", column.replace('"', "\"\""))).collect();
        let select = format!("SELECT {} FROM {}", chosen.join(", "), table.to_sql());
        let text = split(&select)?
            .pop()
            .ok_or_else(|| error(sqlstate::INTERNAL_ERROR, "internal error: no query for COPY"))?;
        sql.on_planning_thread(move |session| session.prepare_query(text)).await.map_err(without_position)
    }

    /// Begins a `COPY ... FROM STDIN`; `rest` is what follows in the message of the simple protocol.
    ///
    /// # Errors
    /// Those of the table and of the columns.
    pub(crate) async fn copy_in<C>(
        &self,
        client: &mut C,
        copy: &CopyIn,
        rest: Option<Vec<Prepared>>,
    ) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let is_extended = rest.is_none();
        let interrupt = self.interrupt_of_copy();
        let (active, columns) = self.begin_copy_in(copy, interrupt, rest).await?;
        let code = i16::from(copy.options.format == CopyFormat::Binary);
        let count = i16::try_from(columns).unwrap_or(i16::MAX);
        let format = i8::from(copy.options.format == CopyFormat::Binary);
        let response = CopyInResponse::new(format, count, vec![code; columns]);
        client.send(PgWireBackendMessage::CopyInResponse(response)).await?;
        client.set_state(PgWireConnectionState::CopyInProgress(is_extended));
        *lock(&self.begun_copy) = Some(active);
        Ok(())
    }
}

impl SqlStatement {
    /// What to call the statement if it changes something that a read-only transaction must not change.
    fn changes(&self) -> Option<&str> {
        match &self.answer {
            Answer::Rows(_) => None,
            Answer::Changed(tag) => Some(tag.split(' ').next().unwrap_or(tag)),
            Answer::Done(tag) => {
                let changes =
                    tag.starts_with("CREATE") || tag.starts_with("DROP") || tag.starts_with("ALTER");
                changes.then_some(tag.as_str())
            }
        }
    }
}

/// The message that describes columns.
pub(crate) fn row_description(fields: &[FieldInfo]) -> PgWireBackendMessage {
    let fields = fields.iter().map(Into::into).collect();
    PgWireBackendMessage::RowDescription(RowDescription::new(fields))
}

/// 42P02 for a statement of the simple protocol, which has no values to bind.
pub(crate) fn no_parameter() -> PgWireError {
    error("42P02", "there is no parameter $1")
}

/// The format of one column; text where the client named fewer formats.
pub(crate) fn format_at(format: &Format, index: usize) -> FieldFormat {
    match format {
        Format::Individual(formats) => {
            formats.get(index).map_or(FieldFormat::Text, |format| FieldFormat::from(*format))
        }
        other => other.format_for(index),
    }
}

/// The columns of a `SHOW`, all text.
pub(crate) fn text_fields(names: Vec<String>, format: FieldFormat) -> Vec<FieldInfo> {
    let field = |name| FieldInfo::new(name, None, None, Type::TEXT, format);
    names.into_iter().map(field).collect()
}

/// Encodes a row of text columns.
fn text_row(fields: &Arc<Vec<FieldInfo>>, values: &[String]) -> PgWireResult<DataRow> {
    let mut encoder = DataRowEncoder::new(Arc::clone(fields));
    for value in values {
        encoder.encode_field(&value.as_str())?;
    }
    Ok(encoder.take_row())
}

/// The message that ends a statement.
pub(crate) fn complete(tag: &str, rows: Option<usize>) -> PgWireBackendMessage {
    let tag = Tag::new(tag);
    let tag = match rows {
        Some(rows) => tag.with_rows(rows),
        None => tag,
    };
    PgWireBackendMessage::CommandComplete(tag.into())
}

fn names(fields: &[FieldInfo]) -> Vec<String> {
    fields.iter().map(|field| field.name().to_owned()).collect()
}

fn copy_data(data: Bytes) -> PgWireBackendMessage {
    PgWireBackendMessage::CopyData(CopyData::new(data))
}

fn joined(first: &[u8], second: &[u8]) -> Bytes {
    let mut both = BytesMut::with_capacity(first.len() + second.len());
    both.extend_from_slice(first);
    both.extend_from_slice(second);
    both.freeze()
}
