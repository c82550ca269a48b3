//! Containers written byte by byte after the specification.

use std::io::Write;

use super::super::csv_file::stream_of;
use super::super::options::InputFormat;
use super::super::source::Compression;
use super::*;

const SYNC: [u8; 16] = *b"0123456789abcdef";
const LIMIT: usize = 1 << 20;

fn long(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn encoded(value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    long(value, &mut out);
    out
}

fn sized(bytes: &[u8], out: &mut Vec<u8>) {
    long(bytes.len() as i64, out);
    out.extend_from_slice(bytes);
}

fn header(schema: &str, codec: &str) -> Vec<u8> {
    let mut out = b"Obj\x01".to_vec();
    long(2, &mut out);
    for (key, value) in [("avro.schema", schema), ("avro.codec", codec)] {
        sized(key.as_bytes(), &mut out);
        sized(value.as_bytes(), &mut out);
    }
    long(0, &mut out);
    out.extend_from_slice(&SYNC);
    out
}

fn block(count: i64, stored: &[u8], out: &mut Vec<u8>) {
    long(count, out);
    sized(stored, out);
    out.extend_from_slice(&SYNC);
}

fn container(schema: &str, codec: &str, count: i64, stored: &[u8]) -> Vec<u8> {
    let mut out = header(schema, codec);
    block(count, stored, &mut out);
    out
}

fn open(bytes: &[u8]) -> Result<AvroRecords, LoadError> {
    let file =
        SourceFile::local("x.avro".to_owned(), "x.avro".into(), 0, InputFormat::Avro, Compression::None);
    AvroRecords::open(stream_of(&file, bytes), LIMIT)
}

fn read(bytes: &[u8]) -> Result<Vec<String>, LoadError> {
    let mut records = open(bytes)?;
    let mut texts = Vec::new();
    while records.next()? {
        assert_eq!(records.place(), RowPlace::Row(texts.len() as u64 + 1));
        texts.push(String::from_utf8(records.text().to_vec()).expect("UTF-8"));
        records.consume();
    }
    Ok(texts)
}

fn error(bytes: &[u8]) -> String {
    read(bytes).expect_err("refused").to_string()
}

fn one_field(field_type: &str) -> String {
    format!(r#"{{"type":"record","name":"r","fields":[{{"name":"v","type":{field_type}}}]}}"#)
}

fn value(field_type: &str, encoded: &[u8]) -> String {
    let texts = read(&container(&one_field(field_type), "null", 1, encoded)).expect("a record");
    let text = texts[0].strip_prefix("{\"v\":").and_then(|t| t.strip_suffix('}')).expect("one field");
    text.to_owned()
}

#[test]
fn values_of_every_type_become_json() {
    let cases: [(&str, &[u8], &str); 27] = [
        (r#""null""#, b"\0\0", "null"),
        (r#""boolean""#, &[1], "true"),
        (r#""int""#, &[0x03], "-2"),
        (r#""long""#, &[0x80, 0x01], "64"),
        (r#""float""#, &0.1_f32.to_le_bytes(), "0.1"),
        (r#""double""#, &19.99_f64.to_le_bytes(), "19.99"),
        (r#""double""#, &f64::NAN.to_le_bytes(), "\"NaN\""),
        (r#""double""#, &f64::NEG_INFINITY.to_le_bytes(), "\"-inf\""),
        (r#""string""#, b"\x06\"\xc3\xa4", r#""\"ä""#),
        (r#""bytes""#, &[4, 0xab, 0], "\"ab00\""),
        (r#"{"type":"fixed","name":"f","size":2}"#, &[1, 0xff], "\"01ff\""),
        (r#"{"type":"enum","name":"e","symbols":["a","b"]}"#, &[2], "\"b\""),
        (r#"["null","string"]"#, &[0], "null"),
        (r#"["null","string"]"#, &[2, 2, b'x'], "\"x\""),
        (r#"["null","string","long"]"#, &[4, 10], "5"),
        (r#"{"type":"array","items":"int"}"#, &[4, 2, 4, 0], "[1,2]"),
        // A block with a negative count has its size before its items; another block follows.
        (r#"{"type":"array","items":"int"}"#, &[1, 2, 2, 2, 4, 0], "[1,2]"),
        (r#"{"type":"map","values":"long"}"#, &[2, 2, b'k', 6, 0], r#"{"k":3}"#),
        (r#"{"type":"int","logicalType":"date"}"#, &[2], "\"1970-01-02\""),
        (r#"{"type":"int","logicalType":"time-millis"}"#, &[2], "\"00:00:00.001\""),
        // 1,704,067,200,500 ms is 2024-01-01 00:00:00.5.
        (
            r#"{"type":"long","logicalType":"timestamp-millis"}"#,
            &encoded(1_704_067_200_500),
            "\"2024-01-01T00:00:00.500Z\"",
        ),
        (r#"{"type":"long","logicalType":"timestamp-micros"}"#, &[1], "\"1969-12-31T23:59:59.999999Z\""),
        (r#"{"type":"long","logicalType":"local-timestamp-micros"}"#, &[0], "\"1970-01-01T00:00:00\""),
        (r#"{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}"#, &[4, 0x07, 0xcf], "19.99"),
        (r#"{"type":"bytes","logicalType":"decimal","precision":9,"scale":3}"#, &[2, 0xfb], "-0.005"),
        (
            r#"{"type":"fixed","name":"u","size":16,"logicalType":"uuid"}"#,
            &[0x11; 16],
            "\"11111111-1111-1111-1111-111111111111\"",
        ),
        (r#"{"type":{"type":"string"},"logicalType":"unknown"}"#, &[2, b'y'], "\"y\""),
    ];
    for (field_type, encoded, expected) in cases {
        // Null takes no byte, and a block of no bytes has no records: a second field is not needed for the others.
        if field_type != r#""null""# {
            assert_eq!(value(field_type, encoded), expected, "{field_type}");
        }
    }
}

#[test]
fn names_refer_to_types_and_records_may_hold_themselves() {
    let schema = r#"{"type":"record","name":"node","namespace":"a.b","fields":[
        {"name":"k","type":{"type":"enum","name":"kind","symbols":["x","y"]}},
        {"name":"l","type":"kind"},
        {"name":"next","type":["null","a.b.node"]}]}"#;
    let encoded = [0, 2, 2, 2, 0, 0];
    let texts = read(&container(schema, "null", 1, &encoded)).expect("a record");
    assert_eq!(texts, [r#"{"k":"x","l":"y","next":{"k":"y","l":"x","next":null}}"#]);
    let unknown = error(&container(&one_field("\"elsewhere\""), "null", 1, &[0]));
    assert!(unknown.contains("unknown type \"elsewhere\""), "{unknown}");
    assert!(error(&container("\"string\"", "null", 1, &[2, b'x'])).contains("no records"));
    assert!(error(&container("{", "null", 1, &[0])).contains("not valid JSON"));
    // Each step takes a byte, so that only the depth ends it.
    let deep = [[0, 0, 2]; 100].concat();
    assert!(error(&container(schema, "null", 1, &deep)).contains("64 deep"));
}

fn compress(codec: &str, bytes: &[u8]) -> Vec<u8> {
    match codec {
        "deflate" => {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).expect("deflate");
            encoder.finish().expect("deflate")
        }
        "snappy" => {
            let mut out = snap::raw::Encoder::new().compress_vec(bytes).expect("snappy");
            let mut crc = flate2::Crc::new();
            crc.update(bytes);
            out.extend_from_slice(&crc.sum().to_be_bytes());
            out
        }
        "zstandard" => zstd::encode_all(bytes, 1).expect("zstd"),
        "bzip2" => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(bytes).expect("bzip2");
            encoder.finish().expect("bzip2")
        }
        "xz" => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
            encoder.write_all(bytes).expect("xz");
            encoder.finish().expect("xz")
        }
        _ => bytes.to_vec(),
    }
}

#[test]
fn every_codec_is_read_and_a_bomb_is_refused() {
    let schema = one_field("\"int\"");
    for codec in ["null", "deflate", "snappy", "zstandard", "bzip2", "xz"] {
        let stored = compress(codec, &[2; 1000]);
        let texts = read(&container(&schema, codec, 1000, &stored)).expect(codec);
        assert_eq!(texts.len(), 1000, "{codec}");
        assert!(texts.iter().all(|text| text == "{\"v\":1}"), "{codec}");
        let flipped: Vec<u8> = stored.iter().enumerate().map(|(i, b)| b ^ u8::from(i == 7)).collect();
        assert!(read(&container(&schema, codec, 999, &flipped)).is_err(), "{codec}: flipped");
    }
    let bomb = compress("zstandard", &vec![0; 200 << 20]);
    let told = error(&container(&schema, "zstandard", 1, &bomb));
    assert!(told.contains("\"x.avro\"") && told.contains("limit of 134217728 bytes"), "{told}");
    assert!(error(&container(&schema, "lzo", 1, &[0])).contains("\"lzo\""));
}

#[test]
fn sizes_and_counts_that_lie_are_refused() {
    let schema = one_field("\"int\"");
    let whole = container(&schema, "null", 3, &[2, 4, 6]);
    assert_eq!(read(&whole).expect("records").len(), 3);
    let head = header(&schema, "null").len();
    for cut in (1..whole.len()).filter(|cut| *cut != head) {
        let told = error(&whole[..cut]);
        assert!(told.contains("\"x.avro\""), "{cut}: {told}");
    }
    assert_eq!(read(&whole[..head]).expect("no block").len(), 0);
    let told = |count: i64, stored: &[u8]| error(&container(&schema, "null", count, stored));
    assert!(told(2, &[2, 4, 6]).contains("after row 2: a block holds more"), "fewer than there are");
    assert!(told(i64::MAX, &[2, 4]).contains("declares 9223372036854775807 records"));
    assert!(told(-1, &[2]).contains("declares -1 records"));
    assert!(told(2, &[2, 0x80]).contains("after row 1: a block ends within a record"));
    let mut long_block = header(&schema, "null");
    long(1, &mut long_block);
    long(1 << 40, &mut long_block);
    assert!(error(&long_block).contains("declares 1099511627776 bytes, more than the limit"));
    let mut long_header = b"Obj\x01".to_vec();
    long(1, &mut long_header);
    long(1 << 50, &mut long_header);
    assert!(error(&long_header).contains("in its header"));
    // Items that take no bytes end at the limit of a record.
    let nothing = one_field(r#"{"type":"array","items":"null"}"#);
    let mut many = Vec::new();
    long(i64::MAX, &mut many);
    assert!(error(&container(&nothing, "null", 1, &many)).contains("longer than the limit of 1048576 bytes"));
    for (field_type, encoded) in [
        ("\"boolean\"", vec![2]),
        (r#"["null"]"#, vec![4]),
        (r#"{"type":"enum","name":"e","symbols":["a"]}"#, vec![2]),
        ("\"string\"", vec![1]),
        ("\"int\"", vec![0xff; 5]),
        ("\"long\"", vec![0xff; 11]),
    ] {
        let told = error(&container(&one_field(field_type), "null", 1, &encoded));
        assert!(told.contains("at its start"), "{field_type}: {told}");
    }
}

#[test]
fn a_wrong_value_is_a_problem_of_its_row_only() {
    let schema = one_field("\"string\"");
    let bytes = container(&schema, "null", 2, &[2, 0xff, 2, b'y']);
    let mut records = open(&bytes).expect("open");
    assert!(records.next().expect("a record"));
    assert!(records.problem().is_some_and(|(_, reason)| reason.contains("UTF-8")));
    assert!(records.next().expect("a record"));
    assert_eq!((records.problem(), records.text()), (None, b"{\"v\":\"y\"}".as_slice()));
}

#[test]
fn fields_have_types_as_columns() {
    let schema = r#"{"type":"record","name":"r","fields":[
        {"name":"a","type":["null","long"]},{"name":"b","type":["null","long","string"]},
        {"name":"c","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
        {"name":"d","type":{"type":"array","items":"int"}},
        {"name":"e","type":"long","logicalType":"timestamp-millis"}]}"#;
    let columns = open(&header(schema, "null")).expect("open").columns();
    let types: Vec<&DataType> = columns.iter().map(Field::data_type).collect();
    assert_eq!(types[..3], [&DataType::Int64, &DataType::Utf8, &DataType::Decimal128(9, 2)]);
    assert!(types[3].is_nested());
    assert_eq!(types[4], &DataType::Timestamp(TimeUnit::Microsecond, None));
}
