//! Where the arguments of a sequence function stand, and which types they are cast to.

use std::ops::Range;

use arrow::datatypes::DataType;
use datafusion::common::{Result, plan_err};

use super::Kind;
use crate::arguments::{LengthArgument, is_text, is_time};

pub(super) const PATTERN: &str = "pattern";
pub(super) const WHICH: &str = "which";
pub(super) const KEEP_UNMATCHED: &str = "keep_unmatched";

/// Positions of the arguments of one call; the pattern comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) which: Option<usize>,
    pub(super) keep_unmatched: Option<usize>,
    pub(super) ts: usize,
    pub(super) sequence: Option<usize>,
    pub(super) conditions: Range<usize>,
}

impl Kind {
    /// Finds the arguments by their types.
    ///
    /// # Errors
    /// A plan error if there is no time or no condition, and for an argument before the time that is not known.
    pub(super) fn layout(self, types: &[DataType]) -> Result<Layout> {
        let Some(ts) = ts_position(types) else {
            return self.incomplete();
        };
        let (mut which, mut keep_unmatched) = (None, None);
        for (position, given) in types.iter().enumerate().take(ts).skip(1) {
            let is_null = given.is_null();
            if self == Kind::Events
                && which.is_none()
                && keep_unmatched.is_none()
                && (is_text(given) || is_null)
            {
                which = Some(position);
            } else if keep_unmatched.is_none() && (*given == DataType::Boolean || is_null) {
                keep_unmatched = Some(position);
            } else {
                return plan_err!(
                    "{}: ts must be a timestamp, a date or an integer, got {given}; cast it, for example ts::timestamp",
                    self.name()
                );
            }
        }
        let mut conditions = ts + 1..types.len();
        let mut sequence = None;
        if conditions.len() > 1
            && types.get(conditions.start).is_some_and(|first| *first != DataType::Boolean)
        {
            sequence = Some(conditions.start);
            conditions.start += 1;
        }
        if conditions.is_empty() {
            return self.incomplete();
        }
        Ok(Layout { which, keep_unmatched, ts, sequence, conditions })
    }

    fn incomplete<T>(self) -> Result<T> {
        let name = self.name();
        let which = if self == Kind::Events { "[which,] " } else { "" };
        plan_err!(
            "{name} needs a pattern, a time and at least one condition: \
             write {name}(pattern, {which}[keep_unmatched,] ts, [sequence,] cond1, ..., condN)"
        )
    }

    /// Returns the types that the arguments are cast to; types that it returned it leaves as they are.
    ///
    /// # Errors
    /// A plan error that names the argument that does not fit.
    pub(super) fn coerce(self, types: &[DataType]) -> Result<Vec<DataType>> {
        let layout = self.layout(types)?;
        let name = self.name();
        let mut coerced = types.to_vec();
        if !is_text(&types[0]) && !types[0].is_null() {
            return plan_err!("{name}: {PATTERN} must be text such as '(?1).*(?2)', got {}", types[0]);
        }
        coerced[0] = DataType::Utf8;
        let ts = LengthArgument { function: name, name: "ts" };
        [coerced[layout.ts], _] = ts.coerce(&types[layout.ts], &DataType::Null)?;
        if let Some(which) = layout.which {
            coerced[which] = DataType::Utf8;
        }
        if let Some(keep_unmatched) = layout.keep_unmatched {
            coerced[keep_unmatched] = DataType::Boolean;
        }
        for (number, condition) in (1..).zip(layout.conditions) {
            match &types[condition] {
                DataType::Boolean | DataType::Null => coerced[condition] = DataType::Boolean,
                DataType::List(_)
                | DataType::LargeList(_)
                | DataType::FixedSizeList(_, _)
                | DataType::Struct(_) => {
                    return plan_err!(
                        "{name}: conditions in an array or in named_struct must be written out in the call, as in \
                         [event = 'a', event = 'b'], and be all the conditions there are; got {}",
                        types[condition]
                    );
                }
                other => return plan_err!("{name}: condition {number} must be a boolean, got {other}"),
            }
        }
        Ok(coerced)
    }
}

/// The first argument behind the pattern that is a time; if none is, the first that could stand for one.
fn ts_position(types: &[DataType]) -> Option<usize> {
    let behind = || types.iter().enumerate().skip(1);
    let mut options = behind().take_while(|(_, given)| {
        is_time(given) || is_text(given) || given.is_null() || **given == DataType::Boolean
    });
    let time = options.find(|(_, given)| is_time(given)).map(|(position, _)| position);
    time.or_else(|| behind().map(|(position, _)| position).next())
}
