use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, UInt16Array};
use arrow::datatypes::{Field, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::basic::ZstdLevel;
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use proptest::prelude::*;

use super::*;
use crate::store::group_writer::GroupWriter;

const PAGE_ROWS: usize = 7;

fn schema(nullable: bool) -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("n", DataType::Int64, false),
        Field::new("t", DataType::Utf8, nullable),
    ]))
}

/// Codes of `rows` in a dictionary in the order of first rows, behind `before` others.
fn coded(rows: &[Option<String>], before: usize) -> ArrayRef {
    let mut texts: Vec<String> = (0..before).map(|i| format!("unused {i}")).collect();
    let mut keys = Vec::new();
    for row in rows {
        keys.push(row.as_ref().map(|row| {
            let known = texts.iter().position(|text| text == row);
            known.unwrap_or_else(|| {
                texts.push(row.clone());
                texts.len() - 1
            }) as u16
        }));
    }
    let values = Arc::new(StringArray::from_iter_values(texts));
    Arc::new(DictionaryArray::<UInt16Type>::try_new(UInt16Array::from(keys), values).expect("dictionary"))
}

fn write(groups: &[Vec<ArrayRef>], nullable: bool, compression: Compression, limit: usize) -> Bytes {
    let properties = WriterProperties::builder()
        .set_compression(compression)
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_column_statistics_enabled(ColumnPath::from("t"), EnabledStatistics::None)
        .build();
    let mut writer = GroupWriter::new(schema(nullable), properties, limit).expect("writer");
    let (mut bytes, mut row) = (Vec::new(), 0);
    for group in groups {
        for texts in group {
            let numbers = Arc::new(Int64Array::from_iter_values(row..row + texts.len() as i64));
            row += texts.len() as i64;
            let fields = vec![
                Field::new("n", DataType::Int64, false),
                Field::new("t", texts.data_type().clone(), nullable),
            ];
            let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![numbers, Arc::clone(texts)]);
            writer.write(&batch.expect("batch")).expect("written");
        }
        bytes.extend_from_slice(&writer.end_group().expect("group"));
    }
    bytes.extend_from_slice(&writer.finish().expect("file").0);
    bytes.into()
}

/// Reads all rows, or those of `selection`.
fn read(bytes: &Bytes, selection: Option<RowSelection>) -> Vec<Option<String>> {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let metadata = ArrowReaderMetadata::load(bytes, options).expect("footer");
    let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(bytes.clone(), metadata);
    if let Some(selection) = selection {
        builder = builder.with_row_selection(selection);
    }
    let batches = builder.build().expect("reader").map(|batch| batch.expect("batch"));
    let texts = |batch: RecordBatch| {
        let texts = batch.column(1).as_string::<i32>().clone();
        assert_eq!(texts.len(), batch.num_rows());
        texts.iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>()
    };
    batches.flat_map(texts).collect()
}

#[test]
fn the_footer_tells_dictionary_and_pages() {
    let rows: Vec<Option<String>> = (0..30).map(|i| Some(format!("v{}", i % 3))).collect();
    let bytes = write(&[vec![coded(&rows, 2)]], false, Compression::UNCOMPRESSED, 1 << 20);
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let metadata = ArrowReaderMetadata::load(&bytes, options).expect("footer");
    let group = metadata.metadata().row_group(0);
    assert_eq!(group.num_rows(), 30);
    let column = group.column(1);
    assert_eq!(column.num_values(), 30);
    assert!(column.statistics().is_none());
    assert!(column.dictionary_page_offset().expect("dictionary") < column.data_page_offset());
    let encodings: Vec<Encoding> = column.encodings().collect();
    assert_eq!(encodings, [Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY]);
    let pages = &metadata.metadata().offset_index().expect("index")[0][1].page_locations;
    let firsts: Vec<i64> = pages.iter().map(|page| page.first_row_index).collect();
    assert_eq!(firsts, [0, 7, 14, 21, 28]);
    assert_eq!(pages[0].offset, column.data_page_offset());
    assert_eq!(read(&bytes, None), rows);
}

#[test]
fn columns_without_any_text_are_written() {
    let rows = vec![None; 20];
    assert_eq!(read(&write(&[vec![coded(&rows, 0)]], true, Compression::UNCOMPRESSED, 1 << 20), None), rows);
    assert_eq!(read(&write(&[], true, Compression::UNCOMPRESSED, 1 << 20), None), []);
}

proptest! {
    /// Whatever comes, codes of one dictionary or another, plain text, more than the dictionary holds: it is read back,
    /// as a whole and page by page.
    #[test]
    fn what_is_written_is_read(
        groups in prop::collection::vec(
            prop::collection::vec(
                (prop::collection::vec(prop::option::weighted(0.8, "[a-dé]{0,3}"), 1..30), 0..4_usize, any::<bool>()),
                1..5,
            ),
            1..3,
        ),
        nullable in any::<bool>(),
        zstd in any::<bool>(),
        limit in prop_oneof![Just(0), Just(30), Just(1 << 20)],
        picked in prop::collection::vec((0..9_usize, any::<bool>()), 0..20),
    ) {
        let mut expected = Vec::new();
        let groups: Vec<Vec<ArrayRef>> = groups
            .into_iter()
            .map(|group| {
                let batches = group.into_iter().map(|(mut rows, before, as_codes)| {
                    if !nullable {
                        rows = rows.into_iter().map(|row| Some(row.unwrap_or_default())).collect();
                    }
                    expected.extend(rows.iter().cloned());
                    let texts = coded(&rows, before);
                    if as_codes { texts } else { cast(&texts, &DataType::Utf8).expect("text") }
                });
                batches.collect()
            })
            .collect();
        let compression = if zstd { Compression::ZSTD(ZstdLevel::default()) } else { Compression::UNCOMPRESSED };
        let bytes = write(&groups, nullable, compression, limit);
        prop_assert_eq!(&read(&bytes, None), &expected);

        let mut selectors = Vec::new();
        let (mut row, mut wanted) = (0, Vec::new());
        for (count, skip) in picked {
            let count = count.min(expected.len() - row);
            if !skip {
                wanted.extend_from_slice(&expected[row..row + count]);
            }
            selectors.push(RowSelector { row_count: count, skip });
            row += count;
        }
        selectors.push(RowSelector::skip(expected.len() - row));
        prop_assert_eq!(read(&bytes, Some(selectors.into())), wanted);
    }
}
