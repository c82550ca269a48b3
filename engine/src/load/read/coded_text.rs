//! Text columns of a file as codes, where their values repeat.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, StringArray};
use arrow::datatypes::{DataType, Field, UInt16Type};
use arrow::error::ArrowError;

use super::convert::currency;
use super::json_text::compact_object;
use super::text_column::TextColumn;
use crate::load::coded::column::{ColumnCodes, NULL, is_same, with_nulls};
use crate::schema;

/// Bytes of the values of one column of one file, at most.
const MAX_BYTES: usize = 512 << 10;
/// Bytes of the values of a dictionary that is held to be known again, at most.
const MAX_HELD_BYTES: usize = 2 << 20;

/// A growing text column whose last rows can be taken back: codes as long as values repeat, text from then on.
#[derive(Debug)]
pub(super) enum FileColumn {
    Text(TextColumn),
    Codes(Box<CodeColumn>),
}

/// Codes, and what they stand for.
#[derive(Debug)]
pub(super) struct CodeColumn {
    known: ColumnCodes,
    codes: Vec<u16>,
    scratch: Vec<u8>,
}

impl FileColumn {
    pub(super) fn new(rows: usize, as_codes: bool) -> Self {
        if as_codes {
            let known = ColumnCodes::new(MAX_BYTES);
            let codes = Vec::with_capacity(rows);
            Self::Codes(Box::new(CodeColumn { known, codes, scratch: Vec::new() }))
        } else {
            Self::Text(TextColumn::with_capacity(rows))
        }
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Codes(coded) => coded.codes.len(),
        }
    }

    /// Appends a value. The bytes must be UTF-8; [`Self::finish`] checks.
    pub(super) fn push(&mut self, value: &[u8]) {
        let coded = match self {
            Self::Text(text) => return text.push(value),
            Self::Codes(coded) => coded,
        };
        match coded.known.code(value) {
            Some(code) => coded.codes.push(code),
            None => {
                let mut text = coded.to_text();
                text.push(value);
                *self = Self::Text(text);
            }
        }
    }

    pub(super) fn push_null(&mut self) {
        match self {
            Self::Text(text) => text.push_null(),
            Self::Codes(coded) => coded.codes.push(NULL),
        }
    }

    /// Appends NULLs until there are so many rows.
    pub(super) fn pad(&mut self, rows: usize) {
        match self {
            Self::Text(text) => text.pad(rows),
            Self::Codes(coded) => coded.codes.resize(coded.codes.len().max(rows), NULL),
        }
    }

    /// Appends the value that `write` appends to what it is given.
    pub(super) fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        match self {
            Self::Text(text) => {
                write(text.open());
                text.close();
            }
            Self::Codes(coded) => {
                let mut value = std::mem::take(&mut coded.scratch);
                value.clear();
                write(&mut value);
                self.push(&value);
                if let Self::Codes(coded) = self {
                    coded.scratch = value;
                }
            }
        }
    }

    /// Takes back every row from `rows` on.
    pub(super) fn truncate(&mut self, rows: usize) {
        match self {
            Self::Text(text) => text.truncate(rows),
            Self::Codes(coded) => coded.codes.truncate(rows),
        }
    }

    /// The column as an array, text or a dictionary; starts anew.
    ///
    /// # Errors
    /// If a value is not UTF-8 or the column holds more than 2 GiB.
    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let coded = match self {
            Self::Text(text) => return Ok(Arc::new(text.finish()?)),
            Self::Codes(coded) => coded,
        };
        let rows = coded.codes.len();
        if coded.known.note(coded.codes.iter().filter(|code| **code != NULL).count()) {
            let mut text = coded.to_text();
            let array = text.finish();
            *self = Self::Text(text);
            return Ok(Arc::new(array?));
        }
        let codes = std::mem::replace(&mut coded.codes, Vec::with_capacity(rows));
        let keys = with_nulls(&codes.into());
        Ok(Arc::new(DictionaryArray::<UInt16Type>::try_new(keys, coded.known.values())?))
    }
}

impl CodeColumn {
    /// The rows as text.
    fn to_text(&self) -> TextColumn {
        let mut text = TextColumn::with_capacity(self.codes.capacity());
        for code in &self.codes {
            text.push_option((*code != NULL).then(|| self.known.value(*code)));
        }
        text
    }
}

/// Which columns of one target can stay as they are.
#[derive(Debug, Default)]
pub(super) struct KeptColumns {
    /// The values of the dictionary met last, and whether all of them are right: batches of a file share it.
    judged: Option<(StringArray, bool)>,
}

impl KeptColumns {
    /// A column that can stay as it is: a dictionary of text that is right for `target` in every row. `None` for others, which
    /// are to be converted value by value. O(1) for the dictionary met before, else O(bytes of values).
    pub(super) fn kept(&mut self, target: &Field, array: &ArrayRef) -> Option<ArrayRef> {
        let DataType::Dictionary(key, _) = array.data_type() else { return None };
        let values = array.as_any_dictionary().values().as_string_opt::<i32>()?;
        let is_missing = !target.is_nullable() && array.null_count() > 0;
        let is_large = values.value_data().len() > MAX_HELD_BYTES;
        // Objects are looked at in full, which would be done for each batch.
        let is_costly = is_large && target.name() == schema::PROPERTIES;
        if !matches!(**key, DataType::UInt16 | DataType::Int32) || is_missing || is_costly {
            return None;
        }
        let are_right = match &self.judged {
            Some((known, are_right)) if is_same(known, values) => *are_right,
            _ if is_large => are_right(target, values),
            _ => {
                let are_right = are_right(target, values);
                self.judged = Some((values.clone(), are_right));
                are_right
            }
        };
        are_right.then(|| Arc::clone(array))
    }
}

