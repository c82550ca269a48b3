//! Avro object container files, their records as JSON texts.
//!
//! Own code instead of arrow-avro: its reader turns for ever on a block whose count is smaller than its data says, as
//! a flipped bit can make it, takes decompressed blocks of any size, and has no JSON for unions.

mod container;
mod schema;
mod value;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, TimeUnit};

use self::container::{Blocks, ContainerError};
use self::schema::{Logical, Schema, Shape};
use self::value::Decoder;
use super::records::Records;
use super::rejected::RowPlace;
use super::source::SourceFile;
use super::stream::{ByteStream, stream_error};
use super::targets::shared;
use crate::load::error::LoadError;

/// The records of an Avro file. Holds one block and one record at a time.
#[derive(Debug)]
pub(super) struct AvroRecords {
    file: SourceFile,
    path: Arc<str>,
    blocks: Blocks,
    schema: Schema,
    /// The current block, decompressed: its bytes, how far they are read, and how many of its records are left.
    block: Vec<u8>,
    at: usize,
    left: u64,
    /// Number of the current block, from 1.
    number: u64,
    /// Number of the current record, from 1.
    row: u64,
    text: Vec<u8>,
    problem: Option<String>,
    max_record_bytes: usize,
}

impl AvroRecords {
    /// Reads the header.
    ///
    /// # Errors
    /// [`LoadError::Input`] for what is no Avro file, has no records in its schema, or uses an unknown codec;
    /// [`LoadError::Damaged`] for a header that is cut off or contradicts itself.
    pub(super) fn open(stream: ByteStream, max_record_bytes: usize) -> Result<Self, LoadError> {
        let ByteStream { file, reader, .. } = stream;
        let (blocks, schema) =
            Blocks::open(Box::new(reader)).map_err(|error| container_error(&file, "in its header", error))?;
        let schema = Schema::parse(&schema).map_err(|problem| LoadError::input(&file.display, problem))?;
        Ok(Self {
            path: shared(&file.display),
            file,
            blocks,
            schema,
            block: Vec::new(),
            at: 0,
            left: 0,
            number: 0,
            row: 0,
            text: Vec::new(),
            problem: None,
            max_record_bytes,
        })
    }

    /// The fields of the records as columns of a table.
    pub(super) fn columns(&self) -> Vec<Field> {
        let fields = self.schema.fields().iter();
        fields.map(|(name, shape)| Field::new(name, self.column_type(shape), true)).collect()
    }

    /// Nested types come as lists, which no table takes.
    fn column_type(&self, shape: &Shape) -> DataType {
        match shape {
            Shape::Boolean => DataType::Boolean,
            Shape::Int => DataType::Int32,
            Shape::Long => DataType::Int64,
            Shape::Float => DataType::Float32,
            Shape::Double => DataType::Float64,
            Shape::Logical(logical, _) => match logical {
                Logical::Date => DataType::Date32,
                Logical::Timestamp { .. } => DataType::Timestamp(TimeUnit::Microsecond, None),
                Logical::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale),
                Logical::TimeOfDay(_) | Logical::Uuid => DataType::Utf8,
            },
            Shape::Union(branches) => {
                let mut types: Vec<DataType> = branches
                    .iter()
                    .filter(|branch| !matches!(branch, Shape::Null))
                    .map(|branch| self.column_type(branch))
                    .collect();
                types.dedup();
                if types.len() == 1 { types.remove(0) } else { DataType::Utf8 }
            }
            Shape::Array(_) | Shape::Map(_) | Shape::Record(_) => {
                DataType::List(Arc::new(Field::new("item", DataType::Null, true)))
            }
            Shape::Null | Shape::String | Shape::Bytes | Shape::Fixed(_) | Shape::Enum(_) => DataType::Utf8,
        }
    }

    fn damaged(&self, reason: impl Into<String>) -> LoadError {
        LoadError::damaged(self.path.as_ref(), self.place_in_file(), reason)
    }

    fn place_in_file(&self) -> String {
        let row = if self.row == 0 { "at its start".to_owned() } else { format!("after row {}", self.row) };
        format!("in block {}, {row}", self.number)
    }
}

impl Records for AvroRecords {
    fn path(&self) -> &Arc<str> {
        &self.path
    }

    fn next(&mut self) -> Result<bool, LoadError> {
        while self.left == 0 {
            if self.at < self.block.len() {
                return Err(self.damaged(
                    "a block holds more than the records that it declares; copy or write the file again",
                ));
            }
            self.number += 1;
            let next = self.blocks.next(&mut self.block);
            match next.map_err(|error| container_error(&self.file, &self.place_in_file(), error))? {
                Some(count) => (self.left, self.at) = (count, 0),
                None => return Ok(false),
            }
        }
        self.text.clear();
        let mut decoder = Decoder::new(&self.schema, &self.block, self.at, self.max_record_bytes);
        let decoded = decoder.record(&mut self.text);
        (self.at, self.problem) = (decoder.at(), decoder.take_problem());
        decoded.map_err(|reason| self.damaged(format!("{reason}; copy or write the file again")))?;
        self.left -= 1;
        self.row += 1;
        Ok(true)
    }

    fn text(&self) -> &[u8] {
        &self.text
    }

    fn place(&self) -> RowPlace {
        RowPlace::Row(self.row)
    }

    fn problem(&self) -> Option<(Option<String>, String)> {
        self.problem.clone().map(|reason| (None, reason))
    }

    fn consume(&mut self) {}

    fn expected(&self) -> &'static str {
        "an Avro file with records"
    }
}

fn container_error(file: &SourceFile, place: &str, error: ContainerError) -> LoadError {
    match error {
        ContainerError::Io(error) => stream_error(file, place, error),
        ContainerError::Unsupported(problem) => LoadError::input(&file.display, problem),
        ContainerError::Damaged(reason) => LoadError::damaged(&file.display, place, reason),
    }
}

#[cfg(test)]
mod tests;
