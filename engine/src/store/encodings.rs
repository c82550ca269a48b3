//! What column chunks say of the way in which their values are stored.

use parquet::basic::{Encoding, EncodingMask};
use parquet::file::metadata::ColumnChunkMetaData;

/// Whether all values of a column chunk are in its dictionary; `None` if it does not say.
pub fn is_all_in_dictionary(chunk: &ColumnChunkMetaData) -> Option<bool> {
    if chunk.dictionary_page_offset().is_none() {
        return Some(false);
    }
    let encodings = [Encoding::RLE_DICTIONARY, Encoding::PLAIN_DICTIONARY];
    let all_pages = |mask: &EncodingMask| encodings.into_iter().any(|encoding| mask.is_only(encoding));
    chunk.page_encoding_stats_mask().map(all_pages)
}
