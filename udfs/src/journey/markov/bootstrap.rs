//! How sure the numbers are.

use super::chain::Chain;
use super::effects::{Attribution, of_numbered};
use crate::journey::random::Random;

/// Where 95 of 100 draws lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// 2.5 % lie below.
    pub low: f64,
    /// 2.5 % lie above.
    pub high: f64,
}

/// Intervals for the conversions of each key, in the order of [`Chain::keys`], from `draws` draws.
///
/// The Bayesian bootstrap (Rubin 1981): what leaves a state is weighed anew by Gamma numbers of its counts, which is a
/// draw from the distribution of its probabilities given the counts. The same seed gives the same bits.
pub fn intervals(chain: &Chain, smoothing: f64, draws: usize, seed: u64) -> Vec<Interval> {
    let keys = chain.keys();
    let exits = chain.exits();
    let mut random = Random::new(seed);
    let mut drawn: Vec<Vec<f64>> = vec![Vec::with_capacity(draws); keys.len()];
    for _ in 0..draws {
        let numbered = chain.numbered(smoothing, |count| random.gamma(count));
        let Attribution { keys: effects, .. } = of_numbered(&numbered, &keys, exits.conversions as f64, None);
        for (values, effect) in drawn.iter_mut().zip(effects) {
            values.push(effect.conversions);
        }
    }
    drawn.into_iter().map(interval).collect()
}

fn interval(mut values: Vec<f64>) -> Interval {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| {
        let last = values.len().saturating_sub(1);
        let place = share * last as f64;
        let (below, above) = (place.floor() as usize, place.ceil() as usize);
        match (values.get(below), values.get(above)) {
            (Some(low), Some(high)) => low + (high - low) * (place - place.floor()),
            _ => f64::NAN,
        }
    };
    Interval { low: at(0.025), high: at(0.975) }
}
