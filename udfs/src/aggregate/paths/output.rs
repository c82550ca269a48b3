//! The figures as lists of structs.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int64Array, ListArray, StringViewBuilder, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, exec_err, internal_err, resources_err};

use super::layout::{GraphKind, Layout};
use super::names::{Names, NamesGuard};
use crate::journey::paths::{Edges, Frequent, FrequentPaths, Steps};

/// Names of the fields.
pub(crate) mod field {
    pub(crate) const SEGMENT: &str = "segment";
    pub(crate) const STEP: &str = "step";
    pub(crate) const SOURCE: &str = "source";
    pub(crate) const TARGET: &str = "target";
    pub(crate) const PATH: &str = "path";
    pub(crate) const NODE: &str = "node";
    pub(crate) const COUNT: &str = "count";
    pub(crate) const PERSONS: &str = "persons";
    pub(crate) const TIMED: &str = "timed";
    pub(crate) const TICKS: &str = "ticks";
    pub(crate) const CONVERSIONS: &str = "conversions";
    pub(crate) const VALUE: &str = "value";
    pub(crate) const DURATIONS: &str = "durations";
    pub(crate) const WEIGHTS: &str = "weights";
}

/// Digits that sums may have.
const SUM_DIGITS: u8 = 38;

/// Type of a sum of values, or of ticks.
fn sum_type(scale: i8) -> DataType {
    DataType::Decimal128(SUM_DIGITS, scale)
}

fn integers() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true)))
}

/// Type of the lists, for arguments of these types.
pub(super) fn list_type(layout: &Layout, arg_types: &[DataType]) -> Result<DataType> {
    let (places, _) = layout.arguments();
    let scale = match places.value.map(|value| &arg_types[value]) {
        None => 0,
        Some(DataType::Decimal128(_, scale)) => *scale,
        Some(other) => return internal_err!("{}: value has type {other}", layout.function),
    };
    let text = || DataType::Utf8View;
    let value = || (field::VALUE, sum_type(scale));
    let figures = match layout.kind {
        GraphKind::Edges { .. } => vec![
            (field::STEP, DataType::Int64),
            (field::SOURCE, text()),
            (field::TARGET, text()),
            (field::COUNT, DataType::Int64),
            (field::PERSONS, DataType::Int64),
            (field::TIMED, DataType::Int64),
            (field::TICKS, sum_type(0)),
            (field::CONVERSIONS, DataType::Int64),
            value(),
        ],
        GraphKind::Paths { .. } => vec![
            (field::PATH, text()),
            (field::COUNT, DataType::Int64),
            (field::PERSONS, DataType::Int64),
            (field::CONVERSIONS, DataType::Int64),
            value(),
            (field::DURATIONS, integers()),
            (field::WEIGHTS, integers()),
        ],
        GraphKind::Steps { .. } => {
            vec![(field::STEP, DataType::Int64), (field::NODE, text()), (field::COUNT, DataType::Int64)]
        }
    };
    let fields = std::iter::once((field::SEGMENT, text())).chain(figures);
    let fields: Fields = fields.map(|(name, data_type)| Field::new(name, data_type, true)).collect();
    Ok(DataType::List(Arc::new(Field::new_list_field(DataType::Struct(fields), true))))
}

/// Builds the lists.
pub(super) struct Output<'a> {
    pub(super) list_type: &'a DataType,
    pub(super) nodes: &'a Names,
    pub(super) segments: &'a Names,
}

fn whole(number: i128) -> Result<i64> {
    match i64::try_from(number) {
        Ok(number) => Ok(number),
        Err(_) => exec_err!("paths: a count is beyond the range of BIGINT: {number}"),
    }
}

fn wholes(numbers: impl Iterator<Item = i128>) -> Result<ArrayRef> {
    Ok(Arc::new(Int64Array::from(numbers.map(whole).collect::<Result<Vec<_>>>()?)))
}

fn names(names: &NamesGuard<'_>, numbers: impl Iterator<Item = Option<u32>>) -> ArrayRef {
    let mut builder = StringViewBuilder::new().with_deduplicate_strings();
    for number in numbers {
        builder.append_option(number.and_then(|number| names.name(number)));
    }
    Arc::new(builder.finish())
}

