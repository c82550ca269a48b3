//! The canonical touchpoint columns of a file to load: names, types and order.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// Total digits of `revenue` and `cost`.
pub const MONEY_PRECISION: u8 = 18;
/// Digits after the point of `revenue` and `cost`.
pub const MONEY_SCALE: i8 = 4;
/// Zone of `ts` and `received_at`.
pub const TIME_ZONE: &str = "UTC";

/// Names of the columns, in file order.
pub const COLUMN_NAMES: [&str; 19] = [
    "event_id",
    "user_id",
    "anonymous_id",
    "ts",
    "received_at",
    "event",
    "channel",
    "source",
    "medium",
    "campaign",
    "page",
    "referrer",
    "device",
    "country",
    "revenue",
    "cost",
    "currency",
    "score",
    "properties",
];

/// Returns the Arrow schema of the generated rows.
///
/// All columns are nullable except `user_id`, `ts` and `event`. Times are microseconds in UTC, money is
/// decimal(18,4), `properties` is the text of a JSON object.
pub fn touchpoint_schema() -> SchemaRef {
    let fields: Vec<Field> = COLUMN_NAMES
        .iter()
        .map(|name| {
            let nullable = !matches!(*name, "user_id" | "ts" | "event");
            Field::new(*name, column_type(name), nullable)
        })
        .collect();
    Arc::new(Schema::new(fields))
}

fn column_type(name: &str) -> DataType {
    match name {
        "ts" | "received_at" => DataType::Timestamp(TimeUnit::Microsecond, Some(TIME_ZONE.into())),
        "revenue" | "cost" => DataType::Decimal128(MONEY_PRECISION, MONEY_SCALE),
        "score" => DataType::Float64,
        _ => DataType::Utf8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_user_time_and_event_are_required() {
        let required: Vec<String> = touchpoint_schema()
            .fields()
            .iter()
            .filter(|field| !field.is_nullable())
            .map(|field| field.name().clone())
            .collect();
        assert_eq!(required, ["user_id", "ts", "event"]);
    }
}
