//! The sessions of a person as a list: what the table function `sessions` unnests.
//!
//! Keeps the rows of each person, puts them in order of time and cuts them by the rules of
//! [`crate::journey::session`]; O(n log n) per person where rows arrive out of order, O(n) where they do not.

mod call;
mod columns;
mod layout;
mod spans;

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{AggregateUDF, Expr};

use super::buffered::{self, Buffered, BufferedAggregate, ConstantArguments};
use crate::arguments::LengthArgument;
use crate::by_person::{ArgumentUse, OriginArguments};
use crate::session::{self, Argument, RULES, Role, is_per_row};
use call::SessionListCall;
pub(crate) use layout::{COLUMN_NAMES, DIMENSIONS, Pick, Position, WantedFields};
use layout::{Layout, session_type};

const NAME: &str = "sessions";
const ENGAGED_AFTER: LengthArgument = LengthArgument { function: NAME, name: "engaged_after" };

/// Returns the aggregate, whose sessions have the `wanted` fields. Its arguments are at the places that [`Position`] tells.
pub(crate) fn session_list(wanted: WantedFields) -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(BufferedAggregate::new(SessionList { wanted })))
}

/// Whether `function` is the aggregate.
pub(crate) fn is_session_list(function: &AggregateUDF) -> bool {
    function.inner().is::<BufferedAggregate<SessionList>>()
}

/// How the aggregate uses its arguments.
pub(crate) fn argument_use() -> ArgumentUse {
    ArgumentUse {
        time_and_sequence: Some((Position::of(Role::Ts), Position::SEQUENCE)),
        coded: Position::COLUMNS..Position::COLUMNS + COLUMN_NAMES.len(),
    }
}

/// Arguments that are one value for all rows.
pub(crate) fn read_by_call() -> Vec<usize> {
    let rules = RULES.iter().enumerate().filter(|(_, (role, _))| !is_per_row(*role));
    rules.map(|(place, _)| place).chain([Position::ENGAGED_AFTER]).collect()
}

/// Arguments that no field of `session` needs, given those that have a value in every row.
///
/// Channel, source and campaign of a session come from the first row that has any of them. Where one of them is never
/// missing that is the first row, whatever the others are.
pub(crate) fn idle_arguments(session: &DataType, is_complete: impl Fn(usize) -> bool) -> Vec<usize> {
    let origins = origins(session);
    let complete = origins.iter().filter(|(argument, _)| is_complete(*argument));
    let Some((deciding, _)) = complete.max_by_key(|(_, is_shown)| *is_shown) else {
        return Vec::new();
    };
    let idle = origins.iter().filter(|(argument, is_shown)| !is_shown && argument != deciding);
    idle.map(|(argument, _)| *argument).collect()
}

/// Of the arguments that tell where a session came from those whose values `session` shows, and those of which only
/// matters in which rows any has a value.
pub(crate) fn origin_arguments(session: &DataType) -> OriginArguments {
    let (shown, hidden): (Vec<_>, Vec<_>) = origins(session).into_iter().partition(|(_, is_shown)| *is_shown);
    let arguments = |origins: Vec<(usize, bool)>| origins.into_iter().map(|(argument, _)| argument).collect();
    OriginArguments { shown: arguments(shown), hidden: arguments(hidden) }
}

/// The arguments that tell where a session came from, and whether `session` shows their values.
fn origins(session: &DataType) -> Vec<(usize, bool)> {
    let DataType::Struct(shown) = session else {
        return Vec::new();
    };
    let origins = DIMENSIONS.iter().filter(|(.., pick)| *pick == Pick::Origin);
    let origins = origins.filter_map(|(column, field, _)| {
        let index = COLUMN_NAMES.iter().position(|name| name == column)?;
        Some((Position::COLUMNS + index, shown.find(field).is_some()))
    });
    origins.collect()
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SessionList {
    /// The fields that someone looks at.
    wanted: WantedFields,
}

/// The rules among the arguments.
fn rules(types: &[DataType]) -> session::Call<'_> {
    session::Call { function: NAME, parameters: &RULES, types: types.get(..RULES.len()).unwrap_or(types) }
}

impl Buffered for SessionList {
    fn name(&self) -> &'static str {
        NAME
    }

    fn parameter_names(&self) -> Vec<String> {
        vec![]
    }

    fn coerce(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        if arg_types.len() != Position::COUNT {
            return plan_err!("{NAME} has {} arguments, got {}", Position::COUNT, arg_types.len());
        }
        let rules = rules(arg_types);
        let mut coerced = rules.coerce()?;
        coerced.extend_from_slice(&arg_types[RULES.len()..]);
        for condition in [Position::PAGE_VIEW, Position::CONVERSION] {
            coerced[condition] = DataType::Boolean;
        }
        let [_, length] = ENGAGED_AFTER.coerce(&rules.time()?, &arg_types[Position::ENGAGED_AFTER])?;
        coerced[Position::ENGAGED_AFTER] = length;
        coerced[Position::REVENUE] = match &arg_types[Position::REVENUE] {
            DataType::Null => DataType::Null,
            DataType::Decimal128(precision, scale) => DataType::Decimal128(*precision, *scale),
            DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => {
                DataType::Decimal128(*precision, *scale)
            }
            integer if integer.is_integer() => DataType::Decimal128(20, 0),
            DataType::Float16 | DataType::Float32 | DataType::Float64 => DataType::Float64,
            other => {
                return plan_err!("{NAME}: revenue must be a number, best a DECIMAL, got {other}");
            }
        };
        Ok(coerced)
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::new_list(session_type(arg_types, self.wanted)?, true))
    }

    fn kept_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(Layout::new(arg_types, self.wanted).kept_types(arg_types))
    }

    fn call(&self, args: &AccumulatorArgs) -> Result<Arc<dyn buffered::Call>> {
        let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        let arguments = RULES
            .iter()
            .zip(args.exprs)
            .map(|((role, name), expr)| Argument::of_physical(expr, NAME, name, is_per_row(*role)));
        let arguments = arguments.collect::<Result<Vec<_>>>()?;
        let engaged =
            Argument::of_physical(&args.exprs[Position::ENGAGED_AFTER], NAME, ENGAGED_AFTER.name, false)?;
        Ok(Arc::new(SessionListCall::try_new(types, &arguments, &engaged, self.wanted)?))
    }

    fn check(&self, types: &[DataType], _constants: ConstantArguments, exprs: &[Expr]) -> Result<()> {
        let arguments = exprs.iter().map(Argument::of_expr).collect::<Result<Vec<_>>>()?;
        let rules = rules(types);
        rules.rules(&arguments[..RULES.len()])?;
        let engaged = &arguments[Position::ENGAGED_AFTER];
        if let Argument::Constant(value) = engaged {
            engaged_limit(value, &rules.time()?)?;
        }
        Ok(())
    }
}

/// The limit within which a session is too short to count as engaged.
fn engaged_limit(
    value: &ScalarValue,
    ts: &DataType,
) -> Result<crate::journey::session::Limit<crate::length::Length>> {
    session::limit(ENGAGED_AFTER, value, ts, false)
}
