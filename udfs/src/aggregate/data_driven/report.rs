//! The rows of a report by key.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::Result;

use super::cells::AllCells;
use crate::aggregate::attribution::{NONE, amounts};
use crate::journey::attribution::Weights;

/// Columns that every report by key has.
pub(super) fn key_fields(value: &DataType) -> Vec<Field> {
    vec![
        Field::new("touch_key", DataType::Utf8, true),
        Field::new("conversions", DataType::Float64, true),
        Field::new("value", value.clone(), true),
        Field::new("share", DataType::Float64, true),
    ]
}

/// What keys get, and further columns.
#[derive(Debug, Default)]
pub(super) struct KeyRows {
    keys: Vec<String>,
    conversions: Vec<Option<f64>>,
    values: Vec<Option<i128>>,
    shares: Vec<Option<f64>>,
    /// Further numbers, column by column.
    numbers: Vec<Vec<Option<f64>>>,
    integers: Vec<Vec<Option<i64>>>,
    texts: Vec<Vec<Option<String>>>,
}

/// A key's row: conversions, what its value is in proportion to, and what stands in the further columns.
#[derive(Debug, Clone, Default)]
pub(super) struct KeyRow {
    pub(super) key: u32,
    pub(super) conversions: Option<f64>,
    pub(super) value_weight: f64,
    pub(super) numbers: Vec<Option<f64>>,
    pub(super) integers: Vec<Option<i64>>,
    pub(super) texts: Vec<Option<String>>,
}

impl KeyRows {
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Adds a report: the rows of its keys, which share `value`, and one for journeys without keys if any converted.
    pub(super) fn push(&mut self, cells: &AllCells, rows: &[KeyRow], value: i128, conversions: u64) {
        let all = conversions as f64 + cells.none.conversions as f64;
        let share = |part: f64| (all > 0.0).then(|| part / all);
        let weights: Vec<f64> = rows.iter().map(|row| row.value_weight).collect();
        let values = cells.has_value.then(|| in_proportion(value, &weights)).flatten();
        for (index, row) in rows.iter().enumerate() {
            self.keys.push(cells.names.get(row.key as usize).cloned().unwrap_or_default());
            self.conversions.push(row.conversions);
            self.values.push(values.as_ref().map(|values| values[index]));
            self.shares.push(row.conversions.and_then(share));
            self.push_further(&row.numbers, &row.integers, &row.texts);
        }
        if cells.none.conversions > 0 {
            let none = cells.none.conversions as f64;
            let like = rows.first().cloned().unwrap_or_default();
            self.keys.push(NONE.to_owned());
            self.conversions.push(Some(none));
            self.values.push(cells.has_value.then_some(cells.none.value));
            self.shares.push(share(none));
            let nothing = (vec![None; like.numbers.len()], vec![None; like.integers.len()]);
            self.push_further(&nothing.0, &nothing.1, &vec![None; like.texts.len()]);
        }
    }

    fn push_further(&mut self, numbers: &[Option<f64>], integers: &[Option<i64>], texts: &[Option<String>]) {
        self.numbers.resize(self.numbers.len().max(numbers.len()), Vec::new());
        self.integers.resize(self.integers.len().max(integers.len()), Vec::new());
        self.texts.resize(self.texts.len().max(texts.len()), Vec::new());
        self.numbers.iter_mut().zip(numbers).for_each(|(column, number)| column.push(*number));
        self.integers.iter_mut().zip(integers).for_each(|(column, number)| column.push(*number));
        self.texts.iter_mut().zip(texts).for_each(|(column, text)| column.push(text.clone()));
    }

    /// The columns: those of [`key_fields`], numbers, integers, texts.
    pub(super) fn finish(mut self, fields: &Fields, value_type: &DataType) -> Result<Vec<ArrayRef>> {
        let rows = self.len();
        let mut columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(self.keys)),
            Arc::new(Float64Array::from(self.conversions)),
            amounts(self.values, value_type)?,
            Arc::new(Float64Array::from(self.shares)),
        ];
        // Rows without keys alone have nothing in further columns.
        let further = fields.iter().skip(columns.len());
        let (mut numbers, mut integers, mut texts) =
            (self.numbers.drain(..), self.integers.drain(..), self.texts.drain(..));
        for field in further {
            columns.push(match field.data_type() {
                DataType::Float64 => {
                    Arc::new(Float64Array::from(numbers.next().unwrap_or_else(|| vec![None; rows])))
                }
                DataType::Int64 => {
                    Arc::new(Int64Array::from(integers.next().unwrap_or_else(|| vec![None; rows])))
                }
                _ => Arc::new(StringArray::from(texts.next().unwrap_or_else(|| vec![None; rows]))),
            });
        }
        Ok(columns)
    }
}

/// Divides `total` in proportion to `weights`, whose sum is above 0, without a rest; `None` if it is not. Weights below
/// 0 get parts of the other sign.
fn in_proportion(total: i128, weights: &[f64]) -> Option<Vec<i128>> {
    let sum: f64 = weights.iter().sum();
    if sum.is_nan() || sum <= 0.0 {
        return None;
    }
    let mut parts = Vec::new();
    if weights.iter().all(|weight| *weight >= 0.0) {
        Weights::in_proportion(weights).divide(total, weights.len(), &mut parts);
        return Some(parts);
    }
    let rounded = weights.iter().map(|weight| (total as f64 * (weight / sum)).round() as i128);
    parts.extend(rounded);
    let rest = parts.iter().fold(total, |rest, part| rest.saturating_sub(*part));
    let largest = (0..weights.len()).max_by(|one, other| weights[*one].total_cmp(&weights[*other]))?;
    parts[largest] = parts[largest].saturating_add(rest);
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost() {
        assert_eq!(in_proportion(100, &[1.0, 1.0, 1.0]), Some(vec![34, 33, 33]));
        assert_eq!(in_proportion(100, &[2.0, -0.5]), Some(vec![133, -33]));
        assert_eq!(in_proportion(-7, &[0.5, 0.5]).map(|parts| parts.iter().sum()), Some(-7));
        assert_eq!(in_proportion(100, &[0.0, 0.0]), None);
        assert_eq!(in_proportion(100, &[-1.0]), None);
        assert_eq!(in_proportion(100, &[]), None);
    }
}
