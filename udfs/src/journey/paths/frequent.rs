//! Whole paths and how often they come.

use std::collections::HashMap;

use super::cut::Path;
use super::hash::BuildNumberHasher;

/// The figures of a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FrequentPath {
    /// How often it comes.
    pub count: i128,
    /// People who have it.
    pub persons: u64,
    /// How often it converts.
    pub conversions: i128,
    /// Sum of its values.
    pub value: i128,
    last_person: u64,
}

/// Counts paths. Memory grows with the different paths, and with 24 bytes for each path.
#[derive(Debug, Clone, Default)]
pub struct Frequent {
    person: u64,
    /// Positions in `figures` by segment and nodes.
    numbers: HashMap<Box<[u32]>, u32, BuildNumberHasher>,
    figures: Vec<FrequentPath>,
    /// Of each path in order of arrival: its number, the ticks that it takes, how many paths it stands for. One list for
    /// all, as lists of their own would be all over the memory.
    durations: Vec<(u32, i64, i64)>,
    key: Vec<u32>,
}

/// Counted paths in order of their segments and nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FrequentPaths {
    /// Segment, nodes, figures.
    pub paths: Vec<(u32, Box<[u32]>, FrequentPath)>,
    /// Ticks and weights of all paths, those of the first first.
    pub durations: Vec<(i64, i64)>,
    /// How many of them each path has.
    pub lengths: Vec<usize>,
}

impl Frequent {
    /// The paths that follow are those of another person.
    pub fn next_person(&mut self) {
        self.person += 1;
    }

    /// Adds a path.
    pub fn add(&mut self, path: &Path<'_>) {
        self.key.clear();
        self.key.push(path.segment);
        self.key.extend_from_slice(path.nodes);
        // Looked up first: a key is owned only when it is new.
        let number = match self.numbers.get(self.key.as_slice()) {
            Some(number) => *number,
            None => {
                // As many different paths do not fit into memory.
                let number = u32::try_from(self.figures.len()).unwrap_or(u32::MAX);
                self.figures.push(FrequentPath::default());
                self.numbers.insert(self.key.as_slice().into(), number);
                number
            }
        };
        self.durations.push((number, i64::try_from(path.duration).unwrap_or(i64::MAX), path.weight));
        if let Some(figures) = self.figures.get_mut(number as usize) {
            figures.add(path, self.person);
        }
    }

    /// All paths in order.
    pub fn into_sorted(self) -> FrequentPaths {
        let mut keys: Vec<(Box<[u32]>, u32)> = self.numbers.into_iter().collect();
        keys.sort_unstable();
        // Where the durations of each path begin: a counting sort.
        let mut counts = vec![0_usize; self.figures.len()];
        for (number, _, _) in &self.durations {
            counts[*number as usize] += 1;
        }
        let lengths: Vec<usize> = keys.iter().map(|(_, number)| counts[*number as usize]).collect();
        let mut next = counts;
        let mut begin = 0;
        for ((_, number), length) in keys.iter().zip(&lengths) {
            next[*number as usize] = begin;
            begin += length;
        }
        let mut durations = vec![(0, 0); self.durations.len()];
        for (number, ticks, weight) in self.durations {
            let place = &mut next[number as usize];
            durations[*place] = (ticks, weight);
            *place += 1;
        }
        let mut figures = self.figures;
        let paths = keys
            .into_iter()
            .filter_map(|(key, number)| {
                let (segment, nodes) = key.split_first()?;
                Some((*segment, nodes.into(), std::mem::take(figures.get_mut(number as usize)?)))
            })
            .collect();
        FrequentPaths { paths, durations, lengths }
    }
}

impl FrequentPath {
    fn add(&mut self, path: &Path<'_>, person: u64) {
        let weight = i128::from(path.weight);
        self.count += weight;
        self.persons += u64::from(self.last_person != person);
        self.last_person = person;
        self.conversions += if path.converted.is_some() { weight } else { 0 };
        self.value = self.value.saturating_add(path.value);
    }
}

/// Returns the median of weighted durations, the mean of the two in the middle if their number is even; `None` if all
/// weights are 0. Changes their order. O(n log n).
pub fn median(durations: &mut [(i64, i64)]) -> Option<f64> {
    durations.sort_unstable();
    let total: i128 = durations.iter().map(|(_, weight)| i128::from(*weight)).sum();
    let at = |place: i128| {
        let mut seen = 0;
        durations.iter().find_map(|(ticks, weight)| {
            seen += i128::from(*weight);
            (seen > place).then_some(*ticks)
        })
    };
    let (low, high) = (at((total - 1) / 2)?, at(total / 2)?);
    (total > 0).then_some((low as f64 + high as f64) / 2.0)
}
