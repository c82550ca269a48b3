//! Parquet files: types, extras, damage.

use arrow::array::{
    AsArray, DictionaryArray, Float64Array, Int64Array, ListArray, StructArray, TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema};
use bytes::Bytes;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use parquet::arrow::ArrowWriter;

use super::super::options::{ExtraColumns, InputFormat};
use super::super::source::{Compression, Origin};
use super::*;

type Columns = Vec<(&'static str, ArrayRef)>;

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn basic() -> Columns {
    let events: DictionaryArray<Int32Type> = vec!["view", "view", "buy"].into_iter().collect();
    vec![
        ("user_id", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ("ts", Arc::new(TimestampMillisecondArray::from(vec![1_704_067_200_000, 1, 2]))),
        ("event", Arc::new(events)),
    ]
}

fn parquet(columns: Columns) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).expect("batch");
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("writer");
    writer.write(&batch).expect("written");
    writer.into_inner().expect("closed")
}

fn source(dir: &tempfile::TempDir, bytes: &[u8]) -> SourceFile {
    let path = dir.path().join("x.parquet");
    std::fs::write(&path, bytes).expect("write");
    SourceFile::local(
        "x.parquet".to_owned(),
        path,
        bytes.len() as u64,
        InputFormat::Parquet,
        Compression::None,
    )
}

fn open_file(file: &SourceFile, options: &ReadOptions, extra: &[Field]) -> Result<ParquetFile, LoadError> {
    let rule = TimestampRule { unit: options.ts_unit, zone: options.time_zone };
    ParquetFile::open(file, &Arc::new(options.clone()), Targets::new(options, extra)?, rule)
}

fn read_with(bytes: &[u8], options: &ReadOptions) -> Result<Vec<ParsedBatch>, LoadError> {
    let dir = tempfile::tempdir().expect("dir");
    let mut reader = open_file(&source(&dir, bytes), options, &[])?;
    std::iter::from_fn(|| reader.next_batch()).collect()
}

fn read(columns: Columns) -> ParsedBatch {
    let mut batches = read_with(&parquet(columns), &ReadOptions::default()).expect("batches");
    assert_eq!(batches.len(), 1);
    batches.remove(0)
}

fn error(bytes: &[u8]) -> String {
    read_with(bytes, &ReadOptions::default()).expect_err("refused").to_string()
}

fn strings(batch: &ParsedBatch, column: &str) -> Vec<Option<String>> {
    let column = batch.batch.column_by_name(column).expect("a column");
    column.as_string::<i32>().iter().map(|t| t.map(str::to_owned)).collect()
}

#[test]
fn columns_of_many_types_are_read() {
    let batch = read(basic());
    assert_eq!(batch.rejected, []);
    assert_eq!(strings(&batch, "user_id"), ["1", "2", "3"].map(|t| Some(t.to_owned())));
    assert_eq!(strings(&batch, "event"), ["view", "view", "buy"].map(|t| Some(t.to_owned())));
    assert_eq!(batch.batch.schema(), crate::schema::load_schema());
}

