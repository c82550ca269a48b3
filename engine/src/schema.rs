//! The canonical touchpoint columns: names, types, order.
//!
//! Three schemas are derived from one list. A *load batch* carries the columns of [`load_schema`] (plus extra
//! columns). A *data file* carries the same plus [`USER_KEY`]. A *table* adds the partition column [`DAY`].
//! SQL sees text as `Utf8View`, and sees the physical columns ([`USER_KEY`], [`DAY`]) only when it names them.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// Identity of a touchpoint and de-duplication key within a day.
pub const EVENT_ID: &str = "event_id";
/// The person, after identity resolution.
pub const USER_ID: &str = "user_id";
/// The device or cookie under which it happened.
pub const ANONYMOUS_ID: &str = "anonymous_id";
/// The id that a row came with, if identity resolution gave it another `user_id`. A column of tables to which that
/// happened.
pub const RAW_USER_ID: &str = "raw_user_id";
/// When it happened, microseconds since the Unix epoch, UTC.
pub const TS: &str = "ts";
/// What happened.
pub const EVENT: &str = "event";
/// Anything else, as the text of one JSON object.
pub const PROPERTIES: &str = "properties";
/// XXH64 (seed 42) of `user_id`, as Spark's `xxhash64` computes it. Physical, hidden from `SELECT *`.
pub const USER_KEY: &str = "user_key";
/// UTC date of `ts`: the Delta partition column. Physical, hidden from `SELECT *`.
pub const DAY: &str = "day";

/// Total digits of a money column.
pub const MONEY_PRECISION: u8 = 18;
/// Digits after the decimal point of a money column.
pub const MONEY_SCALE: i8 = 4;
/// The zone of every stored timestamp.
pub const UTC: &str = "UTC";

/// The type of `ts` and `received_at`.
pub fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into()))
}

/// The type of `revenue` and `cost`.
pub fn money_type() -> DataType {
    DataType::Decimal128(MONEY_PRECISION, MONEY_SCALE)
}

static LOAD_SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    Arc::new(Schema::new(vec![
        text(EVENT_ID),
        Field::new(USER_ID, DataType::Utf8, false),
        text(ANONYMOUS_ID),
        Field::new(TS, timestamp_type(), false),
        Field::new("received_at", timestamp_type(), true),
        Field::new(EVENT, DataType::Utf8, false),
        text("channel"),
        text("source"),
        text("medium"),
        text("campaign"),
        text("page"),
        text("referrer"),
        text("device"),
        text("country"),
        Field::new("revenue", money_type(), true),
        Field::new("cost", money_type(), true),
        text("currency"),
        Field::new("score", DataType::Float64, true),
        text(PROPERTIES),
    ]))
});

/// The columns of a load batch, in order: what a reader of input files produces.
pub fn load_schema() -> SchemaRef {
    Arc::clone(&LOAD_SCHEMA)
}

/// The column [`RAW_USER_ID`], which comes with the first row that needs it.
pub fn raw_user_id_field() -> Field {
    Field::new(RAW_USER_ID, DataType::Utf8, true)
}

/// Whether `name` is a column that Wayfare computes itself and that no input may set.
pub fn is_physical(name: &str) -> bool {
    name == USER_KEY || name == DAY
}

/// The load schema followed by `extra` columns (all nullable), in the order given.
pub fn load_schema_with(extra: &[Field]) -> SchemaRef {
    let mut fields: Vec<Field> = LOAD_SCHEMA.fields().iter().map(|f| f.as_ref().clone()).collect();
    fields.extend(extra.iter().cloned());
    Arc::new(Schema::new(fields))
}

/// The hash that places a person: XXH64 with seed 42 of the UTF-8 bytes, reinterpreted as signed.
///
/// Equal to `xxhash64(user_id)` of Spark, so that other engines can compute and filter by it.
pub fn user_key(user_id: &str) -> i64 {
    xxhash_rust::xxh64::xxh64(user_id.as_bytes(), 42).cast_signed()
}

/// `file_type` as SQL shows it: text columns become views, which filters and group keys handle fastest.
pub fn sql_type(file_type: &DataType) -> DataType {
    match file_type {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_key_agrees_with_spark() {
        // Spark's documentation gives xxhash64('Spark', array(123), 2) = 5602566077635097486, where the hash of
        // one argument is the seed of the next and integers are hashed as four little-endian bytes.
        let mut hash = user_key("Spark").cast_unsigned();
        for number in [123_i32, 2] {
            hash = xxhash_rust::xxh64::xxh64(&number.to_le_bytes(), hash);
        }
        assert_eq!(hash.cast_signed(), 5_602_566_077_635_097_486);
    }
}
