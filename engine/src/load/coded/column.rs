//! The codes of one column.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, PrimitiveArray, StringArray, StringBuilder, UInt16Array,
};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{ArrowDictionaryKeyType, ArrowNativeType, DataType, Int32Type, UInt16Type};
use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

/// Values after which a column must repeat each of them so often on average to stay coded.
const TRIED_VALUES: usize = 4_096;
const LEAST_REPEATS: u64 = 4;
/// The code of NULL.
pub(in crate::load) const NULL: u16 = u16::MAX;
/// No code yet.
const UNKNOWN: u32 = u32::MAX;
/// Dictionaries whose codes are remembered, those of the files that are read at once, and the bytes of their texts.
const SOURCES: usize = 4;
const SOURCE_BYTES: usize = 2 << 20;
/// log2 of the texts that are found without hashing.
const RECENT_BITS: u32 = 9;

/// The values of one column in the order in which they were met.
#[derive(Debug)]
pub(in crate::load) struct ColumnCodes {
    max_bytes: usize,
    table: HashTable<u16>,
    /// Texts met last, by [`Glance::slot`].
    recent: Vec<Option<(Glance, u16)>>,
    text: String,
    ends: Vec<usize>,
    /// Values met, repeated ones included.
    met: u64,
    given_up: bool,
    /// The values as an array, made when all are known.
    values: Option<ArrayRef>,
    /// Dictionaries met last, and the codes of their values as far as they are known.
    sources: Vec<(StringArray, Vec<u32>)>,
}

