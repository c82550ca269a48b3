//! Text that repeats, as numbers: a load holds, sorts and spills two bytes instead of the text.
//!
//! One table per column for the whole load, filled as rows come. A column with too many values, or hardly any that
//! repeat, stays text from then on; what was coded before keeps its codes.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, RecordBatch, StringArray, StringBuilder, UInt16Array,
};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{DataType, Field, Schema, UInt16Type};
use arrow::error::ArrowError;
use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use crate::schema;

/// Bytes of the values of one column, at most.
const MAX_BYTES: usize = 8 << 20;
/// Values after which a column must repeat each of them so often on average to stay coded.
const TRIED_VALUES: usize = 4_096;
const LEAST_REPEATS: u64 = 4;
/// Text that is unique per row or person, or that the sort compares.
const NEVER_CODED: [&str; 4] = [schema::EVENT_ID, schema::USER_ID, schema::ANONYMOUS_ID, schema::RAW_USER_ID];

/// The codes of all columns of a load.
#[derive(Debug)]
pub struct Codes {
    /// By place in the working batch; `None` for columns that are never coded.
    columns: Vec<Option<Mutex<ColumnCodes>>>,
}

impl Codes {
    /// No codes yet, for working batches of this schema.
    pub fn new(work_schema: &Schema) -> Self {
        let columns = work_schema.fields().iter().map(|field| {
            let is_text = *field.data_type() == DataType::Utf8;
            (is_text && !NEVER_CODED.contains(&field.name().as_str())).then(Mutex::default)
        });
        Self { columns: columns.collect() }
    }

    /// The batch with codes (UInt16) in place of text that repeats. O(bytes).
    ///
    /// # Errors
    /// Never for batches of the schema that the codes are for.
    pub fn encode(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        self.change(batch, |_, codes, array| {
            let coded = array.as_string_opt::<i32>().and_then(|texts| codes.encode(texts));
            Ok(coded.map(|coded| Arc::new(coded) as ArrayRef))
        })
    }

    /// The batch with dictionaries in place of codes; to be called when all rows are encoded. O(rows).
    ///
    /// # Errors
    /// For codes that are not of these tables.
    pub fn as_dictionaries(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        self.change(batch, |_, codes, array| {
            let Some(keys) = array.as_primitive_opt::<UInt16Type>() else { return Ok(None) };
            let coded = DictionaryArray::<UInt16Type>::try_new(keys.clone(), codes.values())?;
            Ok(Some(Arc::new(coded) as ArrayRef))
        })
    }

    /// The batch with text in place of codes. O(bytes).
    ///
    /// # Errors
    /// Never for batches that [`Self::encode`] gave.
    pub fn as_text(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        self.columns_as_text(batch, |_| true)
    }

    /// Makes the columns of all batches alike: text, where one of them has text. O(bytes that change).
    ///
    /// # Errors
    /// Never for batches that [`Self::encode`] gave.
    pub fn make_alike(&self, batches: &mut [RecordBatch]) -> Result<(), ArrowError> {
        let Some(first) = batches.first().map(RecordBatch::schema) else { return Ok(()) };
        let differs = |column: &usize| {
            batches.iter().any(|b| b.column(*column).data_type() != first.field(*column).data_type())
        };
        let mixed: Vec<usize> = (0..first.fields().len()).filter(differs).collect();
        if !mixed.is_empty() {
            for batch in batches {
                *batch = self.columns_as_text(batch, |column| mixed.contains(&column))?;
            }
        }
        Ok(())
    }

    fn columns_as_text(
        &self,
        batch: &RecordBatch,
        is_wanted: impl Fn(usize) -> bool,
    ) -> Result<RecordBatch, ArrowError> {
        self.change(batch, |column, codes, array| {
            let keys = array.as_primitive_opt::<UInt16Type>().filter(|_| is_wanted(column));
            Ok(keys.map(|keys| Arc::new(codes.texts(keys)) as ArrayRef))
        })
    }

