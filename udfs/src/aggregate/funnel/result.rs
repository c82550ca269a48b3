//! The results of the funnel functions, from the sorted rows of the groups.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Float64Array, Float64Builder, Int64Array, ListArray, StructArray, UInt64Array,
    new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{DataFusionError, Result};

use super::Kind;
use super::call::FunnelCall;
use crate::aggregate::buffered::SortedRows;
use crate::journey::funnel::{FunnelState, chain_of_sorted, count_of_sorted, depth_of_sorted};
use crate::length::ticks_per_second;

/// Type of the result, for times and an event id of these types.
pub(super) fn return_type(kind: Kind, ts: &DataType, event_id: Option<&DataType>) -> DataType {
    match kind {
        Kind::Depth | Kind::Count => DataType::Int64,
        Kind::Match => list_type(DataType::Int64),
        Kind::Durations => list_type(DataType::Float64),
        Kind::Steps => list_type(DataType::Struct(step_fields(ts, event_id))),
    }
}

fn list_type(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

fn step_fields(ts: &DataType, event_id: Option<&DataType>) -> Fields {
    Fields::from(vec![
        Field::new("step", DataType::Int64, true),
        Field::new("ts", ts.clone(), true),
        Field::new("event_id", event_id.cloned().unwrap_or(DataType::Utf8View), true),
        Field::new("seconds", DataType::Float64, true),
    ])
}

/// One value for each group.
pub(super) fn evaluate(call: &FunnelCall, rows: &SortedRows) -> Result<ArrayRef> {
    let steps = call.steps;
    Ok(match call.kind {
        Kind::Depth => {
            let mut state = FunnelState::new(steps);
            // What kind of window it is is asked once, not for every row.
            match call.window.fixed() {
                Some(window) => integers(call, rows, |times, sets| {
                    depth_of_sorted(&mut state, call.modes, &window, times, sets)
                })?,
                None => integers(call, rows, |times, sets| {
                    depth_of_sorted(&mut state, call.modes, &call.window, times, sets)
                })?,
            }
        }
        Kind::Count => {
            let mut state = FunnelState::counting(steps);
            integers(call, rows, |times, sets| {
                count_of_sorted(&mut state, call.modes, &call.window, times, sets, steps)
            })?
        }
        Kind::Match => matches(call, rows)?,
        Kind::Durations => durations(call, rows)?,
        Kind::Steps => chains(call, rows)?,
    })
}

/// Calls `each` with the times and sets of every group, and the number of its first row.
fn for_each_group(
    call: &FunnelCall,
    rows: &SortedRows,
    mut each: impl FnMut(usize, &[i64], &[u64]) -> Result<()>,
) -> Result<()> {
    let words = call.words();
    let times = rows.integers(0)?;
    let sets = rows.sets(call.first_word(), words)?;
    for group in rows.groups() {
        each(group.start, &times[group.clone()], &sets[group.start * words..group.end * words])?;
    }
    Ok(())
}

fn integers(
    call: &FunnelCall,
    rows: &SortedRows,
    mut of_group: impl FnMut(&[i64], &[u64]) -> usize,
) -> Result<ArrayRef> {
    let mut values = Vec::with_capacity(rows.group_count());
    for_each_group(call, rows, |_, times, sets| {
        values.push(integer(of_group(times, sets))?);
        Ok(())
    })?;
    Ok(Arc::new(Int64Array::from(values)))
}

fn integer(value: usize) -> Result<i64> {
    i64::try_from(value).map_err(|error| DataFusionError::External(Box::new(error)))
}

fn matches(call: &FunnelCall, rows: &SortedRows) -> Result<ArrayRef> {
    let mut state = FunnelState::new(call.steps);
    let mut bits = Vec::with_capacity(rows.group_count() * call.steps);
    for_each_group(call, rows, |_, times, sets| {
        let depth = depth_of_sorted(&mut state, call.modes, &call.window, times, sets);
        bits.extend((0..call.steps).map(|step| i64::from(step < depth)));
        Ok(())
    })?;
    let lengths = std::iter::repeat_n(call.steps, rows.group_count());
    lists(OffsetBuffer::from_lengths(lengths), Arc::new(Int64Array::from(bits)))
}

fn durations(call: &FunnelCall, rows: &SortedRows) -> Result<ArrayRef> {
    let mut state = FunnelState::new(call.steps);
    let between = call.steps - 1;
    let mut seconds = Float64Builder::with_capacity(rows.group_count() * between);
    for_each_group(call, rows, |_, times, sets| {
        let chain = chain_of_sorted(&mut state, call.modes, &call.window, times, sets);
        for step in 1..=between {
            let pair = chain.get(step - 1).zip(chain.get(step));
            seconds.append_option(pair.map(|(from, to)| seconds_between(call, times[*from], times[*to])));
        }
        Ok(())
    })?;
    let lengths = std::iter::repeat_n(between, rows.group_count());
    lists(OffsetBuffer::from_lengths(lengths), Arc::new(seconds.finish()))
}

fn chains(call: &FunnelCall, rows: &SortedRows) -> Result<ArrayRef> {
    let mut state = FunnelState::new(call.steps);
    let mut lengths = Vec::with_capacity(rows.group_count());
    let mut steps = Vec::new();
    let mut places = Vec::new();
    let mut seconds = Vec::new();
    for_each_group(call, rows, |first, times, sets| {
        let chain = chain_of_sorted(&mut state, call.modes, &call.window, times, sets);
        lengths.push(chain.len());
        for (index, row) in chain.iter().enumerate() {
            let before = index.checked_sub(1).map(|before| chain[before]);
            steps.push(integer(index + 1)?);
            places.push((first + row) as u64);
            seconds.push(before.map(|before| seconds_between(call, times[before], times[*row])));
        }
        Ok(())
    })?;
    let places = UInt64Array::from(places);
    let ticks = take(rows.column(0), &places, None)?;
    let event_id = match &call.event_id_type {
        Some(_) => take(rows.column(1), &places, None)?,
        None => new_null_array(&DataType::Utf8View, places.len()),
    };
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(steps)),
        cast(&ticks, &call.ts_type)?,
        event_id,
        Arc::new(Float64Array::from(seconds)),
    ];
    let fields = step_fields(&call.ts_type, call.event_id_type.as_ref());
    lists(OffsetBuffer::from_lengths(lengths), Arc::new(StructArray::try_new(fields, columns, None)?))
}

fn lists(offsets: OffsetBuffer<i32>, values: ArrayRef) -> Result<ArrayRef> {
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    Ok(Arc::new(ListArray::try_new(field, offsets, values, None)?))
}

/// Seconds, or the unit of `ts` where it is an integer.
fn seconds_between(call: &FunnelCall, from: i64, to: i64) -> f64 {
    let ticks = i128::from(to) - i128::from(from);
    ticks as f64 / ticks_per_second(&call.ts_type) as f64
}
