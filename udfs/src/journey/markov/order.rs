//! How many keys a state should remember.

use super::chain::{Chain, Exits};

/// The largest order.
pub const MAX_ORDER: usize = 5;

/// The order from 1 to `max` that the journeys support best: the smallest Bayesian information criterion (Schwarz 1978),
/// which is the logarithm of the likelihood of all transitions less half the logarithm of their number for each
/// probability that is free. Of equally good orders the smallest; `None` if a count is too large.
pub fn best_order<'a>(
    journeys: &(impl Iterator<Item = (&'a [u32], Exits)> + Clone),
    max: usize,
) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for order in 1..=max {
        let mut chain = Chain::new(order);
        for (keys, exits) in journeys.clone() {
            if !chain.add_journeys(keys, exits) {
                return None;
            }
        }
        let criterion = criterion(&chain);
        if best.is_none_or(|(_, smallest)| criterion < smallest) {
            best = Some((order, criterion));
        }
    }
    best.map(|(order, _)| order)
}

fn criterion(chain: &Chain) -> f64 {
    let mut likelihood = 0.0;
    let mut count = 0.0;
    for transition in chain.transitions() {
        likelihood += transition.count as f64 * transition.probability.ln();
        count += transition.count as f64;
    }
    let penalty = if count > 0.0 { chain.parameters() as f64 * f64::ln(count) } else { 0.0 };
    penalty - 2.0 * likelihood
}
