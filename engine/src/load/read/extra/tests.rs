//! Extra columns over files of all formats.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray};
use arrow::datatypes::Int64Type;
use parquet::arrow::ArrowWriter;

use super::super::source::Compression;
use super::*;

fn options() -> ReadOptions {
    ReadOptions { extra: ExtraColumns::Columns, ..ReadOptions::default() }
}

fn text_file(dir: &tempfile::TempDir, name: &str, format: InputFormat, text: &str) -> SourceFile {
    let path = dir.path().join(name);
    std::fs::write(&path, text).expect("write");
    SourceFile::local(name.to_owned(), path, text.len() as u64, format, Compression::None)
}

fn parquet_file(dir: &tempfile::TempDir, name: &str, extra: Vec<(&str, ArrayRef)>) -> SourceFile {
    let text = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
    let mut columns = vec![("user_id", text("u")), ("ts", text("2024-01-01")), ("event", text("x"))];
    columns.extend(extra);
    let batch = RecordBatch::try_from_iter(columns).expect("batch");
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("writer");
    writer.write(&batch).expect("written");
    let bytes = writer.into_inner().expect("closed");
    let path = dir.path().join(name);
    std::fs::write(&path, &bytes).expect("write");
    SourceFile::local(name.to_owned(), path, bytes.len() as u64, InputFormat::Parquet, Compression::None)
}

fn told(files: &[SourceFile], options: &ReadOptions) -> Vec<(String, DataType)> {
    let fields = extra_fields(files, options).expect("fields");
    fields.iter().map(|f| (f.name().clone(), f.data_type().clone())).collect()
}

fn column(name: &str, data_type: DataType) -> (String, DataType) {
    (name.to_owned(), data_type)
}

#[test]
fn columns_of_all_files_are_joined_in_order() {
    let dir = tempfile::tempdir().expect("dir");
    let files = [
        text_file(&dir, "a.csv", InputFormat::Csv, "b,user_id,ts,event,a\n"),
        text_file(
            &dir,
            "b.ndjson",
            InputFormat::Ndjson,
            "{\"user_id\":1,\"B\":1}\nwrong\n{\"c\":{},\"TS\":1}\n",
        ),
        parquet_file(&dir, "c.parquet", vec![("d", Arc::new(Int32Array::from(vec![1])))]),
        parquet_file(&dir, "d.parquet", vec![("d", Arc::new(Int64Array::from(vec![1])))]),
    ];
    let expected = [
        column("b", DataType::Utf8),
        column("a", DataType::Utf8),
        column("c", DataType::Utf8),
        column("d", DataType::Int64),
    ];
    assert_eq!(told(&files, &options()), expected);
    assert_eq!(told(&files, &ReadOptions::default()), []);
}

#[test]
fn new_names_of_options_come_first() {
    let dir = tempfile::tempdir().expect("dir");
    let files = [parquet_file(&dir, "a.parquet", vec![("n", Arc::new(Int64Array::from(vec![1])))])];
    let options = ReadOptions {
        mapping: vec![("visits".to_owned(), "n".to_owned())],
        constants: vec![("origin".to_owned(), "crm".to_owned())],
        ..options()
    };
    assert_eq!(told(&files, &options), [column("visits", DataType::Int64), column("origin", DataType::Utf8)]);
}

#[test]
fn what_cannot_be_a_column_is_told() {
    let dir = tempfile::tempdir().expect("dir");
    let error = |file: SourceFile| extra_fields(&[file], &options()).expect_err("refused").to_string();
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(1)])]);
    let told = error(parquet_file(&dir, "a.parquet", vec![("l", Arc::new(list))]));
    assert!(told.contains("column \"l\" has type List"), "{told}");
    let told = error(text_file(&dir, "a.csv", InputFormat::Csv, "user_id,ts,event,day\n"));
    assert!(told.contains("wayfare computes"), "{told}");
    let told = error(text_file(&dir, "a.csv", InputFormat::Csv, "user_id,ts,event,order total\n"));
    assert!(told.contains("its name holds ' '"), "{told}");
    let told = error(text_file(&dir, "a.csv", InputFormat::Csv, "user_id,ts,event,x,X\n"));
    assert!(told.contains("differ only by case"), "{told}");
}

#[test]
fn types_that_do_not_fit_together_are_told() {
    let dir = tempfile::tempdir().expect("dir");
    let files = [
        parquet_file(&dir, "a.parquet", vec![("n", Arc::new(Int64Array::from(vec![1])))]),
        parquet_file(&dir, "b.parquet", vec![("n", Arc::new(Float64Array::from(vec![1.0])))]),
    ];
    let error = extra_fields(&files, &options()).expect_err("refused").to_string();
    assert!(error.contains("b.parquet") && error.contains("Float64 here and Int64"), "{error}");
    let files = [files[0].clone(), text_file(&dir, "c.csv", InputFormat::Csv, "user_id,ts,event,N\n")];
    assert_eq!(told(&files, &options()), [column("n", DataType::Utf8)]);
}
