//! One call: which rows are kept, and what is added up.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, UInt8Array};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, internal_err};

use super::columns::Columns;
use super::layout::{GraphKind, Layout, NODE, TS};
use super::names::{Names, Numbering};
use super::output::{self, Output, field};
use crate::aggregate::buffered::{Call, Kept, SortedRows, condition_columns, kept_column};
use crate::arguments::{ticks, true_rows};
use crate::journey::funnel::FunnelState;
use crate::journey::paths::{CentreSearch, Cutter, Edges, Frequent, Path, Rules, Steps, node};
use crate::journey::session::Limit;
use crate::length::Length;

#[derive(Debug)]
pub(super) struct GraphCall {
    layout: Layout,
    rules: Rules<Length>,
    /// The window of the funnel.
    window: Option<Length>,
    list_type: DataType,
    nodes: Numbering,
    node_names: Names,
    segments: Numbering,
    segment_names: Names,
}

impl GraphCall {
    pub(super) fn new(
        layout: Layout,
        gap: Option<Length>,
        types: &[DataType],
        nodes: Names,
        segments: Names,
    ) -> Result<Self> {
        let (gap, window) = if layout.funnel.is_some() { (None, gap) } else { (gap, None) };
        let rules = Rules {
            gap: gap.map(Limit::through),
            collapse: layout.collapse,
            from_start: layout.has_start,
            to_end: layout.has_end,
            depth: layout.depth,
            direction: layout.direction,
        };
        Ok(Self {
            list_type: output::list_type(&layout, types)?,
            layout,
            rules,
            window,
            nodes: Numbering::new(nodes.clone()),
            node_names: nodes,
            segments: Numbering::new(segments.clone()),
            segment_names: segments,
        })
    }

    /// Gives every path of a person to `each`.
    fn cut(
        &self,
        cutter: &mut Cutter,
        columns: &mut Columns,
        person: Range<usize>,
        each: impl FnMut(&Path<'_>),
    ) {
        if columns.are_plain {
            cutter.person(&self.rules, columns.plain_person(person), each);
        } else {
            cutter.person(&self.rules, columns.person(person), each);
        }
    }

    fn marks(&self, arguments: &[ArrayRef]) -> Result<Vec<u8>> {
        let mut marks = vec![0_u8; arguments[TS].len()];
        let conditions = &arguments[self.layout.first_condition()..];
        for (bit, condition) in self.layout.conditions().into_iter().zip(conditions) {
            let Some(condition) = condition.as_boolean_opt() else {
                return internal_err!("a condition has type {}", condition.data_type());
            };
            for row in true_rows(condition).set_indices() {
                marks[row] |= bit;
            }
        }
        Ok(marks)
    }
}

/// Numbers without NULLs, which become 0.
fn whole(column: &ArrayRef) -> Result<ArrayRef> {
    match column.as_primitive_opt::<Int64Type>() {
        Some(numbers) => {
            Ok(Arc::new(Int64Array::from_iter_values(numbers.iter().map(Option::unwrap_or_default))))
        }
        None => internal_err!("a weight has type {}", column.data_type()),
    }
}

/// Values without NULLs, which become 0.
fn values(column: &ArrayRef) -> Result<ArrayRef> {
    match column.as_primitive_opt::<arrow::datatypes::Decimal128Type>() {
        Some(values) => {
            let present = values.iter().map(Option::unwrap_or_default);
            let present = arrow::array::Decimal128Array::from_iter_values(present);
            Ok(Arc::new(present.with_data_type(values.data_type().clone())))
        }
        None => internal_err!("a value has type {}", column.data_type()),
    }
}

impl Call for GraphCall {
    fn name(&self) -> &'static str {
        self.layout.function
    }

