//! The formats carry the same values, and the bytes do not change unnoticed.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use wayfare_datasets::schema::COLUMN_NAMES;
use wayfare_datasets::{Compression, GeneratorConfig, OutputFormat, touchpoint_schema, write_part};

use crate::disturbed;

/// A row as comparable texts: times in microseconds, money in 1/10,000, other values as they are.
type Row = Vec<Option<String>>;

fn bytes(config: &GeneratorConfig, part: (u32, u32), format: OutputFormat) -> Vec<u8> {
    let mut out = Vec::new();
    write_part(config, part, format, None, &mut out).unwrap();
    out
}

#[test]
fn all_formats_carry_the_same_values() {
    let config = disturbed();
    let csv = csv_rows(&String::from_utf8(bytes(&config, (0, 1), OutputFormat::Csv)).unwrap());
    let ndjson = ndjson_rows(&String::from_utf8(bytes(&config, (0, 1), OutputFormat::Ndjson)).unwrap());
    let parquet = parquet_rows(&bytes(&config, (0, 1), OutputFormat::Parquet));
    assert_eq!(csv.len(), 21_000);
    for (index, row) in csv.iter().enumerate() {
        assert_eq!(row, &ndjson[index], "row {index} of NDJSON");
        assert_eq!(row, &parquet[index], "row {index} of Parquet");
    }
    assert_eq!((ndjson.len(), parquet.len()), (csv.len(), csv.len()));
    for column in 0..COLUMN_NAMES.len() {
        assert!(csv.iter().any(|row| row[column].is_some()), "{} is never set", COLUMN_NAMES[column]);
    }
}

#[test]
fn text_parts_join_to_the_same_bytes() {
    let config = disturbed();
    for format in [OutputFormat::Csv, OutputFormat::Ndjson] {
        let whole = bytes(&config, (0, 1), format);
        for parts in [2, 7] {
            let mut joined = Vec::new();
            for part in 0..parts {
                let piece = bytes(&config, (part, parts), format);
                let header_end = match format {
                    OutputFormat::Csv if part > 0 => {
                        piece.iter().position(|byte| *byte == b'\n').unwrap() + 1
                    }
                    _ => 0,
                };
                joined.extend_from_slice(&piece[header_end..]);
            }
            assert!(joined == whole, "{format:?} in {parts} parts");
        }
    }
}

/// Guards published checksums and stored expectations: a change of the model shows here.
#[test]
fn the_first_rows_of_seed_1_are_pinned() {
    let config = GeneratorConfig { seed: 1, events: 100_000, users: 3000, ..GeneratorConfig::default() };
    let csv = bytes(&config, (0, 1), OutputFormat::Csv);
    let lines: Vec<&[u8]> = csv.split_inclusive(|byte| *byte == b'\n').take(10_001).collect();
    assert_eq!(fnv64(lines.concat().as_slice()), 17927569284501178510);
}

/// FNV-1a with 64 bits.
fn fnv64(data: &[u8]) -> u64 {
    data.iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

#[test]
fn compressed_text_unpacks_to_the_plain_text() {
    let config = disturbed();
    let plain = bytes(&config, (0, 1), OutputFormat::Ndjson);
    let packed = |compression| {
        let mut out = Vec::new();
        write_part(&config, (0, 1), OutputFormat::Ndjson, Some(compression), &mut out).unwrap();
        out
    };
    let mut unpacked = Vec::new();
    let gzip = packed(Compression::Gzip);
    std::io::copy(&mut flate2::read::GzDecoder::new(gzip.as_slice()), &mut unpacked).unwrap();
    assert!(unpacked == plain);
    assert!(zstd::stream::decode_all(packed(Compression::Zstd).as_slice()).unwrap() == plain);
}

#[test]
fn parquet_has_the_canonical_schema() {
    let empty = GeneratorConfig { events: 0, ..GeneratorConfig::default() };
    for config in [empty, disturbed()] {
        for compression in [None, Some(Compression::Zstd), Some(Compression::Gzip)] {
            let mut out = Vec::new();
            let rows = write_part(&config, (0, 1), OutputFormat::Parquet, compression, &mut out).unwrap();
            let reader = ParquetRecordBatchReaderBuilder::try_new(file_with(&out)).unwrap();
            assert_eq!(reader.schema().fields(), touchpoint_schema().fields());
            assert_eq!(reader.metadata().file_metadata().num_rows() as u64, rows);
        }
    }
}

fn csv_rows(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut field = String::new();
    let mut in_quotes = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if in_quotes && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' => in_quotes = !in_quotes,
            ',' | '\n' if !in_quotes => {
                let value = std::mem::take(&mut field);
                row.push((!value.is_empty()).then_some(value));
                if character == '\n' {
                    rows.push(std::mem::take(&mut row));
                }
            }
            _ => field.push(character),
        }
    }
    assert!(field.is_empty() && row.is_empty(), "the last line is complete");
    let header: Vec<String> = rows.remove(0).into_iter().map(Option::unwrap).collect();
    assert_eq!(header, COLUMN_NAMES);
    rows.into_iter().map(comparable).collect()
}

