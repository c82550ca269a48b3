use super::*;
use crate::journey::markov::Exits;
use crate::journey::random::Random;

type Journey = (Vec<u32>, Exits);

fn exits(conversions: u64, nulls: u64) -> Exits {
    Exits { conversions, value: i128::from(conversions) * 3, nulls }
}

fn games(journeys: &[Journey]) -> Games {
    Games::new(journeys.iter().map(|(keys, exits)| (keys.as_slice(), *exits))).unwrap()
}

fn random_journeys(random: &mut Random, keys: u64) -> Vec<Journey> {
    (0..1 + random.below(15))
        .map(|_| {
            let path = (0..1 + random.below(5)).map(|_| random.below(keys) as u32 * 10).collect();
            (path, exits(random.below(5), random.below(9)))
        })
        .collect()
}

fn assert_close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-10, "{found} is not {expected}");
}

/// All orders of the keys, one after the other.
fn slow(games: &Games, worth: Worth) -> Vec<f64> {
    let count = games.keys().len();
    let mut sums = vec![0.0; count];
    let mut orders = 0.0;
    permutations(&mut (0..count as u32).collect(), 0, &mut |order| {
        orders += 1.0;
        for (position, key) in order.iter().enumerate() {
            let worth_of = |keys: &[u32]| {
                let mut set = keys.to_vec();
                set.sort_unstable();
                games.worth(worth, &set)[0]
            };
            sums[*key as usize] += worth_of(&order[..=position]) - worth_of(&order[..position]);
        }
    });
    sums.into_iter().map(|sum| sum / orders).collect()
}

fn permutations(items: &mut Vec<u32>, from: usize, found: &mut impl FnMut(&[u32])) {
    if from == items.len() {
        found(items);
    }
    for index in from..items.len() {
        items.swap(from, index);
        permutations(items, from + 1, found);
        items.swap(from, index);
    }
}

#[test]
fn all_orders_give_the_same() {
    let mut random = Random::new(21);
    for _ in 0..200 {
        let games = games(&random_journeys(&mut random, 5));
        for (_, worth) in Worth::NAMES {
            let found = exact(&games, worth).unwrap();
            for (found, expected) in found.iter().zip(slow(&games, worth)) {
                assert_close(found[0], expected);
                assert_close(found[1], expected * 3.0);
            }
        }
    }
}

#[test]
fn axioms_hold() {
    let mut random = Random::new(22);
    for _ in 0..200 {
        let mut journeys = random_journeys(&mut random, 6);
        // A key that is always with key 990, and one whose journeys end as without it.
        let with: Vec<Journey> = vec![(vec![990, 991], exits(2, 3)), (vec![990, 991, 0], exits(1, 1))];
        journeys.extend(with);
        let games = games(&journeys);
        for (_, worth) in Worth::NAMES {
            let found = exact(&games, worth).unwrap();
            let all: Vec<u32> = (0..games.keys().len() as u32).collect();
            // Efficiency.
            assert_close(found.iter().map(|value| value[0]).sum(), games.worth(worth, &all)[0]);
            // Symmetry.
            let of = |key: u32| found[games.keys().iter().position(|known| *known == key).unwrap()][0];
            assert_close(of(990), of(991));
        }
    }
    // Null player: whatever it joins is worth the same.
    let plain = [(vec![1], exits(3, 1)), (vec![2], exits(1, 3)), (vec![1, 2], exits(5, 5))];
    let mut joined = plain.to_vec();
    joined.push((vec![9], exits(0, 1)));
    joined.extend(plain.iter().map(|(keys, exits)| ([keys.as_slice(), &[9]].concat(), *exits)));
    let found = exact(&games(&joined), Worth::RateExact).unwrap();
    assert_close(found[2][0], 0.0);
    for (found, expected) in found.iter().zip(exact(&games(&plain), Worth::RateExact).unwrap()) {
        assert_close(found[0], expected[0]);
    }
}

#[test]
fn published_values() {
    let set = |keys: &[u32], conversions, nulls| (keys.to_vec(), exits(conversions, nulls));
    let rates = games(&[set(&[1], 10, 90), set(&[2], 5, 95), set(&[1, 2], 30, 70)]);
    let found = exact(&rates, Worth::RateExact).unwrap();
    assert_close(found[0][0], 0.175);
    assert_close(found[1][0], 0.125);
}

#[test]
fn draws_come_near_the_exact_value_and_say_how_near() {
    let mut random = Random::new(23);
    let mut inside = 0;
    let mut all = 0;
    for seed in 0..40 {
        let games = games(&random_journeys(&mut random, 6));
        for worth in [Worth::RateExact, Worth::RateWithin] {
            let expected = exact(&games, worth).unwrap();
            let found = sampled(&games, worth, 400, seed);
            assert_eq!(found, sampled(&games, worth, 400, seed), "the same seed, the same bits");
            let sum: f64 = found.iter().map(|key| key.values[0]).sum();
            assert_close(sum, expected.iter().map(|value| value[0]).sum());
            for (found, expected) in found.iter().zip(&expected) {
                all += 1;
                inside += usize::from((found.values[0] - expected[0]).abs() <= found.error_bound + 1e-12);
            }
        }
    }
    assert!(inside * 100 >= all * 90, "{inside} of {all}");
}

#[test]
fn observed_orders_give_marginal_contributions() {
    // Alone 5 of 100, both 9, all three 11; always in this order.
    let journeys =
        vec![(vec![1], exits(5, 95)), (vec![1, 2], exits(9, 91)), (vec![1, 2, 1, 3], exits(11, 89))];
    let games = games(&journeys);
    let found =
        in_order(&games, Worth::RateExact, journeys.iter().map(|(keys, exits)| (keys.as_slice(), *exits)));
    for (found, expected) in found.iter().zip([0.05, 0.04, 0.02]) {
        assert_close(found[0], expected);
    }
}

#[test]
fn many_keys_are_not_exact() {
    let journeys: Vec<Journey> = (0..21).map(|key| (vec![key], exits(1, 1))).collect();
    let games = games(&journeys);
    assert_eq!(exact(&games, Worth::RateWithin), None);
    assert_eq!(exact(&games, Worth::Volume).map(|values| values.len()), Some(21));
    assert!(exact(&Games::default(), Worth::RateWithin).unwrap().is_empty());
    let large = [(vec![1_u32], Exits { conversions: u64::MAX, value: 0, nulls: 1 })];
    assert!(Games::new(large.iter().map(|(keys, exits)| (keys.as_slice(), *exits))).is_none());
}
