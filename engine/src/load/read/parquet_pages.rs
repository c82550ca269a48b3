//! The pages of a foreign Parquet file before they are decoded: what each declares, against limits and the file.
//!
//! The decoder allocates what a page declares and, for some codecs, whatever comes out of it. A small file that
//! declares or holds far more is a decompression bomb; it is answered with the limit that it exceeds.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;

use parquet::basic::{Compression, Encoding, Type};
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

/// Bytes of one page, decompressed, at most. Writers aim at 1 MiB.
const MAX_PAGE_BYTES: u64 = 256 << 20;
/// Bytes of the pages that are in memory together, at most: a dictionary and a data page of each column.
const MAX_OPEN_BYTES: u64 = 1 << 30;
/// Values of a column of lists in one row group, at most: a row may have any share of them.
const MAX_LIST_VALUES: i64 = 64 << 20;
/// Bytes of a page header, at most: it may hold the least and the largest value.
const MAX_HEADER_BYTES: usize = 1 << 20;
/// Text of one batch that comes out of repeated dictionary entries, at most.
const MAX_BATCH_TEXT: u64 = 32 << 20;
/// Rows of a batch, at least, as long as their text cannot exceed [`MAX_OPEN_BYTES`]: below it the work for a batch
/// outweighs its rows.
const LEAST_BATCH_ROWS: usize = 16;
/// What gzip can make of a byte.
const GZIP_RATIO: u64 = 1_032;
/// Pages of gzip that cannot come to more than this are not looked into.
const SMALL_BYTES: u64 = 64 << 20;

