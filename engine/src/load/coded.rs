//! What a load holds, sorts and spills instead of wide values: two bytes for text that repeats, eight for money.
//!
//! One table per column for the whole load, filled as rows come. A column with too many values, or hardly any that
//! repeat, stays text from then on; what was coded before keeps its codes. NULL is a value like the others: columns without
//! NULLs of Arrow's kind are gathered at less than half the cost.

pub(in crate::load) mod column;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, DictionaryArray, Int64Array, RecordBatch};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type, Schema, SchemaRef, UInt16Type};
use arrow::error::ArrowError;

use crate::schema;
use column::ColumnCodes;

/// Bytes of the values of one column, at most.
const MAX_BYTES: usize = 8 << 20;
/// Text that is unique per row or person, or that the sort compares.
const NEVER_CODED: [&str; 4] = [schema::EVENT_ID, schema::USER_ID, schema::ANONYMOUS_ID, schema::RAW_USER_ID];

/// Decimals of at most so many digits fit into eight bytes.
const MAX_DIGITS: u8 = 18;
/// NULL among whole numbers that stand for money; more than any of 18 digits.
const NO_MONEY: i64 = i64::MIN;

/// Whether the column `name` of a touchpoint may be read as codes from any file: text with few values as a rule.
pub(in crate::load) fn is_read_as_codes(name: &str) -> bool {
    let canonical = schema::load_schema();
    let is_text = canonical.field_with_name(name).is_ok_and(|field| *field.data_type() == DataType::Utf8);
    is_text && name != schema::PROPERTIES && !NEVER_CODED.contains(&name)
}

/// `schema` with the types that `columns` have.
pub(in crate::load) fn schema_of(schema: &SchemaRef, columns: &[ArrayRef]) -> SchemaRef {
    let differs = |(field, column): (&FieldRef, &ArrayRef)| field.data_type() != column.data_type();
    if !schema.fields().iter().zip(columns).any(differs) {
        return Arc::clone(schema);
    }
    let typed = |(field, column): (&FieldRef, &ArrayRef)| {
        field.as_ref().clone().with_data_type(column.data_type().clone())
    };
    Arc::new(Schema::new(schema.fields().iter().zip(columns).map(typed).collect::<Vec<_>>()))
}

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
                Some(Coding::Text(Mutex::new(ColumnCodes::new(MAX_BYTES))))
            }
            DataType::Decimal128(digits, places) if *digits <= MAX_DIGITS => {
                Some(Coding::Money(*digits, *places))
            }
            _ => None,
        });
        Self { columns: columns.collect() }
    }

    /// The batch with codes (UInt16) in place of text that repeats, which may come in dictionaries, and whole numbers
    /// (Int64) in place of money. O(bytes).
    ///
    /// # Errors
    /// Never for batches of the schema that the codes are for.
    pub fn encode(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        self.change(batch, |_, coding, array| match coding {
            Coding::Text(codes) => {
                if let Some(coded) = lock(codes).encode(array) {
                    return Ok(Some(Arc::new(coded) as ArrayRef));
                }
                (*array.data_type() != DataType::Utf8).then(|| cast(array, &DataType::Utf8)).transpose()
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
                let keys = column::with_nulls(keys);
                let coded = DictionaryArray::<UInt16Type>::try_new(keys, lock(codes).values())?;
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
    let Some(nulls) = narrow.nulls() else { return Ok(Arc::new(narrow)) };
    let amounts = narrow.values().iter().zip(nulls);
    let amounts = amounts.map(|(amount, is_valid)| if is_valid { *amount } else { NO_MONEY });
    Ok(Arc::new(Int64Array::from_iter_values(amounts)))
}

/// The money of a column of whole numbers; `None` for other columns.
fn widen(array: &ArrayRef, digits: u8, places: i8) -> Result<Option<ArrayRef>, ArrowError> {
    let Some(numbers) = array.as_primitive_opt::<Int64Type>() else { return Ok(None) };
    let numbers = numbers.values();
    let is_valid = BooleanBuffer::collect_bool(numbers.len(), |row| numbers[row] != NO_MONEY);
    let nulls = Some(NullBuffer::new(is_valid)).filter(|nulls| nulls.null_count() > 0);
    let amount = |number: &i64| if *number == NO_MONEY { 0 } else { i128::from(*number) };
    let money = Decimal128Array::try_new(numbers.iter().map(amount).collect(), nulls)?;
    Ok(Some(Arc::new(money.with_precision_and_scale(digits, places)?)))
}

#[cfg(test)]
mod tests;
