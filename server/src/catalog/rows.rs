//! Rows of catalog tables: a row names the columns it has a value for, the others get PostgreSQL's "nothing".

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::{Result, ScalarValue};

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Texts(Vec<String>),
    /// Microseconds since the epoch.
    Time(i64),
}

impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Cell {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u32> for Cell {
    fn from(value: u32) -> Self {
        Self::Int(i64::from(value))
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

/// A row: values by column. A column that is not there is NULL, or zero, false or empty where it cannot be NULL.
pub(super) type Row = Vec<(&'static str, Cell)>;

/// `[("a", 1.into()), ...]` as a row.
macro_rules! row {
    ($($column:ident: $value:expr),* $(,)?) => {
        vec![$((stringify!($column), $crate::catalog::rows::Cell::from($value))),*]
    };
}
pub(super) use row;

/// A batch of `rows` with the columns of `schema`: O(rows x columns).
///
/// # Errors
/// A value is of another kind than its column.
pub(super) fn batch(schema: &SchemaRef, rows: &[Row]) -> Result<RecordBatch> {
    if rows.is_empty() {
        return Ok(RecordBatch::new_empty(Arc::clone(schema)));
    }
    let columns: Result<Vec<ArrayRef>> = schema
        .fields()
        .iter()
        .map(|field| {
            let values = rows.iter().map(|row| {
                let cell = row.iter().find(|(column, _)| column == field.name()).map(|(_, cell)| cell);
                scalar(field, cell)
            });
            let values: Result<Vec<ScalarValue>> = values.collect();
            ScalarValue::iter_to_array(values?)
        })
        .collect();
    Ok(RecordBatch::try_new(Arc::clone(schema), columns?)?)
}

fn scalar(field: &Field, cell: Option<&Cell>) -> Result<ScalarValue> {
    let data_type = field.data_type();
    let Some(cell) = cell else {
        return match (field.is_nullable(), data_type) {
            (true, _) => ScalarValue::try_from(data_type),
            (false, DataType::Utf8) => Ok(ScalarValue::from("")),
            (false, DataType::Boolean) => Ok(ScalarValue::from(false)),
            (false, DataType::List(item)) => {
                Ok(ScalarValue::List(ScalarValue::new_list_nullable(&[], item.data_type())))
            }
            (false, _) => ScalarValue::new_zero(data_type),
        };
    };
    match cell {
        Cell::Bool(value) => Ok(ScalarValue::from(*value)),
        Cell::Int(value) => ScalarValue::from(*value).cast_to(data_type),
        Cell::Float(value) => ScalarValue::from(*value).cast_to(data_type),
        Cell::Text(value) => Ok(ScalarValue::from(value.as_str())),
        Cell::Texts(values) => {
            let values: Vec<ScalarValue> =
                values.iter().map(|value| ScalarValue::from(value.as_str())).collect();
            Ok(ScalarValue::List(ScalarValue::new_list_nullable(&values, &DataType::Utf8)))
        }
        Cell::Time(micros) => ScalarValue::TimestampMicrosecond(Some(*micros), None).cast_to(data_type),
    }
}
