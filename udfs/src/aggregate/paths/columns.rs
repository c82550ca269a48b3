//! The kept rows of people as the cutter reads them.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use arrow::array::{ArrayRef, AsArray, DynComparator, make_comparator};
use arrow::compute::SortOptions;
use arrow::datatypes::{Decimal128Type, UInt8Type, UInt32Type};
use datafusion::common::{Result, exec_err, internal_err};

use super::layout::{CENTRE, CONVERSION, END, Layout, START};
use super::names::Names;
use crate::aggregate::buffered::SortedRows;
use crate::journey::paths::{PathRow, node};

/// Columns of all rows, and the order in which those of one person are read.
pub(super) struct Columns<'a> {
    times: &'a [i64],
    nodes: &'a [u32],
    marks: &'a [u8],
    values: Option<&'a [i128]>,
    weights: Option<&'a [i64]>,
    segments: Option<&'a [u32]>,
    sets: Cow<'a, [u64]>,
    words: usize,
    unit: Option<DynComparator>,
    sequence: Option<DynComparator>,
    names: &'a Names,
    segment_names: &'a Names,
    order: Vec<usize>,
    /// Whether rows have nothing but a time and a node, and no unit: then [`Self::plain_person`] gives them.
    pub(super) are_plain: bool,
}

impl<'a> Columns<'a> {
    pub(super) fn new(
        layout: &Layout,
        rows: &'a SortedRows,
        names: &'a Names,
        segment_names: &'a Names,
    ) -> Result<Self> {
        let (time, node, places) = layout.kept();
        let comparator = |column: Option<usize>| {
            let compare = |column: &ArrayRef| make_comparator(column, column, SortOptions::default());
            column.map(|column| compare(rows.column(column))).transpose()
        };
        let segments = places.segment.map(|segment| numbers(rows.column(segment))).transpose()?;
        let values =
            places.value.map(|value| match rows.column(value).as_primitive_opt::<Decimal128Type>() {
                Some(values) => Ok(values.values().as_ref()),
                None => internal_err!("values have type {}", rows.column(value).data_type()),
            });
        let weights = places.weight.map(|weight| rows.integers(weight)).transpose()?;
        if let Some(negative) = weights.and_then(|weights| weights.iter().find(|weight| **weight < 0)) {
            return exec_err!("{}: weight must not be negative, got {negative}", layout.function);
        }
        let more = [places.value, places.weight, places.segment, places.unit];
        let has_more = more.iter().any(Option::is_some);
        let Some(marks) = rows.column(node + 1).as_primitive_opt::<UInt8Type>() else {
            return internal_err!("marks have type {}", rows.column(node + 1).data_type());
        };
        Ok(Self {
            times: rows.integers(time)?,
            nodes: numbers(rows.column(node))?,
            marks: marks.values(),
            values: values.transpose()?,
            weights,
            segments,
            sets: if layout.words() == 0 { Cow::Borrowed(&[]) } else { rows.sets(node + 2, layout.words())? },
            words: layout.words(),
            unit: comparator(places.unit)?,
            sequence: comparator(places.sequence)?,
            names,
            segment_names,
            order: Vec::new(),
            are_plain: !has_more && layout.conditions().is_empty(),
        })
    }