    fn keep(&self, arguments: &[ArrayRef]) -> Result<Kept> {
        let (places, count) = self.layout.arguments();
        if arguments.len() != count {
            return internal_err!("{} was called with {} columns", self.name(), arguments.len());
        }
        let ts = &arguments[TS];
        let nodes = self.nodes.numbers(&arguments[NODE])?;
        let marks = self.marks(arguments)?;
        let mut rows = ts.nulls().map(|nulls| nulls.inner().clone());
        let sets = match &arguments[self.layout.steps()] {
            [] => vec![],
            steps => condition_columns(steps)?,
        };
        // A row that is nothing still tells that a session goes on, and may be worth something.
        if self.rules.gap.is_none() && !self.layout.has_value {
            let meets_step = |row: usize| sets.iter().any(|set| set.value(row) != 0);
            let is_something =
                |row: usize| nodes.values()[row] != node::NONE || marks[row] != 0 || meets_step(row);
            let matters = BooleanBuffer::collect_bool(ts.len(), is_something);
            rows = Some(match rows {
                Some(rows) => &rows & &matters,
                None => matters,
            });
        }
        let mut columns: Vec<ArrayRef> = Vec::new();
        if let Some(unit) = places.unit {
            columns.push(kept_column(&arguments[unit])?);
        }
        columns.push(Arc::new(Int64Array::new(ticks(ts)?, None)));
        if let Some(sequence) = places.sequence {
            columns.push(kept_column(&arguments[sequence])?);
        }
        columns.push(Arc::new(nodes));
        columns.push(Arc::new(UInt8Array::from(marks)));
        columns.extend(sets.into_iter().map(|set| Arc::new(set) as ArrayRef));
        if let Some(value) = places.value {
            columns.push(values(&arguments[value])?);
        }
        if let Some(weight) = places.weight {
            columns.push(whole(&arguments[weight])?);
        }
        if let Some(segment) = places.segment {
            columns.push(Arc::new(self.segments.numbers(&arguments[segment])?));
        }
        Ok(Kept { columns, rows })
    }

    fn evaluate(&self, rows: &SortedRows) -> Result<ArrayRef> {
        let mut columns = Columns::new(&self.layout, rows, &self.node_names, &self.segment_names)?;
        let mut cutter = Cutter::default();
        let output =
            Output { list_type: &self.list_type, nodes: &self.node_names, segments: &self.segment_names };
        let may_convert = self.layout.has_conversion;
        match &self.layout.kind {
            GraphKind::Edges { steps, ends } => {
                let mut edges = Edges::new(*steps, *ends, may_convert);
                for person in rows.groups() {
                    edges.next_person();
                    self.cut(&mut cutter, &mut columns, person, |path| edges.add(path));
                }
                output.edges(rows.group_count(), &edges)
            }
            GraphKind::Paths { separator } => {
                let keeps_durations = [field::DURATIONS, field::WEIGHTS];
                let keeps_durations = keeps_durations.iter().any(|name| self.layout.wanted.contains(name));
                let mut paths = Frequent::new(keeps_durations);
                let mut funnel = self.layout.funnel.map(|funnel| FunnelState::new(funnel.steps));
                for person in rows.groups() {
                    paths.next_person();
                    match (self.layout.funnel, &self.window, &mut funnel) {
                        (Some(part), Some(window), Some(state)) => {
                            let (all, times, sets) = columns.person_with_sets(person);
                            let taken = part.rows(state, window, &times, &sets).unwrap_or(0..0);
                            cutter.person(&self.rules, all[taken].iter().copied(), |path| paths.add(path));
                        }
                        _ => self.cut(&mut cutter, &mut columns, person, |path| paths.add(path)),
                    }
                }
                output.paths(rows.group_count(), &paths.finish(), separator)
            }
            GraphKind::Steps { steps, centred } => {
                let mut counts = Steps::new(*steps, may_convert);
                let mut search = self.layout.pattern.as_ref().map(CentreSearch::new);
                for person in rows.groups() {
                    let Some(search) = &mut search else {
                        cutter.person(&self.rules, columns.person(person), |path| counts.add(path, *centred));
                        continue;
                    };
                    let (all, _, sets) = columns.person_with_sets(person);
                    let words = self.layout.words();
                    cutter.person(&self.rules, all.iter().copied(), |path| {
                        let (first, behind) = (path.rows.0, path.rows.1 + 1);
                        let sets = &sets[first * words..behind * words];
                        let centre = search.position(&self.rules, &all[first..behind], sets);
                        counts.add(&Path { centre, ..*path }, *centred);
                    });
                }
                output.steps(rows.group_count(), &counts)
            }
        }
    }
}
