//! The bytes of a Parquet file, row group by row group: text in dictionaries by [`TextChunk`], others by the codec.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

use super::text_chunk::{self, TextChunk};

/// How a column of the open row group is written.
enum Column {
    Codec(Box<ArrowColumnWriter>),
    Text(Box<TextChunk>),
}

/// Encodes batches of flat columns. Holds one row group in memory.
pub(super) struct GroupWriter {
    file_schema: SchemaRef,
    writer: SerializedFileWriter<Vec<u8>>,
    factory: ArrowRowGroupWriterFactory,
    dictionary_bytes: usize,
    columns: Vec<Column>,
}

impl GroupWriter {
    /// Dictionaries of coded columns have at most `dictionary_bytes`.
    pub(super) fn new(
        file_schema: SchemaRef,
        properties: WriterProperties,
        dictionary_bytes: usize,
    ) -> Result<Self> {
        let writer = ArrowWriter::try_new(Vec::new(), SchemaRef::clone(&file_schema), Some(properties))?;
        let (writer, factory) = writer.into_serialized_writer()?;
        Ok(Self { file_schema, writer, factory, dictionary_bytes, columns: Vec::new() })
    }

    /// Adds rows to the open row group, or begins one. Text may come as codes (dictionaries with keys of 16 bits).
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if self.columns.is_empty() {
            self.begin(batch)?;
        }
        for ((column, field), array) in
            self.columns.iter_mut().zip(self.file_schema.fields()).zip(batch.columns())
        {
            match column {
                Column::Text(chunk) => chunk.push(array)?,
                Column::Codec(writer) => {
                    for leaf in compute_leaves(field, array)? {
                        writer.write(&leaf)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, batch: &RecordBatch) -> Result<()> {
        let group = self.writer.flushed_row_groups().len();
        let writers = self.factory.create_column_writers(group)?;
        if writers.len() != batch.num_columns() {
            return Err(ParquetError::General("a batch has other columns than its file".to_owned()));
        }
        let properties = self.writer.properties();
        let columns = writers.into_iter().enumerate().map(|(at, writer)| {
            let description = self.writer.schema_descr().column(at);
            let compression = properties.compression(description.path());
            let has_dictionary = properties.dictionary_enabled(description.path());
            if text_chunk::takes(batch.column(at).data_type(), compression, has_dictionary) {
                let rows = properties.data_page_row_count_limit();
                let chunk = TextChunk::new(description, compression, rows, self.dictionary_bytes);
                Column::Text(Box::new(chunk))
            } else {
                Column::Codec(Box::new(writer))
            }
        });
        self.columns = columns.collect();
        Ok(())
    }

    /// Ends the open row group, if there is one; gives the bytes that are ready.
    pub(super) fn end_group(&mut self) -> Result<Bytes> {
        if !self.columns.is_empty() {
            let mut group = self.writer.next_row_group()?;
            for column in self.columns.drain(..) {
                match column {
                    Column::Codec(writer) => writer.close()?.append_to_row_group(&mut group)?,
                    Column::Text(chunk) => {
                        let (bytes, close) = chunk.close()?;
                        group.append_column(&Bytes::from(bytes), close)?;
                    }
                }
            }
            group.close()?;
        }
        self.take_bytes()
    }

    /// Ends the file; gives its last bytes and its description.
    pub(super) fn finish(mut self) -> Result<(Bytes, ParquetMetaData)> {
        let mut bytes = self.end_group()?.to_vec();
        let metadata = self.writer.finish()?;
        bytes.extend_from_slice(&self.take_bytes()?);
        Ok((bytes.into(), metadata))
    }

    fn take_bytes(&mut self) -> Result<Bytes> {
        self.writer.flush()?;
        Ok(std::mem::take(self.writer.inner_mut()).into())
    }
}
