//! What a load holds, sorts and spills instead of wide values: two bytes for text that repeats, eight for money.
//!
//! One table per column for the whole load, filled as rows come. A column with too many values, or hardly any that
//! repeat, stays text from then on; what was coded before keeps its codes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, DictionaryArray, Int64Array, RecordBatch, StringArray,
    StringBuilder, UInt16Array,
};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{DataType, Decimal128Type, Field, Int64Type, Schema, UInt16Type};
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

/// Decimals of at most so many digits fit into eight bytes.
const MAX_DIGITS: u8 = 18;

/// The codes of all columns of a load.
#[derive(Debug)]
pub struct Codes {
    /// By place in the working batch; `None` for columns that stay as they are.
    columns: Vec<Option<Coding>>,
}

/// How a column is held.
#[derive(Debug)]
enum Coding {
    Text(Mutex<ColumnCodes>),
    /// As a whole number; digits and decimal places of the column.
    Money(u8, i8),
}

impl Codes {
    /// No codes yet, for working batches of this schema.
    pub fn new(work_schema: &Schema) -> Self {
        let columns = work_schema.fields().iter().map(|field| match field.data_type() {
            DataType::Utf8 if !NEVER_CODED.contains(&field.name().as_str()) => {
                Some(Coding::Text(Mutex::default()))
            }
            DataType::Decimal128(digits, places) if *digits <= MAX_DIGITS => {
                Some(Coding::Money(*digits, *places))
            }
            _ => None,
        });
        Self { columns: columns.collect() }
    }

    /// The batch with codes (UInt16) in place of text that repeats, and whole numbers (Int64) in place of money. O(bytes).
    ///
    /// # Errors
    /// Never for batches of the schema that the codes are for.
    pub fn encode(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        self.change(batch, |_, coding, array| match coding {
            Coding::Text(codes) => {
                let coded = array.as_string_opt::<i32>().and_then(|texts| lock(codes).encode(texts));
                Ok(coded.map(|coded| Arc::new(coded) as ArrayRef))
            }
            Coding::Money(..) => array.as_primitive_opt::<Decimal128Type>().map(narrow).transpose(),
        })
    }

    /// The batch with dictionaries in place of codes, and money; to be called when all rows are encoded. O(rows).
    ///
    /// # Errors
    /// For codes that are not of these tables.
    pub fn as_dictionaries(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        self.change(batch, |_, coding, array| match coding {
            Coding::Text(codes) => {
                let Some(keys) = array.as_primitive_opt::<UInt16Type>() else { return Ok(None) };
                let coded = DictionaryArray::<UInt16Type>::try_new(keys.clone(), lock(codes).values())?;
                Ok(Some(Arc::new(coded) as ArrayRef))
            }
            Coding::Money(digits, places) => widen(array, *digits, *places),
        })
    }

    /// The batch as it was before [`Self::encode`]. O(bytes).
    ///
    /// # Errors
    /// Never for batches that [`Self::encode`] gave.
    pub fn decode(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        self.change(batch, |_, coding, array| match coding {
            Coding::Text(codes) => Ok(text(codes, array)),
            Coding::Money(digits, places) => widen(array, *digits, *places),
        })
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
                *batch = self.change(batch, |column, coding, array| match coding {
                    Coding::Text(codes) if mixed.contains(&column) => Ok(text(codes, array)),
                    _ => Ok(None),
                })?;
            }
        }
        Ok(())
    }

    /// The batch with other arrays in the columns that may be coded.
    fn change(
        &self,
        batch: &RecordBatch,
        change: impl Fn(usize, &Coding, &ArrayRef) -> Result<Option<ArrayRef>, ArrowError>,
    ) -> Result<RecordBatch, ArrowError> {
        let mut columns = batch.columns().to_vec();
        let mut fields = batch.schema_ref().fields().to_vec();
        for (at, coding) in self.columns.iter().enumerate() {
            let Some(coding) = coding else { continue };
            if let Some(changed) = change(at, coding, &columns[at])? {
                let field = &fields[at];
                fields[at] =
                    Arc::new(Field::new(field.name(), changed.data_type().clone(), field.is_nullable()));
                columns[at] = changed;
            }
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
    }
}

fn lock(codes: &Mutex<ColumnCodes>) -> MutexGuard<'_, ColumnCodes> {
    codes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The text of a column of codes; `None` for other columns.
fn text(codes: &Mutex<ColumnCodes>, array: &ArrayRef) -> Option<ArrayRef> {
    let keys = array.as_primitive_opt::<UInt16Type>()?;
    Some(Arc::new(lock(codes).texts(keys)))
}

fn narrow(money: &Decimal128Array) -> Result<ArrayRef, ArrowError> {
    let too_wide = |_| ArrowError::ComputeError("an amount has more digits than its column".to_owned());
    let narrow: Int64Array = money.try_unary(|amount| i64::try_from(amount).map_err(too_wide))?;
    Ok(Arc::new(narrow))
}

/// The money of a column of whole numbers; `None` for other columns.
fn widen(array: &ArrayRef, digits: u8, places: i8) -> Result<Option<ArrayRef>, ArrowError> {
    let Some(numbers) = array.as_primitive_opt::<Int64Type>() else { return Ok(None) };
    let money: Decimal128Array = numbers.unary(i128::from);
    Ok(Some(Arc::new(money.with_precision_and_scale(digits, places)?)))
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
    fn money_is_held_in_eight_bytes_and_comes_back() {
        let most = 10_i128.pow(18) - 1;
        let amounts = Decimal128Array::from(vec![Some(0), None, Some(most), Some(-most), Some(-1)]);
        let money: ArrayRef = Arc::new(amounts.with_precision_and_scale(18, 4).expect("money"));
        let wide = Decimal128Array::from(vec![1; 5]).with_precision_and_scale(38, 4).expect("decimals");
        let plain = RecordBatch::try_from_iter([("revenue", money), ("wide", Arc::new(wide) as ArrayRef)])
            .expect("batch");
        let codes = Codes::new(&plain.schema());
        let held = codes.encode(&plain).expect("encoded");
        assert_eq!(held.column(0).data_type(), &DataType::Int64);
        assert_eq!(held.column(1), plain.column(1));
        assert_eq!(codes.decode(&held).expect("decoded").columns(), plain.columns());
        assert_eq!(codes.as_dictionaries(&held).expect("decoded").columns(), plain.columns());
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
                prop_assert_eq!(&codes.decode(&encoded).expect("text"), &plain);
                let dictionaries = codes.as_dictionaries(&encoded).expect("dictionaries");
                let text = arrow::compute::cast(dictionaries.column(1), &DataType::Utf8).expect("text");
                prop_assert_eq!(text.as_ref(), plain.column(1).as_ref());
            }
        }
    }
}
