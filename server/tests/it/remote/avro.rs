//! Avro files of text columns, in every codec.

use std::io::Write;

use super::files::piped;

const SYNC: &[u8; 16] = b"0123456789abcdef";

/// A container of one block.
pub(super) fn container<const N: usize>(columns: &[&str; N], rows: &[[String; N]], codec: &str) -> Vec<u8> {
    let field = |name: &&str| serde_json::json!({"name": name, "type": ["null", "string"]});
    let fields: Vec<_> = columns.iter().map(field).collect();
    let schema = serde_json::json!({"type": "record", "name": "row", "fields": fields}).to_string();
    let mut metadata = vec![("avro.schema", schema.as_str())];
    if !codec.is_empty() {
        metadata.push(("avro.codec", codec));
    }
    let mut out = b"Obj\x01".to_vec();
    long(metadata.len(), &mut out);
    for (key, value) in metadata {
        sized(key.as_bytes(), &mut out);
        sized(value.as_bytes(), &mut out);
    }
    long(0, &mut out);
    out.extend_from_slice(SYNC);

    let mut block = Vec::new();
    for value in rows.iter().flatten() {
        // The branch of the union that is text.
        long(1, &mut block);
        sized(value.as_bytes(), &mut block);
    }
    long(rows.len(), &mut out);
    sized(&stored(codec, &block), &mut out);
    out.extend_from_slice(SYNC);
    out
}

fn stored(codec: &str, block: &[u8]) -> Vec<u8> {
    match codec {
        "deflate" => {
            let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(block).unwrap();
            encoder.finish().unwrap()
        }
        "snappy" => {
            // The checksum of the block as it was follows.
            let mut crc = flate2::Crc::new();
            crc.update(block);
            let mut stored = snap::raw::Encoder::new().compress_vec(block).unwrap();
            stored.extend(crc.sum().to_be_bytes());
            stored
        }
        "zstandard" => piped("zstd", block),
        "bzip2" => piped("bzip2", block),
        "xz" => piped("xz", block),
        _ => block.to_vec(),
    }
}

/// A number that is not negative, in zigzag.
fn long(value: usize, out: &mut Vec<u8>) {
    let mut rest = value << 1;
    while rest >= 0x80 {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn sized(bytes: &[u8], out: &mut Vec<u8>) {
    long(bytes.len(), out);
    out.extend_from_slice(bytes);
}
