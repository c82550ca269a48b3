//! The funnel functions: `window_funnel(window, [mode,] ts, cond1, .., condN)` and its companions, which take the
//! same arguments and tell more about the same search.
//!
//! Definition: ClickHouse's `windowFunnel`, with an interval as window; the rules are in
//! [`journey::funnel`](crate::journey::funnel). This is the buffered form: rows that can matter are kept as (time,
//! set of conditions met) until the end, so that it is right on any plan, in any order of rows, splits and merges.
//! For n kept rows of a group: O(n log n) time, O(n) if they arrive in time order, plus the time of the search; and
//! 12 bytes plus 8 for every 64 conditions of memory per row.

mod arguments;
mod call;
mod documentation;
mod planner;
mod result;
mod scope;

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{AggregateUDF, Documentation, Expr};

use super::buffered::{Buffered, BufferedAggregate, Call, ConstantArguments};
use crate::arguments::is_text;
use arguments::{Conditions, Layout};
use call::FunnelCall;
pub(crate) use planner::FunnelPlanner;

/// Conditions that can be given by name. By position there is no limit.
const NAMED_CONDITIONS: usize = 32;

/// Whether `function` is one of them.
pub(crate) fn is_funnel_function(function: &AggregateUDF) -> bool {
    function.inner().is::<BufferedAggregate<Funnel>>()
}

/// Arguments of a funnel function that are its conditions; none where they are one list.
pub(crate) fn condition_arguments(function: &AggregateUDF, types: &[DataType]) -> Range<usize> {
    let funnel = function.inner().downcast_ref::<BufferedAggregate<Funnel>>();
    match funnel.and_then(|funnel| funnel.function().kind.layout(types).ok()) {
        Some(Layout { conditions: Conditions::Each(conditions), .. }) => conditions,
        _ => 0..0,
    }
}

/// Arguments that are one value for all rows: the window, and the mode, the only text that can stand behind it.
pub(crate) fn read_by_call(types: &[DataType]) -> Vec<usize> {
    if types.get(1).is_some_and(is_text) { vec![0, 1] } else { vec![0] }
}

/// Returns the functions; `window_funnel` is the first.
pub(crate) fn funnel_functions() -> Vec<Arc<AggregateUDF>> {
    let function = |kind| Arc::new(AggregateUDF::from(BufferedAggregate::new(Funnel::new(kind))));
    Kind::ALL.map(function).to_vec()
}

/// What a funnel function tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// The deepest step.
    Depth,
    /// How often the last step was reached.
    Count,
    /// For each step whether it was reached.
    Match,
    /// The times between the steps of the chain.
    Durations,
    /// The rows of the chain.
    Steps,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Depth, Self::Count, Self::Match, Self::Durations, Self::Steps];

    const fn name(self) -> &'static str {
        match self {
            Self::Depth => "window_funnel",
            Self::Count => "funnel_count",
            Self::Match => "funnel_match",
            Self::Durations => "funnel_durations",
            Self::Steps => "funnel_steps",
        }
    }

    const fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::Depth => &["windowfunnel"],
            _ => &[],
        }
    }

    fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    fn takes_event_id(self) -> bool {
        self == Self::Steps
    }
}

/// One of the functions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Funnel {
    kind: Kind,
    aliases: Vec<String>,
}

impl Funnel {
    fn new(kind: Kind) -> Self {
        Self { kind, aliases: kind.aliases().iter().map(|alias| (*alias).to_owned()).collect() }
    }
}

impl Buffered for Funnel {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn parameter_names(&self) -> Vec<String> {
        let mut names: Vec<String> = ["window", "mode", "ts"].map(str::to_owned).to_vec();
        if self.kind.takes_event_id() {
            names.push("event_id".to_owned());
        }
        names.extend((1..=NAMED_CONDITIONS).map(|step| format!("cond{step}")));
        names
    }

    fn coerce(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.kind.coerce(arg_types)
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        let layout = self.kind.layout(arg_types)?;
        let event_id = call::event_id_type(&layout, arg_types);
        Ok(result::return_type(self.kind, &arg_types[layout.ts], event_id.as_ref()))
    }

    fn kept_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        call::kept_types(self.kind, arg_types)
    }

    fn call(&self, args: &AccumulatorArgs) -> Result<Arc<dyn Call>> {
        Ok(Arc::new(FunnelCall::try_new(self.kind, args)?))
    }

    fn unpack(&self, args: Vec<Expr>) -> Vec<Expr> {
        planner::unpacked(args)
    }

    fn check(&self, types: &[DataType], _: ConstantArguments, exprs: &[Expr]) -> Result<()> {
        call::check(self.kind, types, exprs)
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        match self.kind {
            Kind::Depth | Kind::Count => Ok(ScalarValue::Int64(Some(0))),
            Kind::Steps => match data_type {
                DataType::List(item) => {
                    Ok(ScalarValue::List(ScalarValue::new_list_nullable(&[], item.data_type())))
                }
                other => ScalarValue::try_from(other),
            },
            // Lists of a length that depends on the arguments, which are not known here.
            Kind::Match | Kind::Durations => ScalarValue::try_from(data_type),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(documentation::of(self.kind))
    }
}
