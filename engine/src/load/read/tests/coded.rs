//! Text read as codes is the text that is read row by row, and the same rows are refused.

use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use parquet::file::properties::WriterProperties;
use proptest::prelude::*;

use super::*;

/// User, event, channel, currency, properties, page.
type Row = (String, Option<String>, Option<String>, Option<String>, Option<String>, String);

/// All rows as text, and all refused ones.
fn read_all(file: &SourceFile, as_codes: bool) -> (Vec<RecordBatch>, Vec<Rejected>, usize) {
    let options = Arc::new(ReadOptions { batch_rows: 16, ..ReadOptions::default() });
    let opened = if as_codes { open_coded(file, &options, &[]) } else { open(file, &options, &[]) };
    let schema = load_schema();
    let (mut batches, mut rejected, mut coded) = (Vec::new(), Vec::new(), 0);
    for parsed in opened.expect("opened") {
        let parsed = parsed.expect("batch");
        rejected.extend(parsed.rejected);
        let columns = parsed.batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
            coded += usize::from(matches!(column.data_type(), DataType::Dictionary(_, _)));
            cast(column, field.data_type()).expect("text")
        });
        batches.push(RecordBatch::try_new(load_schema(), columns.collect()).expect("batch"));
    }
    (batches, rejected, coded)
}

fn json(rows: &[Row]) -> Vec<u8> {
    let mut text = Vec::new();
    for (user, event, channel, currency, properties, page) in rows {
        let object = serde_json::json!({
            "user_id": user, "ts": "2026-01-02T03:04:05Z", "event": event, "channel": channel,
            "currency": currency, "properties": properties, "page": page,
        });
        text.extend_from_slice(object.to_string().as_bytes());
        text.push(b'\n');
    }
    text
}

fn csv(rows: &[Row]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer
        .write_record(["user_id", "ts", "event", "channel", "currency", "properties", "page"])
        .expect("header");
    for (user, event, channel, currency, properties, page) in rows {
        let [event, channel, currency, properties] =
            [event, channel, currency, properties].map(|text| text.as_deref().unwrap_or_default());
        let record = [user.as_str(), "2026-01-02T03:04:05Z", event, channel, currency, properties, page];
        writer.write_record(record).expect("record");
    }
    writer.into_inner().expect("text")
}

fn parquet(rows: &[Row]) -> Vec<u8> {
    let column = |text: fn(&Row) -> Option<&str>| -> ArrayRef {
        Arc::new(rows.iter().map(text).collect::<StringArray>())
    };
    let columns = [
        ("user_id", column(|r| Some(&r.0))),
        ("ts", column(|_| Some("2026-01-02T03:04:05Z"))),
        ("event", column(|r| r.1.as_deref())),
        ("channel", column(|r| r.2.as_deref())),
        ("currency", column(|r| r.3.as_deref())),
        ("properties", column(|r| r.4.as_deref())),
        ("page", column(|r| Some(&r.5))),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(n, c)| (n, c, true))).expect("batch");
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).expect("writer");
    for start in (0..rows.len()).step_by(20) {
        // Row groups with dictionaries of their own.
        writer.write(&batch.slice(start, 20.min(rows.len() - start))).expect("written");
        writer.flush().expect("row group");
    }
    writer.into_inner().expect("closed")
}

