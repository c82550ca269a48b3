//! A column chunk of text that comes as codes.
//!
//! The codec's own writer hashes and compares the text of every row to find its place in the chunk's dictionary. Here
//! that is done once for each code; a row costs a look into a small table and its bits in the page.

use std::cell::RefCell;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, UInt16Type};
use hashbrown::HashTable;
use parquet::basic::{Compression, Encoding, EncodingMask, PageType};
use parquet::column::page::{CompressedPage, Page, PageWriter};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder, PageEncodingStats};
use parquet::file::writer::{SerializedPageWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;
use xxhash_rust::xxh3::xxh3_64;
use zstd::bulk::Compressor;

use super::hybrid;

/// Bytes of a page of plain values.
const PLAIN_PAGE_BYTES: usize = 1 << 20;
/// The most that the header of a page takes, about.
const PAGE_HEADER_BYTES: usize = 64;
/// The place of a code whose text was not met in this chunk.
const NOT_MET: u32 = u32::MAX;

/// Whether a column with such values, stored in this way, is to be written here: codes, and text for a dictionary, of
/// which neighbours in the order of rows are often the same.
pub(super) fn takes(data_type: &DataType, compression: Compression, has_dictionary: bool) -> bool {
    match data_type {
        DataType::Dictionary(key, value) if **key == DataType::UInt16 && **value == DataType::Utf8 => {
            matches!(compression, Compression::UNCOMPRESSED | Compression::ZSTD(_))
        }
        DataType::Utf8 => has_dictionary && compression == Compression::UNCOMPRESSED,
        _ => false,
    }
}

/// Rows of one column of one row group on their way into a file.
pub(super) struct TextChunk {
    column: ColumnDescPtr,
    compression: Compression,
    page_rows: usize,
    dictionary: Dictionary,
    /// Texts that found no room in the dictionary are written as they are, from then on.
    plain: Option<Vec<u8>>,
    /// Of the open page: what each row has, 1 for a text and 0 for NULL, and the places of the texts.
    defined: Vec<u32>,
    places: Vec<u32>,
    pages: Vec<(CompressedPage, usize)>,
    rows: usize,
}

impl TextChunk {
    /// Nothing yet. Pages have `page_rows` rows; a dictionary of more than `dictionary_bytes` gets no more texts.
    pub(super) fn new(
        column: ColumnDescPtr,
        compression: Compression,
        page_rows: usize,
        dictionary_bytes: usize,
    ) -> Self {
        Self {
            column,
            compression,
            page_rows: page_rows.max(1),
            dictionary: Dictionary::new(dictionary_bytes),
            plain: None,
            defined: Vec::new(),
            places: Vec::new(),
            pages: Vec::new(),
            rows: 0,
        }
    }

    /// Appends rows: codes with their texts, or anything that is text. O(rows) for codes.
    ///
    /// # Errors
    /// For values that are no text, and if compressing fails.
    pub(super) fn push(&mut self, array: &ArrayRef) -> Result<()> {
        let mut at = 0;
        let coded = array.as_any().downcast_ref::<DictionaryArray<UInt16Type>>();
        let coded = coded.filter(|coded| coded.values().as_string_opt::<i32>().is_some());
        if let Some(coded) = coded {
            self.dictionary.begin(coded.values());
            while at < coded.len() && self.plain.is_none() {
                let end = coded.len().min(at + self.page_rows - self.defined.len());
                at = self.push_codes(coded, at, end);
                self.end_page_if_full(at < end)?;
            }
        }
        if at < array.len() {
            let texts = cast(&array.slice(at, array.len() - at), &DataType::Utf8)?;
            self.push_texts(texts.as_string::<i32>())?;
        }
        Ok(())
    }

    /// Appends rows while their texts have room in the dictionary; gives the row that has none, or `end`.
    fn push_codes(&mut self, coded: &DictionaryArray<UInt16Type>, start: usize, end: usize) -> usize {
        let (keys, texts) = (coded.keys().values(), coded.values().as_string::<i32>());
        if coded.null_count() == 0 && texts.null_count() == 0 {
            let before = self.places.len();
            self.places.reserve(end - start);
            for key in &keys[start..end] {
                let Some(place) = self.dictionary.place_of(*key, texts) else { break };
                self.places.push(place);
            }
            let added = self.places.len() - before;
            self.defined.resize(self.defined.len() + added, 1);
            return start + added;
        }
        for at in start..end {
            if coded.is_null(at) || texts.is_null(usize::from(keys[at])) {
                self.defined.push(0);
                continue;
            }
            let Some(place) = self.dictionary.place_of(keys[at], texts) else { return at };
            self.places.push(place);
            self.defined.push(1);
        }
        end
    }

    fn push_texts(&mut self, texts: &StringArray) -> Result<()> {
        for text in texts {
            match (text, &mut self.plain) {
                (None, _) => self.defined.push(0),
                (Some(text), Some(plain)) => {
                    append_text(text, plain);
                    self.defined.push(1);
                }
                (Some(text), None) => match self.dictionary.place(text) {
                    Some(place) => {
                        self.places.push(place);
                        self.defined.push(1);
                    }
                    None => {
                        self.end_page_if_full(true)?;
                        append_text(text, self.plain.get_or_insert_default());
                        self.defined.push(1);
                    }
                },
            }
            self.end_page_if_full(false)?;
        }
        Ok(())
    }

    /// Ends the page if it has all its rows, or because the dictionary `is_full`: no more texts join it.
    fn end_page_if_full(&mut self, is_full: bool) -> Result<()> {
        let too_long = self.plain.as_ref().is_some_and(|plain| plain.len() >= PLAIN_PAGE_BYTES);
        if is_full || too_long || self.defined.len() == self.page_rows {
            self.end_page()?;
        }
        if is_full {
            self.plain.get_or_insert_default();
        }
        Ok(())
    }

    fn end_page(&mut self) -> Result<()> {
        let rows = self.defined.len();
        if rows == 0 {
            return Ok(());
        }
        let mut bytes = Vec::new();
        if self.column.max_def_level() > 0 {
            bytes.extend_from_slice(&[0; 4]);
            hybrid::encode(&self.defined, 1, &mut bytes);
            let length = u32::try_from(bytes.len() - 4).map_err(|_| too_large())?;
            bytes[..4].copy_from_slice(&length.to_le_bytes());
        }
        let encoding = match &mut self.plain {
            Some(plain) => {
                bytes.append(plain);
                Encoding::PLAIN
            }
            None => {
                let bits = hybrid::bits_for(self.dictionary.len().saturating_sub(1));
                bytes.push(bits);
                hybrid::encode(&self.places, bits, &mut bytes);
                Encoding::RLE_DICTIONARY
            }
        };
        self.defined.clear();
        self.places.clear();
        let length = bytes.len();
        let page = Page::DataPage {
            buf: self.compress(bytes)?.into(),
            num_values: u32::try_from(rows).map_err(|_| too_large())?,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        self.pages.push((CompressedPage::new(page, length), rows));
        self.rows += rows;
        Ok(())
    }

    fn compress(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        match self.compression {
            Compression::ZSTD(level) => zstd_compress(&bytes, level.compression_level())
                .map_err(|error| ParquetError::External(Box::new(error))),
            _ => Ok(bytes),
        }
    }

    /// The chunk's bytes, dictionary first, with its description for the footer.
    ///
    /// # Errors
    /// Beyond 2 GiB, and if compressing fails.
    pub(super) fn close(mut self) -> Result<(Vec<u8>, ColumnCloseResult)> {
        self.end_page()?;
        let dictionary = std::mem::take(&mut self.dictionary.bytes);
        let length = dictionary.len();
        let page = Page::DictionaryPage {
            buf: self.compress(dictionary)?.into(),
            num_values: self.dictionary.len(),
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        let pages: usize =
            self.pages.iter().map(|(page, _)| page.compressed_size() + PAGE_HEADER_BYTES).sum();
        let mut sink = TrackedWrite::new(Vec::with_capacity(page.buffer().len() + PAGE_HEADER_BYTES + pages));
        let mut writer = SerializedPageWriter::new(&mut sink);
        let written = writer.write_page(CompressedPage::new(page, length))?;
        let (mut compressed, mut uncompressed) = (written.compressed_size, written.uncompressed_size);
        let mut encodings = vec![Encoding::PLAIN, Encoding::RLE];
        let stats = |page_type, encoding| PageEncodingStats { page_type, encoding, count: 1 };
        let mut counted = vec![stats(PageType::DICTIONARY_PAGE, Encoding::PLAIN)];
        let (mut offsets, mut first) = (OffsetIndexBuilder::new(), None);
        for (page, rows) in std::mem::take(&mut self.pages) {
            let encoding = page.encoding();
            encodings.push(encoding);
            match counted.last_mut() {
                Some(last) if last.page_type == PageType::DATA_PAGE && last.encoding == encoding => {
                    last.count += 1;
                }
                _ => counted.push(stats(PageType::DATA_PAGE, encoding)),
            }
            let written = writer.write_page(page)?;
            compressed += written.compressed_size;
            uncompressed += written.uncompressed_size;
            let offset = i64::try_from(written.offset).map_err(|_| too_large())?;
            first.get_or_insert(offset);
            offsets.append_row_count(rows as i64);
            let size = i32::try_from(written.compressed_size).map_err(|_| too_large())?;
            offsets.append_offset_and_size(offset, size);
            offsets.append_unencoded_byte_array_data_bytes(None);
        }
        writer.close()?;
        let metadata = ColumnChunkMetaData::builder(self.column)
            .set_compression(self.compression)
            .set_encodings_mask(EncodingMask::new_from_encodings(encodings.iter()))
            .set_page_encoding_stats(counted)
            .set_total_compressed_size(compressed as i64)
            .set_total_uncompressed_size(uncompressed as i64)
            .set_num_values(self.rows as i64)
            .set_dictionary_page_offset(Some(0))
            .set_data_page_offset(first.unwrap_or_default())
            .build()?;
        let bytes = sink.into_inner()?;
        let close = ColumnCloseResult {
            bytes_written: bytes.len() as u64,
            rows_written: self.rows as u64,
            metadata,
            bloom_filter: None,
            column_index: None,
            offset_index: Some(offsets.build()),
        };
        Ok((bytes, close))
    }
}

fn zstd_compress(bytes: &[u8], level: i32) -> std::io::Result<Vec<u8>> {
    thread_local! {
        /// What a page is compressed with takes longer to set up than many a page takes.
        static COMPRESSOR: RefCell<Option<(i32, Compressor<'static>)>> = const { RefCell::new(None) };
    }
    COMPRESSOR.with_borrow_mut(|kept| match kept {
        Some((its_level, compressor)) if *its_level == level => compressor.compress(bytes),
        other => other.insert((level, Compressor::new(level)?)).1.compress(bytes),
    })
}

fn too_large() -> ParquetError {
    ParquetError::General("a column chunk exceeds the limits of the format".to_owned())
}

fn append_text(text: &str, out: &mut Vec<u8>) {
    // Texts of a batch have 32-bit offsets.
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// The texts of a chunk in the order in which they were met.
struct Dictionary {
    limit: usize,
    /// Each text behind its length.
    bytes: Vec<u8>,
    /// Where each text lies in `bytes`.
    texts: Vec<std::ops::Range<usize>>,
    table: HashTable<u32>,
    /// The place that was asked for last.
    last: u32,
    /// The texts that codes stand for at present, and the place of each here.
    source: Option<ArrayRef>,
    places: Vec<u32>,
}

impl Dictionary {
    fn new(limit: usize) -> Self {
        let (bytes, texts, table) = (Vec::new(), Vec::new(), HashTable::new());
        Self { limit, bytes, texts, table, last: 0, source: None, places: Vec::new() }
    }

    fn len(&self) -> u32 {
        self.texts.len() as u32
    }

    /// Codes stand for `texts` from now on.
    fn begin(&mut self, texts: &ArrayRef) {
        if self.source.as_ref().is_none_or(|source| !std::sync::Arc::ptr_eq(source, texts)) {
            self.places.clear();
            self.places.resize(texts.len(), NOT_MET);
            self.source = Some(std::sync::Arc::clone(texts));
        }
    }

    /// The place of the text of a code; `None` if there is no room for it.
    fn place_of(&mut self, code: u16, texts: &StringArray) -> Option<u32> {
        let place = self.places[usize::from(code)];
        if place != NOT_MET {
            return Some(place);
        }
        let place = self.place(texts.value(usize::from(code)))?;
        self.places[usize::from(code)] = place;
        Some(place)
    }

    fn place(&mut self, text: &str) -> Option<u32> {
        let Self { bytes, texts, table, last, .. } = self;
        let at = |place: u32| &bytes[texts[place as usize].clone()];
        if texts.get(*last as usize).is_some_and(|range| bytes[range.clone()] == *text.as_bytes()) {
            return Some(*last);
        }
        let hash = xxh3_64(text.as_bytes());
        if let Some(place) = table.find(hash, |place| at(*place) == text.as_bytes()) {
            *last = *place;
            return Some(*place);
        }
        if bytes.len() + size_of::<u32>() + text.len() > self.limit {
            return None;
        }
        let place = texts.len() as u32;
        *last = place;
        append_text(text, bytes);
        texts.push(bytes.len() - text.len()..bytes.len());
        table.insert_unique(hash, place, |place| xxh3_64(&bytes[texts[*place as usize].clone()]));
        Some(place)
    }
}

#[cfg(test)]
mod tests;
