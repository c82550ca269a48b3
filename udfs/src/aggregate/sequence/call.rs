//! One call of a sequence function: its constants and the rows that it keeps.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::function::AccumulatorArgs;

use super::arguments::{KEEP_UNMATCHED, Layout, PATTERN, WHICH};
use super::{Kind, result};
use crate::aggregate::buffered::{
    Call, Kept, SortedRows, condition_columns, kept_column, kept_type, rows_that_meet_any,
};
use crate::arguments::{constant, planned_constant, ticks};
use crate::journey::event::words_for;
use crate::journey::sequence::{Conditions, Pattern, Which};
use crate::length::tick_unit;

/// What one call computes, the same for all its groups.
#[derive(Debug)]
pub(super) struct SequenceCall {
    pub(super) kind: Kind,
    pub(super) pattern: Pattern,
    pub(super) which: Which,
    pub(super) ts_type: DataType,
    has_sequence: bool,
    keeps_unmatched: bool,
    layout: Layout,
}

impl SequenceCall {
    /// Reads the constant arguments.
    ///
    /// # Errors
    /// A plan error for a constant that is not one, for a pattern that cannot be read, and for an unknown `which`.
    pub(super) fn try_new(kind: Kind, args: &AccumulatorArgs) -> Result<Self> {
        let name = kind.name();
        let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        if kind.coerce(&types)? != types {
            return internal_err!("{name}: arguments were not coerced: {types:?}");
        }
        let layout = kind.layout(&types)?;
        let pattern = read_pattern(kind, &layout, &types, &constant(&args.exprs[0], name, PATTERN)?)?;
        let which = match layout.which {
            Some(which) => read_which(kind, &constant(&args.exprs[which], name, WHICH)?)?,
            None => Which::default(),
        };
        let keeps_unmatched = match layout.keep_unmatched {
            Some(keep) => {
                constant(&args.exprs[keep], name, KEEP_UNMATCHED)? == ScalarValue::Boolean(Some(true))
            }
            None => false,
        };
        Ok(Self {
            kind,
            pattern,
            which,
            ts_type: types[layout.ts].clone(),
            has_sequence: sequence_type(&layout, &types).is_some(),
            keeps_unmatched,
            layout,
        })
    }

    /// Words of one row's set of conditions.
    pub(super) fn words(&self) -> usize {
        words_for(self.layout.conditions.len())
    }

    /// The sets of all rows, as the search reads them.
    pub(super) fn sets<'a>(&self, rows: &'a SortedRows) -> Result<Cow<'a, [u64]>> {
        let mut sets = rows.sets(1 + usize::from(self.has_sequence), self.words())?;
        if self.words() > 1 {
            sets.to_mut().chunks_mut(self.words()).for_each(<[u64]>::reverse);
        }
        Ok(sets)
    }
}

/// Checks the constants that are known while the statement is planned.
///
/// # Errors
/// Those of [`SequenceCall::try_new`].
pub(super) fn check(kind: Kind, types: &[DataType], exprs: &[Expr]) -> Result<()> {
    let name = kind.name();
    let layout = kind.layout(types)?;
    if let Some(pattern) = planned_constant(&exprs[0], name, PATTERN)? {
        read_pattern(kind, &layout, types, &pattern)?;
    }
    if let Some(which) = layout.which
        && let Some(which) = planned_constant(&exprs[which], name, WHICH)?
    {
        read_which(kind, &which)?;
    }
    if let Some(keep) = layout.keep_unmatched {
        planned_constant(&exprs[keep], name, KEEP_UNMATCHED)?;
    }
    Ok(())
}

fn read_pattern(kind: Kind, layout: &Layout, types: &[DataType], value: &ScalarValue) -> Result<Pattern> {
    let name = kind.name();
    let Some(Some(text)) = value.try_as_str() else {
        return plan_err!("{name}: {PATTERN} must not be NULL");
    };
    let unit = match &types[layout.ts] {
        DataType::Timestamp(unit, _) => Some(tick_unit(*unit)),
        _ => None,
    };
    let conditions = Conditions { count: layout.conditions.len(), names: &[] };
    Pattern::parse(text, conditions, unit).or_else(|error| plan_err!("{name}: {error}"))
}

fn read_which(kind: Kind, value: &ScalarValue) -> Result<Which> {
    match value.try_as_str() {
        Some(Some(text)) if text.eq_ignore_ascii_case("first") => Ok(Which::First),
        Some(Some(text)) if text.eq_ignore_ascii_case("last") => Ok(Which::Last),
        Some(Some(text)) => {
            plan_err!("{}: {WHICH} must be 'first' or 'last', got '{text}'", kind.name())
        }
        _ => Ok(Which::default()),
    }
}

/// A sequence that was left out has the type NULL.
fn sequence_type(layout: &Layout, types: &[DataType]) -> Option<DataType> {
    layout.sequence.map(|sequence| kept_type(&types[sequence])).filter(|sequence| !sequence.is_null())
}

/// Types of the kept columns: the time, the sequence if there is one, the sets of conditions.
///
/// The last word of a set comes first: rows of one instant are then in the order of their highest conditions.
pub(super) fn kept_types(kind: Kind, types: &[DataType]) -> Result<Vec<DataType>> {
    let layout = kind.layout(types)?;
    let mut kept = vec![DataType::Int64];
    kept.extend(sequence_type(&layout, types));
    kept.extend(std::iter::repeat_n(DataType::UInt64, words_for(layout.conditions.len())));
    Ok(kept)
}

impl Call for SequenceCall {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn keep(&self, arguments: &[ArrayRef]) -> Result<Kept> {
        let (Some(ts), Some(conditions)) =
            (arguments.get(self.layout.ts), arguments.get(self.layout.conditions.clone()))
        else {
            return internal_err!("{} was called with {} columns", self.name(), arguments.len());
        };
        let sets = condition_columns(conditions)?;
        let mut rows = ts.nulls().map(|nulls| nulls.inner().clone());
        if !self.keeps_unmatched {
            let met = rows_that_meet_any(&sets, ts.len());
            rows = Some(match rows {
                Some(rows) => &rows & &met,
                None => met,
            });
        }
        let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::new(ticks(ts)?, None))];
        if let (Some(sequence), true) = (self.layout.sequence, self.has_sequence) {
            columns.push(kept_column(&arguments[sequence])?);
        }
        columns.extend(sets.into_iter().rev().map(|set| Arc::new(set) as ArrayRef));
        Ok(Kept { columns, rows })
    }

    fn evaluate(&self, rows: &SortedRows) -> Result<ArrayRef> {
        result::evaluate(self, rows)
    }
}
