//! Rows as Parquet with row groups of 131,072 rows.

use std::io::Write;

use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as Codec, Encoding, GzipLevel, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::Compression;
use crate::arrow_rows::EventBatches;
use crate::error::Result;
use crate::generator::EventIter;
use crate::schema::touchpoint_schema;

const ROW_GROUP_ROWS: usize = 131_072;
const BATCH_ROWS: usize = 8192;

/// Writes all rows; returns their number.
pub(crate) fn write_parquet(
    events: EventIter,
    compression: Option<Compression>,
    output: &mut (dyn Write + Send),
) -> Result<u64> {
    let properties = writer_properties(compression)?;
    let mut writer = ArrowWriter::try_new(output, touchpoint_schema(), Some(properties))?;
    let mut rows = 0;
    for batch in EventBatches::new(events, BATCH_ROWS) {
        let batch = batch?;
        rows += batch.num_rows() as u64;
        writer.write(&batch)?;
    }
    writer.close()?;
    Ok(rows)
}

fn writer_properties(compression: Option<Compression>) -> Result<WriterProperties> {
    let codec = match compression {
        None => Codec::SNAPPY,
        Some(Compression::Zstd) => Codec::ZSTD(ZstdLevel::try_new(1)?),
        Some(Compression::Gzip) => Codec::GZIP(GzipLevel::default()),
    };
    // Ids do not repeat and times hardly do: a dictionary of them would be built in vain. Random digits do not
    // compress either.
    let mut builder = WriterProperties::builder()
        .set_compression(codec)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        // Loaded as a whole: nobody prunes by statistics, and they cost a comparison per value.
        .set_statistics_enabled(EnabledStatistics::None)
        .set_column_dictionary_enabled(ColumnPath::from("event_id"), false);
    if compression.is_none() {
        builder = builder.set_column_compression(ColumnPath::from("event_id"), Codec::UNCOMPRESSED);
    }
    for column in ["ts", "received_at"] {
        builder = builder
            .set_column_dictionary_enabled(ColumnPath::from(column), false)
            .set_column_encoding(ColumnPath::from(column), Encoding::DELTA_BINARY_PACKED);
    }
    Ok(builder.build())
}