#[test]
fn extra_columns_become_properties_by_type() {
    let mut columns = basic();
    columns.push(("properties", texts(&[Some("{ \"a\": 1 }"), None, None])));
    columns.push(("n", Arc::new(Int64Array::from(vec![Some(7), None, None]))));
    columns.push(("x", Arc::new(Float64Array::from(vec![Some(1.5), None, Some(2.0)]))));
    columns.push(("s", texts(&[Some("t\"u"), None, None])));
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(1), None]), None, None]);
    columns.push(("l", Arc::new(list)));
    let batch = read(columns);
    assert_eq!(
        strings(&batch, "properties"),
        [
            Some(r#"{"a":1,"n":7,"x":1.5,"s":"t\"u","l":[1,null]}"#.to_owned()),
            None,
            Some(r#"{"x":2.0}"#.to_owned())
        ]
    );
}

#[test]
fn rejected_rows_have_numbers_across_batches_and_are_shown_as_json() {
    let mut columns = basic();
    columns[0].1 = texts(&[Some("a"), Some("b"), None]);
    let options = ReadOptions { batch_rows: 2, ..ReadOptions::default() };
    let batches = read_with(&parquet(columns), &options).expect("batches");
    assert_eq!(batches.iter().map(|b| b.batch.num_rows()).collect::<Vec<_>>(), [2, 0]);
    let rejected = &batches[1].rejected[0];
    assert_eq!(rejected.to_string(), r#""x.parquet" row 3, column "user_id": user_id is missing"#);
    assert!(rejected.raw.contains(r#""event":"buy""#), "{}", rejected.raw);
}

#[test]
fn a_type_that_never_fits_is_an_error_with_both_names() {
    let mut columns = basic();
    let fields: Columns = vec![("a", Arc::new(Int64Array::from(vec![1, 2, 3])))];
    columns.push(("url", Arc::new(StructArray::from(RecordBatch::try_from_iter(fields).expect("batch")))));
    let options =
        ReadOptions { mapping: vec![("page".to_owned(), "url".to_owned())], ..ReadOptions::default() };
    let error = read_with(&parquet(columns), &options).expect_err("refused").to_string();
    assert!(error.contains("column \"url\" (as page) has type Struct"), "{error}");
}

#[test]
fn cut_and_foreign_files_are_told() {
    let whole = parquet(basic());
    assert!(
        error(&whole[..whole.len() - 1]).contains("is damaged after")
            && error(&whole[..10]).contains("ends too early")
    );
    let mut wrong_footer = whole.clone();
    let at = wrong_footer.len() - 20;
    wrong_footer[at..at + 12].fill(0xff);
    assert!(error(&wrong_footer).contains("in its footer"), "{}", error(&wrong_footer));
    assert_eq!(error(b""), r#"cannot load "x.parquet": it is empty: expected a Parquet file"#);
    assert!(error(b"user_id,ts,event\n").contains("--format csv"));
    assert!(error(b"\x1f\x8b\x08\0").contains("gzip"));
    assert!(error(b"PARE\0\0\0\0\0\0\0\0PARE").contains("encrypted"));
}

#[test]
fn a_file_whose_pages_were_cut_out_is_told() {
    let rows = 50_000;
    let ids: Vec<String> = (0..rows).map(|i| format!("user {}", i * 7919 % rows)).collect();
    let columns: Columns = vec![
        ("user_id", Arc::new(StringArray::from_iter_values(ids))),
        ("ts", Arc::new(Int64Array::from_iter_values(1_704_067_200..1_704_067_200 + rows))),
        ("event", Arc::new(StringArray::from_iter_values((0..rows).map(|_| "x")))),
    ];
    let whole = parquet(columns);
    // The middle is missing; magic and footer stand at the ends.
    let cut = [&whole[..whole.len() / 4], &whole[whole.len() / 2..]].concat();
    let told = error(&cut);
    assert!(told.contains("lie outside the file") || told.contains("after row"), "{told}");
}

#[test]
fn missing_and_refused_columns_are_told() {
    let mut columns = basic();
    columns.remove(1);
    assert!(error(&parquet(columns)).contains("no column for ts; the file has user_id, event"));
    let mut columns = basic();
    columns.push(("color", texts(&[None, None, None])));
    let options = ReadOptions { extra: ExtraColumns::Error, ..ReadOptions::default() };
    let error = read_with(&parquet(columns), &options).expect_err("refused").to_string();
    assert!(error.contains("column color is not in the table"), "{error}");
}

#[test]
fn files_without_rows_are_empty_not_wrong() {
    let none = basic().into_iter().map(|(name, array)| (name, array.slice(0, 0))).collect();
    assert_eq!(read_with(&parquet(none), &ReadOptions::default()).expect("batches").len(), 0);
}

#[test]
fn extra_columns_keep_the_tables_type() {
    let mut columns = basic();
    columns.push(("visits", Arc::new(arrow::array::Int32Array::from(vec![Some(7), None, Some(9)]))));
    let dir = tempfile::tempdir().expect("dir");
    let file = source(&dir, &parquet(columns));
    let options = ReadOptions { extra: ExtraColumns::Columns, ..ReadOptions::default() };
    let extra = [Field::new("visits", DataType::Int64, true)];
    let batch =
        open_file(&file, &options, &extra).expect("reader").next_batch().expect("some").expect("batch");
    let expected: Vec<Field> =
        crate::schema::load_schema_with(&extra).fields().iter().map(|f| f.as_ref().clone()).collect();
    assert_eq!(*batch.batch.schema(), Schema::new(expected));
    let visits: Vec<Option<i64>> = batch.batch.column(19).as_primitive::<Int64Type>().iter().collect();
    assert_eq!(visits, [Some(7), None, Some(9)]);
}

#[tokio::test]
async fn objects_are_read_too() {
    let store = Arc::new(InMemory::new());
    let location = object_store::path::Path::from("x.parquet");
    let bytes = parquet(basic());
    let size = bytes.len() as u64;
    store.put(&location, bytes.into()).await.expect("put");
    let mut file = SourceFile::local(
        "memory:///x.parquet".to_owned(),
        "".into(),
        size,
        InputFormat::Parquet,
        Compression::None,
    );
    file.origin = Origin::Object { store, location };
    let read = tokio::task::spawn_blocking(move || {
        let mut reader = open_file(&file, &ReadOptions::default(), &[])?;
        std::iter::from_fn(|| reader.next_batch()).collect::<Result<Vec<_>, _>>()
    });
    let batches = read.await.expect("joined").expect("batches");
    assert_eq!(strings(&batches[0], "user_id"), ["1", "2", "3"].map(|t| Some(t.to_owned())));
}

/// Whatever a damaged file makes the decoder do, the user gets an answer: rows, or an error.
#[test]
fn any_changed_byte_is_answered() {
    let whole = parquet(basic());
    for at in 4..whole.len() - 8 {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            let _ = read_with(&bytes, &ReadOptions::default());
        }
    }
}

/// A file with one long value in a page of its own, and where the header of that page stands.
fn one_page(codec: parquet::basic::Compression, bytes: usize) -> (Vec<u8>, usize) {
    let mut columns = basic();
    let long = "x".repeat(bytes);
    columns.push(("page", texts(&[Some(&long), None, None])));
    let batch = RecordBatch::try_from_iter(columns).expect("batch");
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_compression(codec)
        .set_dictionary_enabled(false)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).expect("writer");
    writer.write(&batch).expect("written");
    let bytes = writer.into_inner().expect("closed");
    let metadata = parquet::file::metadata::ParquetMetaDataReader::new()
        .parse_and_finish(&Bytes::from(bytes.clone()))
        .expect("metadata");
    let at = metadata.row_group(0).column(3).data_page_offset();
    (bytes, usize::try_from(at).expect("a place"))
}

#[test]
fn a_page_that_holds_more_than_it_declares_is_refused() {
    let gzip = parquet::basic::Compression::GZIP(parquet::basic::GzipLevel::default());
    let brotli = parquet::basic::Compression::BROTLI(parquet::basic::BrotliLevel::default());
    for codec in [gzip, brotli] {
        let (mut bytes, at) = one_page(codec, 100 << 20);
        let whole = read_with(&bytes, &ReadOptions::default()).expect("the whole file");
        assert_eq!(whole[0].rows_read, 3);
        // Type 0, then the size as a zigzag number of four bytes: 20 MiB stand where it says 100.
        assert_eq!(bytes[at..at + 3], [0x15, 0, 0x15]);
        let declared = (20_u32 << 20) << 1;
        for (index, byte) in bytes[at + 3..at + 7].iter_mut().enumerate() {
            let more = if index < 3 { 0x80 } else { 0 };
            *byte = (declared >> (7 * index)) as u8 & 0x7f | more;
        }
        let told = error(&bytes);
        assert!(
            told.contains("in row group 0: column \"page\"") && told.contains("20971520 bytes"),
            "{told}"
        );
    }
}

#[test]
fn pages_that_lie_about_their_place_are_refused() {
    let (whole, at) = one_page(parquet::basic::Compression::UNCOMPRESSED, 1 << 20);
    // The compressed size follows the uncompressed one, four bytes each, as a field of its own.
    let mut larger = whole.clone();
    assert_eq!(larger[at + 7], 0x15);
    larger[at + 10] |= 0x7f;
    assert!(error(&larger).contains("does not lie within its column chunk"), "{}", error(&larger));
    let mut no_header = whole;
    no_header[at..at + 4].fill(0xff);
    assert!(error(&no_header).contains("no valid header"), "{}", error(&no_header));
}
