//! What the first bytes of a file say about its format.

use super::options::InputFormat;
use super::source::Compression;

/// Signatures of formats that are mistaken for text, with what to do.
const SIGNATURES: [(&[u8], &str); 13] = [
    (PARQUET_MAGIC, "it is a Parquet file; leave --format out, or use --format parquet"),
    (&[0x1f, 0x8b], "it is compressed with gzip, twice; decompress it once"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "it is compressed with zstd, twice; decompress it once"),
    (b"BZh", "it is compressed with bzip2, twice; decompress it once"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "it is compressed with xz, twice; decompress it once"),
    (b"PK\x03\x04", "it is a ZIP archive or a spreadsheet; unpack it, or save the sheet as CSV"),
    (b"ORC", "it is an ORC file; convert it to Parquet"),
    (AVRO_MAGIC, "it is an Avro file; leave --format out, or use --format avro"),
    (b"ARROW1", "it is an Arrow file; convert it to Parquet"),
    (b"SQLite format 3", "it is an SQLite data base; export the table as CSV"),
    (b"%PDF", "it is a PDF document; export the data as CSV"),
    (&[0xff, 0xfe], "it is text in UTF-16; convert it to UTF-8"),
    (&[0xfe, 0xff], "it is text in UTF-16; convert it to UTF-8"),
];

const PARQUET_MAGIC: &[u8] = b"PAR1";
const AVRO_MAGIC: &[u8] = b"Obj\x01";

/// The compression whose signature `start` begins with.
pub(super) fn signed_compression(start: &[u8]) -> Option<Compression> {
    // The letters `BZh` alone could begin a text: the magic number of a block, or of the end, follows them.
    let bzip2 = start.len() >= 10
        && start.starts_with(b"BZh")
        && [[0x31, 0x41, 0x59, 0x26, 0x53, 0x59], [0x17, 0x72, 0x45, 0x38, 0x50, 0x90]]
            .iter()
            .any(|magic| start[4..10] == *magic);
    let signatures: [(&[u8], Compression); 4] = [
        (&[0x1f, 0x8b, 8], Compression::Gzip),
        (&[0x28, 0xb5, 0x2f, 0xfd], Compression::Zstd),
        (&[0xfd, b'7', b'z', b'X', b'Z', 0], Compression::Xz),
        (b"\xff\x06\0\0sNaPpY", Compression::Snappy),
    ];
    let signed = signatures.iter().find(|(signature, _)| start.starts_with(signature));
    signed.map(|(_, compression)| *compression).or(bzip2.then_some(Compression::Bzip2))
}

/// The format that `start`, decompressed, proves; text without a mark of its own proves none.
pub(super) fn signed_format(start: &[u8]) -> Option<InputFormat> {
    if start.starts_with(PARQUET_MAGIC) && has_binary(start) {
        return Some(InputFormat::Parquet);
    }
    if start.starts_with(AVRO_MAGIC) {
        return Some(InputFormat::Avro);
    }
    None
}

/// The format of a text whose name says nothing: JSON shows by its first character, CSV by none.
pub(super) fn guessed_format(start: &[u8]) -> Option<InputFormat> {
    let text = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(start).trim_ascii_start();
    matches!(text.first(), Some(b'{' | b'[')).then_some(InputFormat::Ndjson)
}

/// The mark that some programs put before UTF-8 text.
pub(super) const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];

/// Why a file that begins with `start` is not of `format`, if that can be told.
pub(super) fn mistaken_format(format: InputFormat, start: &[u8]) -> Option<String> {
    let name = format.name();
    for (signature, advice) in SIGNATURES {
        // A text may begin with the letters of a signature; what follows decides.
        let is_letters = signature.iter().all(u8::is_ascii_graphic);
        if start.starts_with(signature) && (!is_letters || has_binary(start)) {
            return Some(format!("this is not {name}: {advice}"));
        }
    }
    if has_binary(start) {
        return Some(format!(
            "this is not {name}: it holds binary data; convert it to UTF-8 text or to Parquet"
        ));
    }
    None
}

/// Whether the first bytes hold a NUL, which no text does.
fn has_binary(start: &[u8]) -> bool {
    start[..start.len().min(4096)].contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_formats_are_named() {
        let told = |start: &[u8]| mistaken_format(InputFormat::Csv, start).unwrap_or_default();
        assert!(told(b"PAR1\x15\x00\x04").contains("--format parquet"));
        assert!(told(&[0x1f, 0x8b, 8]).contains("twice"));
        assert!(told(&[0xff, 0xfe, b'a', 0]).contains("UTF-16"));
        assert!(told(b"a,b\0c").contains("binary"));
        assert_eq!(told(b"BZhash,ts\n"), "");
        assert_eq!(told(b"ORCID,ts\n"), "");
        assert_eq!(told(b""), "");
    }

    #[test]
    fn signatures_win_over_names_but_letters_do_not() {
        assert_eq!(signed_compression(&[0x1f, 0x8b, 8, 0]), Some(Compression::Gzip));
        assert_eq!(signed_compression(b"BZh91AY&SY\0"), Some(Compression::Bzip2));
        assert_eq!(signed_compression(b"BZhash,ts\n"), None);
        assert_eq!(signed_compression(b"\xff\x06\0\0sNaPpY\x01"), Some(Compression::Snappy));
        assert_eq!(signed_format(b"PAR1\x15\0"), Some(InputFormat::Parquet));
        assert_eq!(signed_format(b"PAR1,ts\n"), None);
        assert_eq!(signed_format(b"Obj\x01\x04"), Some(InputFormat::Avro));
        assert_eq!(guessed_format(b"\xef\xbb\xbf \n[{}]"), Some(InputFormat::Ndjson));
        assert_eq!(guessed_format(b"user_id,ts\n"), None);
    }
}
