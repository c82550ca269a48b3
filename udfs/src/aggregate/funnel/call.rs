//! One call of a funnel function: its constants, the rows that it keeps, its results.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::function::AccumulatorArgs;

use super::arguments::{Conditions, Layout};
use super::scope::Scope;
use super::{Kind, result};
use crate::aggregate::buffered::{
    Call, Kept, SortedRows, condition_columns, kept_column, kept_type, rows_that_meet_any,
};
use crate::arguments::{constant, is_text, planned_constant, ticks};
use crate::journey::event::words_for;
use crate::journey::funnel::FunnelModes;

const MODE: &str = "mode";

/// What one call computes, the same for all its groups.
#[derive(Debug, Clone)]
pub(super) struct FunnelCall {
    pub(super) kind: Kind,
    pub(super) window: Scope,
    pub(super) modes: FunnelModes,
    pub(super) steps: usize,
    /// Type of `ts`, for results that show it.
    pub(super) ts_type: DataType,
    /// Type of the event id as it is kept, if there is one.
    pub(super) event_id_type: Option<DataType>,
    layout: Layout,
}

impl FunnelCall {
    /// Reads the constant arguments.
    ///
    /// # Errors
    /// A plan error for a window or mode that is not constant, NULL, negative or unknown, and for a list of
    /// conditions that is not written out.
    pub(super) fn try_new(kind: Kind, args: &AccumulatorArgs) -> Result<Self> {
        let name = kind.name();
        let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        if kind.coerce(&types)? != types {
            return internal_err!("{name}: arguments were not coerced: {types:?}");
        }
        let layout = kind.layout(&types)?;
        let Conditions::Each(conditions) = &layout.conditions else {
            return not_written_out(kind);
        };
        let window = constant(&args.exprs[0], name, kind.window().name)?;
        let modes = match layout.mode {
            Some(mode) => read_modes(kind, &constant(&args.exprs[mode], name, MODE)?)?,
            None => FunnelModes::default(),
        };
        let ts_type = types[layout.ts].clone();
        Ok(Self {
            kind,
            window: Scope::try_new(kind.window(), &window, &ts_type)?,
            modes,
            steps: conditions.len(),
            ts_type,
            event_id_type: event_id_type(&layout, &types),
            layout,
        })
    }

    /// Words of one row's set of conditions.
    pub(super) fn words(&self) -> usize {
        words_for(self.steps)
    }

    /// The kept column with the first word of the sets.
    pub(super) fn first_word(&self) -> usize {
        1 + usize::from(self.event_id_type.is_some())
    }
}

/// Checks the constants that are known while the statement is planned.
///
/// # Errors
/// Those of [`FunnelCall::try_new`].
pub(super) fn check(kind: Kind, types: &[DataType], exprs: &[Expr]) -> Result<()> {
    let name = kind.name();
    let layout = kind.layout(types)?;
    if let Conditions::Listed(_) = layout.conditions {
        return not_written_out(kind);
    }
    if let Some(window) = planned_constant(&exprs[0], name, kind.window().name)? {
        Scope::try_new(kind.window(), &window, &types[layout.ts])?;
    }
    if let Some(mode) = layout.mode
        && let Some(mode) = planned_constant(&exprs[mode], name, MODE)?
    {
        read_modes(kind, &mode)?;
    }
    Ok(())
}

/// Checks window and mode as far as they are literals, before the arguments have types.
///
/// # Errors
/// Those of [`FunnelCall::try_new`] that do not depend on the type of `ts`.
pub(super) fn check_literals(kind: Kind, exprs: &[Expr]) -> Result<()> {
    let name = kind.name();
    let argument = kind.window();
    if let Some(window) = exprs.first()
        && let Some(value) = planned_constant(window, name, argument.name)?
    {
        let instant = DataType::Timestamp(TimeUnit::Nanosecond, None);
        match value.data_type() {
            text if is_text(&text) => {
                Scope::try_new(argument, &value.cast_to(&DataType::Utf8)?, &instant)?;
            }
            DataType::Interval(_) => {
                let interval = DataType::Interval(IntervalUnit::MonthDayNano);
                Scope::try_new(argument, &value.cast_to(&interval)?, &instant)?;
            }
            integer if integer.is_signed_integer() => {
                Scope::try_new(argument, &value.cast_to(&DataType::Int64)?, &DataType::Int64)?;
            }
            // What else it may not be is told by the types.
            _ => {}
        }
    }
    match exprs.get(1) {
        Some(Expr::Literal(mode, _)) if is_text(&mode.data_type()) => {
            read_modes(kind, &mode.cast_to(&DataType::Utf8)?).map(|_| ())
        }
        _ => Ok(()),
    }
}

/// Types of the kept columns: the time, the event id if there is one, the sets of conditions.
pub(super) fn kept_types(kind: Kind, types: &[DataType]) -> Result<Vec<DataType>> {
    let layout = kind.layout(types)?;
    let steps = match &layout.conditions {
        Conditions::Each(conditions) => conditions.len(),
        Conditions::Listed(_) => 0,
    };
    let mut kept = vec![DataType::Int64];
    kept.extend(event_id_type(&layout, types));
    kept.extend(std::iter::repeat_n(DataType::UInt64, words_for(steps)));
    Ok(kept)
}

/// An id that was left out has the type NULL.
pub(super) fn event_id_type(layout: &Layout, types: &[DataType]) -> Option<DataType> {
    layout.event_id.map(|id| kept_type(&types[id])).filter(|id| !id.is_null())
}

fn not_written_out<T>(kind: Kind) -> Result<T> {
    plan_err!(
        "{}: the array of conditions must be written out in the call, as in [event = 'a', event = 'b'], because the \
         number of steps must be known while planning; a column of arrays, or an empty array, is not possible",
        kind.name()
    )
}

fn read_modes(kind: Kind, value: &ScalarValue) -> Result<FunnelModes> {
    match value {
        ScalarValue::Utf8(Some(text)) => {
            FunnelModes::parse(text).or_else(|error| plan_err!("{}: {error}", kind.name()))
        }
        // Not given.
        value if value.is_null() => Ok(FunnelModes::default()),
        other => internal_err!("{}: mode was not coerced: {other:?}", kind.name()),
    }
}

impl Call for FunnelCall {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn keep(&self, arguments: &[ArrayRef]) -> Result<Kept> {
        let Conditions::Each(conditions) = &self.layout.conditions else {
            return not_written_out(self.kind);
        };
        let (Some(ts), Some(conditions)) = (arguments.get(self.layout.ts), arguments.get(conditions.clone()))
        else {
            return internal_err!("{} was called with {} columns", self.name(), arguments.len());
        };
        let sets = condition_columns(conditions)?;
        let mut rows = ts.nulls().map(|nulls| nulls.inner().clone());
        if !self.modes.needs_unmatched_rows() && !self.window.needs_unmatched_rows() {
            let met = rows_that_meet_any(&sets, ts.len());
            rows = Some(match rows {
                Some(rows) => &rows & &met,
                None => met,
            });
        }
        let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::new(ticks(ts)?, None))];
        if let (Some(id), Some(_)) = (self.layout.event_id, &self.event_id_type) {
            columns.push(kept_column(&arguments[id])?);
        }
        columns.extend(sets.into_iter().map(|set| Arc::new(set) as ArrayRef));
        Ok(Kept { columns, rows })
    }

    fn evaluate(&self, rows: &SortedRows) -> Result<ArrayRef> {
        result::evaluate(self, rows)
    }
}
