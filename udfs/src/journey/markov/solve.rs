//! Probabilities of absorption, without inverting anything that can be subtracted away.
//!
//! Two methods, both free of subtractions, so that every digit counts: *state reduction* (Grassmann, Taksar and Heyman
//! 1985) takes out one state after another, which is exact up to rounding whatever the chain; *pushing* moves the
//! probability that is still under way from state to state until what is left cannot matter, with the rest as a strict
//! bound. Reduction costs up to the cube of the states, pushing the number of transitions times the length of journeys;
//! large chains are pushed, and reduced if that takes too long. A general solver for linear systems would lose digits
//! where absorption is rare, and know nothing of the bound.

use std::collections::{BTreeMap, BTreeSet};

use super::chain::Numbered;

/// Chains up to this many states are reduced.
const REDUCED_STATES: usize = 200;
/// What may be left under way, as a part of the conversions: below the precision of the result.
const REST: f64 = 1e-17;
/// What may be left where nothing converts.
const NOTHING: f64 = 1e-250;
/// How often all states are gone through before reduction takes over.
const MAX_ROUNDS: usize = 20_000;

/// What comes of a journey from the start.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Outcome {
    /// Probability of a conversion.
    pub(super) conversion: f64,
    /// Expected value.
    pub(super) value: f64,
}

/// The outcome where whatever enters a state that is `removed` is lost.
pub(super) fn outcome(chain: &Numbered, removed: &[bool]) -> Outcome {
    if chain.next.is_empty() {
        return Outcome::default();
    }
    if chain.next.len() > REDUCED_STATES
        && let Some(outcome) = pushed(chain, removed)
    {
        return outcome;
    }
    reduced(chain, removed)
}

/// Pushes probability through the states; `None` if it is still under way after [`MAX_ROUNDS`].
pub(super) fn pushed(chain: &Numbered, removed: &[bool]) -> Option<Outcome> {
    let states = Pushing::new(chain, removed);
    let mut mass = vec![0.0; chain.next.len()];
    mass[0] = 1.0;
    let mut outcome = Outcome::default();
    for _ in 0..MAX_ROUNDS {
        for state in 0..mass.len() {
            let here = std::mem::take(&mut mass[state]) * states.visits[state];
            if here == 0.0 {
                continue;
            }
            outcome.conversion += here * chain.conversion[state];
            outcome.value += here * chain.value[state];
            let next = states.ends[state]..states.ends[state + 1];
            for (target, probability) in states.targets[next.clone()].iter().zip(&states.probabilities[next])
            {
                mass[*target as usize] += here * probability;
            }
        }
        let rest: f64 = mass.iter().sum();
        if rest <= REST * outcome.conversion || rest <= NOTHING {
            return Some(outcome);
        }
    }
    None
}

/// Transitions between different states that are not removed, one behind the other.
struct Pushing {
    ends: Vec<usize>,
    targets: Vec<u32>,
    probabilities: Vec<f64>,
    /// How often a state is visited in a row, on average.
    visits: Vec<f64>,
}

impl Pushing {
    fn new(chain: &Numbered, removed: &[bool]) -> Self {
        let mut pushing = Self { ends: vec![0], targets: vec![], probabilities: vec![], visits: vec![] };
        for (state, next) in chain.next.iter().enumerate() {
            let (mut stays, mut others) = (0.0, 0.0);
            for (target, probability) in next {
                if *target as usize == state {
                    stays = *probability;
                    continue;
                }
                others += probability;
                if !removed[*target as usize] {
                    pushing.targets.push(*target);
                    pushing.probabilities.push(*probability);
                }
            }
            // Leaving is what does not stay, summed up and not subtracted from 1.
            let leaves = others + chain.conversion[state] + chain.null[state];
            pushing.visits.push(if stays > 0.0 && leaves > 0.0 { (leaves + stays) / leaves } else { 1.0 });
            pushing.ends.push(pushing.targets.len());
        }
        pushing
    }
}

/// Takes out all states but the start, one after the other.
pub(super) fn reduced(chain: &Numbered, removed: &[bool]) -> Outcome {
    let mut states = Reduction::new(chain, removed);
    while let Some(state) = states.cheapest() {
        states.take_out(state);
    }
    let (conversion, lost) = (states.conversion[0], states.lost[0]);
    if conversion + lost > 0.0 {
        let all = conversion + lost;
        Outcome { conversion: conversion / all, value: states.value[0] / all }
    } else {
        Outcome::default()
    }
}

struct Reduction {
    rows: Vec<BTreeMap<u32, f64>>,
    /// The states from which a state is entered.
    from: Vec<BTreeSet<u32>>,
    conversion: Vec<f64>,
    value: Vec<f64>,
    lost: Vec<f64>,
    left: BTreeSet<u32>,
}

impl Reduction {
    fn new(chain: &Numbered, removed: &[bool]) -> Self {
        let count = chain.next.len();
        let mut reduction = Self {
            rows: vec![BTreeMap::new(); count],
            from: vec![BTreeSet::new(); count],
            conversion: chain.conversion.clone(),
            value: chain.value.clone(),
            lost: chain.null.clone(),
            left: BTreeSet::new(),
        };
        for (number, next) in (0_u32..).zip(&chain.next) {
            let state = number as usize;
            if removed[state] {
                continue;
            }
            if number > 0 {
                reduction.left.insert(number);
            }
            for (target, probability) in next {
                if removed[*target as usize] {
                    reduction.lost[state] += probability;
                } else {
                    reduction.rows[state].insert(*target, *probability);
                    reduction.from[*target as usize].insert(number);
                }
            }
        }
        reduction
    }

    /// The state that makes the fewest new transitions.
    fn cheapest(&self) -> Option<usize> {
        let cost = |state: &u32| self.rows[*state as usize].len() * self.from[*state as usize].len();
        self.left.iter().min_by_key(|state| cost(state)).map(|state| *state as usize)
    }

    fn take_out(&mut self, state: usize) {
        let number = state as u32;
        self.left.remove(&number);
        let mut row = std::mem::take(&mut self.rows[state]);
        row.remove(&number);
        for target in row.keys() {
            self.from[*target as usize].remove(&number);
        }
        let leaves = row.values().sum::<f64>() + self.conversion[state] + self.lost[state];
        for source in std::mem::take(&mut self.from[state]) {
            let source_state = source as usize;
            if source_state == state {
                continue;
            }
            let Some(enters) = self.rows[source_state].remove(&number) else {
                continue;
            };
            if leaves <= 0.0 {
                continue;
            }
            let share = enters / leaves;
            for (target, probability) in &row {
                *self.rows[source_state].entry(*target).or_insert(0.0) += share * probability;
                self.from[*target as usize].insert(source);
            }
            self.conversion[source_state] += share * self.conversion[state];
            self.value[source_state] += share * self.value[state];
            self.lost[source_state] += share * self.lost[state];
        }
    }
}