impl ColumnCodes {
    /// None yet; values come to at most so many bytes.
    pub(in crate::load) fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            table: HashTable::new(),
            recent: Vec::new(),
            text: String::new(),
            ends: Vec::new(),
            met: 0,
            given_up: false,
            values: None,
            sources: Vec::new(),
        }
    }

    /// The codes of text, as it is or in a dictionary; `None` if the column does not repeat enough, or is no text.
    pub(super) fn encode(&mut self, array: &ArrayRef) -> Option<UInt16Array> {
        if self.given_up {
            return None;
        }
        let codes = match array.data_type() {
            DataType::Utf8 => array
                .as_string::<i32>()
                .iter()
                .map(|text| self.code_or_null(text))
                .collect::<Option<Vec<u16>>>(),
            DataType::Dictionary(key, _) if **key == DataType::Int32 => {
                self.codes_of(array.as_dictionary::<Int32Type>())
            }
            DataType::Dictionary(key, _) if **key == DataType::UInt16 => {
                self.codes_of(array.as_dictionary::<UInt16Type>())
            }
            _ => None,
        };
        self.given_up |= codes.is_none();
        self.note(array.len() - array.null_count());
        codes.map(UInt16Array::from)
    }

    fn code_or_null(&mut self, text: Option<&str>) -> Option<u16> {
        text.map_or(Some(NULL), |text| self.code(text.as_bytes()))
    }

    /// The codes of the rows of a dictionary. Only values that rows have get one. O(rows), and O(bytes of values) for a dictionary
    /// that is met for the first time.
    fn codes_of<K: ArrowDictionaryKeyType>(&mut self, coded: &DictionaryArray<K>) -> Option<Vec<u16>> {
        let texts = coded.values().as_string_opt::<i32>()?;
        let known = self.sources.iter().position(|(known, _)| is_same(known, texts));
        let (texts, mut codes) = match known {
            Some(at) => self.sources.remove(at),
            None => (texts.clone(), vec![UNKNOWN; texts.len()]),
        };
        let found = self.codes_by(coded.keys(), &texts, &mut codes);
        self.remember(texts, codes);
        found
    }

    /// The codes of the rows of a dictionary; `codes`: those of its values, as far as they are known.
    fn codes_by<K: ArrowDictionaryKeyType>(
        &mut self,
        keys: &PrimitiveArray<K>,
        texts: &StringArray,
        codes: &mut [u32],
    ) -> Option<Vec<u16>> {
        // Collecting into an `Option` would not know the length, and grow step by step.
        let mut found = Vec::with_capacity(keys.len());
        let mut all_known = true;
        let mut code = |key: &K::Native| {
            let at = key.as_usize();
            let known = codes.get(at).copied().unwrap_or(UNKNOWN);
            let code = u16::try_from(known).ok().or_else(|| {
                // A damaged file may have keys beyond its dictionary.
                let place = codes.get_mut(at)?;
                let new = self.code_or_null(texts.is_valid(at).then(|| texts.value(at)))?;
                *place = new.into();
                Some(new)
            });
            all_known &= code.is_some();
            code.unwrap_or(NULL)
        };
        match keys.nulls() {
            None => found.extend(keys.values().iter().map(code)),
            Some(nulls) => {
                let keys = keys.values().iter().zip(nulls);
                found.extend(keys.map(|(key, is_valid)| if is_valid { code(key) } else { NULL }));
            }
        }
        all_known.then_some(found)
    }

    /// Keeps what is known of a dictionary for the next rows of it.
    fn remember(&mut self, texts: StringArray, codes: Vec<u32>) {
        self.sources.push((texts, codes));
        let bytes =
            |sources: &[(StringArray, _)]| sources.iter().map(|(t, _)| t.value_data().len()).sum::<usize>();
        while self.sources.len() > 1 && (self.sources.len() > SOURCES || bytes(&self.sources) > SOURCE_BYTES)
        {
            self.sources.remove(0);
        }
    }

    /// Counts values met, and gives up if they repeat too little. Whether it is given up.
    pub(in crate::load) fn note(&mut self, met: usize) -> bool {
        self.met += met as u64;
        let values = self.ends.len();
        self.given_up |= values > TRIED_VALUES && self.met < values as u64 * LEAST_REPEATS;
        self.given_up
    }

    /// The code of a text, a new one if it has none; `None` if there is no room, or it is not UTF-8.
    pub(in crate::load) fn code(&mut self, text: &[u8]) -> Option<u16> {
        let glance = Glance::of(text);
        if self.recent.is_empty() {
            self.recent = vec![None; 1 << RECENT_BITS];
        }
        let slot = glance.slot();
        if let Some((recent, code)) = &self.recent[slot]
            && *recent == glance
            && (glance.tells_all() || value(&self.text, &self.ends, *code).as_bytes() == text)
        {
            return Some(*code);
        }
        let code = self.find(text)?;
        self.recent[slot] = Some((glance, code));
        Some(code)
    }

    fn find(&mut self, text: &[u8]) -> Option<u16> {
        let hash = xxh3_64(text);
        let Self { table, text: known, ends, .. } = self;
        if let Some(code) = table.find(hash, |code| value(known, ends, *code).as_bytes() == text) {
            return Some(*code);
        }
        let code = u16::try_from(ends.len()).ok()?;
        if code == NULL || known.len() + text.len() > self.max_bytes {
            return None;
        }
        let text = std::str::from_utf8(text).ok()?;
        known.push_str(text);
        ends.push(known.len());
        table.insert_unique(hash, code, |code| xxh3_64(value(known, ends, *code).as_bytes()));
        self.values = None;
        Some(code)
    }

    /// The texts that codes stand for.
    pub(super) fn texts(&self, keys: &UInt16Array) -> StringArray {
        let mut texts = StringBuilder::with_capacity(keys.len(), keys.len() * 8);
        for key in keys.values() {
            texts.append_option((*key != NULL).then(|| value(&self.text, &self.ends, *key)));
        }
        texts.finish()
    }

    /// The text of a code.
    pub(in crate::load) fn value(&self, code: u16) -> &str {
        value(&self.text, &self.ends, code)
    }

    /// All values, in the order of their codes; the same array until there is another one. To be called when all rows of
    /// other dictionaries are encoded.
    pub(in crate::load) fn values(&mut self) -> ArrayRef {
        let Self { text, ends, values, sources, .. } = self;
        sources.clear();
        let make = || {
            let all = (0..ends.len()).map(|code| value(text, ends, code as u16));
            Arc::new(StringArray::from_iter_values(all)) as ArrayRef
        };
        Arc::clone(values.get_or_insert_with(make))
    }
}

