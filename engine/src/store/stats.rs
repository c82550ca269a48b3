//! Per-file statistics: computed while a file is written, carried in the log as Delta's JSON, read back for
//! pruning and for exact counts.
//!
//! Timestamps are written with microseconds and read back by us, because Delta's own reader may round the
//! largest one up.

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, PrimitiveArray, RecordBatch};
use arrow::compute;
use arrow::datatypes::{
    DataType, Decimal128Type, DecimalType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use datafusion::common::ScalarValue;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Text longer than this many bytes keeps no smallest and largest value.
const MAX_TEXT_BYTES: usize = 64;
const TIMESTAMP_FORMAT: &str = "%Y-%m-%dT%H:%M:%S%.6fZ";

/// Delta's per-file statistics.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FileStatistics {
    /// Number of rows; always present in files of ours.
    pub num_records: Option<u64>,
    /// Smallest non-null value per column.
    pub min_values: BTreeMap<String, Value>,
    /// Largest non-null value per column.
    pub max_values: BTreeMap<String, Value>,
    /// Number of nulls per column.
    pub null_count: BTreeMap<String, u64>,
}

impl FileStatistics {
    /// From the log's JSON; unreadable text counts as no statistics.
    pub fn parse(json: Option<&str>) -> Self {
        json.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }

    /// The smallest value of `column` as `data_type`.
    pub fn min(&self, column: &str, data_type: &DataType) -> Option<ScalarValue> {
        scalar(self.min_values.get(column)?, data_type)
    }

    /// The largest value of `column` as `data_type`.
    pub fn max(&self, column: &str, data_type: &DataType) -> Option<ScalarValue> {
        scalar(self.max_values.get(column)?, data_type)
    }
}

/// Collects statistics over the batches of one file.
#[derive(Debug, Default)]
pub struct StatisticsCollector {
    rows: u64,
    columns: BTreeMap<String, ColumnRange>,
}

#[derive(Debug, Default)]
struct ColumnRange {
    nulls: u64,
    range: Option<(ScalarValue, ScalarValue)>,
    /// A value that is too long for the log, or that has no order, was seen.
    unbounded: bool,
}

impl StatisticsCollector {
    /// Adds one batch; `columns` are the names to keep, `counted` those of which only NULLs are counted.
    ///
    /// # Errors
    /// Those of Arrow's kernels, for types that a touchpoint table cannot have.
    pub fn add(
        &mut self,
        batch: &RecordBatch,
        columns: &[&str],
        counted: &[&str],
    ) -> Result<(), datafusion::error::DataFusionError> {
        self.rows += batch.num_rows() as u64;
        for name in counted {
            let Some(array) = batch.column_by_name(name) else { continue };
            self.columns.entry((*name).to_owned()).or_default().nulls += array.null_count() as u64;
        }
        for name in columns {
            let Some(array) = batch.column_by_name(name) else { continue };
            let entry = self.columns.entry((*name).to_owned()).or_default();
            entry.nulls += array.null_count() as u64;
            match range_of(array)? {
                BatchRange::Empty => {}
                BatchRange::Unbounded => entry.unbounded = true,
                BatchRange::Values(min, max) => {
                    entry.range = Some(match entry.range.take() {
                        None => (min, max),
                        Some((low, high)) => {
                            (if min < low { min } else { low }, if max > high { max } else { high })
                        }
                    });
                }
            }
        }
        Ok(())
    }

    /// The statistics of the file.
    pub fn finish(self) -> FileStatistics {
        let mut statistics = FileStatistics { num_records: Some(self.rows), ..FileStatistics::default() };
        for (name, column) in self.columns {
            statistics.null_count.insert(name.clone(), column.nulls);
            let Some((min, max)) = column.range.filter(|_| !column.unbounded) else { continue };
            if let (Some(min), Some(max)) = (json(&min), json(&max)) {
                statistics.min_values.insert(name.clone(), min);
                statistics.max_values.insert(name, max);
            }
        }
        statistics
    }
}

enum BatchRange {
    Empty,
    Unbounded,
    Values(ScalarValue, ScalarValue),
}

