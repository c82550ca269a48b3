//! Input files of every kind.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression as Codec, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::avro;

/// Rows of each file.
pub(super) const ROWS: u64 = 5;

/// Format, compression within the format, and compression of the whole file. The first eleven have every format.
pub(super) const KINDS: [(&str, &str, &str); 34] = [
    ("csv", "", ""),
    ("ndjson", "", "gz"),
    ("json", "", "zst"),
    ("parquet", "snappy", ""),
    ("avro", "snappy", ""),
    ("csv", "", "bz2"),
    ("ndjson", "", "xz"),
    ("json", "", "sz"),
    ("parquet", "", ""),
    ("avro", "", ""),
    ("csv", "", "zst"),
    ("csv", "", "gz"),
    ("csv", "", "xz"),
    ("csv", "", "sz"),
    ("ndjson", "", ""),
    ("ndjson", "", "zst"),
    ("ndjson", "", "bz2"),
    ("ndjson", "", "sz"),
    ("json", "", ""),
    ("json", "", "gz"),
    ("json", "", "bz2"),
    ("json", "", "xz"),
    ("parquet", "gzip", ""),
    ("parquet", "zstd", ""),
    ("parquet", "brotli", ""),
    ("parquet", "lz4", ""),
    ("avro", "deflate", ""),
    ("avro", "zstandard", ""),
    ("avro", "bzip2", ""),
    ("avro", "xz", ""),
    ("avro", "", "gz"),
    ("avro", "", "zst"),
    ("avro", "", "bz2"),
    ("avro", "", "sz"),
];

/// Writes `count` files below `directory`, in folders of 50; their names relative to it. From 34 on every kind is among
/// them.
pub(super) fn write_files(directory: &Path, count: u64) -> Vec<String> {
    (0..count)
        .map(|number| {
            let (format, codec, compression) = KINDS[(number % KINDS.len() as u64) as usize];
            let extension = if compression.is_empty() { String::new() } else { format!(".{compression}") };
            let name = format!("part={}/f{number}.{format}{extension}", number / 50);
            let path = directory.join(&name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let bytes = match format {
                "csv" => csv(number).into_bytes(),
                "ndjson" => ndjson(number).into_bytes(),
                "json" => json_array(number).into_bytes(),
                "avro" => avro::container(&COLUMNS, &values(number), codec),
                _ => parquet(number, codec),
            };
            std::fs::write(&path, compressed(compression, &bytes)).unwrap();
            name
        })
        .collect()
}

const COLUMNS: [&str; 5] = ["event_id", "user_id", "ts", "event", "campaign"];

/// The values of [`COLUMNS`] of the rows of file `number`; `campaign` names the file.
fn values(number: u64) -> Vec<[String; 5]> {
    (0..ROWS)
        .map(|row| {
            [
                format!("e{number}-{row}"),
                format!("u{}", (number + row) % 17),
                format!("2026-01-{:02}T{:02}:00:00Z", 1 + number % 28, row),
                "view".to_owned(),
                format!("f{number}"),
            ]
        })
        .collect()
}

pub(super) fn csv(number: u64) -> String {
    let mut text = COLUMNS.join(",") + "\n";
    for row in values(number) {
        writeln!(text, "{}", row.join(",")).unwrap();
    }
    text
}

fn objects(number: u64) -> Vec<String> {
    let object = |row: [String; 5]| {
        let members = COLUMNS.iter().zip(row).map(|(name, value)| ((*name).to_owned(), value.into()));
        serde_json::Value::Object(members.collect()).to_string()
    };
    values(number).into_iter().map(object).collect()
}

fn ndjson(number: u64) -> String {
    objects(number).join("\n") + "\n"
}

fn json_array(number: u64) -> String {
    format!("[\n{}\n]\n", objects(number).join(",\n"))
}

fn parquet(number: u64, codec: &str) -> Vec<u8> {
    let codec = match codec {
        "snappy" => Codec::SNAPPY,
        "gzip" => Codec::GZIP(GzipLevel::default()),
        "zstd" => Codec::ZSTD(ZstdLevel::default()),
        "brotli" => Codec::BROTLI(BrotliLevel::default()),
        "lz4" => Codec::LZ4_RAW,
        _ => Codec::UNCOMPRESSED,
    };
    let rows = values(number);
    let columns = COLUMNS.iter().enumerate().map(|(at, name)| {
        let column = StringArray::from_iter_values(rows.iter().map(|row| &row[at]));
        (*name, Arc::new(column) as ArrayRef)
    });
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let properties = WriterProperties::builder().set_compression(codec).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// `bytes` as a file with this extension has them.
fn compressed(extension: &str, bytes: &[u8]) -> Vec<u8> {
    match extension {
        "" => bytes.to_vec(),
        "gz" => piped("gzip", bytes),
        "zst" => piped("zstd", bytes),
        "bz2" => piped("bzip2", bytes),
        "xz" => piped("xz", bytes),
        _ => {
            let mut framed = snap::write::FrameEncoder::new(Vec::new());
            framed.write_all(bytes).unwrap();
            framed.into_inner().unwrap()
        }
    }
}

/// What `tool` makes of a few bytes.
pub(super) fn piped(tool: &str, bytes: &[u8]) -> Vec<u8> {
    let started = Command::new(tool).arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut process = started.unwrap_or_else(|e| panic!("{tool} is needed: {e}"));
    process.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success(), "{tool}");
    output.stdout
}
