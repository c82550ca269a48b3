//! NDJSON files: values, types, line numbers and every message.

use arrow::array::AsArray;
use arrow::datatypes::{Decimal128Type, Float64Type, TimestampMicrosecondType};

use super::super::csv_file::stream_of;
use super::super::options::{ExtraColumns, InputFormat};
use super::super::source::{Compression, SourceFile};
use super::*;

fn file() -> SourceFile {
    SourceFile::local("x.ndjson".to_owned(), "x.ndjson".into(), 0, InputFormat::Ndjson, Compression::None)
}

fn reader(bytes: &[u8], options: &ReadOptions, extra: &[Field]) -> Result<JsonFile, LoadError> {
    let rule = TimestampRule { unit: options.ts_unit, zone: options.time_zone };
    let targets = Targets::new(options, extra)?;
    let records = JsonRecords::open(stream_of(&file(), bytes), options.max_record_bytes)?;
    JsonFile::open(Box::new(records), &Arc::new(options.clone()), targets, rule)
}

fn read_with(bytes: &[u8], options: &ReadOptions) -> Result<Vec<ParsedBatch>, LoadError> {
    let mut reader = reader(bytes, options, &[])?;
    std::iter::from_fn(|| reader.next_batch()).collect()
}

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
fn objects_become_typed_columns() {
    let batch = read(
        r#"{"user_id": 42, "ts": 1704067200.5, "event": "pur\u0063hase", "revenue": 1999e-2, "score": 9, "device": true,
"#
        .replace('\n', " ")
            + r#""properties": { "b" : 1.50, "a": [ 1 ] }, "Channel": null, "page": "/a\"b"}"#
            + "\n\n  \n"
            + r#"{"event":"x","ts":"2024-01-01","user_id":"u2","properties":"{\"k\": 1}","page":""}"#
            + "\r\n",
    );
    assert_eq!(reasons(&batch), Vec::<String>::new());
    assert_eq!(strings(&batch, "user_id"), ["42", "u2"].map(|t| Some(t.to_owned())));
    assert_eq!(strings(&batch, "event"), ["purchase", "x"].map(|t| Some(t.to_owned())));
    assert_eq!(strings(&batch, "device"), [Some("true".to_owned()), None]);
    assert_eq!(strings(&batch, "channel"), [None, None]);
    assert_eq!(strings(&batch, "page"), [Some("/a\"b".to_owned()), Some(String::new())]);
    assert_eq!(
        strings(&batch, "properties"),
        [Some(r#"{"b":1.50,"a":[1]}"#.to_owned()), Some(r#"{"k":1}"#.to_owned())]
    );
    let column = |name: &str| Arc::clone(batch.batch.column_by_name(name).expect("a column"));
    assert_eq!(column("ts").as_primitive::<TimestampMicrosecondType>().value(0), 1_704_067_200_500_000);
    assert_eq!(column("revenue").as_primitive::<Decimal128Type>().value(0), 199_900);
    assert!((column("score").as_primitive::<Float64Type>().value(0) - 9.0).abs() < f64::EPSILON);
}

#[test]
fn extra_keys_join_properties_with_their_types() {
    let batch = read(
        r#"{"a":1.0,"user_id":"u","ts":1704067200,"event":"x","properties":{"z":0},"b":"t","c":{"d": [1, 2]},"e":null}
{"user_id":"u","ts":1704067200,"event":"x","e":null}
{"user_id":"u","ts":1704067200,"event":"x","ä\n":false}
"#,
    );
    assert_eq!(
        strings(&batch, "properties"),
        [
            Some(r#"{"z":0,"a":1.0,"b":"t","c":{"d":[1,2]}}"#.to_owned()),
            None,
            Some(r#"{"ä\n":false}"#.to_owned())
        ]
    );
}

#[test]
fn wrong_lines_are_taken_back_whole() {
    let batch = read(
        "{\"user_id\":\"a\",\"ts\":1704067200,\"event\":\"x\",\"k\":1}\n\
         {\"user_id\":\"b\",\"k\":2,\"ts\":1704067200,\"event\":\n\
         \n\
         not json\n\
         {\"user_id\":\"c\",\"k\":3,\"ts\":1704067200,\"event\":\"x\"} tail\n\
         {\"user_id\":\"d\",\"k\":4,\"user_id\":\"d\",\"ts\":1704067200,\"event\":\"x\"}\n\
         {\"user_id\":\"e\",\"k\":5,\"USER_ID\":\"e\",\"ts\":1704067200,\"event\":\"x\"}\n\
         {\"user_id\":\"f\",\"k\":6,\"ts\":1704067200,\"event\":{\"n\":1}}\n\
         {\"k\":7,\"ts\":1704067200,\"event\":\"x\"}\n\
         {\"user_id\":\"h\",\"k\":8,\"ts\":\"soon\",\"event\":\"x\"}\n\
         {\"user_id\":\"i\",\"k\":9,\"ts\":1704067200,\"event\":\"x\",\"revenue\":0.00001}\n\
         {\"user_id\":\"j\",\"k\":10,\"ts\":1704067200,\"event\":\"x\"}",
    );
    assert_eq!(strings(&batch, "user_id"), ["a", "j"].map(|t| Some(t.to_owned())));
    assert_eq!(strings(&batch, "properties"), [r#"{"k":1}"#, r#"{"k":10}"#].map(|t| Some(t.to_owned())));
    assert_eq!(batch.rows_read, 11);
    let reasons = reasons(&batch);
    let expected = [
        ("line 2: ", "does not end on its line"),
        ("line 4: ", "not a JSON object"),
        ("line 5: ", "not valid JSON: trailing characters"),
        ("line 6, column \"user_id\"", "twice"),
        ("line 7, column \"USER_ID\"", "same column"),
        ("line 8, column \"event\", value \"{\\\"n\\\":1}\"", "expected a single value"),
        ("line 9, column \"user_id\"", "user_id is missing"),
        ("line 10, column \"ts\", value \"soon\"", "not a timestamp"),
        ("line 11, column \"revenue\", value \"0.00001\"", "more than 4 decimal places"),
    ];
    assert_eq!(reasons.len(), expected.len(), "{reasons:?}");
    for (told, (place, reason)) in reasons.iter().zip(expected) {
        assert!(told.contains(place) && told.contains(reason), "{told:?} lacks {place:?} or {reason:?}");
    }
}

#[test]
fn bad_utf_8_names_line_and_byte() {
    let batch = read(b"{\"user_id\":\"a\",\"ts\":1704067200,\"event\":\"x\"}\n{\"user_id\":\"\xff\"}\n");
    assert_eq!(
        batch.rejected[0].to_string(),
        "\"x.ndjson\" line 2: not valid UTF-8 at byte 13 of the line; convert the file to UTF-8"
    );
}

#[test]
fn bad_utf_8_comes_before_what_its_line_says() {
    let good = r#"{"user_id":"a","ts":1704067200,"event":"x"}"#;
    let options = ReadOptions { extra: ExtraColumns::Error, ..ReadOptions::default() };
    for wrong in [&b"{\"x\":1,\"user_id\":\"\xff\"}"[..], b"{\"user_id\":\"\xff\",\"x\":1}", b"{\"\xff\":1}"]
    {
        let bytes = [good.as_bytes(), b"\n", wrong, b"\n", good.as_bytes()].concat();
        let batches = read_with(&bytes, &options).expect("a rejected row");
        assert_eq!(batches[0].batch.num_rows(), 2);
        assert!(batches[0].rejected[0].reason.starts_with("not valid UTF-8 at byte"));
    }
    let text = format!("{good}\n{{\"x\":1}}\n");
    assert!(read_with(text.as_bytes(), &options).is_err(), "a key that has no place ends the load");
}

/// What was taken of an object before it turned out to be another is taken back.
#[test]
fn objects_that_break_off_leave_nothing() {
    let batch = read(concat!(
        r#"{"user_id":"a","ts":1704067200,"event":"x","page":"/1","k":1}"#,
        "\n",
        r#"{"user_id":"b","ts":1704067201,"event":"y","page":"/2","k":2,"channel":"#,
        "\n",
        r#"{"k":3,"user_id":"c","ts":1704067202,"event":"x","channel":"ads","k\u0032":4}"#,
        "\n",
    ));
    assert_eq!(strings(&batch, "user_id"), ["a", "c"].map(|t| Some(t.to_owned())));
    assert_eq!(strings(&batch, "page"), [Some("/1".to_owned()), None]);
    assert_eq!(strings(&batch, "channel"), [None, Some("ads".to_owned())]);
    let properties = [r#"{"k":1}"#, r#"{"k":3,"k2":4}"#];
    assert_eq!(strings(&batch, "properties"), properties.map(|t| Some(t.to_owned())));
    assert_eq!(batch.rejected.len(), 1);
    assert!(batch.rejected[0].reason.contains("does not end on its line"), "{:?}", batch.rejected[0]);
}

#[test]
fn a_required_key_that_no_object_has_is_told_with_advice() {
    assert_eq!(
        error("{\"user_id\":\"a\",\"timestamp\":1,\"event\":\"x\"}\n"),
        r#"cannot load "x.ndjson": no column for ts; the file has user_id, timestamp, event; add --map ts=timestamp"#
    );
}

#[test]
fn files_that_are_no_ndjson_are_told() {
    assert_eq!(
        error(""),
        r#"cannot load "x.ndjson": it is empty: expected one JSON object per line, or an array of them"#
    );
    assert_eq!(
        error("\n \n"),
        r#"cannot load "x.ndjson": it is empty: expected one JSON object per line, or an array of them"#
    );
    assert!(error(b"PAR1\x15\0").contains("--format parquet"));
    let batch = read("user_id,ts,event\na,b,c\n");
    assert!(batch.rejected[0].reason.contains("--format csv"));
    let options = ReadOptions { max_record_bytes: 100, ..ReadOptions::default() };
    let text =
        format!("{{\"user_id\":\"a\",\"ts\":1,\"event\":\"x\"}}\n{{\"x\":\"{}\"}}", "x".repeat(3_000_000));
    let error = read_with(text.as_bytes(), &options).expect_err("refused").to_string();
    assert!(error.contains("at line 2: the line is longer than 100 bytes"), "{error}");
}

#[test]
fn extra_keys_can_be_refused_or_become_columns() {
    let text = b"{\"user_id\":\"a\",\"ts\":1,\"event\":\"x\",\"color\":{\"r\": 1}}\n";
    let refusing = ReadOptions { extra: ExtraColumns::Error, ..ReadOptions::default() };
    let error = read_with(text, &refusing).expect_err("refused").to_string();
    assert!(error.contains("column color is not in the table"), "{error}");
    let columns = ReadOptions { extra: ExtraColumns::Columns, ..ReadOptions::default() };
    let field = Field::new("color", DataType::Utf8, true);
    let batch = reader(text, &columns, &[field]).expect("reader").next_batch().expect("some").expect("batch");
    assert_eq!(strings(&batch, "color"), [Some("{\"r\":1}".to_owned())]);
    assert_eq!(strings(&batch, "properties"), [None]);
}

#[test]
fn mapped_keys_that_never_come_are_listed() {
    let mapping = [("user_id", "who"), ("page", "url")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    let options = ReadOptions { mapping: mapping.into(), ..ReadOptions::default() };
    let mut reader = reader(b"{\"Who\":\"a\",\"ts\":1,\"event\":\"x\"}\n", &options, &[]).expect("reader");
    assert!(reader.next_batch().expect("some").is_ok());
    assert_eq!(reader.unseen_sources(), ["url"]);
}

#[test]
fn batches_split_anywhere_and_agree() {
    let mut text = String::new();
    for row in 0..500 {
        let keys = match row % 3 {
            0 => format!("\"user_id\":\"u{row}\",\"ts\":{},\"event\":\"x\"", 1_704_067_200 + row),
            1 => format!(
                "\"event\":\"x\",\"k{row}\":{row},\"ts\":{},\"user_id\":\"u{row}\"",
                1_704_067_200 + row
            ),
            _ => format!("\"user_id\":\"u{row}\",\"event\":"),
        };
        text.push_str(&format!("{{{keys}}}\n"));
    }
    let whole = read(&text);
    assert_eq!((whole.batch.num_rows(), whole.rejected.len()), (334, 166));
    let options = ReadOptions { batch_rows: 7, ..ReadOptions::default() };
    let parts = read_with(text.as_bytes(), &options).expect("batches");
    let batches: Vec<_> = parts.iter().map(|p| p.batch.clone()).collect();
    let joined = arrow::compute::concat_batches(&crate::schema::load_schema(), &batches).expect("joined");
    assert_eq!(joined, whole.batch);
    let rejected: Vec<_> = parts.iter().flat_map(|p| p.rejected.clone()).collect();
    assert_eq!(rejected, whole.rejected);
}

#[test]
fn an_array_gives_the_same_rows_as_lines() {
    let object = |row: usize| {
        format!(
            r#"{{"user_id":"u{row}","ts":{},"event":"a]b}}\"[","list":[{{"k":"\\"}},[]],"n":{row}}}"#,
            1_704_067_200 + row
        )
    };
    let objects: Vec<String> = (0..500).map(object).collect();
    let lines = read(objects.join("\n"));
    assert_eq!((lines.batch.num_rows(), lines.rejected.len()), (500, 0));
    for separator in [",", " , ", ",\n", "\r\n,\r\n\t"] {
        let array = read(format!("\n [{}]\n", objects.join(separator)));
        assert_eq!(array.batch, lines.batch, "{separator:?}");
    }
    let broken = read(format!("[{},7,{{\"user_id\":}},{}]", objects[0], objects[1]));
    let told: Vec<String> = broken.rejected.iter().map(ToString::to_string).collect();
    assert!(
        told[0].contains("row 2: not a JSON object") && told[1].contains("row 3: not valid JSON"),
        "{told:?}"
    );
}