/// Bytes of a file by position.
pub(super) trait ByteSource {
    /// Fills `out` from `offset` as far as the file goes; gives the number of bytes.
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl ByteSource for File {
    fn read_at(&self, out: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < out.len() {
            match FileExt::read_at(self, &mut out[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

/// What the pages of a column chunk declare at most.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct ChunkSizes {
    data_page: u64,
    dictionary: u64,
    /// Bytes of the largest value that may be repeated from row to row.
    largest_value: u64,
}

/// What is wrong with a page: the bytes, or their reading.
#[derive(Debug)]
pub(super) enum PageError {
    Io(io::Error),
    Damaged(String),
}

impl From<io::Error> for PageError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Checks what the footer says of the columns of one row group.
///
/// # Errors
/// A sentence that names column and limit.
pub(super) fn check_counts(group: &RowGroupMetaData) -> Result<(), String> {
    for column in group.columns() {
        let name = column.column_path().string();
        let is_list = column.column_descr().max_rep_level() > 0;
        if column.num_values() < 0 || (!is_list && column.num_values() != group.num_rows()) {
            return Err(format!(
                "column {name:?} declares {} values for {} rows; write the file again",
                column.num_values(),
                group.num_rows()
            ));
        }
        if is_list && column.num_values() > MAX_LIST_VALUES {
            return Err(format!(
                "column {name:?} declares {} values, more than the limit of {MAX_LIST_VALUES} for lists; \
                 write the file with smaller row groups",
                column.num_values()
            ));
        }
    }
    Ok(())
}

/// Walks over the page headers of `column`. O(pages), and O(bytes) for dictionaries of text and large gzip pages.
///
/// # Errors
/// For pages that lie outside their chunk, hold more values than the footer says, or exceed a limit.
pub(super) fn check_chunk(
    source: &impl ByteSource,
    column: &ColumnChunkMetaData,
) -> Result<ChunkSizes, PageError> {
    let (start, length) = column.byte_range();
    let end = start + length;
    let mut sizes = ChunkSizes::default();
    let mut at = start;
    let mut values = 0_i64;
    while at < end {
        let (header, header_bytes) = read_header(source, at, end)?;
        let body = at + header_bytes;
        let compressed = size(header.compressed, "compressed")?;
        let declared = size(header.uncompressed, "uncompressed")?;
        if body + compressed > end {
            return Err(damaged("a page does not lie within its column chunk; write the file again"));
        }
        if declared > MAX_PAGE_BYTES {
            return Err(PageError::Damaged(format!(
                "a page declares {declared} bytes, more than the limit of {MAX_PAGE_BYTES}; \
                 write the file with smaller pages"
            )));
        }
        let page = Page { header: &header, body, compressed, declared };
        page.check_decompressed(source, column.compression())?;
        if header.is_dictionary() {
            sizes.dictionary = sizes.dictionary.max(declared);
            if column.column_type() == Type::BYTE_ARRAY {
                let largest = page.largest_entry(source, column.compression())?;
                sizes.largest_value = sizes.largest_value.max(largest);
            }
        } else {
            sizes.data_page = sizes.data_page.max(declared);
            values = values.saturating_add(i64::from(header.values.max(0)));
            if values > column.num_values() {
                return Err(damaged("the pages hold more values than the footer says; write the file again"));
            }
        }
        at = body + compressed;
    }
    if column.encodings().any(|encoding| encoding == Encoding::DELTA_BYTE_ARRAY) {
        // A value may repeat all of the one before it.
        sizes.largest_value = sizes.largest_value.max(sizes.data_page);
    }
    Ok(sizes)
}

/// Checks that what must be in memory together fits; gives the rows for which it does.
///
/// # Errors
/// A sentence that names the limit.
pub(super) fn rows_that_fit(columns: &[ChunkSizes], batch_rows: usize) -> Result<usize, String> {
    let open: u64 = columns.iter().map(|sizes| sizes.data_page + sizes.dictionary).sum();
    if open > MAX_OPEN_BYTES {
        return Err(format!(
            "the pages of its columns declare {open} bytes that must be in memory together, more than the limit of \
             {MAX_OPEN_BYTES}; write the file with smaller pages"
        ));
    }
    let repeated: u64 = columns.iter().map(|sizes| sizes.largest_value).sum();
    let fit = usize::try_from(MAX_BATCH_TEXT / repeated.max(1)).unwrap_or(usize::MAX);
    let most = usize::try_from(MAX_OPEN_BYTES / repeated.max(1)).unwrap_or(usize::MAX);
    Ok(batch_rows.min(fit.max(LEAST_BATCH_ROWS)).min(most.max(1)))
}

fn size(declared: i32, what: &str) -> Result<u64, PageError> {
    u64::try_from(declared).map_err(|_| {
        PageError::Damaged(format!("a page declares {declared} {what} bytes; write the file again"))
    })
}

fn damaged(reason: &str) -> PageError {
    PageError::Damaged(reason.to_owned())
}

struct Page<'a> {
    header: &'a PageHeader,
    body: u64,
    compressed: u64,
    declared: u64,
}

impl Page<'_> {
    /// Bytes before the values that are never compressed.
    fn levels(&self) -> u64 {
        u64::try_from(self.header.levels).unwrap_or_default().min(self.compressed)
    }

    fn reader<'s, S: ByteSource>(&self, source: &'s S) -> PageReader<'s, S> {
        let skipped = self.levels();
        PageReader { source, at: self.body + skipped, left: self.compressed - skipped }
    }

    /// Where the decoder takes whatever comes out, looks how much that is.
    fn check_decompressed(&self, source: &impl ByteSource, codec: Compression) -> Result<(), PageError> {
        let suspicious = match codec {
            Compression::GZIP(_) => self.compressed.saturating_mul(GZIP_RATIO) > SMALL_BYTES,
            Compression::BROTLI(_) => true,
            // The decoders of the others write into what is declared and no further.
            _ => false,
        };
        if !suspicious || !self.header.is_compressed {
            return Ok(());
        }
        let Some(mut decoder) = self.decoder(source, codec) else { return Ok(()) };
        let mut sink = io::sink();
        let counted = io::copy(&mut (&mut decoder).take(self.declared + 1), &mut sink);
        // What is no valid data is told by the decoder itself.
        if counted.is_ok_and(|bytes| bytes > self.declared) {
            return Err(PageError::Damaged(format!(
                "a page decompresses to more than the {} bytes that it declares, as a decompression bomb does; \
                 write the file again",
                self.declared
            )));
        }
        Ok(())
    }

    /// Bytes of the longest entry of a dictionary of text; all of it where that cannot be seen.
    fn largest_entry(&self, source: &impl ByteSource, codec: Compression) -> Result<u64, PageError> {
        let Some(decoder) = self.decoder(source, codec) else { return Ok(self.declared) };
        let mut entries = Vec::new();
        if decoder.take(self.declared).read_to_end(&mut entries).is_err() {
            return Ok(self.declared);
        }
        let mut rest = entries.as_slice();
        let mut largest = 0;
        while let Some((length, behind)) = rest.split_first_chunk::<4>() {
            let length = u32::from_le_bytes(*length) as usize;
            let Some(next) = behind.get(length..) else { break };
            largest = largest.max(length as u64);
            rest = next;
        }
        Ok(largest)
    }

    fn decoder<'s, S: ByteSource>(&self, source: &'s S, codec: Compression) -> Option<Box<dyn Read + 's>> {
        let stored = self.reader(source);
        Some(match codec {
            Compression::UNCOMPRESSED => Box::new(stored),
            Compression::GZIP(_) => Box::new(flate2::read::MultiGzDecoder::new(stored)),
            Compression::ZSTD(_) => Box::new(zstd::stream::read::Decoder::new(stored).ok()?),
            Compression::BROTLI(_) => Box::new(brotli::Decompressor::new(stored, 64 << 10)),
            Compression::SNAPPY => {
                let mut bytes = Vec::new();
                stored.take(self.compressed).read_to_end(&mut bytes).ok()?;
                let length = snap::raw::decompress_len(&bytes).ok()? as u64;
                if length > self.declared {
                    return None;
                }
                Box::new(io::Cursor::new(snap::raw::Decoder::new().decompress_vec(&bytes).ok()?))
            }
            _ => return None,
        })
    }
}

