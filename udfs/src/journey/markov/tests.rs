use super::chain::Numbered;
use super::solve::{Outcome, outcome, pushed, reduced};
use super::*;
use crate::journey::random::Random;

fn chain(order: usize, journeys: &[(&[u32], u64, u64)]) -> Chain {
    let mut chain = Chain::new(order);
    for (keys, conversions, nulls) in journeys {
        let value = i128::from(*conversions) * 10;
        assert!(chain.add_journeys(keys, Exits { conversions: *conversions, value, nulls: *nulls }));
    }
    chain
}

fn assert_close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
}

fn credits(chain: &Chain) -> Vec<(f64, f64)> {
    attribute(chain, 0.0).keys.iter().map(|key| (key.removal_effect, key.conversions)).collect()
}

#[test]
fn published_examples() {
    let three = chain(1, &[(&[1, 2, 3], 1, 0), (&[1], 0, 1), (&[2, 3], 0, 1)]);
    for ((effect, credit), expected) in credits(&three).into_iter().zip([(0.5, 0.2), (1.0, 0.4), (1.0, 0.4)])
    {
        assert_close(effect, expected.0);
        assert_close(credit, expected.1);
    }
    let loops = chain(1, &[(&[1, 2, 1, 2, 2, 1], 1, 0), (&[1, 2, 2, 1, 1], 1, 0), (&[1, 1], 1, 0)]);
    for ((effect, credit), expected) in credits(&loops).into_iter().zip([(1.0, 2.0), (0.5, 1.0)]) {
        assert_close(effect, expected.0);
        assert_close(credit, expected.1);
    }
}

#[test]
fn higher_orders_tell_what_came_before() {
    // After 1 > 2 everybody converts, after 3 > 2 nobody does.
    let journeys: &[(&[u32], u64, u64)] = &[(&[1, 2], 10, 0), (&[3, 2], 0, 10)];
    let first = credits(&chain(1, journeys));
    assert_close(first[0].0, 0.5);
    assert_close(first[2].0, 0.5);
    let second = credits(&chain(2, journeys));
    assert_close(second[0].0, 1.0);
    assert_close(second[1].0, 1.0);
    assert_close(second[2].0, 0.0);
}

fn random_journeys(random: &mut Random, keys: u64) -> Vec<(Vec<u32>, u64, u64)> {
    (0..1 + random.below(12))
        .map(|_| {
            let length = 1 + random.below(6);
            let path = (0..length).map(|_| random.below(keys) as u32).collect();
            (path, random.below(4), random.below(4))
        })
        .filter(|(_, conversions, nulls)| conversions + nulls > 0)
        .collect()
}

fn of_random(order: usize, journeys: &[(Vec<u32>, u64, u64)]) -> Chain {
    let journeys: Vec<(&[u32], u64, u64)> =
        journeys.iter().map(|(path, conversions, nulls)| (path.as_slice(), *conversions, *nulls)).collect();
    chain(order, &journeys)
}

/// Step by step until nothing is left: slow, and plain.
fn walked(chain: &Numbered, removed: &[bool]) -> Outcome {
    let mut mass = vec![0.0; chain.next.len()];
    mass[0] = 1.0;
    let mut outcome = Outcome::default();
    for _ in 0..100_000 {
        let mut next = vec![0.0; mass.len()];
        for (state, here) in mass.iter().enumerate() {
            outcome.conversion += here * chain.conversion[state];
            outcome.value += here * chain.value[state];
            for (target, probability) in &chain.next[state] {
                if !removed[*target as usize] {
                    next[*target as usize] += here * probability;
                }
            }
        }
        mass = next;
        if mass.iter().sum::<f64>() < 1e-18 {
            return outcome;
        }
    }
    panic!("still under way");
}

#[test]
fn both_methods_agree_with_walking() {
    let mut random = Random::new(11);
    for _ in 0..400 {
        let journeys = random_journeys(&mut random, 4);
        if journeys.is_empty() {
            continue;
        }
        for order in 1..=3 {
            let chain = of_random(order, &journeys);
            for smoothing in [0.0, 1.5] {
                let numbered = chain.numbered(smoothing, |count| count as f64);
                for key in [None, Some(0), Some(1), Some(2), Some(3)] {
                    let removed: Vec<bool> = numbered
                        .keys
                        .iter()
                        .map(|state| key.is_some_and(|key| state.contains(&key)))
                        .collect();
                    let expected = walked(&numbered, &removed);
                    for found in [
                        pushed(&numbered, &removed).unwrap(),
                        reduced(&numbered, &removed),
                        outcome(&numbered, &removed),
                    ] {
                        assert_close(found.conversion, expected.conversion);
                        assert!((found.value - expected.value).abs() < 1e-10);
                    }
                }
            }
        }
    }
}