    /// The rows of a person in order: of one instant by the sequence, then conversions last, then by name.
    pub(super) fn person(&mut self, rows: Range<usize>) -> impl Iterator<Item = PathRow> + '_ {
        let first = rows.start;
        let has_ties = self.put_in_order(rows.clone());
        rows.map(move |row| {
            let at = |row: usize| if has_ties { self.order[row - first] } else { row };
            self.row(at(row), (row > first).then(|| at(row - 1)))
        })
    }

    /// Whether a person has rows of one instant; then their order is in `order`, which is empty otherwise.
    fn put_in_order(&mut self, rows: Range<usize>) -> bool {
        let times = &self.times[rows.clone()];
        let has_ties = times.windows(2).any(|pair| pair[0] == pair[1]);
        let mut order = std::mem::take(&mut self.order);
        order.clear();
        if has_ties {
            order.extend(rows);
            for instant in order.chunk_by_mut(|left, right| self.is_same_instant(*left, *right)) {
                // They are in order of their numbers, which may not be that of their names.
                if instant.len() > 1 {
                    let (names, segment_names) = (self.names.read(), self.segment_names.read());
                    instant.sort_by(|left, right| {
                        let converts = |row: usize| self.marks[row] & CONVERSION;
                        let name = |row: usize| names.name(self.nodes[row]);
                        let segment =
                            |row: usize| self.segments.and_then(|segments| segment_names.name(segments[row]));
                        converts(*left)
                            .cmp(&converts(*right))
                            .then_with(|| name(*left).cmp(&name(*right)))
                            .then_with(|| self.rest(*left, *right))
                            .then_with(|| segment(*left).cmp(&segment(*right)))
                    });
                }
            }
        }
        self.order = order;
        has_ties
    }

    /// The rows of a person in order, where they are plain: what is the same in all rows is decided once, for all.
    pub(super) fn plain_person(&mut self, rows: Range<usize>) -> impl Iterator<Item = PathRow> + '_ {
        let first = rows.start;
        let has_ties = self.put_in_order(rows.clone());
        rows.map(move |row| {
            let at = if has_ties { self.order[row - first] } else { row };
            PathRow { time: self.times[at], node: self.nodes[at], ..PLAIN }
        })
    }

    /// The same with the times of the rows and their sets.
    pub(super) fn person_with_sets(&mut self, rows: Range<usize>) -> (Vec<PathRow>, Vec<i64>, Vec<u64>) {
        let (first, count) = (rows.start, rows.len());
        let all: Vec<PathRow> = self.person(rows).collect();
        let times = all.iter().map(|row| row.time).collect();
        let place = |row: usize| if self.order.len() == count { self.order[row] } else { first + row };
        let set = |row: usize| &self.sets[place(row) * self.words..(place(row) + 1) * self.words];
        let sets = (0..count).flat_map(set).copied().collect();
        (all, times, sets)
    }

    fn is_same_instant(&self, left: usize, right: usize) -> bool {
        let is_equal = |compare: &Option<DynComparator>| {
            compare.as_ref().is_none_or(|compare| compare(left, right).is_eq())
        };
        self.times[left] == self.times[right] && is_equal(&self.unit) && is_equal(&self.sequence)
    }

    /// Rows of one instant and one name by everything else that they are read for, save the segment.
    fn rest(&self, left: usize, right: usize) -> Ordering {
        let value = |row: usize| self.values.map(|values| values[row]);
        let weight = |row: usize| self.weights.map(|weights| weights[row]);
        self.marks[left]
            .cmp(&self.marks[right])
            .then_with(|| value(left).cmp(&value(right)))
            .then_with(|| weight(left).cmp(&weight(right)))
    }

    fn row(&self, row: usize, before: Option<usize>) -> PathRow {
        let mark = |bit: u8| self.marks[row] & bit != 0;
        let is_break = self
            .unit
            .as_ref()
            .is_some_and(|compare| before.is_some_and(|before| compare(before, row).is_ne()));
        PathRow {
            time: self.times[row],
            node: self.nodes[row],
            is_break,
            starts: mark(START),
            ends: mark(END),
            converts: mark(CONVERSION),
            is_centre: mark(CENTRE),
            value: self.values.map_or(0, |values| values[row]),
            weight: self.weights.map_or(1, |weights| weights[row]),
            segment: self.segments.map_or(0, |segments| segments[row]),
        }
    }
}

/// A row that has nothing but a time and a node.
const PLAIN: PathRow = PathRow {
    time: 0,
    node: node::NONE,
    is_break: false,
    starts: false,
    ends: false,
    converts: false,
    is_centre: false,
    value: 0,
    weight: 1,
    segment: 0,
};

fn numbers(column: &ArrayRef) -> Result<&[u32]> {
    match column.as_primitive_opt::<UInt32Type>() {
        Some(numbers) => Ok(numbers.values()),
        None => internal_err!("names were not numbered: {}", column.data_type()),
    }
}