struct PageReader<'s, S> {
    source: &'s S,
    at: u64,
    left: u64,
}

impl<S: ByteSource> Read for PageReader<'_, S> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let wanted = out.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.source.read_at(&mut out[..wanted], self.at)?;
        self.at += count as u64;
        self.left -= count as u64;
        Ok(count)
    }
}

/// What matters of a page header.
#[derive(Debug, Clone, Copy)]
struct PageHeader {
    kind: i32,
    uncompressed: i32,
    compressed: i32,
    values: i32,
    /// Bytes of definition and repetition levels that stand uncompressed before the values.
    levels: i32,
    is_compressed: bool,
}

impl PageHeader {
    fn is_dictionary(&self) -> bool {
        self.kind == 2
    }
}

fn read_header(source: &impl ByteSource, at: u64, end: u64) -> Result<(PageHeader, u64), PageError> {
    let mut wanted = 512;
    loop {
        let most = usize::try_from(end - at).unwrap_or(usize::MAX);
        let mut bytes = vec![0; wanted.min(most)];
        let count = source.read_at(&mut bytes, at)?;
        let mut thrift = Thrift { bytes: &bytes[..count], at: 0 };
        if let Some(header) = thrift.page_header() {
            return Ok((header, thrift.at as u64));
        }
        if count < wanted || wanted >= MAX_HEADER_BYTES {
            return Err(damaged("a page has no valid header; copy or write the file again"));
        }
        wanted *= 4;
    }
}

/// The compact protocol of Thrift, as far as page headers need it. `None`: the bytes end, or are no Thrift.
struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

const TRUE: u8 = 1;
const STRUCT: u8 = 12;

impl Thrift<'_> {
    fn page_header(&mut self) -> Option<PageHeader> {
        let mut header = PageHeader {
            kind: -1,
            uncompressed: -1,
            compressed: -1,
            values: 0,
            levels: 0,
            is_compressed: true,
        };
        let mut id = 0;
        while let Some(kind) = self.field(&mut id)? {
            match (id, kind) {
                (1, 5) => header.kind = self.int()?,
                (2, 5) => header.uncompressed = self.int()?,
                (3, 5) => header.compressed = self.int()?,
                (5 | 7 | 8, STRUCT) => self.page(id, &mut header)?,
                _ => self.skip(kind, 0)?,
            }
        }
        Some(header)
    }

    fn page(&mut self, page: i64, header: &mut PageHeader) -> Option<()> {
        let mut id = 0;
        while let Some(kind) = self.field(&mut id)? {
            match (page, id, kind) {
                (_, 1, 5) => header.values = self.int()?,
                (8, 5 | 6, 5) => header.levels = header.levels.saturating_add(self.int()?.max(0)),
                (8, 7, 1 | 2) => header.is_compressed = kind == TRUE,
                _ => self.skip(kind, 0)?,
            }
        }
        Some(())
    }

    /// The type of the next field; `Some(None)` at the end of the struct.
    fn field(&mut self, id: &mut i64) -> Option<Option<u8>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        *id = match byte >> 4 {
            0 => self.zigzag()?,
            delta => *id + i64::from(delta),
        };
        Some(Some(byte & 0x0f))
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > 8 {
            return None;
        }
        match kind {
            1 | 2 => {}
            3 => self.at += 1,
            4..=6 => {
                self.varint()?;
            }
            7 => self.at += 8,
            8 => {
                let length = usize::try_from(self.varint()?).ok()?;
                self.at = self.at.checked_add(length)?;
            }
            9 | 10 => {
                let byte = self.byte()?;
                let count = if byte >> 4 == 15 { self.varint()? } else { u64::from(byte >> 4) };
                for _ in 0..count {
                    // In a list a boolean takes a byte.
                    if matches!(byte & 0x0f, 1 | 2) {
                        self.byte()?;
                    } else {
                        self.skip(byte & 0x0f, depth + 1)?;
                    }
                    if self.at > self.bytes.len() {
                        return None;
                    }
                }
            }
            STRUCT => {
                let mut id = 0;
                while let Some(kind) = self.field(&mut id)? {
                    self.skip(kind, depth + 1)?;
                }
            }
            _ => return None,
        }
        (self.at <= self.bytes.len()).then_some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    fn int(&mut self) -> Option<i32> {
        i32::try_from(self.zigzag()?).ok()
    }
}
