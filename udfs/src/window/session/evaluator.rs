//! The sessions of one partition.

use std::ops::Range;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::PartitionEvaluator;

use super::output::{OutputBuilder, Value};
use super::spelling::Output;
use crate::journey::session::{SessionPlace, Sessions};
use crate::session::{Columns, Role, RowReader, SessionCall, session_id};

/// Places the rows of one partition.
#[derive(Debug)]
pub(super) struct SessionEvaluator {
    name: &'static str,
    output: Output,
    ts: DataType,
    roles: Vec<Role>,
    call: SessionCall,
    reader: RowReader,
    sessions: Sessions,
    /// Id of the current session, if ids are asked for and the person is known.
    id: Option<String>,
}

impl SessionEvaluator {
    /// `roles` says what the evaluated columns mean, `ts` is the type of the times.
    pub(super) fn new(
        name: &'static str,
        output: Output,
        ts: DataType,
        roles: Vec<Role>,
        call: SessionCall,
    ) -> Self {
        let reader = RowReader::new(&ts, call.midnight);
        Self { name, output, ts, roles, call, reader, sessions: Sessions::default(), id: None }
    }

    fn next(&mut self, columns: &Columns, row: usize) -> Result<Value<'_>> {
        let place = match self.reader.read(columns, row)? {
            None => None,
            Some(row) => self.sessions.push(&self.call.rules, &row).or_else(|back| {
                exec_err!(
                    "{}: {back} within a partition; write ORDER BY ts, ascending, in the OVER clause",
                    self.name
                )
            })?,
        };
        let Some(place) = place else {
            return Ok(Value::Null);
        };
        if self.output == Output::Id && place.is_new() {
            self.id = columns
                .user_id
                .and_then(|column| text(column, row))
                .map(|person| session_id(person, &place, &self.ts));
        }
        let time = columns.time(row);
        Ok(self.value(&place, time))
    }

    fn value(&self, place: &SessionPlace, time: i64) -> Value<'_> {
        match self.output {
            Output::Number => Value::Integer(place.number),
            Output::Depth => Value::Integer(place.depth),
            Output::IsNew => Value::Boolean(place.is_new()),
            Output::IsRobot => Value::Boolean(place.is_robot),
            Output::Reason => Value::Text(place.reason.name()),
            Output::Id => self.id.as_deref().map_or(Value::Null, Value::Text),
            Output::Gap => place.previous.map_or(Value::Null, |previous| Value::Span(previous, time)),
            Output::Elapsed => Value::Span(place.start, time),
            Output::TimestampDiff => Value::WholeSeconds(place.previous.unwrap_or(time), time),
            Output::State => Value::State(*place, time),
        }
    }
}

fn text(column: &ArrayRef, row: usize) -> Option<&str> {
    if column.is_null(row) {
        return None;
    }
    match column.data_type() {
        DataType::Utf8View => Some(column.as_string_view().value(row)),
        DataType::LargeUtf8 => Some(column.as_string::<i64>().value(row)),
        _ => column.as_string_opt::<i32>().map(|column| column.value(row)),
    }
}

impl PartitionEvaluator for SessionEvaluator {
    fn is_causal(&self) -> bool {
        true
    }

    fn supports_bounded_execution(&self) -> bool {
        true
    }

    fn evaluate(&mut self, values: &[ArrayRef], range: &Range<usize>) -> Result<ScalarValue> {
        let columns = Columns::try_new(&self.roles, values)?;
        let (ts, output) = (self.ts.clone(), self.output);
        let value = self.next(&columns, range.start)?;
        value.into_scalar(output, &ts)
    }

    fn evaluate_all(&mut self, values: &[ArrayRef], num_rows: usize) -> Result<ArrayRef> {
        let columns = Columns::try_new(&self.roles, values)?;
        let mut builder = OutputBuilder::new(self.output, &self.ts, num_rows);
        for row in 0..num_rows {
            builder.append(self.next(&columns, row)?)?;
        }
        builder.finish()
    }
}
