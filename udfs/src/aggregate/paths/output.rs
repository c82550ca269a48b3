//! The figures as lists of structs.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Decimal128Array, Int64Array, ListArray, StringViewBuilder, StructArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Decimal128Type, Field, Fields};
use datafusion::common::{Result, exec_err, internal_err, resources_err};

use super::layout::{GraphKind, Layout};
use super::names::{Names, NamesGuard};
use crate::journey::paths::{Edge, EdgeKey, Edges, FrequentPaths, Steps};

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

/// The fields of the structs that someone looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct WantedFigures(Option<BTreeSet<String>>);

impl WantedFigures {
    /// Those called so, and the count: a struct must have some field.
    pub(crate) fn of(names: &BTreeSet<String>) -> Self {
        Self(Some(names.iter().cloned().chain([field::COUNT.to_owned()]).collect()))
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|names| names.contains(name))
    }
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
    let fields = fields.filter(|(name, _)| layout.wanted.contains(name));
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
    /// All `count` structs in the list of the first group; `column` gives those of their fields that are wanted.
    fn list(
        &self,
        groups: usize,
        count: usize,
        column: impl Fn(&str) -> Result<ArrayRef>,
    ) -> Result<ArrayRef> {
        let DataType::List(item) = self.list_type else {
            return internal_err!("figures of paths have type {}", self.list_type);
        };
        let DataType::Struct(fields) = item.data_type() else {
            return internal_err!("figures of a path have type {}", item.data_type());
        };
        let mut columns = Vec::with_capacity(fields.len());
        for field in fields {
            let column = column(field.name())?;
            columns.push(match (field.data_type(), column.as_primitive_opt::<Decimal128Type>()) {
                (DataType::Decimal128(_, _), Some(sums)) => {
                    let sums = sums.clone().with_data_type(field.data_type().clone());
                    // Sums are saturated, and wider than their type where they overflow it.
                    sums.validate_decimal_precision(SUM_DIGITS)?;
                    Arc::new(sums)
                }
                _ => column,
            });
        }
        let values = StructArray::try_new(fields.clone(), columns, None)?;
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
        let zeros = || paths.iter().map(|_| 0);
        let ends = |end: &dyn Fn(&EdgeKey) -> u32| {
            names(&nodes, edges.iter().map(|(key, _)| Some(end(key))).chain(paths.iter().map(|_| None)))
        };
        let all = |figure: &dyn Fn(&Edge) -> i128| {
            wholes(edges.iter().map(|(_, edge)| figure(edge)).chain(zeros()))
        };
        let sums = |figure: &dyn Fn(&Edge) -> i128| -> ArrayRef {
            let figures = edges.iter().map(|(_, edge)| figure(edge)).chain(zeros());
            Arc::new(Decimal128Array::from_iter_values(figures))
        };
        self.list(groups, edges.len() + paths.len(), |field| {
            Ok(match field {
                field::SEGMENT => {
                    let of_edges = edges.iter().map(|(key, _)| key.segment);
                    self.segments(of_edges.chain(paths.iter().map(|(segment, _)| *segment)))
                }
                field::STEP => wholes(edges.iter().map(|(key, _)| i128::from(key.step)).chain(zeros()))?,
                field::SOURCE => ends(&|key| key.source),
                field::TARGET => ends(&|key| key.target),
                field::COUNT => {
                    let of_edges = edges.iter().map(|(_, edge)| edge.count);
                    wholes(of_edges.chain(paths.iter().map(|(_, count)| *count)))?
                }
                field::PERSONS => all(&|edge| i128::from(edge.persons))?,
                field::TIMED => all(&|edge| edge.timed)?,
                field::TICKS => sums(&|edge| edge.ticks),
                field::CONVERSIONS => all(&|edge| edge.conversions)?,
                field::VALUE => sums(&|edge| edge.value),
                other => return internal_err!("an edge has no {other}"),
            })
        })
    }

    pub(super) fn paths(&self, groups: usize, paths: &FrequentPaths, separator: &str) -> Result<ArrayRef> {
        if i32::try_from(paths.durations.len()).is_err() {
            return resources_err!(
                "paths: more than {} paths in one partition; use more partitions",
                i32::MAX
            );
        }
        let figures = || paths.paths().map(|(_, _, figures)| figures);
        let lists = |item: &dyn Fn(&(i64, i64)) -> i64| -> Result<ArrayRef> {
            let items: Int64Array = paths.durations.iter().map(item).collect();
            let offsets = OffsetBuffer::from_lengths(paths.lengths.iter().copied());
            let field = Arc::new(Field::new_list_field(DataType::Int64, true));
            Ok(Arc::new(ListArray::try_new(field, offsets, Arc::new(items), None)?))
        };
        self.list(groups, paths.paths().len(), |field| {
            Ok(match field {
                field::SEGMENT => self.segments(paths.paths().map(|(segment, _, _)| segment)),
                field::PATH => self.texts(paths, separator),
                field::COUNT => wholes(figures().map(|path| path.count))?,
                field::PERSONS => wholes(figures().map(|path| i128::from(path.persons)))?,
                field::CONVERSIONS => wholes(figures().map(|path| path.conversions))?,
                field::VALUE => Arc::new(Decimal128Array::from_iter_values(figures().map(|path| path.value))),
                field::DURATIONS => lists(&|(ticks, _)| *ticks)?,
                field::WEIGHTS => lists(&|(_, weight)| *weight)?,
                other => return internal_err!("a path has no {other}"),
            })
        })
    }

    /// The nodes of each path as one text.
    fn texts(&self, paths: &FrequentPaths, separator: &str) -> ArrayRef {
        let nodes = self.nodes.read();
        let mut texts = StringViewBuilder::with_capacity(paths.paths().len());
        let mut text = String::new();
        for (_, path, _) in paths.paths() {
            text.clear();
            for (position, node) in path.iter().enumerate() {
                if position > 0 {
                    text.push_str(separator);
                }
                text.push_str(nodes.name(*node).unwrap_or_default());
            }
            texts.append_value(&text);
        }
        Arc::new(texts.finish())
    }

    pub(super) fn steps(&self, groups: usize, steps: &Steps) -> Result<ArrayRef> {
        let steps = steps.sorted();
        let nodes = self.nodes.read();
        self.list(groups, steps.len(), |field| {
            Ok(match field {
                field::SEGMENT => self.segments(steps.iter().map(|(key, _)| key.segment)),
                field::STEP => wholes(steps.iter().map(|(key, _)| i128::from(key.step)))?,
                field::NODE => names(&nodes, steps.iter().map(|(key, _)| Some(key.node))),
                field::COUNT => wholes(steps.iter().map(|(_, count)| *count))?,
                other => return internal_err!("a step has no {other}"),
            })
        })
    }

    fn segments(&self, numbers: impl Iterator<Item = u32>) -> ArrayRef {
        names(&self.segments.read(), numbers.map(Some))
    }
}
