//! What is known of each session, and the columns that it becomes.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float64Array, Int64Array, StringArray,
    StructArray, UInt64Array, new_null_array,
};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type};
use datafusion::common::{Result, exec_err, internal_err};

use super::NAME;
use super::call::KeptRows;
use super::layout::{DIMENSIONS, Layout, Pick, WantedFields, dimension_type, revenue_type, session_fields};
use crate::aggregate::buffered::SortedRows;
use crate::journey::session::{Limit, SessionPlace};
use crate::length::Length;
use crate::session::{session_start, span};

/// One session so far.
#[derive(Debug, Clone)]
struct Total {
    first: SessionPlace,
    end: i64,
    events: i64,
    page_views: i64,
    conversions: i64,
    is_robot: bool,
    revenue: Revenue,
    entry_page: Option<u64>,
    exit_page: Option<u64>,
    origin: Option<u64>,
    device: Option<u64>,
    country: Option<u64>,
}

/// A sum without a value has no rows with one.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Revenue {
    None,
    Decimal(i128),
    Float(f64),
}

/// What of the sessions is shown, and how.
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
}

/// All sessions of a batch of persons.
#[derive(Debug)]
pub(super) struct Totals {
    sessions: Vec<Total>,
    leaves_out_robots: bool,
}

impl Totals {
    pub(super) fn new(leaves_out_robots: bool) -> Self {
        Self { sessions: Vec::new(), leaves_out_robots }
    }

    pub(super) fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Adds the row at `index` to the latest session, or to a new one; `[is_page_view, is_conversion]`.
    pub(super) fn push(
        &mut self,
        index: usize,
        place: &SessionPlace,
        time: i64,
        [is_page_view, is_conversion]: [bool; 2],
        rows: &KeptRows,
    ) -> Result<()> {
        if place.is_new() {
            self.sessions.push(Total::new(*place));
        }
        let Some(session) = self.sessions.last_mut() else {
            return internal_err!("{NAME}: a row goes on with a session that was not started");
        };
        session.end = time;
        session.events += 1;
        session.page_views += i64::from(is_page_view);
        session.conversions += i64::from(is_conversion);
        session.is_robot |= place.is_robot;
        let row = Some(index as u64);
        let has = |rows: &Option<BooleanBuffer>| rows.as_ref().is_some_and(|rows| rows.value(index));
        if has(&rows.has_page) {
            session.entry_page = session.entry_page.or(row);
            session.exit_page = row;
        }
        if session.origin.is_none() && has(&rows.has_origin) {
            session.origin = row;
        }
        if session.device.is_none() && has(&rows.has_device) {
            session.device = row;
        }
        if session.country.is_none() && has(&rows.has_country) {
            session.country = row;
        }
        match rows.revenue {
            Some(revenue) if revenue.is_valid(index) => session.add(revenue, index),
            _ => Ok(()),
        }
    }

    /// If a click lag was given, leaves out sessions from `first` on that have a row faster than human.
    pub(super) fn drop_robots(&mut self, first: usize) {
        if self.leaves_out_robots {
            let people = self.sessions.split_off(first);
            self.sessions.extend(people.into_iter().filter(|session| !session.is_robot));
        }
    }

