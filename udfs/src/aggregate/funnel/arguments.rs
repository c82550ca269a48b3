//! Where the arguments of a funnel function stand, and which types they are cast to.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, plan_err};

use super::Kind;
use crate::arguments::{LengthArgument, is_text, is_time};

/// Positions of the arguments of one call; the window comes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) mode: Option<usize>,
    pub(super) ts: usize,
    pub(super) event_id: Option<usize>,
    pub(super) conditions: Conditions,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Conditions {
    /// One argument for each.
    Each(Range<usize>),
    /// One argument that is a list of them, which must be written out as an array.
    Listed(usize),
}

impl Kind {
    /// The window as an argument, for messages.
    pub(super) fn window(self) -> LengthArgument {
        LengthArgument { function: self.name(), name: "window" }
    }

    /// Finds the arguments by their types.
    ///
    /// # Errors
    /// A plan error if there is no window, no time or no condition.
    pub(super) fn layout(self, types: &[DataType]) -> Result<Layout> {
        let has_mode = match (types.get(1), types.get(2)) {
            (Some(second), _) if is_text(second) => true,
            // An untyped parameter, or an argument that was left out: a mode if the time comes after it.
            (Some(DataType::Null), Some(third)) => is_time(third),
            _ => false,
        };
        let ts = if has_mode { 2 } else { 1 };
        let mode = has_mode.then_some(1);
        let mut conditions = ts + 1..types.len();
        let mut event_id = None;
        if self.takes_event_id()
            && let Some(first) = types.get(conditions.start)
            && conditions.len() > 1
        {
            let listed_before = is_list_of_booleans(first) && conditions.len() == 2;
            if listed_before {
                event_id = Some(conditions.end - 1);
                conditions.end -= 1;
            } else if !is_condition(first) || first.is_null() {
                event_id = Some(conditions.start);
                conditions.start += 1;
            }
        }
        let conditions = match types.get(conditions.clone()) {
            Some([only]) if is_list(only) => Conditions::Listed(conditions.start),
            Some([_, ..]) => Conditions::Each(conditions),
            _ => {
                let name = self.name();
                let event_id = if self.takes_event_id() { "[event_id,] " } else { "" };
                return plan_err!(
                    "{name} needs a window, a time and at least one condition: \
                     write {name}(window, [mode,] ts, {event_id}cond1, ..., condN)"
                );
            }
        };
        Ok(Layout { mode, ts, event_id, conditions })
    }

    /// Returns the types that the arguments are cast to; types that it returned it leaves as they are.
    ///
    /// # Errors
    /// A plan error that names the argument that does not fit.
    pub(super) fn coerce(self, types: &[DataType]) -> Result<Vec<DataType>> {
        let layout = self.layout(types)?;
        let mut coerced = types.to_vec();
        let ts = &types[layout.ts];
        if is_text(&types[0]) {
            // Read when the value is known: an interval, or 'session'.
            let [time, _] = self.window().coerce(ts, &DataType::Null)?;
            coerced[0] = DataType::Utf8;
            coerced[layout.ts] = time;
        } else {
            let [time, window] = self.window().coerce(ts, &types[0])?;
            coerced[0] = window;
            coerced[layout.ts] = time;
        }
        if let Some(mode) = layout.mode {
            coerced[mode] = DataType::Utf8;
        }
        match layout.conditions {
            Conditions::Each(conditions) => {
                for (number, condition) in (1..).zip(conditions) {
                    if !matches!(types[condition], DataType::Boolean | DataType::Null) {
                        return plan_err!(
                            "{}: condition {number} must be a boolean, got {}",
                            self.name(),
                            types[condition]
                        );
                    }
                    coerced[condition] = DataType::Boolean;
                }
            }
            Conditions::Listed(list) => {
                if !is_list_of_booleans(&types[list]) {
                    return plan_err!(
                        "{}: the array of conditions must hold booleans, got {}",
                        self.name(),
                        types[list]
                    );
                }
                coerced[list] = DataType::List(Arc::new(Field::new_list_field(DataType::Boolean, true)));
            }
        }
        Ok(coerced)
    }
}

fn is_list(data_type: &DataType) -> bool {
    item(data_type).is_some()
}

fn is_list_of_booleans(data_type: &DataType) -> bool {
    item(data_type).is_some_and(|item| matches!(item, DataType::Boolean | DataType::Null))
}

fn is_condition(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Boolean | DataType::Null) || is_list_of_booleans(data_type)
}

fn item(data_type: &DataType) -> Option<&DataType> {
    match data_type {
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            Some(field.data_type())
        }
        _ => None,
    }
}