/// Objects, most of them without white space, and in some cases other text.
fn properties() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        40 => prop::sample::select(vec!["{}", "{\"a\":1}", "{\"a\":\"ä b\"}", "{\"b\":[1,{\"c\":null}]}"]),
        1 => prop::sample::select(vec!["{ \"a\": 1 }", " {}", "", "[1]", "{"]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn codes_are_the_text_that_they_stand_for(
        rows in prop::collection::vec(
            (
                "[ab]{0,2}",
                prop::option::weighted(0.95, prop::sample::select(vec!["view", "buy", "", "ä \"q\""])),
                prop::option::weighted(0.7, prop::sample::select(vec!["email", "paid", "", "a,b"])),
                prop::option::weighted(0.5, prop::sample::select(vec!["EUR", "eur", " USD", "x", ""])),
                prop::option::weighted(0.5, properties()),
                "/[a-z\"ä]{0,3}",
            ),
            1..80,
        ),
    ) {
        let rows: Vec<Row> = rows
            .into_iter()
            .map(|(user, a, b, c, properties, page)| {
                let [a, b, c] = [a, b, c].map(|text| text.map(str::to_owned));
                (user, a, b, c, properties.map(str::to_owned), page)
            })
            .collect();
        let dir = tempfile::tempdir().expect("dir");
        let files = [
            ("a.csv", csv(&rows), InputFormat::Csv),
            ("a.ndjson", json(&rows), InputFormat::Ndjson),
            ("a.parquet", parquet(&rows), InputFormat::Parquet),
        ];
        for (name, bytes, format) in files {
            let path = dir.path().join(name);
            std::fs::write(&path, &bytes).expect("write");
            let file = SourceFile::local(name.to_owned(), path, bytes.len() as u64, format, Compression::None);
            let (plain, refused, none) = read_all(&file, false);
            let (coded, refused_coded, some) = read_all(&file, true);
            prop_assert_eq!(plain, coded, "{}", name);
            prop_assert_eq!(refused, refused_coded, "{}", name);
            prop_assert_eq!(none, 0);
            prop_assert!(some > 0, "{}", name);
        }
    }
}

/// The `properties` of a Parquet file read with codes, the type of that column, and the same read as text.
fn properties_of(
    columns: Vec<(&str, ArrayRef)>,
    writing: WriterProperties,
) -> (Vec<Option<String>>, DataType, Vec<Option<String>>) {
    let rows = columns[0].1.len();
    let same = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text; rows])) };
    let needed = [("user_id", same("u")), ("ts", same("2026-01-02T03:04:05Z")), ("event", same("view"))];
    let batch = RecordBatch::try_from_iter(needed.into_iter().chain(columns)).expect("batch");
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(writing)).expect("writer");
    writer.write(&batch).expect("written");
    let bytes = writer.into_inner().expect("closed");
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("a.parquet");
    std::fs::write(&path, &bytes).expect("write");
    let size = bytes.len() as u64;
    let file = SourceFile::local("a.parquet".to_owned(), path, size, InputFormat::Parquet, Compression::None);
    let options = Arc::new(ReadOptions::default());
    let read = |opened: FileReader| {
        let batches: Vec<RecordBatch> = opened.map(|parsed| parsed.expect("batch").batch).collect();
        let column = batches[0].column_by_name("properties").expect("properties");
        let text = cast(column, &DataType::Utf8).expect("text");
        let texts = text.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect::<Vec<_>>();
        (texts, column.data_type().clone())
    };
    let (coded, data_type) = read(open_coded(&file, &options, &[]).expect("opened"));
    let (plain, _) = read(open(&file, &options, &[]).expect("opened"));
    (coded, data_type, plain)
}

#[test]
fn properties_come_as_codes_where_a_file_has_a_dictionary_for_all_of_them() {
    let objects = |make: &dyn Fn(usize) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter((0..200).map(|row| (row % 3 > 0).then(|| make(row)))))
    };
    let few = objects(&|row| format!("{{\"n\":{}}}", row % 5));
    let many = objects(&|row| format!("{{\"n\":{row}}}"));
    let small_dictionary =
        || WriterProperties::builder().set_dictionary_page_size_limit(64).set_write_batch_size(8).build();
    let cases = [
        (vec![("properties", Arc::clone(&few))], WriterProperties::default(), true),
        (vec![("properties", many)], small_dictionary(), false),
        (
            vec![("properties", Arc::clone(&few)), ("plan", objects(&|_| "pro".to_owned()))],
            WriterProperties::default(),
            false,
        ),
    ];
    for (columns, writing, is_coded) in cases {
        let (coded, data_type, plain) = properties_of(columns, writing);
        assert_eq!(coded, plain);
        assert_eq!(matches!(data_type, DataType::Dictionary(_, _)), is_coded, "{:?}", coded[1]);
    }
}