/// Codes as keys of a dictionary, in which NULL has none.
pub(in crate::load) fn with_nulls(codes: &UInt16Array) -> UInt16Array {
    let codes = codes.values();
    // Most columns have none, which is seen many codes at a time.
    if !codes.iter().fold(false, |any, code| any | (*code == NULL)) {
        return UInt16Array::new(codes.clone(), None);
    }
    let is_valid = BooleanBuffer::collect_bool(codes.len(), |row| codes[row] != NULL);
    let codes = codes.iter().map(|code| if *code == NULL { 0 } else { *code }).collect();
    UInt16Array::new(codes, Some(NullBuffer::new(is_valid)))
}

/// Whether two arrays are the same place in memory.
pub(in crate::load) fn is_same(a: &StringArray, b: &StringArray) -> bool {
    std::ptr::eq(a.value_offsets(), b.value_offsets()) && a.value_data().as_ptr() == b.value_data().as_ptr()
}

/// What is seen of a text at first sight: its length and both ends. Of up to 16 bytes that is all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Glance {
    length: usize,
    head: u64,
    tail: u64,
}

impl Glance {
    fn of(text: &[u8]) -> Self {
        let length = text.len();
        if let (Some(head), Some(tail)) = (text.first_chunk(), text.last_chunk()) {
            return Self { length, head: u64::from_le_bytes(*head), tail: u64::from_le_bytes(*tail) };
        }
        if let (Some(head), Some(tail)) = (text.first_chunk(), text.last_chunk()) {
            let (head, tail) = (u32::from_le_bytes(*head), u32::from_le_bytes(*tail));
            return Self { length, head: head.into(), tail: tail.into() };
        }
        let byte = |at: usize| text.get(at).copied().map_or(0, u64::from);
        Self { length, head: byte(0) | byte(1) << 8 | byte(2) << 16, tail: 0 }
    }

    /// Whether no other text has it.
    fn tells_all(&self) -> bool {
        self.length <= 16
    }

    fn slot(&self) -> usize {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = (self.head ^ self.tail.rotate_left(23)).wrapping_add(self.length as u64);
        (mixed.wrapping_mul(ODD) >> (u64::BITS - RECENT_BITS)) as usize
    }
}

/// The text behind a code; empty for one that is not known.
fn value<'a>(text: &'a str, ends: &[usize], code: u16) -> &'a str {
    let code = usize::from(code);
    let start = if code == 0 { 0 } else { ends.get(code - 1).copied().unwrap_or_default() };
    ends.get(code).and_then(|end| text.get(start..*end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_beyond_a_dictionary_have_no_code() {
        let texts = StringArray::from(vec!["a"]);
        let mut codes = ColumnCodes::new(1 << 20);
        let mut code = |key: i32, texts: &StringArray| {
            let keys = PrimitiveArray::<Int32Type>::from(vec![key]);
            codes.codes_by(&keys, texts, &mut vec![UNKNOWN; texts.len()])
        };
        assert_eq!(code(0, &texts), Some(vec![0]));
        assert_eq!(code(1, &texts), None);
        assert_eq!(code(0, &texts.slice(0, 0)), None);
    }

    proptest! {
        #[test]
        fn a_glance_at_short_text_tells_all(a in "[ab\\x00]{0,18}", b in "[ab\\x00]{0,18}") {
            let (first, second) = (Glance::of(a.as_bytes()), Glance::of(b.as_bytes()));
            prop_assert!(a != b || first == second);
            prop_assert!(first != second || !first.tells_all() || a == b);
        }

        /// More texts than are found at first sight, short and long, many alike at both ends.
        #[test]
        fn equal_texts_have_equal_codes(
            picks in prop::collection::vec((0..700_usize, any::<bool>()), 1..2_000),
        ) {
            let texts: Vec<String> = picks
                .iter()
                .map(|(n, long)| if *long { format!("https://{n:06}.example") } else { n.to_string() })
                .collect();
            let mut codes = ColumnCodes::new(1 << 20);
            let array: ArrayRef = Arc::new(StringArray::from_iter_values(&texts));
            let coded = codes.encode(&array).expect("codes");
            let mut known: Vec<&String> = Vec::new();
            for (text, code) in texts.iter().zip(coded.values()) {
                let place = known.iter().position(|known| *known == text);
                let place = place.unwrap_or_else(|| {
                    known.push(text);
                    known.len() - 1
                });
                prop_assert_eq!(usize::from(*code), place);
            }
        }
    }
}
