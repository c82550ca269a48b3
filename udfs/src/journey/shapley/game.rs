//! What sets of keys are worth.

use std::collections::BTreeMap;

use crate::journey::markov::Exits;

/// The worth of a set of keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Worth {
    /// Conversions of journeys whose keys are all in the set.
    Volume,
    /// Conversions by journey, of those with exactly these keys; 0 without any.
    RateExact,
    /// Conversions by journey, of those whose keys are all in the set; 0 without any.
    #[default]
    RateWithin,
}

impl Worth {
    /// All with their names in SQL.
    pub const NAMES: [(&'static str, Self); 3] =
        [("volume", Self::Volume), ("rate_exact", Self::RateExact), ("rate_within", Self::RateWithin)];
}

/// Two games with the same players: one for conversions, one for their value.
pub type Worths = [f64; 2];

/// Journeys by their sets of keys.
#[derive(Debug, Clone, Default)]
pub struct Games {
    keys: Vec<u32>,
    /// By the positions of keys, ascending.
    sets: BTreeMap<Vec<u32>, Exits>,
}

impl Games {
    /// Gathers journeys by the distinct keys they touched. Journeys without keys are left out. `None` if a count is too
    /// large.
    pub fn new<'a>(journeys: impl Iterator<Item = (&'a [u32], Exits)>) -> Option<Self> {
        let mut by_keys: BTreeMap<Vec<u32>, Exits> = BTreeMap::new();
        for (keys, exits) in journeys {
            let mut set = keys.to_vec();
            set.sort_unstable();
            set.dedup();
            if set.is_empty() {
                continue;
            }
            let known = by_keys.entry(set).or_default();
            *known = Exits {
                conversions: known.conversions.checked_add(exits.conversions)?,
                value: known.value.checked_add(exits.value)?,
                nulls: known.nulls.checked_add(exits.nulls)?,
            };
            known.conversions.checked_add(known.nulls)?;
        }
        let mut keys: Vec<u32> = by_keys.keys().flatten().copied().collect();
        keys.sort_unstable();
        keys.dedup();
        let position = |key: &u32| keys.partition_point(|known| known < key) as u32;
        let sets = by_keys.iter().map(|(set, exits)| (set.iter().map(position).collect(), *exits)).collect();
        Some(Self { keys, sets })
    }

    /// The players, ascending.
    pub fn keys(&self) -> &[u32] {
        &self.keys
    }

    /// Sets of positions in [`Self::keys`], and what came of their journeys.
    pub(super) fn sets(&self) -> impl Iterator<Item = (&[u32], &Exits)> {
        self.sets.iter().map(|(set, exits)| (set.as_slice(), exits))
    }

    /// All journeys.
    pub fn exits(&self) -> Exits {
        self.sets.values().fold(Exits::default(), |sum, exits| added(sum, *exits))
    }

    /// The worth of a set of positions, ascending, by looking at all sets.
    pub(super) fn worth(&self, worth: Worth, set: &[u32]) -> Worths {
        let within = |other: &[u32]| other.iter().all(|key| set.binary_search(key).is_ok());
        let exits = match worth {
            Worth::RateExact => self.sets.get(set).copied().unwrap_or_default(),
            Worth::Volume | Worth::RateWithin => self
                .sets()
                .filter(|(other, _)| within(other))
                .fold(Exits::default(), |sum, (_, exits)| added(sum, *exits)),
        };
        worths(worth, exits)
    }
}

/// Sums saturate: no more than all journeys, which were checked, can be added.
pub(super) fn added(one: Exits, other: Exits) -> Exits {
    Exits {
        conversions: one.conversions.saturating_add(other.conversions),
        value: one.value.saturating_add(other.value),
        nulls: one.nulls.saturating_add(other.nulls),
    }
}

/// What journeys of these ends are worth.
pub(super) fn worths(worth: Worth, exits: Exits) -> Worths {
    let (conversions, value) = (exits.conversions as f64, exits.value as f64);
    match worth {
        Worth::Volume => [conversions, value],
        Worth::RateExact | Worth::RateWithin => {
            let journeys = conversions + exits.nulls as f64;
            if journeys > 0.0 { [conversions / journeys, value / journeys] } else { [0.0, 0.0] }
        }
    }
}