    /// The sessions as columns.
    pub(super) fn finish(
        self,
        shown: &Shown,
        too_short: &Limit<Length>,
        rows: &SortedRows,
    ) -> Result<StructArray> {
        let Shown { types, ts, layout, wanted } = *shown;
        let sessions = &self.sessions;
        let fields = session_fields(types)?;
        let integers = |value: fn(&Total) -> i64| -> ArrayRef {
            Arc::new(Int64Array::from_iter_values(sessions.iter().map(value)))
        };
        let times = |value: fn(&Total) -> i64| cast(&integers(value), ts);
        let booleans = |value: &dyn Fn(&Total) -> bool| -> ArrayRef {
            Arc::new(BooleanArray::from_iter(sessions.iter().map(|session| Some(value(session)))))
        };
        let texts = |value: &dyn Fn(&Total) -> String| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(sessions.iter().map(value)))
        };
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(fields.len());
        let mut add = |column: &dyn Fn() -> Result<ArrayRef>| -> Result<()> {
            let position = columns.len();
            columns.push(if wanted.contains(position) {
                column()?
            } else {
                new_null_array(fields[position].data_type(), sessions.len())
            });
            Ok(())
        };
        add(&|| Ok(texts(&|session| session_start(session.first.start, session.first.ordinal, ts))))?;
        add(&|| Ok(integers(|session| session.first.number)))?;
        add(&|| Ok(times(|session| session.first.start)?))?;
        add(&|| Ok(times(|session| session.end)?))?;
        add(&|| Ok(durations(sessions, ts)))?;
        add(&|| Ok(integers(|session| session.events)))?;
        add(&|| Ok(integers(|session| session.page_views)))?;
        for (name, result, pick) in DIMENSIONS {
            add(&|| match layout.column(name) {
                None => Ok(new_null_array(&dimension_type(types, name), sessions.len())),
                Some(column) => {
                    let picked = sessions.iter().map(|session| session.picked(result, pick));
                    let values = take(rows.column(column), &UInt64Array::from_iter(picked), None)?;
                    Ok(cast(&values, &dimension_type(types, name))?)
                }
            })?;
        }
        add(&|| Ok(booleans(&|session| session.page_views == 1)))?;
        add(&|| {
            Ok(booleans(&|session| {
                let is_short = too_short.reaches(session.first.start, session.end);
                !is_short || session.conversions > 0 || session.page_views >= 2
            }))
        })?;
        add(&|| Ok(integers(|session| session.conversions)))?;
        add(&|| revenues(sessions, &revenue_type(types)))?;
        add(&|| Ok(texts(&|session| session.first.reason.name().to_owned())))?;
        Ok(StructArray::try_new_with_length(fields.clone(), columns, None, sessions.len())?)
    }
}

impl Total {
    fn new(first: SessionPlace) -> Self {
        Self {
            first,
            end: first.start,
            events: 0,
            page_views: 0,
            conversions: 0,
            is_robot: false,
            revenue: Revenue::None,
            entry_page: None,
            exit_page: None,
            origin: None,
            device: None,
            country: None,
        }
    }

    fn add(&mut self, revenue: &ArrayRef, index: usize) -> Result<()> {
        if let Some(decimals) = revenue.as_primitive_opt::<Decimal128Type>() {
            let sum = if let Revenue::Decimal(sum) = self.revenue { sum } else { 0 };
            self.revenue = match sum.checked_add(decimals.value(index)) {
                Some(sum) => Revenue::Decimal(sum),
                None => return exec_err!("{NAME}: the sum of revenue is too large"),
            };
        } else if let Some(floats) = revenue.as_primitive_opt::<Float64Type>() {
            let sum = if let Revenue::Float(sum) = self.revenue { sum } else { 0.0 };
            self.revenue = Revenue::Float(sum + floats.value(index));
        }
        Ok(())
    }

    /// The row whose value the result column `name` shows.
    fn picked(&self, name: &str, pick: Pick) -> Option<u64> {
        match (pick, name) {
            (Pick::Origin, _) => self.origin,
            (Pick::Last, _) => self.exit_page,
            (Pick::First, "device") => self.device,
            (Pick::First, "country") => self.country,
            (Pick::First, _) => self.entry_page,
        }
    }
}

fn durations(sessions: &[Total], ts: &DataType) -> ArrayRef {
    if *ts == DataType::Int64 {
        let spans = sessions.iter().map(|session| span::ticks(session.first.start, session.end));
        return Arc::new(Int64Array::from_iter(spans));
    }
    let spans = sessions.iter().map(|session| span::seconds(session.first.start, session.end, ts));
    Arc::new(Float64Array::from_iter_values(spans))
}

fn revenues(sessions: &[Total], data_type: &DataType) -> Result<ArrayRef> {
    if let DataType::Decimal128(precision, scale) = data_type {
        let sums = sessions.iter().map(|session| match session.revenue {
            Revenue::Decimal(sum) => Some(sum),
            _ => None,
        });
        let sums = Decimal128Array::from_iter(sums).with_precision_and_scale(*precision, *scale)?;
        if sums.validate_decimal_precision(*precision).is_err() {
            return exec_err!("{NAME}: the sum of revenue does not fit {data_type}");
        }
        return Ok(Arc::new(sums));
    }
    let sums = sessions.iter().map(|session| match session.revenue {
        Revenue::Float(sum) => Some(sum),
        _ => None,
    });
    Ok(Arc::new(Float64Array::from_iter(sums)))
}
