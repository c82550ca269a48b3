//! Whole paths and how often they come.

use std::hash::{BuildHasher, Hasher};

use hashbrown::HashTable;

use super::cut::Path;
use super::hash::{BuildNumberHasher, NumberHasher};

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

/// Counts paths. Memory grows with the different paths, and where durations are kept with 24 bytes for each path.
#[derive(Debug, Clone)]
pub struct Frequent {
    keeps_durations: bool,
    person: u64,
    /// The number of each path, with a part of its hash: most others are told apart without a look at their nodes.
    numbers: HashTable<(u32, u32)>,
    /// Segment and nodes of all paths, one behind the other: a list for each would be all over the memory.
    keys: Vec<u32>,
    /// Where those of each path end.
    ends: Vec<usize>,
    figures: Vec<FrequentPath>,
    /// Of each path in order of arrival: its number, the ticks that it takes, how many paths it stands for.
    durations: Vec<(u32, i64, i64)>,
}

/// Counted paths, in the order in which they first came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FrequentPaths {
    keys: Vec<u32>,
    ends: Vec<usize>,
    figures: Vec<FrequentPath>,
    /// Ticks and weights of all paths, those of the first first; none if they were not kept.
    pub durations: Vec<(i64, i64)>,
    /// How many of them each path has.
    pub lengths: Vec<usize>,
}

fn hash(segment: u32, nodes: &[u32]) -> u64 {
    let mut hasher: NumberHasher = BuildNumberHasher::default().build_hasher();
    hasher.write_u32(segment);
    for pair in nodes.chunks(2) {
        let [first, second] = [pair[0], pair.get(1).copied().unwrap_or(u32::MAX)];
        hasher.write_u64(u64::from(first) << u32::BITS | u64::from(second));
    }
    hasher.finish()
}

/// Segment and nodes of the path `number`.
fn key<'a>(keys: &'a [u32], ends: &[usize], number: usize) -> &'a [u32] {
    let start = number.checked_sub(1).map_or(0, |before| ends[before]);
    &keys[start..ends[number]]
}

impl Frequent {
    /// No paths yet; of those that come durations are kept, or are not.
    pub fn new(keeps_durations: bool) -> Self {
        Self {
            keeps_durations,
            person: 0,
            numbers: HashTable::new(),
            keys: Vec::new(),
            ends: Vec::new(),
            figures: Vec::new(),
            durations: Vec::new(),
        }
    }

    /// The paths that follow are those of another person.
    pub fn next_person(&mut self) {
        self.person += 1;
    }

    /// Adds a path.
    pub fn add(&mut self, path: &Path<'_>) {
        let number = self.number(path.segment, path.nodes);
        if self.keeps_durations {
            let ticks = i64::try_from(path.duration).unwrap_or(i64::MAX);
            self.durations.push((number, ticks, path.weight));
        }
        if let Some(figures) = self.figures.get_mut(number as usize) {
            figures.add(path, self.person);
        }
    }

    /// The number of a path; a new one gets the next.
    fn number(&mut self, segment: u32, nodes: &[u32]) -> u32 {
        let hash = hash(segment, nodes);
        let part = hash as u32;
        let is_it = |(of, number): &(u32, u32)| {
            *of == part
                && key(&self.keys, &self.ends, *number as usize).split_first() == Some((&segment, nodes))
        };
        if let Some((_, number)) = self.numbers.find(hash, is_it) {
            return *number;
        }
        // As many different paths do not fit into memory.
        let number = u32::try_from(self.figures.len()).unwrap_or(u32::MAX);
        self.keys.push(segment);
        self.keys.extend_from_slice(nodes);
        self.ends.push(self.keys.len());
        self.figures.push(FrequentPath::default());
        let Self { numbers, keys, ends, .. } = self;
        numbers.insert_unique(hash, (part, number), |(_, number)| {
            let key = key(keys, ends, *number as usize);
            key.split_first().map_or(0, |(segment, nodes)| self::hash(*segment, nodes))
        });
        number
    }

    /// All paths. O(paths).
    pub fn finish(self) -> FrequentPaths {
        let Self { keys, ends, figures, durations, .. } = self;
        // Where the durations of each path begin: a counting sort.
        let mut lengths = vec![0_usize; figures.len()];
        for (number, _, _) in &durations {
            lengths[*number as usize] += 1;
        }
        let mut begin = 0;
        let begins = lengths.iter().map(|length| {
            begin += length;
            begin - length
        });
        let mut next: Vec<usize> = begins.collect();
        let mut sorted = vec![(0, 0); durations.len()];
        for (number, ticks, weight) in durations {
            let place = &mut next[number as usize];
            sorted[*place] = (ticks, weight);
            *place += 1;
        }
        FrequentPaths { keys, ends, figures, durations: sorted, lengths }
    }
}

impl FrequentPaths {
    /// Segment, nodes and figures of each path.
    pub fn paths(&self) -> impl ExactSizeIterator<Item = (u32, &[u32], &FrequentPath)> {
        self.figures.iter().enumerate().map(|(number, figures)| {
            let (segment, nodes) = key(&self.keys, &self.ends, number).split_first().unwrap_or((&0, &[]));
            (*segment, nodes, figures)
        })
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
