//! Every coalition.

use super::game::{Games, Worth, Worths, added, worths};
use crate::journey::markov::Exits;

/// Up to so many keys all coalitions are looked at.
pub const EXACT_KEYS: usize = 20;

/// The value of each key for conversions and for their value, in the order of [`Games::keys`]; `None` with more than
/// [`EXACT_KEYS`] keys.
pub fn exact(games: &Games, worth: Worth) -> Option<Vec<Worths>> {
    if worth == Worth::Volume {
        return Some(of_volume(games));
    }
    let keys = games.keys().len();
    if keys > EXACT_KEYS {
        return None;
    }
    let table = table(games, worth);
    // Among n keys, a coalition of s others comes right before a key in s! (n - s - 1)! of n! orders.
    let mut share = vec![1.0 / keys.max(1) as f64; keys];
    for size in 1..keys {
        share[size] = share[size - 1] * size as f64 / (keys - size) as f64;
    }
    let mut values = vec![[0.0; 2]; keys];
    for (key, value) in values.iter_mut().enumerate() {
        let mut by_size = vec![[0.0; 2]; keys];
        for coalition in 0..table.len() {
            if coalition >> key & 1 == 0 {
                let size = coalition.count_ones() as usize;
                let (with, without) = (table[coalition | 1 << key], table[coalition]);
                by_size[size][0] += with[0] - without[0];
                by_size[size][1] += with[1] - without[1];
            }
        }
        for (sums, share) in by_size.iter().zip(&share) {
            value[0] += sums[0] * share;
            value[1] += sums[1] * share;
        }
    }
    Some(values)
}

/// The same for [`Worth::Volume`] and any number of keys: what the journeys of a set are worth is shared equally by its
/// keys, because it is the dividend of the set (Harsanyi 1963).
pub fn of_volume(games: &Games) -> Vec<Worths> {
    let mut values = vec![[0.0; 2]; games.keys().len()];
    for (set, exits) in games.sets() {
        let parts = set.len() as f64;
        for key in set {
            let value = &mut values[*key as usize];
            value[0] += exits.conversions as f64 / parts;
            value[1] += exits.value as f64 / parts;
        }
    }
    values
}

/// What each coalition is worth; bit i of its number stands for key i.
fn table(games: &Games, worth: Worth) -> Vec<Worths> {
    let keys = games.keys().len();
    let mut exits = vec![Exits::default(); 1 << keys];
    for (set, of_set) in games.sets() {
        let coalition = set.iter().fold(0_usize, |bits, key| bits | 1 << key);
        exits[coalition] = *of_set;
    }
    if worth != Worth::RateExact {
        // Sums over subsets, key by key (Yates).
        for key in 0..keys {
            for coalition in 0..exits.len() {
                if coalition >> key & 1 == 1 {
                    exits[coalition] = added(exits[coalition], exits[coalition & !(1 << key)]);
                }
            }
        }
    }
    exits.into_iter().map(|exits| worths(worth, exits)).collect()
}
