//! CSV files: values, line numbers and every message.

use arrow::array::AsArray;
use arrow::datatypes::{Decimal128Type, TimestampMicrosecondType};

use super::super::options::ExtraColumns;
use super::super::source::Compression;
use super::*;

fn file() -> SourceFile {
    SourceFile::local("x.csv".to_owned(), "x.csv".into(), 0, InputFormat::Csv, Compression::None)
}

fn open_with(bytes: &[u8], options: &ReadOptions) -> Result<CsvFile, LoadError> {
    let rule = TimestampRule { unit: options.ts_unit, zone: options.time_zone };
    let targets = Targets::new(options, &[])?;
    CsvFile::open(stream_of(&file(), bytes), &Arc::new(options.clone()), targets, rule)
}

fn read_with(bytes: &[u8], options: &ReadOptions) -> Result<Vec<ParsedBatch>, LoadError> {
    let mut reader = open_with(bytes, options)?;
    std::iter::from_fn(|| reader.next_batch()).collect()
}

/// The only batch of a small file.
fn read(text: impl AsRef<[u8]>) -> ParsedBatch {
    let mut batches = read_with(text.as_ref(), &ReadOptions::default()).expect("batches");
    assert_eq!(batches.len(), 1);
    batches.remove(0)
}

fn error(text: impl AsRef<[u8]>) -> String {
    read_with(text.as_ref(), &ReadOptions::default()).expect_err("refused").to_string()
}

fn strings(batch: &ParsedBatch, column: &str) -> Vec<Option<String>> {
    let column = batch.batch.column_by_name(column).expect("a column");
    column.as_string::<i32>().iter().map(|t| t.map(str::to_owned)).collect()
}

fn reasons(batch: &ParsedBatch) -> Vec<String> {
    batch.rejected.iter().map(ToString::to_string).collect()
}

#[test]
fn rows_become_typed_columns() {
    let batch = read(
        "ts,user_id,event,revenue,currency,score,channel,properties\r\n\
         2024-01-01T00:00:00Z,u1,purchase,19.99,eur,9,,\"{\"\"plan\"\": \"\"pro\"\"}\"\r\n\
         1704067201,u2,view,,,,web,\r\n",
    );
    assert_eq!(batch.rejected, []);
    assert_eq!(batch.rows_read, 2);
    assert_eq!(batch.batch.schema(), crate::schema::load_schema());
    let ts = batch.batch.column_by_name("ts").expect("ts").as_primitive::<TimestampMicrosecondType>();
    assert_eq!(ts.values(), &[1_704_067_200_000_000, 1_704_067_201_000_000]);
    let revenue = batch.batch.column_by_name("revenue").expect("revenue").as_primitive::<Decimal128Type>();
    assert_eq!(revenue.iter().collect::<Vec<_>>(), [Some(199_900), None]);
    assert_eq!(strings(&batch, "channel"), [None, Some("web".to_owned())]);
    assert_eq!(strings(&batch, "currency"), [Some("EUR".to_owned()), None]);
    assert_eq!(strings(&batch, "properties"), [Some("{\"plan\":\"pro\"}".to_owned()), None]);
}

