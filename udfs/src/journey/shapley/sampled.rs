//! Orders drawn at random.

use super::game::{Games, Worth, Worths, added, worths};
use crate::journey::markov::Exits;
use crate::journey::random::Random;

/// A value that was estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampled {
    /// Means for conversions and for value.
    pub values: Worths,
    /// 1.96 standard errors of the mean for conversions: in 95 of 100 draws the exact value is nearer than this.
    pub error_bound: f64,
}

/// Estimates the value of each key from `pairs` pairs of orders, each drawn one with its reverse (Castro et al. 2009;
/// the reverse makes errors smaller). Every pair gives away exactly what all keys together are worth. The same seed
/// gives the same bits. O(pairs * (keys + sum of the sizes of all sets)).
pub fn sampled(games: &Games, worth: Worth, pairs: usize, seed: u64) -> Vec<Sampled> {
    let count = games.keys().len();
    let mut random = Random::new(seed);
    let mut order: Vec<usize> = (0..count).collect();
    let mut sums = vec![[0.0; 2]; count];
    let mut squares = vec![0.0; count];
    let mut of_pair = vec![[0.0; 2]; count];
    for _ in 0..pairs {
        for index in (1..count).rev() {
            order.swap(index, random.below(index as u64 + 1) as usize);
        }
        of_pair.fill([0.0; 2]);
        for _ in 0..2 {
            marginal(games, worth, &order, &mut of_pair);
            order.reverse();
        }
        for key in 0..count {
            let mean = of_pair[key].map(|sum| sum / 2.0);
            sums[key][0] += mean[0];
            sums[key][1] += mean[1];
            squares[key] += mean[0] * mean[0];
        }
    }
    let drawn = pairs.max(1) as f64;
    let estimate = |(sums, squares): (&Worths, &f64)| {
        let values = sums.map(|sum| sum / drawn);
        let variance = (squares / drawn - values[0] * values[0]).max(0.0);
        Sampled { values, error_bound: 1.96 * (variance / drawn).sqrt() }
    };
    sums.iter().zip(&squares).map(estimate).collect()
}

/// Adds what each key brings when keys come in this order.
fn marginal(games: &Games, worth: Worth, order: &[usize], sums: &mut [Worths]) {
    let mut place = vec![0; order.len()];
    for (position, key) in order.iter().enumerate() {
        place[*key] = position;
    }
    // A set is complete with the last of its keys.
    let mut complete = vec![Exits::default(); order.len()];
    for (set, exits) in games.sets() {
        let last = set.iter().map(|key| place[*key as usize]).max().unwrap_or(0);
        if worth != Worth::RateExact || last + 1 == set.len() {
            complete[last] = added(complete[last], *exits);
        }
    }
    let mut within = Exits::default();
    let mut before = [0.0; 2];
    for (key, exits) in order.iter().zip(complete) {
        within = if worth == Worth::RateExact { exits } else { added(within, exits) };
        let now = worths(worth, within);
        sums[*key][0] += now[0] - before[0];
        sums[*key][1] += now[1] - before[1];
        before = now;
    }
}
