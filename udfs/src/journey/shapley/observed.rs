//! The orders in which journeys touched keys.

use std::collections::HashMap;

use super::game::{Games, Worth, Worths};
use crate::journey::markov::Exits;

/// The marginal contribution of each key in the order in which a journey touched its keys for the first time, as the
/// mean over the journeys that touch it; in the order of [`Games::keys`]. `games` holds the same journeys.
///
/// Worths of the same set are computed once; each looks at all sets.
pub fn in_order<'a>(
    games: &Games,
    worth: Worth,
    journeys: impl Iterator<Item = (&'a [u32], Exits)>,
) -> Vec<Worths> {
    let mut known: HashMap<Vec<u32>, Worths> = HashMap::new();
    let mut sums = vec![([0.0; 2], 0.0); games.keys().len()];
    for (keys, exits) in journeys {
        let weight = exits.conversions as f64 + exits.nulls as f64;
        let mut set: Vec<u32> = Vec::new();
        let mut before = [0.0; 2];
        for key in keys {
            let position = games.keys().partition_point(|known| known < key) as u32;
            let Err(place) = set.binary_search(&position) else {
                continue;
            };
            set.insert(place, position);
            let now = *known.entry(set.clone()).or_insert_with(|| games.worth(worth, &set));
            let (sum, total) = &mut sums[position as usize];
            sum[0] += (now[0] - before[0]) * weight;
            sum[1] += (now[1] - before[1]) * weight;
            *total += weight;
            before = now;
        }
    }
    sums.into_iter().map(|(sum, total)| sum.map(|sum| if total > 0.0 { sum / total } else { 0.0 })).collect()
}