#[test]
fn rejected_rows_tell_their_line_and_the_others_stay_in_order() {
    let batch = read(
        "user_id,ts,event\n\
         a,2024-01-01,x\n\
         \n\
         b,yesterday,x\n\
         c,2024-01-01\n\
         \"d\nd\",2024-01-01,x\n\
         ,2024-01-01,x\n\
         e,2024-01-01,\n\
         f,,x\n\
         g,2024-01-01,\"x\"y\n\
         h,2024-01-01,x",
    );
    assert_eq!(batch.rows_read, 9);
    assert_eq!(strings(&batch, "user_id"), ["a", "d\nd", "h"].map(|u| Some(u.to_owned())));
    let reasons = reasons(&batch);
    assert!(
        reasons[0].starts_with(r#""x.csv" line 4, column "ts", value "yesterday": not a timestamp"#),
        "{reasons:?}"
    );
    assert_eq!(reasons[1], r#""x.csv" line 5: has 2 fields, the header has 3"#);
    assert_eq!(reasons[2], r#""x.csv" line 8, column "user_id": user_id is missing"#);
    assert_eq!(reasons[3], r#""x.csv" line 9, column "event": event is missing"#);
    assert_eq!(reasons[4], r#""x.csv" line 10, column "ts": ts is missing"#);
    assert!(reasons[5].starts_with(r#""x.csv" line 11, column "event": there is text after"#), "{reasons:?}");
    assert_eq!(batch.rejected[0].raw, "b,yesterday,x");
    assert_eq!(batch.rejected[5].raw, "g,2024-01-01,\"x\"y");
}

#[test]
fn bad_utf_8_names_line_and_column() {
    let batch = read(b"user_id,ts,event,page\na,2024-01-01,x,caf\xe9\nb,2024-01-01,x,caf\xc3\xa9\nc,2024-01-01,\xc3,\xa9\n");
    assert_eq!(strings(&batch, "page"), [Some("café".to_owned())]);
    let reasons = reasons(&batch);
    assert_eq!(
        reasons[0],
        "\"x.csv\" line 2, column \"page\", value \"caf\u{fffd}\": not valid UTF-8; convert the file to UTF-8"
    );
    assert!(
        reasons[1].contains("line 4, column \"event\""),
        "halves of a character in two fields: {reasons:?}"
    );
}

#[test]
fn a_mark_and_other_delimiters_are_understood() {
    for text in [
        "\u{feff}user_id,ts,event\na,2024-01-01,x\n",
        "user_id;ts;event\na;2024-01-01;x\n",
        "user_id\tts\tevent\na\t2024-01-01\tx",
    ] {
        assert_eq!(strings(&read(text), "user_id"), [Some("a".to_owned())], "{text}");
    }
}

#[test]
fn extra_columns_join_properties_in_file_order() {
    let batch = read(
        "color,user_id,ts,event,properties,\"size \"\"L\"\"\"\n\
         red,a,2024-01-01,x,\"{ \"\"k\"\" : 1.0 }\",\"1\"\"2\"\n\
         ,b,2024-01-01,x,,\n\
         blue,c,2024-01-01,x,,\n\
         x,d,2024-01-01,x,\"{\"\"color\"\":1}\",\n\
         x,e,2024-01-01,x,[],\n",
    );
    assert_eq!(
        strings(&batch, "properties"),
        [
            Some(r#"{"k":1.0,"color":"red","size \"L\"":"1\"2"}"#.to_owned()),
            None,
            Some(r#"{"color":"blue"}"#.to_owned())
        ]
    );
    let reasons = reasons(&batch);
    assert!(
        reasons[0].contains("line 5, column \"properties\"")
            && reasons[0].contains("key \"color\" stands both"),
        "{reasons:?}"
    );
    assert!(reasons[1].contains("line 6") && reasons[1].contains("not a JSON object"), "{reasons:?}");
}

#[test]
fn mapping_and_constants_fill_columns() {
    let options = ReadOptions {
        mapping: vec![
            ("user_id".to_owned(), "who".to_owned()),
            ("anonymous_id".to_owned(), "who".to_owned()),
        ],
        constants: vec![("event".to_owned(), "visit".to_owned()), ("cost".to_owned(), "0.5".to_owned())],
        extra: ExtraColumns::Error,
        ..ReadOptions::default()
    };
    let batches = read_with(b"Who,TS\na,2024-01-01\nb,no\n", &options).expect("batches");
    let batch = &batches[0];
    assert_eq!(strings(batch, "user_id"), [Some("a".to_owned())]);
    assert_eq!(strings(batch, "anonymous_id"), [Some("a".to_owned())]);
    assert_eq!(strings(batch, "event"), [Some("visit".to_owned())]);
    assert_eq!(
        batch.batch.column_by_name("cost").expect("cost").as_primitive::<Decimal128Type>().value(0),
        5_000
    );
    assert_eq!(batch.rejected[0].column.as_deref(), Some("TS"), "as the file calls it");
    let wrong =
        ReadOptions { constants: vec![("cost".to_owned(), "free".to_owned())], ..ReadOptions::default() };
    let error = read_with(b"user_id,ts,event\n", &wrong).expect_err("refused").to_string();
    assert_eq!(error, "--set cost=free: not a number");
}

#[test]
fn files_that_are_no_csv_are_told() {
    assert_eq!(error(""), r#"cannot load "x.csv": it is empty: expected a header line"#);
    assert_eq!(error("\n\r\n\n"), r#"cannot load "x.csv": it is empty: expected a header line"#);
    assert!(error("user_id,ts,event\n\n").contains("has a header but no rows"));
    assert!(error(b"PAR1\x15\0\0\0PAR1").contains("--format parquet"));
    assert!(error(b"\x1f\x8b\x08\0").contains("gzip, twice"));
    assert!(error("{\"user_id\":\"a\"}\n").contains("--format ndjson"));
    assert!(error("user_id,ts,ts\n").contains("columns 2 and 3 are both called \"ts\""));
    assert!(error(b"user_id,ts,\xff\n").contains("the header (line 1) is not valid UTF-8 in column 3"));
    assert!(error("user_id,ts\na,b\n").contains("no column for event"));
}

#[test]
fn an_open_quote_ends_the_load() {
    let text = "user_id,ts,event\na,2024-01-01,x\nb,2024-01-01,\"x\nc,2024-01-01,x\n";
    assert!(error(text).starts_with(r#""x.csv" is damaged at line 3: a quote is opened"#), "{}", error(text));
}

#[test]
fn a_record_without_end_does_not_fill_memory() {
    let options = ReadOptions { max_record_bytes: 1_000, ..ReadOptions::default() };
    for long in ["x".repeat(2_000), format!("\"{}", "x\n".repeat(2_000_000))] {
        let text = format!("user_id,ts,event\na,2024-01-01,x\nb,2024-01-01,{long}\n");
        let error = read_with(text.as_bytes(), &options).expect_err("refused").to_string();
        assert!(error.contains("at line 3") && error.contains("longer than 1000 bytes"), "{error}");
    }
}

#[test]
fn batches_split_by_rows_and_by_bytes_and_agree() {
    let mut text = "user_id,ts,event,page\n".to_owned();
    for row in 0..1_000 {
        let ts = if row % 97 == 0 { "wrong".to_owned() } else { format!("{}", 1_704_067_200 + row) };
        text.push_str(&format!("u{row},{ts},view,\"/p/{row}\nx\"\n"));
    }
    let whole = read(&text);
    assert_eq!((whole.batch.num_rows(), whole.rejected.len()), (989, 11));
    for options in [
        ReadOptions { batch_rows: 7, ..ReadOptions::default() },
        ReadOptions { batch_bytes: 100, ..ReadOptions::default() },
    ] {
        let parts = read_with(text.as_bytes(), &options).expect("batches");
        assert!(parts.len() > 100);
        let batches: Vec<_> = parts.iter().map(|p| p.batch.clone()).collect();
        let joined = arrow::compute::concat_batches(&crate::schema::load_schema(), &batches).expect("joined");
        assert_eq!(joined, whole.batch);
        let rejected: Vec<_> = parts.iter().flat_map(|p| p.rejected.clone()).collect();
        assert_eq!(rejected, whole.rejected);
        assert_eq!(parts.iter().map(|p| p.rows_read).sum::<u64>(), 1_000);
    }
}

#[test]
fn a_column_without_a_name_gets_one() {
    let batch = read(",user_id,ts,event\n7,a,2024-01-01,x\n");
    assert_eq!(strings(&batch, "properties"), [Some(r#"{"column_1":"7"}"#.to_owned())]);
}
