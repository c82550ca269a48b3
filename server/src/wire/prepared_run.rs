//! Running `PREPARE` and `EXECUTE`.

use std::sync::Arc;

use bytes::{Buf, Bytes};
use chrono::Utc;
use futures::sink::Sink;
use futures::{SinkExt, StreamExt};
use pgwire::api::Type;
use pgwire::api::portal::Format;
use pgwire::api::stmt::StoredStatement;
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::data::DataRow;
use pgwire::types::format::FormatOptions;

use super::cancel::lock;
use super::connection::Connection;
use super::copy::without_position;
use super::execute::complete;
use super::params;
use super::prepared::{Argument, ExecuteText, PrepareText, PreparedStatement};
use super::session::{Parameters, Prepared, Presentation, SqlStatement};
use super::split::split;
use crate::error::{error, error_info, sqlstate, user_error};

impl Connection {
    /// Keeps `statement` under the name that `prepare` gives it.
    ///
    /// # Errors
    /// 42P05 if the name is taken; what is wrong with the statement.
    pub(super) async fn prepare_statement<C>(
        &self,
        client: &mut C,
        prepare: &PrepareText,
        statement: &Arc<SqlStatement>,
    ) -> PgWireResult<()>
    where
        C: Sink<PgWireBackendMessage> + Unpin + Send,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        lock(&self.state).prepared.check_free(&prepare.name)?;
        let presentation = self.presentation(Format::UnifiedText);
        let sql = self.sql()?;
        let described = sql.describe(Arc::clone(statement), prepare.types.clone(), presentation);
        let types = self.interrupt().guard(described).await??.parameter_types;
        let prepared = PreparedStatement {
            text: prepare.text.clone(),
            statement: Prepared::Sql(Arc::clone(statement)),
            declared: prepare.types.clone(),
            types,
            from_sql: true,
            since: Utc::now(),
        };
        lock(&self.state).prepared.add(&prepare.name, prepared)?;
        client.feed(complete("PREPARE", None)).await?;
        Ok(())
    }

    /// The statement that `PREPARE` made under `name`, as the protocol keeps its own.
    pub(super) fn sql_prepared(&self, name: &str) -> Option<Arc<StoredStatement<Prepared>>> {
        let prepared = lock(&self.state).prepared.get(name).ok()?;
        let stored = || {
            let PreparedStatement { statement, declared, .. } = prepared.as_ref();
            StoredStatement::new(name.to_owned(), statement.clone(), declared.clone())
        };
        prepared.from_sql.then(|| Arc::new(stored()))
    }

    /// The statement that `execute` names.
    ///
    /// # Errors
    /// 26000 if there is none, 0A000 for one that is no query and no change of rows.
    pub(super) fn executed_statement(
        &self,
        execute: &ExecuteText,
    ) -> PgWireResult<(Arc<PreparedStatement>, Arc<SqlStatement>)> {
        let prepared = lock(&self.state).prepared.get(&execute.name)?;
        match &prepared.statement {
            Prepared::Sql(statement) => {
                let statement = Arc::clone(statement);
                Ok((prepared, statement))
            }
            _ => Err(error(
                sqlstate::FEATURE_NOT_SUPPORTED,
                format!("prepared statement \"{}\" cannot be run by EXECUTE", execute.name),
            )),
        }
    }

    /// The statement that `execute` names, with its values.
    ///
    /// # Errors
    /// Those of [`Self::executed_statement`]; 42601 for a wrong number of values; what is wrong with a value.
    pub(super) async fn executed(
        &self,
        execute: &ExecuteText,
    ) -> PgWireResult<(Arc<SqlStatement>, Parameters)> {
        let (prepared, statement) = self.executed_statement(execute)?;
        let count = statement.parameter_count().max(prepared.declared.len());
        let found = execute.arguments.len();
        if found != count {
            let name = &execute.name;
            let mut info = error_info(
                sqlstate::SYNTAX_ERROR,
                format!("wrong number of parameters for prepared statement \"{name}\""),
            );
            info.detail = Some(format!("Expected {count} parameters but got {found}."));
            return Err(user_error(info));
        }
        let values = self.values(&execute.arguments, &prepared).await?;
        let declared = prepared.declared.clone();
        Ok((statement, Parameters { declared, values, format: Format::UnifiedText }))
    }

    /// The values of `arguments` as text.
    async fn values(
        &self,
        arguments: &[Argument],
        prepared: &PreparedStatement,
    ) -> PgWireResult<Vec<Option<Bytes>>> {
        let items: Vec<String> = arguments
            .iter()
            .enumerate()
            .filter_map(|(index, argument)| match argument {
                Argument::Expression(text) => {
                    let known = prepared.declared.get(index).cloned().flatten();
                    let pg_type = known.or_else(|| prepared.types.get(index).cloned());
                    Some(converted(text, pg_type.as_ref()))
                }
                _ => None,
            })
            .collect();
        let mut computed = match items.is_empty() {
            true => Vec::new(),
            false => self.computed(&format!("SELECT {}", items.join(", "))).await?,
        }
        .into_iter();
        let value = |argument: &Argument| match argument {
            Argument::Null => None,
            Argument::Literal(text) => Some(Bytes::from(text.clone())),
            Argument::Expression(_) => computed.next().flatten(),
        };
        Ok(arguments.iter().map(value).collect())
    }

    /// The one row of `select`.
    async fn computed(&self, select: &str) -> PgWireResult<Vec<Option<Bytes>>> {
        let sql = self.sql()?;
        let text = split(select)?
            .pop()
            .ok_or_else(|| error(sqlstate::INTERNAL_ERROR, "internal error: no query for EXECUTE"))?;
        let interrupt = self.interrupt();
        let prepared = sql.on_planning_thread(move |session| session.prepare_query(text));
        let statement = interrupt.guard(prepared).await?.map_err(without_position)?;
        // Values are read back in these styles, whatever the session's are.
        let mut options = FormatOptions::default();
        options.time_zone = self.presentation(Format::UnifiedText).options.time_zone.clone();
        let presentation = Presentation { format: Format::UnifiedText, options: Arc::new(options) };
        let started = sql.rows(statement, Parameters::default(), presentation, std::convert::identity);
        let (_, mut rows) = interrupt.guard(started).await?.map_err(without_position)?;
        match interrupt.guard(rows.next()).await? {
            Some(row) => Ok(cells(&row.map_err(without_position)?)),
            None => Err(error(sqlstate::INTERNAL_ERROR, "internal error: no values for EXECUTE")),
        }
    }
}

/// `expression` in the type of its parameter.
fn converted(expression: &str, pg_type: Option<&Type>) -> String {
    match pg_type.and_then(params::cast_type) {
        Some(sql_type) => format!("CAST(({expression}) AS {sql_type})"),
        None => format!("({expression})"),
    }
}

/// The fields of a row in text form.
fn cells(row: &DataRow) -> Vec<Option<Bytes>> {
    let mut data = row.data.clone().freeze();
    let mut cells = Vec::new();
    while data.remaining() >= 4 {
        let cell = usize::try_from(data.get_i32()).ok().filter(|length| *length <= data.remaining());
        cells.push(cell.map(|length| data.split_to(length)));
    }
    cells
}
