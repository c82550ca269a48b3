//! Which of n conditions each group has seen: all that `retention` needs to know.

const BITS: usize = 64;

/// The conditions that groups have seen, `n` bits for each group.
///
/// Conditions count from 0; condition 0 is the anchor.
#[derive(Debug, Clone)]
pub struct SeenConditions {
    conditions: usize,
    words_per_group: usize,
    words: Vec<u64>,
}

impl SeenConditions {
    /// Returns the sets of no groups over `conditions` conditions.
    pub fn new(conditions: usize) -> Self {
        Self { conditions, words_per_group: conditions.div_ceil(BITS).max(1), words: Vec::new() }
    }

    /// Number of conditions.
    pub fn conditions(&self) -> usize {
        self.conditions
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.words.len() / self.words_per_group
    }

    /// Makes room for `groups` groups; new ones have seen nothing.
    pub fn grow(&mut self, groups: usize) {
        let words = groups * self.words_per_group;
        if words > self.words.len() {
            self.words.resize(words, 0);
        }
    }

    /// Marks `condition` as seen by `group`; both must exist.
    pub fn insert(&mut self, group: usize, condition: usize) {
        debug_assert!(condition < self.conditions);
        self.words[group * self.words_per_group + condition / BITS] |= 1 << (condition % BITS);
    }

    /// Whether `group` has seen `condition`.
    pub fn contains(&self, group: usize, condition: usize) -> bool {
        self.words[group * self.words_per_group + condition / BITS] >> (condition % BITS) & 1 == 1
    }

    /// Whether `group` has seen both the anchor and `condition`: the answer of `retention`.
    pub fn retained(&self, group: usize, condition: usize) -> bool {
        self.contains(group, 0) && self.contains(group, condition)
    }

    /// Removes the first `count` groups and returns them; the others move down.
    pub fn split_first(&mut self, count: usize) -> Self {
        let words = (count * self.words_per_group).min(self.words.len());
        let rest = self.words.split_off(words);
        Self { words: std::mem::replace(&mut self.words, rest), ..*self }
    }

    /// Bytes on the heap.
    pub fn allocated_bytes(&self) -> usize {
        self.words.capacity() * size_of::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchor_decides() {
        let mut seen = SeenConditions::new(130);
        seen.grow(2);
        seen.insert(0, 129);
        seen.insert(1, 0);
        seen.insert(1, 129);
        assert!(!seen.retained(0, 129) && !seen.retained(0, 0));
        assert!(seen.retained(1, 0) && seen.retained(1, 129) && !seen.retained(1, 64));
    }

    #[test]
    fn groups_leave_from_the_front() {
        let mut seen = SeenConditions::new(2);
        seen.grow(3);
        seen.insert(2, 1);
        let first = seen.split_first(2);
        assert_eq!((first.groups(), seen.groups()), (2, 1));
        assert!(seen.contains(0, 1) && !first.contains(1, 1));
    }
}
