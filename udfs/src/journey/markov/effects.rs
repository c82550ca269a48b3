//! Removal effects, and what keys get by them.

use super::chain::{Chain, Numbered};
use super::solve::outcome;

/// What a key gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeyEffect {
    /// The key.
    pub key: u32,
    /// Part of the conversions that are lost without the key, from 0 to 1.
    pub removal_effect: f64,
    /// The same for value; `None` if conversions have no value.
    pub removal_effect_value: Option<f64>,
    /// Conversions in proportion to the effect.
    pub conversions: f64,
    /// Value in proportion to the effect, in units of the caller's.
    pub value: Option<f64>,
}

/// The result for a chain.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribution {
    /// Probability that a journey converts.
    pub conversion_probability: f64,
    /// By key, ascending.
    pub keys: Vec<KeyEffect>,
}

/// Removes each key in turn. `smoothing` is explained at the table function; 0 leaves the counts as they are.
///
/// Time: that of one solution for each key and one more, see [`super::solve`].
pub fn attribute(chain: &Chain, smoothing: f64) -> Attribution {
    let exits = chain.exits();
    let numbered = chain.numbered(smoothing, |count| count as f64);
    let value = (exits.value != 0).then_some(exits.value as f64);
    of_numbered(&numbered, &chain.keys(), exits.conversions as f64, value)
}

pub(super) fn of_numbered(
    chain: &Numbered,
    keys: &[u32],
    conversions: f64,
    value: Option<f64>,
) -> Attribution {
    let mut removed = vec![false; chain.next.len()];
    let whole = outcome(chain, &removed);
    let lost =
        |whole: f64, rest: f64| if whole == 0.0 { 0.0 } else { ((whole - rest) / whole).clamp(0.0, 1.0) };
    let effects: Vec<[f64; 2]> = keys
        .iter()
        .map(|key| {
            for (removed, state) in removed.iter_mut().zip(&chain.keys) {
                *removed = state.contains(key);
            }
            let rest = outcome(chain, &removed);
            [lost(whole.conversion, rest.conversion), lost(whole.value, rest.value)]
        })
        .collect();
    let sum = |index: usize| effects.iter().map(|effect| effect[index]).sum::<f64>();
    let (all, all_value) = (sum(0), sum(1));
    let part = |effect: f64, sum: f64, total: f64| if sum > 0.0 { total * effect / sum } else { 0.0 };
    let keys = keys.iter().zip(&effects).map(|(key, [effect, value_effect])| KeyEffect {
        key: *key,
        removal_effect: *effect,
        removal_effect_value: value.map(|_| *value_effect),
        conversions: part(*effect, all, conversions),
        value: value.map(|value| part(*value_effect, all_value, value)),
    });
    Attribution { conversion_probability: whole.conversion, keys: keys.collect() }
}
