//! The columns that an operator asks for, and in which form they come out of the files.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::schema;
use crate::store::writer::is_dictionary_encoded;

/// A view and a few bytes of text.
const TEXT_BYTES: usize = 48;

/// Columns of a table to read, in the order in which batches have them.
///
/// Text that the writer keeps in dictionaries comes as codes into a dictionary, so that conditions are evaluated once
/// for each value and not for each row; everything else has its SQL type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// Fields with the types that batches have.
    delivered: SchemaRef,
    /// Fields with their SQL types.
    sql: SchemaRef,
}

impl Columns {
    /// The columns of `full_schema` at `indices`.
    pub fn new(full_schema: &Schema, indices: &[usize]) -> Self {
        let fields = indices.iter().map(|index| full_schema.field(*index));
        let sql: Vec<Field> = fields.cloned().collect();
        let delivered: Vec<Field> = sql
            .iter()
            .map(|field| Field::new(field.name(), delivered_type(field), field.is_nullable()))
            .collect();
        Self { delivered: Arc::new(Schema::new(delivered)), sql: Arc::new(Schema::new(sql)) }
    }

    /// The schema of batches.
    pub fn delivered(&self) -> &SchemaRef {
        &self.delivered
    }

    /// The same columns with their SQL types.
    pub fn sql(&self) -> &SchemaRef {
        &self.sql
    }

    /// Whether the column at `index` comes as codes.
    pub fn is_coded(&self, index: usize) -> bool {
        is_coded(self.delivered.field(index).data_type())
    }

    /// Bytes of a row, text that is not coded taken as short.
    pub fn row_bytes(&self) -> usize {
        (0..self.delivered.fields().len()).map(|column| self.bytes_of(column)).sum()
    }

    /// Those of the column at `index`.
    pub fn bytes_of(&self, index: usize) -> usize {
        match self.delivered.field(index).data_type() {
            coded if is_coded(coded) => size_of::<i32>(),
            other => other.primitive_width().unwrap_or(TEXT_BYTES),
        }
    }

    /// Where the column called `name` is.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.delivered.index_of(name).ok()
    }
}

/// `schema` with columns that take no memory at `places`: NULLs of another type would take as much as values.
pub fn without_values(schema: &Schema, places: &[usize]) -> SchemaRef {
    let fields = schema.fields().iter().enumerate().map(|(place, field)| {
        if places.contains(&place) {
            Arc::new(Field::new(field.name(), DataType::Null, true))
        } else {
            Arc::clone(field)
        }
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The type of codes into a dictionary of text.
pub fn coded_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

fn is_coded(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Dictionary(_, _))
}

fn delivered_type(field: &Field) -> DataType {
    let is_text = *field.data_type() == schema::sql_type(&DataType::Utf8);
    if is_text && is_dictionary_encoded(field.name()) { coded_type() } else { field.data_type().clone() }
}
