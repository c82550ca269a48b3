//! Rule attribution: which touches led to a conversion, and how much of it each gets.
//!
//! A *touch* is a contact of a person under a *key* (channel, campaign, any text); a *conversion* is what is to be
//! explained. Two steps:
//!
//! 1. [`Evaluator::conversions`] finds the touches that count for each conversion of a person ([`Rules`]): those before
//!    it, inside the look-back, not expired, not used up, with everything that is required in between.
//! 2. A [`Model`] gives each of them a weight, and [`Weights::divide`] divides credit and money by the weights: whole
//!    units that add up to the whole exactly.
//!
//! Definitions of the models: Adobe Customer Journey Analytics (weights by position, time decay, participation, same
//! touch), GA4 (last non-direct), Teradata's Attribution (segments, optional touches). Mixpanel's J-shaped model is
//! Adobe's inverse J.
//!
//! Cost for a person with n rows and c conversions: O(n log n) to prepare, O(c log n) to find where the touches of
//! each conversion lie, and then the touches themselves: a touch is looked at once for each conversion whose look-back
//! it lies in. With `cut_at_conversion` that is once in all.

mod eligible;
mod explain;
mod life;
mod model;
mod person;
mod segments;
mod weights;

pub use eligible::{Conversion, Evaluator};
pub use explain::{Verdict, verdicts};
pub use life::{Expiry, Pick, TouchLife};
pub use model::{Count, INVERSE_J, J_SHAPED, Model, Path, Scratch, U_SHAPED};
pub use person::{PersonRows, mark};
pub use segments::{Segment, Segments, Within};
pub use weights::{CREDIT_UNITS, Weights, position_weights};

use super::ties::Ties;

/// Which touches count for a conversion.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules<W> {
    /// A touch counts for as long as this after it, end included; `None`: for ever.
    pub lookback: Option<W>,
    /// At most so many touches count, the latest.
    pub lookback_touches: Option<usize>,
    /// Pause after which the next row belongs to another session; a touch then counts only in its session.
    /// Not looked at where the rows say which session they belong to ([`PersonRows::session`]).
    pub session_gap: Option<W>,
    /// What rows at the instant of the conversion mean.
    ///
    /// [`Ties::SameInstant`]: touches at that instant count, the converting row too if it is a touch.
    /// [`Ties::Order`]: touches up to the converting row count, in the order of the rows. [`Ties::Strict`]: only
    /// touches at an earlier time.
    pub ties: Ties,
    /// A touch counts only for the first conversion that it precedes.
    pub cut_at_conversion: bool,
    /// Number of conditions that must be met between a touch and the conversion, see [`mark::required`].
    pub required: usize,
}

#[cfg(test)]
mod tests;
