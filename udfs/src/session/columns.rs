//! From columns to the rows that the rules look at.

use arrow::array::timezone::Tz;
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, ScalarValue, internal_err};

use super::parameters::Role;
use crate::arguments::ticks;
use crate::journey::session::SessionRow;
use crate::length::tick_unit;
use crate::zone::LocalDays;

/// The evaluated arguments of a batch of rows.
#[derive(Debug)]
pub(crate) struct Columns<'a> {
    ts: &'a ArrayRef,
    times: ScalarBuffer<i64>,
    start_if: Option<&'a BooleanArray>,
    end_if: Option<&'a BooleanArray>,
    separator: Option<&'a BooleanArray>,
    split_on: Option<&'a ArrayRef>,
    pub(crate) user_id: Option<&'a ArrayRef>,
}

impl<'a> Columns<'a> {
    /// Takes `values`, whose meaning `roles` tells.
    pub(crate) fn try_new(roles: &[Role], values: &'a [ArrayRef]) -> Result<Self> {
        let find = |wanted: Role| {
            let position = roles.iter().position(|role| *role == wanted)?;
            values.get(position)
        };
        let condition = |role| match find(role) {
            None => Ok(None),
            Some(column) => match column.as_boolean_opt() {
                Some(condition) => Ok(Some(condition)),
                None => internal_err!("a condition was not coerced: {}", column.data_type()),
            },
        };
        let ts = find(Role::Ts).ok_or_else(|| DataFusionError::Internal("sessions without ts".to_owned()))?;
        Ok(Self {
            ts,
            times: ticks(ts)?,
            start_if: condition(Role::StartIf)?,
            end_if: condition(Role::EndIf)?,
            separator: condition(Role::Separator)?,
            split_on: find(Role::SplitOn),
            user_id: find(Role::UserId),
        })
    }

    /// Ticks of a row; any value for a row without a time.
    pub(crate) fn time(&self, row: usize) -> i64 {
        self.times[row]
    }
}

/// Reads rows in time order; remembers what tells values and days apart.
#[derive(Debug, Clone)]
pub(crate) struct RowReader {
    days: Option<LocalDays>,
    value: LatestValue,
}

impl RowReader {
    /// A reader of rows with times of type `ts`; `midnight` is the zone whose days count.
    pub(crate) fn new(ts: &DataType, midnight: Option<Tz>) -> Self {
        let days = match (midnight, ts) {
            (Some(zone), DataType::Timestamp(unit, _)) => Some(LocalDays::new(zone, tick_unit(*unit))),
            _ => None,
        };
        Self { days, value: LatestValue::default() }
    }

    /// The row as the rules see it; `None` if it has no time and takes no part.
    pub(crate) fn read(&mut self, columns: &Columns, row: usize) -> Result<Option<SessionRow>> {
        if columns.ts.is_null(row) {
            return Ok(None);
        }
        let is_met = |condition: Option<&BooleanArray>| {
            condition.is_some_and(|condition| condition.is_valid(row) && condition.value(row))
        };
        let marks = Marks {
            separator: is_met(columns.separator),
            starts: is_met(columns.start_if),
            ends: is_met(columns.end_if),
        };
        self.row(columns.times[row], marks, columns.split_on, row).map(Some)
    }

    /// The same from what is known of a row already; `split_on` is the column in which `row` has its value.
    pub(crate) fn row(
        &mut self,
        time: i64,
        marks: Marks,
        split_on: Option<&ArrayRef>,
        row: usize,
    ) -> Result<SessionRow> {
        let Marks { separator, starts, ends } = marks;
        let value = match split_on {
            Some(column) if !separator => self.value.number(column, row)?,
            _ => None,
        };
        let day = self.days.as_mut().map(|days| days.day(time));
        Ok(SessionRow { time, separator, starts, ends, value, day })
    }
}

/// The conditions that a row meets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks {
    pub(crate) separator: bool,
    pub(crate) starts: bool,
    pub(crate) ends: bool,
}

/// Numbers that change when the value does. Enough to compare a value with the latest one.
#[derive(Debug, Clone, Default)]
struct LatestValue {
    number: u64,
    text: Option<String>,
    other: Option<ScalarValue>,
}

impl LatestValue {
    fn number(&mut self, column: &ArrayRef, row: usize) -> Result<Option<u64>> {
        if column.is_null(row) {
            return Ok(None);
        }
        match column.data_type() {
            DataType::Utf8 => self.see_text(column.as_string::<i32>().value(row)),
            DataType::LargeUtf8 => self.see_text(column.as_string::<i64>().value(row)),
            DataType::Utf8View => self.see_text(column.as_string_view().value(row)),
            _ => {
                let value = ScalarValue::try_from_array(column, row)?;
                // A dictionary may hold NULL as a value.
                if value.is_null() {
                    return Ok(None);
                }
                if self.other.as_ref() != Some(&value) {
                    self.number += 1;
                    self.other = Some(value);
                }
            }
        }
        Ok(Some(self.number))
    }

    fn see_text(&mut self, text: &str) {
        if self.text.as_deref() == Some(text) {
            return;
        }
        self.number += 1;
        let latest = self.text.get_or_insert_default();
        latest.clear();
        latest.push_str(text);
    }
}
