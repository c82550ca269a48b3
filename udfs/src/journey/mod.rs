//! Journey algorithms in plain Rust: the standard library only, no Arrow, no I/O.
//!
//! Times are `i64` ticks of one unit that the caller chooses (seconds to nanoseconds since the
//! Unix epoch, or any integer). Nothing here knows the unit except [`time::TickUnit`], which
//! converts lengths once, when a query is planned.
//!
//! Every algorithm is a state machine that is fed in time order. Sorting is a separate step
//! ([`event`]), so that the same machine serves callers whose rows already arrive in order.

pub mod attribution;
pub mod counterfactual;
pub mod event;
pub mod exact_sum;
pub mod funnel;
pub mod markov;
pub mod paths;
pub mod period;
pub mod product_funnel;
pub mod random;
pub mod retention;
pub mod sequence;
pub mod session;
pub mod shapley;
pub mod stats;
pub mod ties;
pub mod time;