/// Whether all values are as they are stored in a column of text.
fn are_right(target: &Field, values: &StringArray) -> bool {
    let is_right = |text: &str| match target.name().as_str() {
        "currency" => matches!(currency(text), Ok(Cow::Borrowed(code)) if code == text),
        schema::PROPERTIES => compact_object(text).is_ok_and(|object| object == text),
        _ => target.is_nullable() || !text.is_empty(),
    };
    values.null_count() == 0 && values.iter().flatten().all(is_right)
}

#[cfg(test)]
mod tests {
    use arrow::compute::cast;
    use proptest::prelude::*;

    use super::*;

    /// What is done with a column.
    #[derive(Debug, Clone)]
    enum Step {
        Push(String),
        Null,
        Pad(usize),
        Write(String),
        TakeBack(usize),
        Finish,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => (0..30_u8).prop_map(|n| Step::Push(format!("ä{n}"))),
            2 => Just(Step::Null),
            1 => (0..4_usize).prop_map(Step::Pad),
            2 => (0..30_u8).prop_map(|n| Step::Write(format!("ä{n}"))),
            1 => (0..4_usize).prop_map(Step::TakeBack),
            1 => Just(Step::Finish),
        ]
    }

    proptest! {
        #[test]
        fn codes_and_text_are_the_same(steps in prop::collection::vec(step(), 0..200), gives_up in any::<bool>()) {
            let mut columns = [FileColumn::new(8, false), FileColumn::new(8, true)];
            if let (FileColumn::Codes(coded), true) = (&mut columns[1], gives_up) {
                coded.known = ColumnCodes::new(40);
            }
            for step in steps {
                let mut finished = Vec::new();
                for column in &mut columns {
                    match &step {
                        Step::Push(text) => column.push(text.as_bytes()),
                        Step::Null => column.push_null(),
                        Step::Pad(rows) => column.pad(column.len() + rows),
                        Step::Write(text) => column.push_with(|out| out.extend_from_slice(text.as_bytes())),
                        Step::TakeBack(rows) => column.truncate(column.len().saturating_sub(*rows)),
                        Step::Finish => {
                            let array = column.finish().expect("array");
                            finished.push(cast(&array, &DataType::Utf8).expect("text"));
                        }
                    }
                }
                prop_assert_eq!(columns[0].len(), columns[1].len());
                if let [text, coded] = finished.as_slice() {
                    prop_assert_eq!(text, coded);
                }
            }
        }
    }

    #[test]
    fn bytes_that_are_not_text_are_refused() {
        let mut column = FileColumn::new(1, true);
        column.push(b"a");
        column.push(&[0xff]);
        assert!(column.finish().is_err());
    }

    #[test]
    fn only_what_is_right_in_every_row_is_kept() {
        let coded = |rows: Vec<Option<&str>>| -> ArrayRef {
            Arc::new(rows.into_iter().collect::<DictionaryArray<UInt16Type>>())
        };
        let kept = |field: &Field, array: &ArrayRef| KeptColumns::default().kept(field, array);
        let currency = Field::new("currency", DataType::Utf8, true);
        let properties = Field::new(schema::PROPERTIES, DataType::Utf8, true);
        let event = Field::new("event", DataType::Utf8, false);
        let channel = Field::new("channel", DataType::Utf8, true);
        assert!(kept(&currency, &coded(vec![Some("EUR"), None])).is_some());
        assert!(kept(&currency, &coded(vec![Some("eur")])).is_none());
        assert!(kept(&currency, &coded(vec![Some("")])).is_none());
        assert!(kept(&event, &coded(vec![Some("view")])).is_some());
        assert!(kept(&event, &coded(vec![Some("view"), None])).is_none());
        assert!(kept(&event, &coded(vec![Some("")])).is_none());
        assert!(kept(&channel, &coded(vec![Some(""), None])).is_some());
        assert!(kept(&properties, &coded(vec![Some("{\"a\":1}"), None])).is_some());
        for wrong in ["", " ", "{\"a\": 1}", "{\"a\":1} ", "[1]", "{"] {
            assert!(kept(&properties, &coded(vec![Some("{\"a\":1}"), Some(wrong)])).is_none(), "{wrong:?}");
        }
        let text: ArrayRef = Arc::new(StringArray::from(vec!["view"]));
        assert!(kept(&channel, &text).is_none());
    }

    #[test]
    fn each_dictionary_is_judged_by_itself() {
        let currency = Field::new("currency", DataType::Utf8, true);
        let coded = |text: &str| -> ArrayRef {
            Arc::new([Some(text), None].into_iter().collect::<DictionaryArray<UInt16Type>>())
        };
        let mut columns = KeptColumns::default();
        let (right, wrong) = (coded("EUR"), coded("eur"));
        for array in [&right, &right, &wrong, &wrong, &right] {
            assert_eq!(columns.kept(&currency, array).is_some(), Arc::ptr_eq(array, &right));
        }
        let long = coded(&format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_HELD_BYTES)));
        assert!(columns.kept(&Field::new("page", DataType::Utf8, true), &long).is_some());
        assert!(columns.kept(&Field::new(schema::PROPERTIES, DataType::Utf8, true), &long).is_none());
    }
}
