//! Data-driven attribution by Shapley values: each key's marginal contribution, averaged over all orders of keys.
//!
//! Everything hangs on the *worth* of a set of keys ([`Worth`]). With the volume of conversions inside the set, which
//! most tutorials take, each journey's conversions are shared equally by its distinct keys: linear attribution over
//! distinct keys, and losing journeys do not matter. With a rate of conversion they do.
//!
//! Exact up to [`EXACT_KEYS`] keys (Shapley 1953), O(keys * 2^keys) time and O(2^keys) memory; above that, orders are
//! drawn ([`sampled`]). `in_order` takes the orders of the journeys instead of all.

mod exact;
mod game;
mod observed;
mod sampled;

pub use exact::{EXACT_KEYS, exact, of_volume};
pub use game::{Games, Worth};
pub use observed::in_order;
pub use sampled::{Sampled, sampled};

#[cfg(test)]
mod tests;
