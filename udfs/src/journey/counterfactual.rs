//! Leave-one-out attribution: how much less likely a journey converts without a touch.

use std::collections::BTreeMap;

use super::markov::Exits;

/// What keys get, in the order of keys: conversions and value.
///
/// The conversions of a path are shared by its touches in proportion to `P(path) - P(path without the touch)`, where
/// that is above 0; P is the part of journeys with exactly this path that convert, and 0 for a path nobody took. A path
/// where no touch makes a difference is shared equally. Google's fractribution computes this under the name of Shapley,
/// which it is not. Journeys without keys are left out. O(touches) look-ups for each different path.
pub fn counterfactual<'a>(
    journeys: impl Iterator<Item = (&'a [u32], Exits)>,
) -> Option<BTreeMap<u32, [f64; 2]>> {
    let mut paths: BTreeMap<Vec<u32>, Exits> = BTreeMap::new();
    for (keys, exits) in journeys.filter(|(keys, _)| !keys.is_empty()) {
        let known = paths.entry(keys.to_vec()).or_default();
        *known = Exits {
            conversions: known.conversions.checked_add(exits.conversions)?,
            value: known.value.checked_add(exits.value)?,
            nulls: known.nulls.checked_add(exits.nulls)?,
        };
    }
    let probability = |path: &[u32]| {
        let Some(exits) = paths.get(path) else {
            return 0.0;
        };
        let journeys = exits.conversions as f64 + exits.nulls as f64;
        if journeys > 0.0 { exits.conversions as f64 / journeys } else { 0.0 }
    };
    let mut credit: BTreeMap<u32, [f64; 2]> = BTreeMap::new();
    for (path, exits) in &paths {
        let whole = probability(path);
        let without = |touch: usize| [&path[..touch], &path[touch + 1..]].concat();
        let differences: Vec<f64> =
            (0..path.len()).map(|touch| (whole - probability(&without(touch))).max(0.0)).collect();
        let sum: f64 = differences.iter().sum();
        for (key, difference) in path.iter().zip(differences) {
            let part = if sum > 0.0 { difference / sum } else { 1.0 / path.len() as f64 };
            let sums = credit.entry(*key).or_default();
            sums[0] += exits.conversions as f64 * part;
            sums[1] += exits.value as f64 * part;
        }
    }
    Some(credit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exits(conversions: u64, nulls: u64) -> Exits {
        Exits { conversions, value: i128::from(conversions) * 2, nulls }
    }

    #[test]
    fn touches_share_by_the_difference_they_make() {
        let paths: [(&[u32], Exits); 3] =
            [(&[1], exits(3, 25)), (&[2], exits(1, 26)), (&[2, 1], exits(1, 1))];
        let found = counterfactual(paths.into_iter()).unwrap();
        let differences = [0.5 - 1.0 / 27.0, 0.5 - 3.0 / 28.0];
        let part = differences[0] / (differences[0] + differences[1]);
        assert!((found[&1][0] - 3.0 - part).abs() < 1e-12);
        assert!((found[&2][0] - 2.0 + part).abs() < 1e-12);
        assert!((found[&1][1] - 6.0 - 2.0 * part).abs() < 1e-12);
    }

    #[test]
    fn where_nothing_matters_all_get_the_same() {
        let paths: [(&[u32], Exits); 2] = [(&[1, 2], exits(1, 3)), (&[], exits(5, 5))];
        let mut both = paths.to_vec();
        both.extend([(&[1_u32] as &[u32], exits(1, 0)), (&[2], exits(1, 0))]);
        let found = counterfactual(both.into_iter()).unwrap();
        assert_eq!((found[&1][0], found[&2][0]), (1.5, 1.5));
    }
}