#[test]
fn conversions_are_given_away_entirely_and_loops_do_not_matter() {
    let mut random = Random::new(12);
    for _ in 0..400 {
        let journeys = random_journeys(&mut random, 5);
        let plain = of_random(1, &journeys);
        let total: u64 = journeys.iter().map(|(_, conversions, _)| conversions).sum();
        let found = attribute(&plain, 0.0);
        let sum: f64 = found.keys.iter().map(|key| key.conversions).sum();
        assert_close(sum, if total == 0 { 0.0 } else { total as f64 });
        if total > 0 {
            assert_close(found.keys.iter().filter_map(|key| key.value).sum(), total as f64 * 10.0);
        }
        // Of order 1, every key may be touched again and again.
        let repeated: Vec<(Vec<u32>, u64, u64)> = journeys
            .iter()
            .map(|(path, conversions, nulls)| {
                let path = path.iter().flat_map(|key| vec![*key; 1 + random.below(3) as usize]).collect();
                (path, *conversions, *nulls)
            })
            .collect();
        let looped = attribute(&of_random(1, &repeated), 0.0);
        for (one, other) in collapsed(&journeys).keys.iter().zip(&looped.keys) {
            assert_close(one.removal_effect, other.removal_effect);
        }
        // The order of journeys does not change a bit.
        let mut backwards = journeys.clone();
        backwards.reverse();
        assert_eq!(attribute(&of_random(1, &backwards), 0.0), found);
    }
}

fn collapsed(journeys: &[(Vec<u32>, u64, u64)]) -> Attribution {
    let journeys: Vec<(Vec<u32>, u64, u64)> = journeys
        .iter()
        .map(|(path, conversions, nulls)| {
            let mut path = path.clone();
            path.dedup();
            (path, *conversions, *nulls)
        })
        .collect();
    attribute(&of_random(1, &journeys), 0.0)
}

#[test]
fn slow_absorption_is_exact_too() {
    // One in 10^12 leaves; half of them convert.
    let many = 1_000_000_000_000;
    let mut slow = Chain::new(1);
    assert!(slow.add_passes(&[], 1, 1));
    assert!(slow.add_passes(&[1], 2, many));
    assert!(slow.add_passes(&[2], 1, many));
    assert!(slow.add_exits(&[1], Exits { conversions: 1, value: 7, nulls: 1 }));
    assert!(slow.add_exits(&[2], Exits::default()));
    let numbered = slow.numbered(0.0, |count| count as f64);
    let found = reduced(&numbered, &[false; 3]);
    assert_close(found.conversion, 0.5);
    assert_close(found.value, 3.5);
    assert_eq!(pushed(&numbered, &[false; 3]), None);
    assert!(!slow.add_passes(&[1], 2, u64::MAX), "a count that does not fit is told");
}

#[test]
fn intervals_hold_the_number_and_narrow_with_more_journeys() {
    let few = chain(1, &[(&[1, 2], 20, 30), (&[1], 10, 40), (&[2], 5, 60)]);
    let many = chain(1, &[(&[1, 2], 2_000, 3_000), (&[1], 1_000, 4_000), (&[2], 500, 6_000)]);
    let widths = |chain: &Chain| -> Vec<f64> {
        let found = attribute(chain, 0.0);
        let intervals = intervals(chain, 0.0, 400, 7);
        assert_eq!(super::intervals(chain, 0.0, 400, 7), intervals, "the same seed, the same bits");
        let pairs = found.keys.iter().zip(&intervals);
        pairs
            .map(|(key, interval)| {
                assert!(interval.low <= key.conversions && key.conversions <= interval.high);
                (interval.high - interval.low) / key.conversions
            })
            .collect()
    };
    for (wide, narrow) in widths(&few).iter().zip(widths(&many)) {
        assert!(narrow < wide / 5.0, "{narrow} {wide}");
    }
}

#[test]
fn the_order_is_the_one_by_which_journeys_were_made() {
    let mut random = Random::new(13);
    for true_order in 1..=3 {
        let mut journeys: Vec<(Vec<u32>, Exits)> = Vec::new();
        for _ in 0..6_000 {
            let mut path: Vec<u32> = Vec::new();
            // The next key is mostly the one touched `true_order` touches ago.
            while path.len() < true_order || random.below(10) > 0 {
                let key = match path.len().checked_sub(true_order) {
                    Some(before) if random.below(4) > 0 => path[before],
                    _ => random.below(3) as u32,
                };
                path.push(key);
            }
            journeys.push((path, Exits { conversions: 1, value: 0, nulls: 0 }));
        }
        let found = best_order(&journeys.iter().map(|(path, exits)| (path.as_slice(), *exits)), MAX_ORDER);
        assert_eq!(found, Some(true_order));
    }
}

#[test]
fn nothing_comes_of_nothing() {
    let empty = Chain::new(1);
    assert!(attribute(&empty, 0.0).keys.is_empty());
    assert!(intervals(&empty, 0.0, 10, 1).is_empty());
    let lost = chain(1, &[(&[1, 2], 0, 3)]);
    for (effect, credit) in credits(&lost) {
        assert_eq!((effect, credit), (0.0, 0.0));
    }
}
