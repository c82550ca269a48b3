//! The same few rows in every format and compression, and files whose sizes lie.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression as Codec;
use parquet::file::properties::WriterProperties;

pub(super) const HEADER: &str = "event_id,user_id,ts,event,revenue\n";

fn fields(row: usize) -> [String; 5] {
    let minute = row % 60;
    [
        format!("e{row}"),
        format!("u-{}", row % 7),
        format!("2026-01-02T03:{minute:02}:00Z"),
        "page_view".to_owned(),
        format!("{row}.50"),
    ]
}

pub(super) fn csv(rows: usize) -> Vec<u8> {
    let mut text = HEADER.to_owned();
    for row in 0..rows {
        text += &fields(row).join(",");
        text.push('\n');
    }
    text.into_bytes()
}

fn object(row: usize) -> String {
    let [id, user, ts, event, revenue] = fields(row);
    format!(r#"{{"event_id":"{id}","user_id":"{user}","ts":"{ts}","event":"{event}","revenue":{revenue}}}"#)
}

pub(super) fn ndjson(rows: usize) -> Vec<u8> {
    (0..rows).flat_map(|row| (object(row) + "\n").into_bytes()).collect()
}

pub(super) fn json_array(rows: usize) -> Vec<u8> {
    let objects: Vec<String> = (0..rows).map(object).collect();
    format!("[\n {}\n]\n", objects.join(",\n ")).into_bytes()
}

pub(super) fn batch(rows: usize) -> RecordBatch {
    let columns = ["event_id", "user_id", "ts", "event", "revenue"].iter().enumerate().map(|(at, name)| {
        let values: StringArray = (0..rows).map(|row| Some(fields(row)[at].clone())).collect();
        (*name, Arc::new(values) as ArrayRef)
    });
    RecordBatch::try_from_iter(columns).expect("a batch")
}

pub(super) fn parquet_of(batches: &[RecordBatch], properties: WriterProperties) -> Vec<u8> {
    let mut writer =
        ArrowWriter::try_new(Vec::new(), batches[0].schema(), Some(properties)).expect("a writer");
    for batch in batches {
        writer.write(batch).expect("written");
    }
    writer.into_inner().expect("closed")
}

pub(super) fn parquet(rows: usize, codec: Codec) -> Vec<u8> {
    parquet_of(&[batch(rows)], WriterProperties::builder().set_compression(codec).build())
}

fn long(value: i64, out: &mut Vec<u8>) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn sized(bytes: &[u8], out: &mut Vec<u8>) {
    long(bytes.len() as i64, out);
    out.extend_from_slice(bytes);
}

/// An Avro container with one block that declares `count` records, and what it holds.
pub(super) fn avro_container(codec: &str, count: i64, stored: &[u8]) -> Vec<u8> {
    let fields: Vec<String> = ["event_id", "user_id", "ts", "event", "revenue"]
        .iter()
        .map(|name| format!(r#"{{"name":"{name}","type":["null","string"]}}"#))
        .collect();
    let schema = format!(r#"{{"type":"record","name":"t","fields":[{}]}}"#, fields.join(","));
    let mut out = b"Obj\x01".to_vec();
    long(2, &mut out);
    for (key, value) in [("avro.schema", schema.as_str()), ("avro.codec", codec)] {
        sized(key.as_bytes(), &mut out);
        sized(value.as_bytes(), &mut out);
    }
    long(0, &mut out);
    out.extend_from_slice(b"0123456789abcdef");
    long(count, &mut out);
    sized(stored, &mut out);
    out.extend_from_slice(b"0123456789abcdef");
    out
}

pub(super) fn avro_block(rows: usize) -> Vec<u8> {
    let mut block = Vec::new();
    for value in (0..rows).flat_map(fields) {
        long(1, &mut block);
        sized(value.as_bytes(), &mut block);
    }
    block
}

pub(super) fn avro(rows: usize) -> Vec<u8> {
    avro_container("null", rows as i64, &avro_block(rows))
}

/// `bytes` in the compression that a file with this extension has.
pub(super) fn compressed(extension: &str, bytes: &[u8]) -> Vec<u8> {
    match extension {
        "gz" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).expect("gzip");
            encoder.finish().expect("gzip")
        }
        "zst" => {
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("zstd");
            // As the program does; without it a flipped bit may change the text unseen.
            encoder.include_checksum(true).expect("zstd");
            encoder.write_all(bytes).expect("zstd");
            encoder.finish().expect("zstd")
        }
        "bz2" => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(bytes).expect("bzip2");
            encoder.finish().expect("bzip2")
        }
        "xz" => {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
            encoder.write_all(bytes).expect("xz");
            encoder.finish().expect("xz")
        }
        "sz" => {
            let mut encoder = snap::write::FrameEncoder::new(Vec::new());
            encoder.write_all(bytes).expect("snappy");
            encoder.into_inner().expect("snappy")
        }
        _ => bytes.to_vec(),
    }
}

pub(super) const COMPRESSIONS: [&str; 5] = ["gz", "zst", "bz2", "xz", "sz"];