    /// The batch with other arrays in the columns that may be coded.
    fn change(
        &self,
        batch: &RecordBatch,
        change: impl Fn(usize, &mut ColumnCodes, &ArrayRef) -> Result<Option<ArrayRef>, ArrowError>,
    ) -> Result<RecordBatch, ArrowError> {
        let mut columns = batch.columns().to_vec();
        let mut fields = batch.schema_ref().fields().to_vec();
        for (at, codes) in self.columns.iter().enumerate() {
            let Some(codes) = codes else { continue };
            let mut codes = codes.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(changed) = change(at, &mut codes, &columns[at])? {
                let field = &fields[at];
                fields[at] =
                    Arc::new(Field::new(field.name(), changed.data_type().clone(), field.is_nullable()));
                columns[at] = changed;
            }
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
    }
}

/// The values of one column in the order in which they were met.
#[derive(Debug, Default)]
struct ColumnCodes {
    table: HashTable<u16>,
    text: String,
    ends: Vec<usize>,
    /// Values met, repeated ones included.
    met: u64,
    given_up: bool,
    /// The values as an array, made when all are known.
    values: Option<ArrayRef>,
}

impl ColumnCodes {
    /// `None` if the column does not repeat enough.
    fn encode(&mut self, texts: &StringArray) -> Option<UInt16Array> {
        if self.given_up {
            return None;
        }
        self.met += (texts.len() - texts.null_count()) as u64;
        let mut codes = Vec::with_capacity(texts.len());
        for text in texts {
            let code = text.map_or(Some(0), |text| self.code(text));
            let Some(code) = code else {
                self.given_up = true;
                return None;
            };
            codes.push(code);
        }
        let values = self.ends.len();
        self.given_up = values > TRIED_VALUES && self.met < values as u64 * LEAST_REPEATS;
        UInt16Array::try_new(ScalarBuffer::from(codes), texts.nulls().cloned()).ok()
    }

    fn code(&mut self, text: &str) -> Option<u16> {
        let hash = xxh3_64(text.as_bytes());
        let Self { table, text: known, ends, .. } = self;
        if let Some(code) = table.find(hash, |code| value(known, ends, *code) == text) {
            return Some(*code);
        }
        let code = u16::try_from(ends.len()).ok().filter(|_| known.len() + text.len() <= MAX_BYTES)?;
        known.push_str(text);
        ends.push(known.len());
        table.insert_unique(hash, code, |code| xxh3_64(value(known, ends, *code).as_bytes()));
        self.values = None;
        Some(code)
    }

    fn texts(&self, keys: &UInt16Array) -> StringArray {
        let mut texts = StringBuilder::with_capacity(keys.len(), keys.len() * 8);
        for key in keys {
            texts.append_option(key.map(|key| value(&self.text, &self.ends, key)));
        }
        texts.finish()
    }

    fn values(&mut self) -> ArrayRef {
        let Self { text, ends, values, .. } = self;
        let make = || {
            let all = (0..ends.len()).map(|code| value(text, ends, code as u16));
            Arc::new(StringArray::from_iter_values(all)) as ArrayRef
        };
        Arc::clone(values.get_or_insert_with(make))
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

    fn batch(texts: Vec<Option<String>>) -> RecordBatch {
        let schema = Arc::new(Schema::new(vec![
            Field::new(schema::USER_ID, DataType::Utf8, true),
            Field::new("channel", DataType::Utf8, true),
        ]));
        let texts: ArrayRef = Arc::new(StringArray::from(texts));
        RecordBatch::try_new(schema, vec![Arc::clone(&texts), texts]).expect("batch")
    }

    fn type_of(batch: &RecordBatch) -> &DataType {
        batch.column(1).data_type()
    }

    #[test]
    fn a_column_that_does_not_repeat_stays_text_from_then_on() {
        let distinct = |from: usize| batch((from..from + 5_000).map(|i| Some(format!("v{i}"))).collect());
        let codes = Codes::new(&distinct(0).schema());
        let first = codes.encode(&distinct(0)).expect("encoded");
        let second = codes.encode(&distinct(5_000)).expect("encoded");
        assert_eq!((type_of(&first), type_of(&second)), (&DataType::UInt16, &DataType::Utf8));

        let mut both = [first, second];
        codes.make_alike(&mut both).expect("alike");
        assert_eq!(both, [distinct(0), distinct(5_000)]);
    }

    #[test]
    fn more_values_than_codes_stay_text() {
        let many = batch((0..400_000).map(|i| Some((i % 70_000).to_string())).collect());
        let codes = Codes::new(&many.schema());
        assert_eq!(codes.encode(&many).expect("encoded"), many);
    }

    proptest! {
        #[test]
        fn codes_come_back_as_the_text_they_stand_for(
            rows in prop::collection::vec(prop::option::of("[a-c]{0,2}"), 0..60),
            more in prop::collection::vec(prop::option::of("[a-d]{0,2}"), 0..60),
        ) {
            let codes = Codes::new(&batch(Vec::new()).schema());
            let encoded = [rows, more].map(|rows| {
                let plain = batch(rows);
                (codes.encode(&plain).expect("encoded"), plain)
            });
            for (encoded, plain) in encoded {
                prop_assert_eq!(type_of(&encoded), &DataType::UInt16);
                prop_assert_eq!(encoded.column(0), plain.column(0));
                prop_assert_eq!(&codes.as_text(&encoded).expect("text"), &plain);
                let dictionaries = codes.as_dictionaries(&encoded).expect("dictionaries");
                let text = arrow::compute::cast(dictionaries.column(1), &DataType::Utf8).expect("text");
                prop_assert_eq!(text.as_ref(), plain.column(1).as_ref());
            }
        }
    }
}