fn range_of(array: &ArrayRef) -> Result<BatchRange, datafusion::error::DataFusionError> {
    if array.null_count() == array.len() {
        return Ok(BatchRange::Empty);
    }
    let pair = match array.data_type() {
        DataType::Int64 => {
            let (min, max) = min_max(array.as_primitive::<Int64Type>()).unzip();
            (ScalarValue::Int64(min), ScalarValue::Int64(max))
        }
        DataType::Timestamp(TimeUnit::Microsecond, zone) => {
            let (min, max) = min_max(array.as_primitive::<TimestampMicrosecondType>()).unzip();
            (
                ScalarValue::TimestampMicrosecond(min, zone.clone()),
                ScalarValue::TimestampMicrosecond(max, zone.clone()),
            )
        }
        DataType::Decimal128(precision, scale) => {
            let (min, max) = min_max(array.as_primitive::<Decimal128Type>()).unzip();
            (
                ScalarValue::Decimal128(min, *precision, *scale),
                ScalarValue::Decimal128(max, *precision, *scale),
            )
        }
        DataType::Float64 => {
            let a = array.as_primitive::<Float64Type>();
            let (min, max) = (compute::min(a), compute::max(a));
            if !(min.is_some_and(f64::is_finite) && max.is_some_and(f64::is_finite)) {
                return Ok(BatchRange::Unbounded);
            }
            (ScalarValue::Float64(min), ScalarValue::Float64(max))
        }
        DataType::Utf8 => {
            let a = array.as_string::<i32>();
            let (min, max) = (compute::min_string(a), compute::max_string(a));
            let short = |t: Option<&str>| t.is_some_and(|t| t.len() <= MAX_TEXT_BYTES);
            if !(short(min) && short(max)) {
                return Ok(BatchRange::Unbounded);
            }
            (ScalarValue::Utf8(min.map(str::to_owned)), ScalarValue::Utf8(max.map(str::to_owned)))
        }
        DataType::Dictionary(_, _) => return range_of(&used_values(array)?),
        _ => return Ok(BatchRange::Unbounded),
    };
    Ok(BatchRange::Values(pair.0, pair.1))
}

/// The smallest and the largest value. Where most rows are NULL, as in money, only the others are looked at.
fn min_max<T: ArrowPrimitiveType<Native: Ord>>(array: &PrimitiveArray<T>) -> Option<(T::Native, T::Native)> {
    fn range<N: Copy + Ord>(mut values: impl Iterator<Item = N>) -> Option<(N, N)> {
        let first = values.next()?;
        Some(values.fold((first, first), |(min, max), value| (min.min(value), max.max(value))))
    }
    let values = array.values();
    match array.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => range(values.iter().copied()),
        Some(nulls) => range(nulls.valid_indices().map(|row| values[row])),
    }
}

/// Each value of a dictionary that a row has, once.
fn used_values(array: &ArrayRef) -> Result<ArrayRef, datafusion::error::DataFusionError> {
    let dictionary = array.as_any_dictionary();
    let mut used = vec![false; dictionary.values().len()];
    for (row, key) in dictionary.normalized_keys().into_iter().enumerate() {
        used[key] |= array.is_valid(row);
    }
    Ok(compute::filter(dictionary.values(), &BooleanArray::from(used))?)
}

fn json(value: &ScalarValue) -> Option<Value> {
    match value {
        ScalarValue::Int64(Some(v)) => Some(Value::from(*v)),
        ScalarValue::Float64(Some(v)) => serde_json::Number::from_f64(*v).map(Value::Number),
        ScalarValue::Utf8(Some(v)) => Some(Value::from(v.as_str())),
        ScalarValue::TimestampMicrosecond(Some(v), _) => {
            let time = chrono::DateTime::from_timestamp_micros(*v)?;
            Some(Value::from(time.format(TIMESTAMP_FORMAT).to_string()))
        }
        ScalarValue::Decimal128(Some(v), precision, scale) => {
            let text = <Decimal128Type as DecimalType>::format_decimal(*v, *precision, *scale);
            serde_json::from_str(&text).ok().map(Value::Number)
        }
        _ => None,
    }
}

