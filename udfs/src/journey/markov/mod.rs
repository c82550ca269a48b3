//! Data-driven attribution by a Markov chain: what would be lost without a key.
//!
//! A journey is a walk from `(start)` through the keys it touched to `(conversion)` or `(null)`. Of order k, a state is
//! the last k keys (fewer near the start), so the next key depends on that many. [`Chain`] counts the transitions;
//! [`attribute`] removes each key in turn: what would enter a state with that key goes to `(null)` instead, and the
//! *removal effect* is the part of conversions (or of their value) that is lost. Keys share all conversions in
//! proportion to their effects (Anderl et al. 2016, "Mapping the customer journey").
//!
//! Nothing is simulated: probabilities of absorption are computed exactly, up to rounding ([`solve`]). Self-loops do not
//! change effects. Every sum goes over sorted states, so results are the same to the last bit for any order of journeys.

mod bootstrap;
mod chain;
mod effects;
mod order;
mod solve;

pub use bootstrap::{Interval, intervals};
pub use chain::{Chain, Exits, Target, Transition};
pub use effects::{Attribution, KeyEffect, attribute};
pub use order::{MAX_ORDER, best_order};

#[cfg(test)]
mod tests;
