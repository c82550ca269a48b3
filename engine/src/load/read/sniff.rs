//! What the first bytes of a file say about its format.

use super::options::InputFormat;

/// Signatures of formats that are mistaken for text, with what to do.
const SIGNATURES: [(&[u8], &str); 13] = [
    (b"PAR1", "it is a Parquet file; use --format parquet or the extension .parquet"),
    (&[0x1f, 0x8b], "it is compressed with gzip; give it the extension .gz"),
    (&[0x28, 0xb5, 0x2f, 0xfd], "it is compressed with zstd; give it the extension .zst"),
    (b"BZh", "it is compressed with bzip2; give it the extension .bz2"),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], "it is compressed with xz; give it the extension .xz"),
    (b"PK\x03\x04", "it is a ZIP archive or a spreadsheet; unpack it, or save the sheet as CSV"),
    (b"ORC", "it is an ORC file; convert it to Parquet"),
    (b"Obj\x01", "it is an Avro file; convert it to Parquet"),
    (b"ARROW1", "it is an Arrow file; convert it to Parquet"),
    (b"SQLite format 3", "it is an SQLite data base; export the table as CSV"),
    (b"%PDF", "it is a PDF document; export the data as CSV"),
    (&[0xff, 0xfe], "it is text in UTF-16; convert it to UTF-8"),
    (&[0xfe, 0xff], "it is text in UTF-16; convert it to UTF-8"),
];

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
        assert!(told(&[0x1f, 0x8b, 8]).contains(".gz"));
        assert!(told(&[0xff, 0xfe, b'a', 0]).contains("UTF-16"));
        assert!(told(b"a,b\0c").contains("binary"));
        assert_eq!(told(b"BZhash,ts\n"), "");
        assert_eq!(told(b"ORCID,ts\n"), "");
        assert_eq!(told(b""), "");
    }
}