fn scalar(value: &Value, data_type: &DataType) -> Option<ScalarValue> {
    match (data_type, value) {
        (DataType::Int64, Value::Number(n)) => Some(ScalarValue::Int64(Some(n.as_i64()?))),
        (DataType::Float64, Value::Number(n)) => Some(ScalarValue::Float64(Some(n.as_f64()?))),
        (DataType::Utf8, Value::String(s)) => Some(ScalarValue::Utf8(Some(s.clone()))),
        (DataType::Utf8View, Value::String(s)) => Some(ScalarValue::Utf8View(Some(s.clone()))),
        (DataType::Timestamp(TimeUnit::Microsecond, zone), Value::String(s)) => {
            let time = chrono::DateTime::parse_from_rfc3339(s).ok()?;
            Some(ScalarValue::TimestampMicrosecond(Some(time.timestamp_micros()), zone.clone()))
        }
        // Floats of JSON hold 15 digits: money ranges are kept for other readers, and not trusted here.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray, TimestampMicrosecondArray};
    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn batch(keys: Vec<Option<i64>>, times: Vec<i64>, events: Vec<&str>) -> RecordBatch {
        let schema = Arc::new(Schema::new(vec![
            Field::new("user_key", DataType::Int64, true),
            Field::new("ts", crate::schema::timestamp_type(), true),
            Field::new("event", DataType::Utf8, true),
        ]));
        RecordBatch::try_new(
            schema,
            vec![
                Arc::new(Int64Array::from(keys)),
                Arc::new(TimestampMicrosecondArray::from(times).with_timezone("UTC")),
                Arc::new(StringArray::from(events)),
            ],
        )
        .expect("batch")
    }

    #[test]
    fn ranges_join_over_batches_and_come_back_exactly() {
        let columns = ["user_key", "ts", "event"];
        let mut collector = StatisticsCollector::default();
        collector
            .add(&batch(vec![Some(5), None], vec![1_000_001, 2], vec!["b", "c"]), &columns, &[])
            .expect("add");
        collector
            .add(&batch(vec![Some(i64::MIN)], vec![1_700_000_000_123_456], vec!["a"]), &columns, &[])
            .expect("add");
        let text = serde_json::to_string(&collector.finish()).expect("json");
        let back = FileStatistics::parse(Some(&text));
        assert_eq!(back.num_records, Some(3));
        assert_eq!(back.null_count.get("user_key"), Some(&1));
        assert_eq!(back.min("user_key", &DataType::Int64), Some(ScalarValue::Int64(Some(i64::MIN))));
        assert_eq!(
            back.max("ts", &crate::schema::timestamp_type()),
            Some(ScalarValue::TimestampMicrosecond(Some(1_700_000_000_123_456), Some("UTC".into())))
        );
        assert_eq!(back.max("event", &DataType::Utf8View), Some(ScalarValue::Utf8View(Some("c".into()))));
    }

    #[test]
    fn values_of_a_dictionary_that_no_row_has_do_not_count() {
        let plain = batch(vec![Some(1); 3], vec![1; 3], vec!["b", "c", "b"]);
        let values = Arc::new(StringArray::from(vec!["a", "b", "c", "d"]));
        let keys = arrow::array::UInt16Array::from(vec![Some(1), Some(2), None]);
        let coded = arrow::array::DictionaryArray::try_new(keys, values).expect("dictionary");
        let schema = Arc::new(Schema::new(vec![Field::new("event", coded.data_type().clone(), true)]));
        let coded = RecordBatch::try_new(schema, vec![Arc::new(coded)]).expect("batch");
        let statistics = [&plain, &coded].map(|batch| {
            let mut collector = StatisticsCollector::default();
            collector.add(batch, &["event"], &[]).expect("add");
            collector.finish()
        });
        let [plain, coded] = &statistics;
        assert_eq!((&plain.min_values, &plain.max_values), (&coded.min_values, &coded.max_values));
        assert_eq!(coded.null_count.get("event"), Some(&1));
    }

    #[test]
    fn long_text_has_no_range() {
        let long = "x".repeat(MAX_TEXT_BYTES + 1);
        let mut collector = StatisticsCollector::default();
        collector.add(&batch(vec![Some(1)], vec![1], vec![&long]), &["event"], &[]).expect("add");
        assert!(collector.finish().min_values.is_empty());
    }

    #[test]
    fn unreadable_statistics_are_none() {
        assert_eq!(FileStatistics::parse(Some("{")), FileStatistics::default());
    }
}