fn ndjson_rows(text: &str) -> Vec<Row> {
    let row = |line: &str| {
        let mut members = json_members(line);
        let row = COLUMN_NAMES.iter().map(|name| members.remove(*name)).collect();
        assert!(members.is_empty(), "{members:?}");
        comparable(row)
    };
    text.lines().map(row).collect()
}

/// Members of a JSON object: strings unescaped, other values as their text.
fn json_members(line: &str) -> HashMap<String, String> {
    let mut members = HashMap::new();
    let mut rest = line.strip_prefix('{').unwrap();
    while !rest.is_empty() {
        let (key, after_key) = json_value(rest);
        let (value, after_value) = json_value(after_key.strip_prefix(':').unwrap());
        assert!(members.insert(key, value).is_none(), "a key occurs twice");
        assert!(after_value.starts_with([',', '}']));
        rest = &after_value[1..];
    }
    members
}

fn json_value(text: &str) -> (String, &str) {
    let mut depth = 0;
    let mut in_string = false;
    let mut is_escaped = false;
    let end = text
        .find(|character| {
            if is_escaped {
                is_escaped = false;
            } else if in_string {
                is_escaped = character == '\\';
                in_string = character != '"';
            } else {
                match character {
                    '"' => in_string = true,
                    '{' => depth += 1,
                    '}' if depth > 0 => depth -= 1,
                    ',' | ':' | '}' => return depth == 0,
                    _ => {}
                }
            }
            false
        })
        .unwrap();
    let (value, rest) = text.split_at(end);
    match value.strip_prefix('"').and_then(|value| value.strip_suffix('"')) {
        Some(string) => (string.replace("\\\"", "\"").replace("\\\\", "\\"), rest),
        None => (value.to_owned(), rest),
    }
}

/// Brings the texts of CSV and NDJSON into the form in which rows are compared.
fn comparable(row: Row) -> Row {
    assert_eq!(row.len(), COLUMN_NAMES.len());
    row.into_iter()
        .zip(COLUMN_NAMES)
        .map(|(value, column)| {
            let value = value?;
            Some(match column {
                "ts" | "received_at" => time_us(&value).to_string(),
                "revenue" | "cost" => money_e4(&value).to_string(),
                "score" => value.parse::<f64>().unwrap().to_string(),
                _ => value,
            })
        })
        .collect()
}

fn time_us(text: &str) -> i64 {
    // Days of a month are counted up from 1970, which is slow and obviously right.
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    assert_eq!((text.len(), &text[10..11], &text[26..]), (27, "T", "Z"));
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut days: i64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    for earlier in 1..month {
        days += match earlier {
            2 if is_leap(year) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
    }
    let seconds = (days + day - 1) * 86_400 + number(11, 13) * 3600 + number(14, 16) * 60 + number(17, 19);
    seconds * 1_000_000 + number(20, 26)
}

fn money_e4(text: &str) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap();
    let magnitude: i128 = format!("{}{fraction:0<4}", whole.trim_start_matches('-')).parse().unwrap();
    if whole.starts_with('-') { -magnitude } else { magnitude }
}

fn file_with(content: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file
}

fn parquet_rows(content: &[u8]) -> Vec<Row> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file_with(content)).unwrap().build().unwrap();
    reader.flat_map(|batch| batch_rows(&batch.unwrap())).collect()
}

fn batch_rows(batch: &RecordBatch) -> Vec<Row> {
    let cell = |column: &dyn Array, row: usize| {
        if column.is_null(row) {
            return None;
        }
        Some(match column.data_type() {
            DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
            DataType::Float64 => column.as_primitive::<Float64Type>().value(row).to_string(),
            DataType::Timestamp(_, _) => {
                column.as_primitive::<TimestampMicrosecondType>().value(row).to_string()
            }
            DataType::Decimal128(_, _) => column.as_primitive::<Decimal128Type>().value(row).to_string(),
            other => panic!("unexpected type {other}"),
        })
    };
    (0..batch.num_rows())
        .map(|row| batch.columns().iter().map(|column| cell(column, row)).collect())
        .collect()
}
