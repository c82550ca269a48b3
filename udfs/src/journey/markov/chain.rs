//! Counts of transitions.

use std::collections::BTreeMap;

/// How often a state was left for the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exits {
    /// To `(conversion)`.
    pub conversions: u64,
    /// Sum of the value of these conversions, in units of the caller's.
    pub value: i128,
    /// To `(null)`.
    pub nulls: u64,
}

/// A chain as counts. States are lists of keys, the latest last; the empty one is `(start)`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    order: usize,
    states: BTreeMap<Vec<u32>, State>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct State {
    /// How often which key came next.
    next: BTreeMap<u32, u64>,
    exits: Exits,
}

/// Where a transition goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A state.
    State(Vec<u32>),
    /// The conversion.
    Conversion,
    /// The end without one.
    Null,
}

/// A transition and how often it was seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Transition {
    /// The state that is left.
    pub source: Vec<u32>,
    /// Where it goes.
    pub target: Target,
    /// How often.
    pub count: u64,
    /// `count` of all that leave the state.
    pub probability: f64,
}

impl Chain {
    /// No journeys. `order`, from 1, is the number of keys that a state remembers.
    pub fn new(order: usize) -> Self {
        Self { order: order.max(1), states: BTreeMap::new() }
    }

    /// The number of keys that a state remembers.
    pub fn order(&self) -> usize {
        self.order
    }

    /// Whether there is no journey.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Adds journeys with these keys. Those without keys tell nothing about keys and are left out.
    ///
    /// `false` if a count is too large; the chain must not be used then.
    #[must_use]
    pub fn add_journeys(&mut self, keys: &[u32], exits: Exits) -> bool {
        let Some(count) = exits.conversions.checked_add(exits.nulls) else {
            return false;
        };
        if keys.is_empty() || count == 0 {
            return true;
        }
        let state = |end: usize| &keys[end.saturating_sub(self.order)..end];
        let states: Vec<Vec<u32>> = (0..=keys.len()).map(|end| state(end).to_vec()).collect();
        let mut fits = true;
        for (state, key) in states.iter().zip(keys) {
            fits &= self.add_passes(state, *key, count);
        }
        fits && self.add_exits(&states[keys.len()], exits)
    }

    /// Adds transitions from `state` to the one that `key` leads to.
    #[must_use]
    pub fn add_passes(&mut self, state: &[u32], key: u32, count: u64) -> bool {
        let known = self.state(state).next.entry(key).or_default();
        match known.checked_add(count) {
            Some(sum) => *known = sum,
            None => return false,
        }
        true
    }

    /// Adds ends of journeys in `state`.
    #[must_use]
    pub fn add_exits(&mut self, state: &[u32], exits: Exits) -> bool {
        let known = &mut self.state(state).exits;
        let sums = (
            known.conversions.checked_add(exits.conversions),
            known.value.checked_add(exits.value),
            known.nulls.checked_add(exits.nulls),
        );
        let (Some(conversions), Some(value), Some(nulls)) = sums else {
            return false;
        };
        *known = Exits { conversions, value, nulls };
        true
    }

    fn state(&mut self, state: &[u32]) -> &mut State {
        self.states.entry(state.to_vec()).or_default()
    }

    /// The state after `state` and `key`.
    fn after(&self, state: &[u32], key: u32) -> Vec<u32> {
        let kept = state.len().min(self.order - 1);
        let mut next = state[state.len() - kept..].to_vec();
        next.push(key);
        next
    }

