//! One conversion, divided by every model.

use datafusion::common::Result;

use super::layout::{Bound, People};
use crate::journey::attribution::{CREDIT_UNITS, Conversion, Scratch, Weights};

/// What a touch gets of a conversion by a model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// Number of the model.
    pub(super) model: usize,
    /// Position of the touch, from 0; `None` for what no touch gets.
    pub(super) touch: Option<usize>,
    /// In units of [`CREDIT_UNITS`].
    pub(super) credit: i128,
    /// In units of the last decimal; `None` if the conversion has no value.
    pub(super) value: Option<i128>,
}

/// Which touches are of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    /// All, also those that get nothing.
    All,
    /// Those that get credit or value.
    OfSomething,
}

/// Divides conversions. Keeps its memory from one to the next.
#[derive(Debug, Default)]
pub(super) struct Divider {
    scratch: Scratch,
    credits: Vec<i128>,
    values: Vec<i128>,
}

impl Divider {
    /// Calls `found` for every touch and model, as far as `parts` says, and where no touch gets anything once without a
    /// touch. `first` is the person's first row.
    pub(super) fn divide(
        &mut self,
        bound: &Bound,
        people: &People,
        first: usize,
        conversion: &Conversion,
        parts: Parts,
        mut found: impl FnMut(Part) -> Result<()>,
    ) -> Result<()> {
        let value = people.value(first + conversion.row);
        let touches = conversion.touches.len();
        for (model, rule) in people.models.iter().enumerate() {
            let weights = rule.weights(&conversion.path, bound.layout.count, &mut self.scratch);
            if let (Parts::OfSomething, Weights::One(touch)) = (parts, &weights) {
                found(Part { model, touch: Some(*touch), credit: CREDIT_UNITS, value })?;
                continue;
            }
            weights.divide(CREDIT_UNITS, touches, &mut self.credits);
            weights.divide(value.unwrap_or(0), touches, &mut self.values);
            for (touch, credit) in self.credits.iter().enumerate() {
                let value = value.map(|_| self.values[touch]);
                if parts == Parts::OfSomething && *credit == 0 && value.unwrap_or(0) == 0 {
                    continue;
                }
                found(Part { model, touch: Some(touch), credit: *credit, value })?;
            }
            if !weights.has_credit() {
                found(Part { model, touch: None, credit: CREDIT_UNITS, value })?;
            }
        }
        Ok(())
    }
}

/// What is summed up: credit, and value as long as there is any.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    pub(super) credit: i128,
    pub(super) value: Option<i128>,
}

impl Sum {
    /// Adds a part.
    ///
    /// # Errors
    /// If a sum does not fit.
    #[inline]
    pub(super) fn add(&mut self, function: &str, part: &Part) -> Result<()> {
        match self.credit.checked_add(part.credit) {
            Some(credit) => self.credit = credit,
            None => return too_large(function, "credit"),
        }
        self.value = checked_sum(function, "value", self.value, part.value)?;
        Ok(())
    }
}

/// The sum of amounts that may be missing.
///
/// # Errors
/// If it has more than 38 digits.
#[inline]
pub(super) fn checked_sum(
    function: &str,
    what: &str,
    one: Option<i128>,
    other: Option<i128>,
) -> Result<Option<i128>> {
    const MAX: u128 = 10_u128.pow(38) - 1;
    match (one, other) {
        (Some(one), Some(other)) => match one.checked_add(other) {
            Some(sum) if sum.unsigned_abs() <= MAX => Ok(Some(sum)),
            _ => too_large(function, what),
        },
        (one, other) => Ok(one.or(other)),
    }
}

fn too_large<T>(function: &str, what: &str) -> Result<T> {
    datafusion::common::exec_err!("{function}: the sum of {what} has more than 38 digits")
}
