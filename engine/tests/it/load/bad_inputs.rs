//! A hundred and more wrong files: each is loaded with every row loaded or rejected, or refused with a message that
//! names it while nothing of it is to be seen.

use std::sync::Arc;

use parquet::basic::Compression as Codec;
use parquet::basic::{BrotliLevel, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use wayfare_engine::load::{LoadReport, NoProgress, OnError};

use super::run;
use super::samples::{
    COMPRESSIONS, HEADER, avro, avro_block, avro_container, batch, compressed, csv, json_array, ndjson,
    parquet, parquet_of,
};
use crate::support::{memory_engine, request, session, value};

/// What is to become of a file.
#[derive(Debug, Clone)]
enum Expect {
    /// So many rows loaded, rejected and left out as duplicates.
    Rows(u64, u64, u64),
    /// Nothing, and a message with these parts beside the name of the file.
    Refused(Vec<&'static str>),
}

use Expect::Rows;

fn refused(parts: &[&'static str]) -> Expect {
    Expect::Refused(parts.to_vec())
}

struct Case {
    name: String,
    file: String,
    bytes: Vec<u8>,
    expect: Expect,
}

fn case(name: &str, file: &str, bytes: impl Into<Vec<u8>>, expect: Expect) -> Case {
    Case { name: name.to_owned(), file: file.to_owned(), bytes: bytes.into(), expect }
}

/// A CSV file with one row whose columns `ts` and `revenue` are these.
fn one(ts: &str, revenue: &str) -> Vec<u8> {
    format!("{HEADER}e1,u-1,{ts},view,{revenue}\n").into_bytes()
}

/// The header, these bytes as a row, and a good row.
fn with_row(row: &[u8]) -> Vec<u8> {
    [HEADER.as_bytes(), row, b"\ne9,u-9,2026-01-02,view,1\n"].concat()
}

fn utf16(text: &str, mark: bool, big_endian: bool) -> Vec<u8> {
    let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
    units.flat_map(|unit: u16| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

fn encodings() -> Vec<Case> {
    let text = String::from_utf8(csv(2)).expect("text");
    let late_nul = [csv(200), b"e-x,u-1,2026-01-02,a\0b,1\n".to_vec()].concat();
    vec![
        case("UTF-16 with a mark", "a.csv", utf16(&text, true, false), refused(&["UTF-16", "convert"])),
        case("UTF-16, the other way round", "a.csv", utf16(&text, true, true), refused(&["UTF-16"])),
        case("UTF-16 without a mark", "a.csv", utf16(&text, false, false), refused(&["binary data"])),
        case("UTF-16 as JSON", "a.ndjson", utf16("{\"user_id\":1}", true, false), refused(&["UTF-16"])),
        case("Latin-1", "a.csv", with_row(b"e1,J\xf6rg,2026-01-02,view,1"), Rows(1, 1, 0)),
        case("Latin-1 in the header", "a.csv", b"user_id,ts,event,gr\xfc\xdfe\nu,2026-01-02,v,x\n", refused(&["line 1", "column 4", "UTF-8"])),
        case("half a character", "a.csv", with_row(b"e1,\xe2\x82,2026-01-02,view,1"), Rows(1, 1, 0)),
        case("a surrogate in UTF-8", "a.csv", with_row(b"e1,\xed\xa0\x80,2026-01-02,view,1"), Rows(1, 1, 0)),
        case("an overlong form", "a.csv", with_row(b"e1,\xc0\xaf,2026-01-02,view,1"), Rows(1, 1, 0)),
        case("a byte order mark", "a.csv", [b"\xef\xbb\xbf".as_slice(), &csv(2)].concat(), Rows(2, 0, 0)),
        case("a byte order mark in JSON", "a.ndjson", [b"\xef\xbb\xbf".as_slice(), &ndjson(2)].concat(), Rows(2, 0, 0)),
        case("a byte order mark in an array", "a.json", [b"\xef\xbb\xbf".as_slice(), &json_array(2)].concat(), Rows(2, 0, 0)),
        case("Latin-1 in JSON", "a.ndjson", [b"{\"user_id\":\"J\xf6rg\"}\n".as_slice(), &ndjson(1)].concat(), Rows(1, 1, 0)),
        case("Latin-1 in an array", "a.json", b"[{\"user_id\":\"J\xf6\",\"ts\":1,\"event\":\"x\"},{\"user_id\":\"u\",\"ts\":1767323000,\"event\":\"x\"}]", Rows(1, 1, 0)),
        case("a NUL near the start", "a.csv", with_row(b"e1,u\0x,2026-01-02,view,1"), refused(&["binary data"])),
        case("a NUL later on", "a.csv", late_nul, Rows(201, 0, 0)),
        case("a NUL in JSON", "a.ndjson", b"{\"user_id\":\"a\0\"}\n", refused(&["binary data"])),
    ]
}

fn lines_and_quotes() -> Vec<Case> {
    let crlf = String::from_utf8(csv(3)).expect("text").replace('\n', "\r\n");
    let cr = String::from_utf8(csv(3)).expect("text").replace('\n', "\r");
    let semicolons = String::from_utf8(csv(2)).expect("text").replace(',', ";");
    let tabs = String::from_utf8(csv(2)).expect("text").replace(',', "\t");
    vec![
        case("CRLF", "a.csv", crlf, Rows(3, 0, 0)),
        case("CR alone", "a.csv", cr, Rows(3, 0, 0)),
        case(
            "CRLF in JSON",
            "a.ndjson",
            String::from_utf8(ndjson(3)).expect("text").replace('\n', "\r\n"),
            Rows(3, 0, 0),
        ),
        case("no end of the last line", "a.csv", csv(2).trim_ascii_end(), Rows(2, 0, 0)),
        case("blank lines", "a.csv", with_row(b"\n\n\r\n"), Rows(1, 0, 0)),
        case("semicolons", "a.csv", semicolons, Rows(2, 0, 0)),
        case("tabs", "a.tsv", tabs, Rows(2, 0, 0)),
        case(
            "a quote that is never closed",
            "a.csv",
            with_row(b"e1,\"u,2026-01-02,view,1"),
            refused(&["at line 2", "never closed"]),
        ),
        case("text behind a quote", "a.csv", with_row(b"e1,\"u\"x,2026-01-02,view,1"), Rows(1, 1, 0)),
        case("doubled quotes", "a.csv", with_row(b"e1,\"a \"\"b\"\"\",2026-01-02,view,1"), Rows(2, 0, 0)),
        case("a line end in quotes", "a.csv", with_row(b"e1,\"a\nb\",2026-01-02,view,1"), Rows(2, 0, 0)),
        case("a quote within a field", "a.csv", with_row(b"e1,5\"x,2026-01-02,view,1"), Rows(2, 0, 0)),
        case("too few fields", "a.csv", with_row(b"e1,u,2026-01-02,view"), Rows(1, 1, 0)),
        case("too many fields", "a.csv", with_row(b"e1,u,2026-01-02,view,1,2"), Rows(1, 1, 0)),
        case("a single field", "a.csv", with_row(b"e1"), Rows(1, 1, 0)),
        case(
            "a field of 10 MB",
            "a.csv",
            with_row(format!("e1,{},2026-01-02,view,1", "u".repeat(10_000_000)).as_bytes()),
            Rows(2, 0, 0),
        ),
        case(
            "a field of 17 MB",
            "a.csv",
            with_row(format!("e1,{},2026-01-02,view,1", "u".repeat(17_000_000)).as_bytes()),
            refused(&["at line 2", "longer than 16777216 bytes"]),
        ),
        case(
            "a line of 17 MB",
            "a.ndjson",
            format!("{{\"user_id\":\"{}\"}}\n", "u".repeat(17_000_000)),
            refused(&["at line 1", "longer than 16777216 bytes"]),
        ),
        case(
            "an element of 17 MB",
            "a.json",
            format!("[{{\"user_id\":\"{}\"}}]", "u".repeat(17_000_000)),
            refused(&["at row 1", "longer than 16777216 bytes"]),
        ),
        case(
            "a property of 10 MB",
            "a.ndjson",
            format!(
                "{{\"user_id\":\"u\",\"ts\":1767323000,\"event\":\"x\",\"p\":\"{}\"}}\n",
                "p".repeat(10_000_000)
            ),
            Rows(1, 0, 0),
        ),
        case(
            "a column twice",
            "a.csv",
            b"user_id,ts,event,ts\nu,2026-01-02,v,2026-01-02\n",
            refused(&["\"ts\"", "rename one"]),
        ),
        case(
            "no column for the person",
            "a.csv",
            b"customer,ts,event\nu,2026-01-02,v\n",
            refused(&["no column for user_id"]),
        ),
        case("nothing", "a.csv", b"", refused(&["it is empty"])),
        case("nothing, as JSON", "a.ndjson", b"", refused(&["it is empty"])),
        case("nothing, as Parquet", "a.parquet", b"", refused(&["it is empty"])),
        case("nothing, as Avro", "a.avro", b"", refused(&["it is empty"])),
        case("white space", "a.csv", b" \n\n", refused(&[])),
        case("a header alone", "a.csv", HEADER, refused(&["no rows"])),
    ]
}

fn values() -> Vec<Case> {
    let times = [
        ("0001-01-01T00:00:00Z", true),
        ("9999-12-31T23:59:59.999999Z", true),
        ("0000-01-01", false),
        ("10000-01-01", false),
        ("-0001-01-01", false),
        ("2026-02-30", false),
        ("2026-01-02T24:00:00Z", false),
        ("2026-01-02T23:59:60Z", false),
        ("2026-01-02T10:00:00+99:00", false),
        ("20260102", false),
        ("yesterday", false),
        ("1e300", false),
        ("", false),
        ("9999-12-31T23:59:59-01:00", false),
        ("1767323000", true),
        ("1767323000000", true),
        ("-62135596800", true),
        ("2026-01-02t03:04:05,5z", true),
    ];
    let money = [
        ("NaN", false),
        ("inf", false),
        ("-Infinity", false),
        ("1e400", false),
        ("1.23456", false),
        ("123456789012345", false),
        ("1,5", false),
        ("0x10", false),
        ("1e3", true),
        ("-0.0001", true),
        ("99999999999999.9999", true),
        ("cheap", false),
    ];
    let mut cases: Vec<Case> = Vec::new();
    for (ts, good) in times {
        let expect = if good { Rows(1, 0, 0) } else { Rows(0, 1, 0) };
        let quoted = format!("\"{ts}\"");
        cases.push(case(&format!("time {ts:?}"), "a.csv", one(&quoted, "1"), expect));
    }
    for (amount, good) in money {
        let expect = if good { Rows(1, 0, 0) } else { Rows(0, 1, 0) };
        let quoted = format!("\"{amount}\"");
        cases.push(case(&format!("money {amount:?}"), "a.csv", one("2026-01-02", &quoted), expect));
    }
    let other = |column: &str, value: &str| {
        format!("user_id,ts,event,{column}\nu,2026-01-02,v,\"{value}\"\n").into_bytes()
    };
    cases.extend([
        case("score NaN", "a.csv", other("score", "NaN"), Rows(0, 1, 0)),
        case("score infinite", "a.csv", other("score", "1e999"), Rows(0, 1, 0)),
        case("no currency", "a.csv", other("currency", "EURO"), Rows(0, 1, 0)),
        case("properties that are no JSON", "a.csv", other("properties", "{a:1}"), Rows(0, 1, 0)),
        case("properties that are a list", "a.csv", other("properties", "[1]"), Rows(0, 1, 0)),
        case("no person", "a.csv", with_row(b"e1,,2026-01-02,view,1"), Rows(1, 1, 0)),
        case("no event", "a.csv", with_row(b"e1,u,2026-01-02,,1"), Rows(1, 1, 0)),
        case("an id twice", "a.csv", with_row(b"e9,u-8,2026-01-02T05:00:00Z,view,1"), Rows(1, 0, 1)),
        case(
            "a row twice, without ids",
            "a.csv",
            b"user_id,ts,event\nu,2026-01-02,v\nu,2026-01-02,v\n",
            Rows(2, 0, 0),
        ),
    ]);
    cases
}

fn json() -> Vec<Case> {
    let good = r#"{"user_id":"u","ts":1767323000,"event":"x"}"#;
    let lines = |bad: &str| format!("{good}\n{bad}\n");
    let array = |text: &str| text.replace("GOOD", good);
    let member =
        |key: &str, value: &str| format!(r#"{{"user_id":"u","ts":1767323000,"event":"x","{key}":{value}}}"#);
    let deep = member("p", &format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)));
    vec![
        case("half an object", "a.ndjson", lines("{\"user_id\":"), Rows(1, 1, 0)),
        case("a list on a line", "a.ndjson", lines("[1]"), Rows(1, 1, 0)),
        case("a number on a line", "a.ndjson", lines("7"), Rows(1, 1, 0)),
        case("two objects on a line", "a.ndjson", lines(&format!("{good}{good}")), Rows(1, 1, 0)),
        case("a key twice", "a.ndjson", lines(&member("user_id", "\"v\"")), Rows(1, 1, 0)),
        case(
            "an object for a person",
            "a.ndjson",
            lines(r#"{"user_id":{},"ts":1,"event":"x"}"#),
            Rows(1, 1, 0),
        ),
        case("NaN without quotes", "a.ndjson", lines(&member("revenue", "NaN")), Rows(1, 1, 0)),
        case("infinite money", "a.ndjson", lines(&member("revenue", "\"Infinity\"")), Rows(1, 1, 0)),
        case("money of 400 digits", "a.ndjson", lines(&member("revenue", "1e400")), Rows(1, 1, 0)),
        case("half a surrogate", "a.ndjson", lines(&member("page", "\"\\ud800\"")), Rows(1, 1, 0)),
        case(
            "a control character",
            "a.ndjson",
            lines("{\"user_id\":\"a\u{1}\",\"ts\":1,\"event\":\"x\"}"),
            Rows(1, 1, 0),
        ),
        case("100,000 brackets", "a.ndjson", lines(&deep), Rows(2, 0, 0)),
        case("100,000 brackets in an array", "a.json", format!("[{deep}]"), Rows(1, 0, 0)),
        case("an array on one line", "a.json", array("[GOOD,GOOD]"), Rows(2, 0, 0)),
        case("an array named ndjson", "a.ndjson", array("[GOOD]"), Rows(1, 0, 0)),
        case("lines named json", "a.json", lines(good), Rows(2, 0, 0)),
        case("an empty array", "a.json", "[ ]", refused(&["it is empty"])),
        case(
            "an array that is not closed",
            "a.json",
            array("[GOOD,GOOD"),
            refused(&["at row 2", "ends before"]),
        ),
        case(
            "an array that ends in an element",
            "a.json",
            array("[GOOD,{\"user_id\":"),
            refused(&["at row 2", "ends within"]),
        ),
        case("a comma at the end", "a.json", array("[GOOD,]"), refused(&["at row 1", "missing"])),
        case("no comma", "a.json", array("[GOOD GOOD]"), refused(&["at row 1", "comma"])),
        case(
            "text behind an array",
            "a.json",
            array("[GOOD] GOOD"),
            refused(&["at row 1", "behind the end"]),
        ),
        case("a number in an array", "a.json", array("[GOOD, 7, GOOD]"), Rows(2, 1, 0)),
        case("a broken object in an array", "a.json", array("[GOOD, {\"a\"}, GOOD]"), Rows(2, 1, 0)),
        case("only half an array", "a.json", "[", refused(&["at its start"])),
    ]
}

fn names() -> Vec<Case> {
    let twice = compressed("gz", &compressed("gz", &csv(3)));
    vec![
        case("gzip named csv", "a.csv", compressed("gz", &csv(3)), Rows(3, 0, 0)),
        case("zstd named gz", "a.csv.gz", compressed("zst", &csv(3)), Rows(3, 0, 0)),
        case("csv named gz", "a.csv.gz", csv(3), refused(&["not valid gzip data"])),
        case("csv named zst", "a.csv.zst", csv(3), refused(&["not valid zstd data"])),
        case("csv named bz2", "a.csv.bz2", csv(3), refused(&["not valid bzip2 data"])),
        case("csv named xz", "a.csv.xz", csv(3), refused(&["not valid xz data"])),
        case("csv named sz", "a.csv.sz", csv(3), refused(&["not valid snappy data"])),
        case("gzip twice", "a.csv.gz", twice, refused(&["twice"])),
        case("Parquet named csv", "a.csv", parquet(3, Codec::SNAPPY), Rows(3, 0, 0)),
        case("Avro named ndjson", "a.ndjson", avro(3), Rows(3, 0, 0)),
        case("Avro in gzip", "a.avro.gz", compressed("gz", &avro(3)), Rows(3, 0, 0)),
        case(
            "Parquet in gzip",
            "a.parquet.gz",
            compressed("gz", &parquet(3, Codec::SNAPPY)),
            refused(&["decompress the file first"]),
        ),
        case("csv named parquet", "a.parquet", csv(3), refused(&["not a Parquet file"])),
        case("csv named avro", "a.avro", csv(3), refused(&["not an Avro file"])),
        case("csv named json", "a.ndjson", csv(3), Rows(0, 4, 0)),
        case("JSON named csv", "a.csv", ndjson(3), refused(&["--format ndjson"])),
        case("no name, JSON", "part-0001", ndjson(3), Rows(3, 0, 0)),
        case("no name, JSON in gzip", "part-0001.gz", compressed("gz", &ndjson(3)), Rows(3, 0, 0)),
        case("no name, Avro", "part-0001", avro(3), Rows(3, 0, 0)),
        case("no name, Parquet", "part-0001", parquet(3, Codec::SNAPPY), Rows(3, 0, 0)),
        case("no name, text", "part-0001", csv(3), refused(&["extension", "--format"])),
        case("a PDF", "a.csv", b"%PDF-1.7\0\0", refused(&["PDF"])),
        case("a ZIP archive", "a.csv", b"PK\x03\x04\0\0", refused(&["ZIP"])),
        case("a data base", "a.csv", b"SQLite format 3\0", refused(&["SQLite"])),
        case("ORC", "a.csv", b"ORC\x08\0\0", refused(&["ORC"])),
        case("Arrow", "a.csv", b"ARROW1\0\0", refused(&["Arrow"])),
    ]
}

/// Files that are cut off or overwritten, of each format and compression.
fn damage() -> Vec<Case> {
    let mut cases = Vec::new();
    let codecs = [
        Codec::UNCOMPRESSED,
        Codec::SNAPPY,
        Codec::GZIP(GzipLevel::default()),
        Codec::ZSTD(ZstdLevel::default()),
        Codec::BROTLI(BrotliLevel::default()),
        Codec::LZ4_RAW,
    ];
    for codec in codecs {
        let whole = parquet(300, codec);
        cases.push(case(&format!("{codec} whole"), "a.parquet", whole.clone(), Rows(300, 0, 0)));
        for cut in [whole.len() - 1, whole.len() / 2, 5] {
            let name = format!("{codec} cut at {cut}");
            cases.push(case(&name, "a.parquet", &whole[..cut], refused(&["damaged"])));
        }
    }
    let whole = avro(300);
    for cut in [whole.len() - 1, whole.len() / 2, 40] {
        cases.push(case(&format!("Avro cut at {cut}"), "a.avro", &whole[..cut], refused(&["damaged"])));
    }
    let mut flipped = whole.clone();
    let last = whole.len() - 1;
    flipped[last] ^= 0x10;
    cases.push(case("Avro flipped", "a.avro", flipped, refused(&["damaged in block 1, at its start"])));
    let lines = ndjson(300);
    cases.push(case("NDJSON cut", "a.ndjson", &lines[..lines.len() - 4], Rows(299, 1, 0)));
    let array = json_array(300);
    let cut = array.len() - 40;
    cases.push(case("an array cut", "a.json", &array[..cut], refused(&["at row 300", "ends"])));
    let groups = WriterProperties::builder().set_max_row_group_row_count(Some(100)).build();
    let mut flipped = parquet_of(&[batch(300)], groups);
    // Of the second of three row groups the first page has another header.
    let at = second_group(&flipped);
    flipped[at] ^= 0xff;
    cases.push(case("Parquet flipped", "a.parquet", flipped, refused(&["damaged in row group 1"])));
    for extension in COMPRESSIONS {
        let whole = compressed(extension, &csv(300));
        let file = format!("a.csv.{extension}");
        cases.push(case(&format!("{extension} whole"), &file, whole.clone(), Rows(300, 0, 0)));
        for cut in [whole.len() - 1, whole.len() / 2, 13] {
            let name = format!("{extension} cut at {cut}");
            cases.push(case(&name, &file, &whole[..cut], refused(&["damaged", "ends too early"])));
        }
        let mut flipped = whole.clone();
        let middle = whole.len() / 2;
        flipped[middle] ^= 0x10;
        cases.push(case(&format!("{extension} flipped"), &file, flipped, refused(&["damaged"])));
    }
    let block = avro_block(5);
    cases.extend([
        case(
            "Avro with fewer records than declared",
            "a.avro",
            avro_container("null", 6, &block),
            refused(&["in block 1, after row 5"]),
        ),
        case(
            "Avro with more records than declared",
            "a.avro",
            avro_container("null", 4, &block),
            refused(&["in block 1, after row 4"]),
        ),
        case(
            "Avro with too many records",
            "a.avro",
            avro_container("null", i64::MAX, &block),
            refused(&["declares 9223372036854775807 records"]),
        ),
        case("Avro with an unknown codec", "a.avro", avro_container("lzo", 5, &block), refused(&["\"lzo\""])),
        case(
            "Avro with a wrong codec",
            "a.avro",
            avro_container("zstandard", 5, &block),
            refused(&["decompressed"]),
        ),
    ]);
    cases
}

/// Where the second row group begins.
fn second_group(parquet: &[u8]) -> usize {
    let file = SerializedFileReader::new(bytes::Bytes::copy_from_slice(parquet)).expect("a Parquet file");
    let (start, _) = file.metadata().row_group(1).column(0).byte_range();
    usize::try_from(start).expect("a place in the file")
}

/// What the same load says when the first bad row ends it, and the rows that are visible then.
async fn first_error(case: &Case) -> (String, u64) {
    let engine = memory_engine().await;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(&case.file);
    std::fs::write(&path, &case.bytes).expect("a file");
    let loaded = engine.load(&request(&[path]), Arc::new(NoProgress)).await;
    let told = loaded.map_or_else(|error| error.to_string(), |report| format!("loaded: {report:?}"));
    let visible = value(&session(&engine), "SELECT count(*) FROM touchpoints").await;
    (told, visible.parse().expect("a count"))
}

/// Whether a message names the file and the line or row in it.
fn names_the_row(case: &Case, told: &str) -> bool {
    let is_numbered = |word: &str| {
        let behind = told.split(word).skip(1);
        behind.filter_map(|rest| rest.chars().next()).any(|first| first.is_ascii_digit())
    };
    told.contains(&case.file) && (is_numbered(" line ") || is_numbered(" row "))
}

/// Loads the file with bad rows left out.
async fn outcome(case: &Case) -> (Result<LoadReport, String>, u64) {
    let engine = memory_engine().await;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join(&case.file);
    std::fs::write(&path, &case.bytes).expect("a file");
    let mut request = request(&[path]);
    request.on_error = OnError::Skip { rejects: None };
    let loaded = engine.load(&request, Arc::new(NoProgress)).await.map_err(|error| error.to_string());
    let visible = value(&session(&engine), "SELECT count(*) FROM touchpoints").await;
    (loaded, visible.parse().expect("a count"))
}

/// What is wrong with what became of a file, if anything.
fn complaint(case: &Case, loaded: &Result<LoadReport, String>, visible: u64) -> Option<String> {
    match (&case.expect, loaded) {
        (Rows(good, bad, twice), Ok(report)) => {
            let found = (report.rows_loaded, report.rows_rejected, report.rows_duplicate);
            let whole = report.rows_read == good + bad + twice && visible == *good;
            (found != (*good, *bad, *twice) || !whole).then(|| format!("{found:?}, {visible} visible"))
        }
        (Expect::Refused(parts), Err(error)) => {
            let named = error.contains(&case.file) && parts.iter().all(|part| error.contains(part));
            let panicked = error.contains("panic");
            (!named || panicked || visible != 0).then(|| format!("{error}, {visible} visible"))
        }
        (_, Ok(report)) => Some(format!("loaded: {report:?}")),
        (_, Err(error)) => Some(format!("refused: {error}")),
    }
}

fn check(cases: &[Case], least: usize) {
    assert!(cases.len() >= least, "{} cases", cases.len());
    let complaints: Vec<String> = run(async {
        let mut complaints = Vec::new();
        for case in cases {
            let (loaded, visible) = outcome(case).await;
            let mut found = complaint(case, &loaded, visible);
            if matches!(case.expect, Rows(_, 1.., _)) {
                let (told, visible) = first_error(case).await;
                if visible != 0 || !names_the_row(case, &told) {
                    found = found.or(Some(format!("when it is to stop: {told}, {visible} visible")));
                }
            }
            complaints.extend(found.map(|told| {
                let told: String = told.chars().take(400).collect();
                format!("{}: expected {:?}, found {told}", case.name, case.expect)
            }));
        }
        complaints
    });
    assert!(complaints.is_empty(), "{} of {}:\n{}", complaints.len(), cases.len(), complaints.join("\n"));
}

#[test]
fn encodings_lines_and_quotes() {
    check(&encodings().into_iter().chain(lines_and_quotes()).collect::<Vec<_>>(), 45);
}

#[test]
fn values_that_do_not_fit() {
    check(&values(), 39);
}

#[test]
fn json_that_is_none() {
    check(&json(), 25);
}

#[test]
fn names_that_lie() {
    check(&names(), 26);
}

#[test]
fn files_that_are_damaged() {
    check(&damage(), 61);
}
