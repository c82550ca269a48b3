//! The sequence functions: `sequence_match(pattern, [keep_unmatched,] ts, [sequence,] cond1, .., condN)` and those that
//! count and show the matches, and `sequence_next_node`.
//!
//! Definition: ClickHouse's `sequenceMatch` family; the language of patterns and the search are in
//! [`journey::sequence`](crate::journey::sequence). For n kept rows of a group: O(n log n) time, O(n) if they arrive in
//! time order, plus that of the search; 12 bytes plus 8 for every 64 conditions per row.

mod arguments;
mod call;
mod docs;
mod next_node;
mod planner;
mod result;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{AggregateUDF, Documentation, Expr};

use super::buffered::{Buffered, BufferedAggregate, Call, ConstantArguments};
use call::SequenceCall;
pub(crate) use planner::{SequencePlanner, compared_text, items};

/// Conditions that can be given by name. By position there is no limit.
const NAMED_CONDITIONS: usize = 32;

/// Returns the functions.
pub(crate) fn sequence_functions() -> Vec<Arc<AggregateUDF>> {
    let function = |kind| Arc::new(AggregateUDF::from(BufferedAggregate::new(Sequence::new(kind))));
    let mut functions = Kind::ALL.map(function).to_vec();
    functions.push(Arc::new(AggregateUDF::from(BufferedAggregate::new(next_node::SequenceNextNode::new()))));
    functions
}

/// What a sequence function tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// Whether there is a match.
    Match,
    /// How many matches there are.
    Count,
    /// The times of one match.
    Events,
    /// The times of all matches.
    AllEvents,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Match, Self::Count, Self::Events, Self::AllEvents];

    const fn name(self) -> &'static str {
        match self {
            Self::Match => "sequence_match",
            Self::Count => "sequence_count",
            Self::Events => "sequence_match_events",
            Self::AllEvents => "sequence_match_all",
        }
    }

    const fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::Match => &["sequencematch"],
            Self::Count => &["sequencecount"],
            Self::Events => &["sequencematchevents"],
            Self::AllEvents => &[],
        }
    }

    fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One of the functions that take a pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Sequence {
    kind: Kind,
    aliases: Vec<String>,
}

impl Sequence {
    fn new(kind: Kind) -> Self {
        Self { kind, aliases: kind.aliases().iter().map(|alias| (*alias).to_owned()).collect() }
    }
}

fn list_type(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

impl Buffered for Sequence {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn parameter_names(&self) -> Vec<String> {
        let mut names = vec!["pattern".to_owned()];
        if self.kind == Kind::Events {
            names.push(arguments::WHICH.to_owned());
        }
        names.extend([arguments::KEEP_UNMATCHED, "ts", "sequence"].map(str::to_owned));
        names.extend((1..=NAMED_CONDITIONS).map(|number| format!("cond{number}")));
        names
    }

    fn coerce(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.kind.coerce(arg_types)
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        let ts = arg_types[self.kind.layout(arg_types)?.ts].clone();
        Ok(match self.kind {
            Kind::Match => DataType::Boolean,
            Kind::Count => DataType::Int64,
            Kind::Events => list_type(ts),
            Kind::AllEvents => list_type(list_type(ts)),
        })
    }

    fn kept_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        call::kept_types(self.kind, arg_types)
    }

    fn call(&self, args: &AccumulatorArgs) -> Result<Arc<dyn Call>> {
        Ok(Arc::new(SequenceCall::try_new(self.kind, args)?))
    }

    fn unpack(&self, args: Vec<Expr>) -> Vec<Expr> {
        planner::unpacked(args)
    }

    fn resolve(&self, types: &[DataType], args: Vec<Expr>) -> Result<Vec<Expr>> {
        planner::resolved(self.kind, self.kind.layout(types)?.conditions, args)
    }

    fn check(&self, types: &[DataType], _: ConstantArguments, exprs: &[Expr]) -> Result<()> {
        call::check(self.kind, types, exprs)
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        match (self.kind, data_type) {
            (Kind::Match, _) => Ok(ScalarValue::Boolean(Some(false))),
            (Kind::Count, _) => Ok(ScalarValue::Int64(Some(0))),
            (_, DataType::List(item)) => {
                Ok(ScalarValue::List(ScalarValue::new_list_nullable(&[], item.data_type())))
            }
            (_, other) => ScalarValue::try_from(other),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(docs::of(self.kind))
    }
}
