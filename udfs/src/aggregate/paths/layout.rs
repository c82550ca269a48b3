//! What is asked of paths, and where the arguments stand.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::function::AccumulatorArgs;

use super::call::GraphCall;
use super::names::Names;
use super::output::{self, WantedFigures};
use crate::aggregate::buffered::{Buffered, Call, ConstantArguments, kept_type};
use crate::arguments::{LengthArgument, constant};
use crate::journey::event::words_for;
use crate::journey::paths::{Direction, FunnelPart, PatternCentre};
use crate::length::Length;

/// What is added up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum GraphKind {
    /// Edges; by their step where it says from which end, and with those from the start and to the end.
    Edges { steps: Option<Direction>, ends: bool },
    /// Whole paths as text.
    Paths { separator: String },
    /// Nodes by step.
    Steps { steps: u16, centred: bool },
}

/// Everything about a call that is known while it is planned.
///
/// Arguments: time, gap (NULL if absent), node, the conditions that are given in the order of [`Self::conditions`], the
/// steps of the funnel or the conditions of the pattern, then value, weight, segment, unit and sequence as far as they
/// are given.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Layout {
    pub(crate) function: &'static str,
    pub(crate) kind: GraphKind,
    pub(crate) collapse: bool,
    pub(crate) depth: Option<usize>,
    pub(crate) direction: Direction,
    pub(crate) has_start: bool,
    pub(crate) has_end: bool,
    pub(crate) has_conversion: bool,
    pub(crate) has_centre: bool,
    pub(crate) has_value: bool,
    pub(crate) has_weight: bool,
    pub(crate) has_segment: bool,
    pub(crate) has_unit: bool,
    pub(crate) has_sequence: bool,
    /// Only the rows between steps of a funnel; the gap is then its window.
    pub(crate) funnel: Option<FunnelPart>,
    /// The centre is a row of a match.
    pub(crate) pattern: Option<PatternCentre>,
    /// What is gathered of what is added up.
    pub(crate) wanted: WantedFigures,
}

pub(super) const TS: usize = 0;
pub(super) const GAP: usize = 1;
pub(super) const NODE: usize = 2;
const FIRST_CONDITION: usize = 3;

/// Positions of optional arguments, or of kept columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) value: Option<usize>,
    pub(super) weight: Option<usize>,
    pub(super) segment: Option<usize>,
    pub(super) unit: Option<usize>,
    pub(super) sequence: Option<usize>,
}

impl Layout {
    /// Bits of a row's marks, for the conditions that are given.
    pub(super) fn conditions(&self) -> Vec<u8> {
        let given = [self.has_start, self.has_end, self.has_conversion, self.has_centre];
        let bits = [START, END, CONVERSION, CENTRE];
        given.into_iter().zip(bits).filter(|(given, _)| *given).map(|(_, bit)| bit).collect()
    }

    /// The arguments that make up a row's set: the steps of the funnel, or the conditions of the pattern.
    pub(super) fn steps(&self) -> Range<usize> {
        let first = FIRST_CONDITION + self.conditions().len();
        first..first + self.set_size()
    }

    fn set_size(&self) -> usize {
        match (&self.funnel, &self.pattern) {
            (Some(funnel), _) => funnel.steps,
            (None, Some(pattern)) => pattern.conditions,
            (None, None) => 0,
        }
    }

    /// Words of a row's set; none if there are no sets.
    pub(super) fn words(&self) -> usize {
        match self.set_size() {
            0 => 0,
            size => words_for(size),
        }
    }

    /// Positions among the arguments, and their number.
    pub(super) fn arguments(&self) -> (Places, usize) {
        let mut next = self.steps().end;
        let mut take = |given: bool| {
            let place = next;
            next += usize::from(given);
            given.then_some(place)
        };
        let places = Places {
            value: take(self.has_value),
            weight: take(self.has_weight),
            segment: take(self.has_segment),
            unit: take(self.has_unit),
            sequence: take(self.has_sequence),
        };
        (places, next)
    }

    /// Positions among the kept columns: the unit, so that its rows are together, the time, the sequence, the node,
    /// the marks, the sets, value, weight and segment. Returns those of the time, the node and the optional ones.
    pub(super) fn kept(&self) -> (usize, usize, Places) {
        let time = usize::from(self.has_unit);
        let node = time + 1 + usize::from(self.has_sequence);
        let mut next = node + 2 + self.words();
        let mut take = |given: bool| {
            let place = next;
            next += usize::from(given);
            given.then_some(place)
        };
        let places = Places {
            value: take(self.has_value),
            weight: take(self.has_weight),
            segment: take(self.has_segment),
            unit: self.has_unit.then_some(0),
            sequence: self.has_sequence.then_some(time + 1),
        };
        (time, node, places)
    }

    /// First argument that is a condition.
    pub(super) fn first_condition(&self) -> usize {
        FIRST_CONDITION
    }
}

pub(super) const START: u8 = 1;
pub(super) const END: u8 = 1 << 1;
pub(super) const CONVERSION: u8 = 1 << 2;
pub(super) const CENTRE: u8 = 1 << 3;

/// The aggregate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PathGraph {
    layout: Layout,
    nodes: Names,
    segments: Names,
}

impl PathGraph {
    pub(super) fn new(layout: Layout) -> Self {
        Self { layout, nodes: Names::default(), segments: Names::default() }
    }

    /// The same of which only the `wanted` figures are gathered.
    pub(super) fn with_wanted(&self, wanted: WantedFigures) -> Self {
        Self { layout: Layout { wanted, ..self.layout.clone() }, ..self.clone() }
    }

    fn gap_argument(&self) -> LengthArgument {
        LengthArgument {
            function: self.layout.function,
            name: if self.layout.funnel.is_some() { "within" } else { "gap" },
        }
    }
}

impl Buffered for PathGraph {
    fn name(&self) -> &'static str {
        self.layout.function
    }

    fn parameter_names(&self) -> Vec<String> {
        vec![]
    }

    fn coerce(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        output::list_type(&self.layout, arg_types)
    }

    fn kept_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let (places, count) = self.layout.arguments();
        if arg_types.len() != count {
            return internal_err!("{} was called with {} arguments", self.layout.function, arg_types.len());
        }
        let mut types = Vec::new();
        types.extend(places.unit.map(|unit| kept_type(&arg_types[unit])));
        types.push(DataType::Int64);
        types.extend(places.sequence.map(|sequence| kept_type(&arg_types[sequence])));
        types.extend([DataType::UInt32, DataType::UInt8]);
        types.extend(std::iter::repeat_n(DataType::UInt64, self.layout.words()));
        types.extend(places.value.map(|value| arg_types[value].clone()));
        types.extend(places.weight.map(|_| DataType::Int64));
        types.extend(places.segment.map(|_| DataType::UInt32));
        Ok(types)
    }

    fn call(&self, args: &AccumulatorArgs) -> Result<Arc<dyn Call>> {
        let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        let gap = match constant(&args.exprs[GAP], self.layout.function, "gap")? {
            value if value.is_null() => None,
            value => Some(Length::try_new(self.gap_argument(), &value, &types[TS])?),
        };
        let call =
            GraphCall::new(self.layout.clone(), gap, &types, self.nodes.clone(), self.segments.clone())?;
        Ok(Arc::new(call))
    }

    fn check(&self, types: &[DataType], constants: ConstantArguments, _exprs: &[Expr]) -> Result<()> {
        if let Some(gap) = constants(GAP).filter(|gap| !gap.is_null()) {
            Length::try_new(self.gap_argument(), &gap, &types[TS])?;
        }
        Ok(())
    }
}
