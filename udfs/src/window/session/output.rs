//! Results: their types, one at a time, and as columns.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, StructArray,
};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, ScalarValue, internal_err};

use super::spelling::Output;
use crate::journey::session::SessionPlace;
use crate::session::span;

impl Output {
    /// Type of the result for times of type `ts`.
    pub(super) fn data_type(self, ts: &DataType) -> DataType {
        match self {
            Self::Number | Self::Depth | Self::TimestampDiff => DataType::Int64,
            Self::Id | Self::Reason => DataType::Utf8,
            Self::IsNew | Self::IsRobot => DataType::Boolean,
            Self::Gap | Self::Elapsed => span::data_type(ts),
            Self::State => DataType::Struct(state_fields()),
        }
    }
}

/// Fields of Adobe's result.
fn state_fields() -> Fields {
    let field = |name, data_type| Field::new(name, data_type, true);
    Fields::from(vec![
        field("timestamp_diff", DataType::Int64),
        field("num", DataType::Int64),
        field("is_new", DataType::Boolean),
        field("depth", DataType::Int64),
    ])
}

/// A result of one row.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Null,
    Integer(i64),
    Boolean(bool),
    Text(&'a str),
    /// The time between two times.
    Span(i64, i64),
    /// The same in whole seconds.
    WholeSeconds(i64, i64),
    /// Adobe's struct, at a time.
    State(SessionPlace, i64),
}

impl Value<'_> {
    pub(super) fn into_scalar(self, output: Output, ts: &DataType) -> Result<ScalarValue> {
        Ok(match self {
            Self::Integer(number) => ScalarValue::Int64(Some(number)),
            Self::Boolean(value) => ScalarValue::Boolean(Some(value)),
            Self::Text(text) => ScalarValue::Utf8(Some(text.to_owned())),
            Self::WholeSeconds(from, to) => ScalarValue::Int64(Some(span::whole_seconds(from, to, ts))),
            Self::Span(from, to) if *ts == DataType::Int64 => ScalarValue::Int64(span::ticks(from, to)),
            Self::Span(from, to) => ScalarValue::Float64(Some(span::seconds(from, to, ts))),
            Self::Null => ScalarValue::try_from(output.data_type(ts))?,
            state @ Self::State(..) => {
                let mut builder = OutputBuilder::new(output, ts, 1);
                builder.append(state)?;
                ScalarValue::try_from_array(&builder.finish()?, 0)?
            }
        })
    }
}

/// Collects results of many rows.
pub(super) struct OutputBuilder {
    ts: DataType,
    column: Column,
}

enum Column {
    Integers(Int64Builder),
    Floats(Float64Builder),
    Booleans(BooleanBuilder),
    Texts(StringBuilder),
    States(Box<States>),
}

/// The fields of Adobe's result.
struct States {
    diffs: Int64Builder,
    numbers: Int64Builder,
    is_new: BooleanBuilder,
    depths: Int64Builder,
}

impl States {
    fn with_capacity(rows: usize) -> Self {
        let integers = || Int64Builder::with_capacity(rows);
        Self {
            diffs: integers(),
            numbers: integers(),
            is_new: BooleanBuilder::with_capacity(rows),
            depths: integers(),
        }
    }

    fn append(&mut self, place: &SessionPlace, diff: i64) {
        self.diffs.append_value(diff);
        self.numbers.append_value(place.number);
        self.is_new.append_value(place.is_new());
        self.depths.append_value(place.depth);
    }

    fn append_null(&mut self) {
        self.diffs.append_null();
        self.numbers.append_null();
        self.is_new.append_null();
        self.depths.append_null();
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let numbers = self.numbers.finish();
        let nulls = numbers.nulls().cloned();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.diffs.finish()),
            Arc::new(numbers),
            Arc::new(self.is_new.finish()),
            Arc::new(self.depths.finish()),
        ];
        Ok(Arc::new(StructArray::try_new(state_fields(), columns, nulls)?))
    }
}

impl OutputBuilder {
    pub(super) fn new(output: Output, ts: &DataType, rows: usize) -> Self {
        let column = match output.data_type(ts) {
            DataType::Int64 => Column::Integers(Int64Builder::with_capacity(rows)),
            DataType::Float64 => Column::Floats(Float64Builder::with_capacity(rows)),
            DataType::Boolean => Column::Booleans(BooleanBuilder::with_capacity(rows)),
            DataType::Struct(_) => Column::States(Box::new(States::with_capacity(rows))),
            _ => Column::Texts(StringBuilder::with_capacity(rows, rows * 8)),
        };
        Self { ts: ts.clone(), column }
    }

    pub(super) fn append(&mut self, value: Value) -> Result<()> {
        match (&mut self.column, value) {
            (Column::Integers(column), Value::Integer(number)) => column.append_value(number),
            (Column::Integers(column), Value::Span(from, to)) => column.append_option(span::ticks(from, to)),
            (Column::Integers(column), Value::WholeSeconds(from, to)) => {
                column.append_value(span::whole_seconds(from, to, &self.ts));
            }
            (Column::Integers(column), Value::Null) => column.append_null(),
            (Column::Floats(column), Value::Span(from, to)) => {
                column.append_value(span::seconds(from, to, &self.ts));
            }
            (Column::Floats(column), Value::Null) => column.append_null(),
            (Column::Booleans(column), Value::Boolean(value)) => column.append_value(value),
            (Column::Booleans(column), Value::Null) => column.append_null(),
            (Column::Texts(column), Value::Text(text)) => column.append_value(text),
            (Column::Texts(column), Value::Null) => column.append_null(),
            (Column::States(states), Value::State(place, time)) => {
                let diff = span::whole_seconds(place.previous.unwrap_or(time), time, &self.ts);
                states.append(&place, diff);
            }
            (Column::States(states), Value::Null) => states.append_null(),
            (_, value) => return internal_err!("a session function gave {value:?}, which is not its type"),
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<ArrayRef> {
        Ok(match self.column {
            Column::Integers(mut column) => Arc::new(column.finish()),
            Column::Floats(mut column) => Arc::new(column.finish()),
            Column::Booleans(mut column) => Arc::new(column.finish()),
            Column::Texts(mut column) => Arc::new(column.finish()),
            Column::States(mut states) => states.finish()?,
        })
    }
}