    /// All keys, ascending.
    pub fn keys(&self) -> Vec<u32> {
        let mut keys: Vec<u32> = self.states.values().flat_map(|state| state.next.keys().copied()).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// All ends together.
    pub fn exits(&self) -> Exits {
        let mut sum = Exits::default();
        for State { exits, .. } in self.states.values() {
            // No more than journeys were added.
            sum.conversions = sum.conversions.saturating_add(exits.conversions);
            sum.value = sum.value.saturating_add(exits.value);
            sum.nulls = sum.nulls.saturating_add(exits.nulls);
        }
        sum
    }

    /// All transitions, by source and target, the ends last.
    pub fn transitions(&self) -> Vec<Transition> {
        let mut transitions = Vec::new();
        for (source, state) in &self.states {
            let total = state.total();
            let mut push = |target: Target, count: u64| {
                if count > 0 {
                    let probability = count as f64 / total;
                    transitions.push(Transition { source: source.clone(), target, count, probability });
                }
            };
            for (key, count) in &state.next {
                push(Target::State(self.after(source, *key)), *count);
            }
            push(Target::Conversion, state.exits.conversions);
            push(Target::Null, state.exits.nulls);
        }
        transitions
    }

    /// Number of probabilities that are free: for each state one less than it has targets.
    pub(super) fn parameters(&self) -> u64 {
        let free = |state: &State| {
            let ends = u64::from(state.exits.conversions > 0) + u64::from(state.exits.nulls > 0);
            (state.next.len() as u64 + ends).saturating_sub(1)
        };
        self.states.values().map(free).sum()
    }

    /// The chain with numbered states, `(start)` first, and weights for its transitions. `weight` changes each count;
    /// `smoothing` adds so many ends to each state but the start, divided as all ends are.
    pub(super) fn numbered(&self, smoothing: f64, mut weight: impl FnMut(u64) -> f64) -> Numbered {
        let numbers: BTreeMap<&[u32], u32> =
            (0..).zip(&self.states).map(|(number, (state, _))| (state.as_slice(), number)).collect();
        let all = self.exits();
        let ends = all.conversions as f64 + all.nulls as f64;
        let rate = if ends > 0.0 { all.conversions as f64 / ends } else { 0.0 };
        let mean = if all.conversions > 0 { all.value as f64 / all.conversions as f64 } else { 0.0 };
        let mut numbered = Numbered::default();
        for (keys, state) in &self.states {
            let mut next = Vec::with_capacity(state.next.len());
            for (key, count) in &state.next {
                let target = numbers.get(self.after(keys, *key).as_slice()).copied();
                // A state that is entered is left, so it is there.
                next.extend(target.map(|target| (target, weight(*count))));
            }
            let extra = if keys.is_empty() { 0.0 } else { smoothing };
            let exits = &state.exits;
            let conversions = weight(exits.conversions);
            let per_conversion =
                if exits.conversions > 0 { exits.value as f64 / exits.conversions as f64 } else { 0.0 };
            let nulls = weight(exits.nulls);
            let total: f64 = next.iter().map(|(_, weight)| weight).sum::<f64>() + conversions + nulls + extra;
            let part = |weight: f64| if total > 0.0 { weight / total } else { 0.0 };
            numbered.next.push(next.into_iter().map(|(target, weight)| (target, part(weight))).collect());
            numbered.conversion.push(part(conversions + extra * rate));
            numbered.value.push(part(conversions * per_conversion + extra * rate * mean));
            numbered.null.push(part(nulls + extra * (1.0 - rate)));
            numbered.keys.push(keys.clone());
        }
        numbered
    }
}

impl State {
    fn total(&self) -> f64 {
        let passes: f64 = self.next.values().map(|count| *count as f64).sum();
        passes + self.exits.conversions as f64 + self.exits.nulls as f64
    }
}

/// Transition probabilities between numbered states; 0 is `(start)`.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbered {
    /// Targets and probabilities, ascending by target.
    pub(super) next: Vec<Vec<(u32, f64)>>,
    /// Probability of the conversion.
    pub(super) conversion: Vec<f64>,
    /// The same times the mean value of a conversion from here.
    pub(super) value: Vec<f64>,
    /// Probability of the end without one.
    pub(super) null: Vec<f64>,
    /// The keys of each state.
    pub(super) keys: Vec<Vec<u32>>,
}