impl Output<'_> {
    /// All structs in the list of the first group.
    fn list(&self, groups: usize, columns: Vec<ArrayRef>) -> Result<ArrayRef> {
        let DataType::List(item) = self.list_type else {
            return internal_err!("figures of paths have type {}", self.list_type);
        };
        let DataType::Struct(fields) = item.data_type() else {
            return internal_err!("figures of a path have type {}", item.data_type());
        };
        let mut columns = columns;
        for (column, field) in columns.iter_mut().zip(fields) {
            if let (DataType::Decimal128(_, _), Some(sums)) =
                (field.data_type(), column.as_any().downcast_ref::<Decimal128Array>())
            {
                let sums = sums.clone().with_data_type(field.data_type().clone());
                // Sums are saturated, and wider than their type where they overflow it.
                sums.validate_decimal_precision(SUM_DIGITS)?;
                *column = Arc::new(sums);
            }
        }
        let values = StructArray::try_new(fields.clone(), columns, None)?;
        let count = arrow::array::Array::len(&values);
        if i32::try_from(count).is_err() {
            return resources_err!("paths: more than {} different results in one partition", i32::MAX);
        }
        let lengths = std::iter::once(count).chain(std::iter::repeat(0)).take(groups);
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(Arc::new(ListArray::try_new(Arc::clone(item), offsets, Arc::new(values), None)?))
    }

    /// The edges, and for each segment a row without source and target that counts its paths.
    pub(super) fn edges(&self, groups: usize, edges: &Edges) -> Result<ArrayRef> {
        let paths = if groups == 0 { vec![] } else { edges.paths() };
        let edges = edges.sorted();
        let nodes = self.nodes.read();
        let total = || paths.iter().map(|(_, count)| *count);
        let zeros = || paths.iter().map(|_| 0);
        let none = || paths.iter().map(|_| None);
        let all = |figure: &dyn Fn(&crate::journey::paths::Edge) -> i128| {
            wholes(edges.iter().map(|(_, edge)| figure(edge)).chain(zeros()))
        };
        let sums = |figure: &dyn Fn(&crate::journey::paths::Edge) -> i128| -> ArrayRef {
            Arc::new(Decimal128Array::from_iter_values(
                edges.iter().map(|(_, edge)| figure(edge)).chain(zeros()),
            ))
        };
        let segments =
            edges.iter().map(|(key, _)| key.segment).chain(paths.iter().map(|(segment, _)| *segment));
        let columns = vec![
            self.segments(segments),
            wholes(edges.iter().map(|(key, _)| i128::from(key.step)).chain(zeros()))?,
            names(&nodes, edges.iter().map(|(key, _)| Some(key.source)).chain(none())),
            names(&nodes, edges.iter().map(|(key, _)| Some(key.target)).chain(none())),
            wholes(edges.iter().map(|(_, edge)| edge.count).chain(total()))?,
            all(&|edge| i128::from(edge.persons))?,
            all(&|edge| edge.timed)?,
            sums(&|edge| edge.ticks),
            all(&|edge| edge.conversions)?,
            sums(&|edge| edge.value),
        ];
        self.list(groups, columns)
    }

    pub(super) fn paths(&self, groups: usize, paths: Frequent, separator: &str) -> Result<ArrayRef> {
        let FrequentPaths { paths, durations, lengths } = paths.into_sorted();
        let nodes = self.nodes.read();
        let mut texts = StringViewBuilder::with_capacity(paths.len());
        let mut text = String::new();
        for (_, path, _) in &paths {
            text.clear();
            for (position, node) in path.iter().enumerate() {
                if position > 0 {
                    text.push_str(separator);
                }
                text.push_str(nodes.name(*node).unwrap_or_default());
            }
            texts.append_value(&text);
        }
        if i32::try_from(durations.len()).is_err() {
            return resources_err!(
                "paths: more than {} paths in one partition; use more partitions",
                i32::MAX
            );
        }
        let item = Arc::new(Field::new_list_field(DataType::Int64, true));
        let list = |values: Int64Array| {
            let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
            ListArray::try_new(Arc::clone(&item), offsets, Arc::new(values), None)
        };
        let ticks = list(durations.iter().map(|(ticks, _)| *ticks).collect())?;
        let weights = list(durations.iter().map(|(_, weight)| *weight).collect())?;
        let columns = vec![
            self.segments(paths.iter().map(|(segment, _, _)| *segment)),
            Arc::new(texts.finish()) as ArrayRef,
            wholes(paths.iter().map(|(_, _, path)| path.count))?,
            wholes(paths.iter().map(|(_, _, path)| i128::from(path.persons)))?,
            wholes(paths.iter().map(|(_, _, path)| path.conversions))?,
            Arc::new(Decimal128Array::from_iter_values(paths.iter().map(|(_, _, path)| path.value))),
            Arc::new(ticks),
            Arc::new(weights),
        ];
        self.list(groups, columns)
    }

    pub(super) fn steps(&self, groups: usize, steps: &Steps) -> Result<ArrayRef> {
        let steps = steps.sorted();
        let nodes = self.nodes.read();
        let columns = vec![
            self.segments(steps.iter().map(|(key, _)| key.segment)),
            wholes(steps.iter().map(|(key, _)| i128::from(key.step)))?,
            names(&nodes, steps.iter().map(|(key, _)| Some(key.node))),
            wholes(steps.iter().map(|(_, count)| *count))?,
        ];
        self.list(groups, columns)
    }

    fn segments(&self, numbers: impl Iterator<Item = u32>) -> ArrayRef {
        names(&self.segments.read(), numbers.map(Some))
    }
}
