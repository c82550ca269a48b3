//! The columns that sessions become.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float64Array, Int64Array, StringArray,
    StructArray, UInt32Array, new_null_array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type};
use datafusion::common::{Result, exec_err, internal_err};

use super::NAME;
use super::call::{CONVERSION, KeptRows, PAGE_VIEW};
use super::layout::{DIMENSIONS, Layout, Pick, WantedFields, dimension_type, revenue_type, session_fields};
use super::spans::Span;
use crate::aggregate::buffered::{SortedRows, kept_column};
use crate::journey::session::Limit;
use crate::length::Length;
use crate::session::{session_start, span};

/// What is shown of sessions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown<'a> {
    /// Types of the arguments.
    pub(super) types: &'a [DataType],
    /// Type of the time.
    pub(super) ts: &'a DataType,
    /// Where the kept columns are.
    pub(super) layout: &'a Layout,
    /// The fields that someone looks at.
    pub(super) wanted: WantedFields,
    /// The least that an engaged session lasts.
    pub(super) too_short: &'a Limit<Length>,
}

impl Shown<'_> {
    /// The wanted columns of `sessions`, which are spans of `rows`.
    pub(super) fn columns(
        &self,
        sessions: &[Span],
        kept: &KeptRows,
        rows: &SortedRows,
    ) -> Result<StructArray> {
        let fields = session_fields(self.types, self.wanted)?;
        let mut columns = Vec::with_capacity(fields.len());
        for field in &fields {
            columns.push(self.column(field.name(), sessions, kept, rows)?);
        }
        Ok(StructArray::try_new_with_length(fields, columns, None, sessions.len())?)
    }

    fn column(&self, name: &str, sessions: &[Span], kept: &KeptRows, rows: &SortedRows) -> Result<ArrayRef> {
        let integers = |value: &dyn Fn(&Span) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(sessions.iter().map(value)))
        };
        let booleans = |value: &dyn Fn(&Span) -> bool| -> ArrayRef {
            Arc::new(BooleanArray::from_iter(sessions.iter().map(|session| Some(value(session)))))
        };
        let texts = |value: &dyn Fn(&Span) -> String| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(sessions.iter().map(value)))
        };
        let start = |session: &Span| kept.times[session.first()];
        let end = |session: &Span| kept.times[session.last()];
        Ok(match name {
            "session_start" => {
                texts(&|session| session_start(start(session), i64::from(session.ordinal), self.ts))
            }
            "session_number" => integers(&|session| i64::from(session.number)),
            "start_ts" => cast(&integers(&start), self.ts)?,
            "end_ts" => cast(&integers(&end), self.ts)?,
            "duration_seconds" if *self.ts == DataType::Int64 => {
                let spans = sessions.iter().map(|session| span::ticks(start(session), end(session)));
                Arc::new(Int64Array::from_iter(spans))
            }
            "duration_seconds" => {
                let spans =
                    sessions.iter().map(|session| span::seconds(start(session), end(session), self.ts));
                Arc::new(Float64Array::from_iter_values(spans))
            }
            "events" => integers(&|session| session.rows().len() as i64),
            "page_views" => integers(&|session| kept.count(session, PAGE_VIEW)),
            "conversions" => integers(&|session| kept.count(session, CONVERSION)),
            "is_bounce" => booleans(&|session| kept.count(session, PAGE_VIEW) == 1),
            "is_engaged" => booleans(&|session| {
                let is_short = self.too_short.reaches(start(session), end(session));
                !is_short || kept.count(session, CONVERSION) > 0 || kept.count(session, PAGE_VIEW) >= 2
            }),
            "revenue" => revenues(sessions, kept.revenue, &revenue_type(self.types))?,
            "cut_reason" => texts(&|session| session.reason.name().to_owned()),
            _ => self.dimension(name, sessions, rows)?,
        })
    }

    /// A value of one row of each session.
    fn dimension(&self, name: &str, sessions: &[Span], rows: &SortedRows) -> Result<ArrayRef> {
        let Some((argument, _, pick)) = DIMENSIONS.iter().find(|(_, shown, _)| *shown == name) else {
            return internal_err!("{NAME} has no field {name}");
        };
        let data_type = dimension_type(self.types, argument);
        let Some(column) = self.layout.column(argument) else {
            return Ok(new_null_array(&data_type, sessions.len()));
        };
        let column = rows.column(column);
        let deciding: Vec<&str> = match pick {
            Pick::Origin => vec!["channel", "source", "campaign"],
            Pick::First | Pick::Last => vec![argument],
        };
        let deciding = deciding.iter().filter_map(|name| self.layout.column(name));
        let nulls: Vec<Option<NullBuffer>> =
            deciding.map(|column| rows.column(column).logical_nulls()).collect();
        let has_value =
            |row: &usize| nulls.iter().any(|nulls| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(*row)));
        let picked = sessions.iter().map(|session| {
            let row = match pick {
                Pick::Last => session.rows().rev().find(has_value),
                Pick::First | Pick::Origin => session.rows().find(has_value),
            };
            row.map(|row| row as u32)
        });
        // The type of a dimension is that in which it would be kept.
        kept_column(&take(column, &UInt32Array::from_iter(picked), None)?)
    }
}

/// The sum of each session, NULL if none of its rows has a value.
fn revenues(sessions: &[Span], revenue: Option<&ArrayRef>, data_type: &DataType) -> Result<ArrayRef> {
    let Some(revenue) = revenue else {
        return Ok(new_null_array(data_type, sessions.len()));
    };
    let valid = |session: &Span| session.rows().filter(|row| revenue.is_valid(*row));
    if let (DataType::Decimal128(precision, scale), Some(decimals)) =
        (data_type, revenue.as_primitive_opt::<Decimal128Type>())
    {
        let mut sums = Vec::with_capacity(sessions.len());
        for session in sessions {
            let mut sum: Option<i128> = None;
            for row in valid(session) {
                sum = match sum.unwrap_or(0).checked_add(decimals.value(row)) {
                    Some(sum) => Some(sum),
                    None => return exec_err!("{NAME}: the sum of revenue is too large"),
                };
            }
            sums.push(sum);
        }
        let sums = Decimal128Array::from(sums).with_precision_and_scale(*precision, *scale)?;
        if sums.validate_decimal_precision(*precision).is_err() {
            return exec_err!("{NAME}: the sum of revenue does not fit {data_type}");
        }
        return Ok(Arc::new(sums));
    }
    let Some(floats) = revenue.as_primitive_opt::<Float64Type>() else {
        return internal_err!("{NAME}: revenue has type {}", revenue.data_type());
    };
    let sums = sessions
        .iter()
        .map(|session| valid(session).fold(None, |sum, row| Some(sum.unwrap_or(0.0) + floats.value(row))));
    Ok(Arc::new(Float64Array::from_iter(sums)))
}
