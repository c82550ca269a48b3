//! The arguments of one `window_funnel` call: their types, their constants, their rows.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray};
use arrow::datatypes::DataType;
use datafusion::common::{DataFusionError, Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::function::AccumulatorArgs;

use super::NAME;
use crate::arguments::{LengthArgument, constant, is_text, is_time, ticks, true_rows};
use crate::journey::event::{insert_step, words_for};
use crate::journey::funnel::{FunnelModes, FunnelState, depth_of_sorted};
use crate::length::Length;

const WINDOW: LengthArgument = LengthArgument { function: NAME, name: "window" };

/// Position of `ts`: 2 after a mode, else 1. The conditions follow it.
fn ts_position(arg_types: &[DataType]) -> usize {
    let has_mode = match (arg_types.get(1), arg_types.get(2)) {
        (Some(second), _) if is_text(second) => true,
        // An untyped parameter: a mode if the time comes after it.
        (Some(DataType::Null), Some(third)) => is_time(third),
        _ => false,
    };
    if has_mode { 2 } else { 1 }
}

/// Returns the types that the arguments are cast to; types that it returned it leaves as they are.
///
/// # Errors
/// A plan error that names the argument that does not fit.
pub(super) fn coerce(arg_types: &[DataType]) -> Result<Vec<DataType>> {
    let ts = ts_position(arg_types);
    if arg_types.len() < ts + 2 {
        return plan_err!(
            "{NAME} needs a window, a time and at least one condition: \
             write {NAME}(window, [mode,] ts, cond1, ..., condN)"
        );
    }
    let [ts_type, window_type] = WINDOW.coerce(&arg_types[ts], &arg_types[0])?;
    let mut coerced = vec![window_type];
    if ts == 2 {
        coerced.push(DataType::Utf8);
    }
    coerced.push(ts_type);
    for (index, condition) in arg_types[ts + 1..].iter().enumerate() {
        match condition {
            DataType::Boolean | DataType::Null => coerced.push(DataType::Boolean),
            other => {
                return plan_err!("{NAME}: condition {} must be a boolean, got {other}", index + 1);
            }
        }
    }
    Ok(coerced)
}

/// What one call of the function computes, the same for all its groups.
#[derive(Debug, Clone)]
pub(super) struct FunnelCall {
    window: Length,
    modes: FunnelModes,
    ts: usize,
    steps: usize,
}

impl FunnelCall {
    /// Reads the constant arguments.
    ///
    /// # Errors
    /// A plan error for a window or mode that is not constant, NULL, negative or unknown.
    pub(super) fn try_new(args: &AccumulatorArgs) -> Result<Self> {
        let arg_types: Vec<DataType> =
            args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        if coerce(&arg_types)? != arg_types {
            return internal_err!("{NAME}: arguments were not coerced: {arg_types:?}");
        }
        let ts = ts_position(&arg_types);
        let window = constant(&args.exprs[0], NAME, WINDOW.name)?;
        let modes = if ts == 2 {
            read_modes(&constant(&args.exprs[1], NAME, "mode")?)?
        } else {
            FunnelModes::default()
        };
        Ok(Self {
            window: Length::try_new(WINDOW, &window, &arg_types[ts])?,
            modes,
            ts,
            steps: arg_types.len() - ts - 1,
        })
    }

    /// Words of one row's set of conditions.
    pub(super) fn words(&self) -> usize {
        words_for(self.steps)
    }

    /// Returns a state to reuse for [`depth`](Self::depth).
    pub(super) fn new_state(&self) -> FunnelState {
        FunnelState::new(self.steps)
    }

    /// Returns the result for one group's rows, given in time order.
    pub(super) fn depth(&self, state: &mut FunnelState, times: &[i64], sets: &[u64]) -> Result<i64> {
        let depth = depth_of_sorted(state, self.modes, &self.window, times, sets);
        i64::try_from(depth).map_err(|error| DataFusionError::External(Box::new(error)))
    }

    /// Passes each row that can matter to `keep`: its index, its time and its set of conditions.
    ///
    /// `values` are the columns of the arguments; rows where `filter` is not true, rows without a
    /// time, and rows that meet no condition (unless a mode counts them) are left out.
    pub(super) fn for_each_row(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
        mut keep: impl FnMut(usize, i64, &[u64]) -> Result<()>,
    ) -> Result<()> {
        let Some((ts, conditions)) = values.get(self.ts..).and_then(<[ArrayRef]>::split_first) else {
            return internal_err!("{NAME} was called with {} columns", values.len());
        };
        let words = self.words();
        let sets = condition_sets(conditions, ts.len(), words);
        let times = ticks(ts)?;
        let filter = filter.map(true_rows);
        for (row, set) in sets.chunks_exact(words).enumerate() {
            let counts = self.modes.needs_unmatched_rows() || set.iter().any(|word| *word != 0);
            if !counts || ts.is_null(row) {
                continue;
            }
            if filter.as_ref().is_some_and(|filter| !filter.value(row)) {
                continue;
            }
            keep(row, times[row], set)?;
        }
        Ok(())
    }
}

fn read_modes(value: &ScalarValue) -> Result<FunnelModes> {
    match value {
        ScalarValue::Utf8(Some(text)) => {
            FunnelModes::parse(text).or_else(|error| plan_err!("{NAME}: {error}"))
        }
        ScalarValue::Utf8(None) => plan_err!("{NAME}: mode must not be NULL; leave it out"),
        other => internal_err!("{NAME}: mode was not coerced: {other:?}"),
    }
}

/// Returns the set of conditions that each row meets, one behind the other.
fn condition_sets(conditions: &[ArrayRef], rows: usize, words: usize) -> Vec<u64> {
    let mut sets = vec![0; rows * words];
    for (index, condition) in conditions.iter().enumerate() {
        for row in true_rows(condition.as_boolean()).set_indices() {
            insert_step(&mut sets[row * words..(row + 1) * words], index + 1);
        }
    }
    sets
}
