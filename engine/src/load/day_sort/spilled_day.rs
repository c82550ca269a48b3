//! What of a day is on disk.

use super::spill::Block;
use super::{MAX_RANGE_BITS, RANGE_BYTES};

/// Rows of a day on disk.
#[derive(Debug, Default)]
pub(super) struct SpilledDay {
    /// Blocks that are sorted.
    sorted: Vec<Block>,
    /// How often rows were sorted; those of one time are in order.
    times: usize,
    /// Blocks of rows as they came.
    unsorted: Vec<Block>,
    /// Whether its rows were too many once to be left as they came.
    is_large: bool,
}

impl SpilledDay {
    /// Whether so many more bytes of rows may be written as they are: the whole day still comes to at most `budget` bytes in
    /// memory, so that it will be put together at once.
    pub(super) fn has_room(&self, bytes: usize, budget: usize) -> bool {
        let written: usize = self.blocks().map(|block| block.memory_bytes).sum();
        !self.is_large && written + bytes <= budget
    }

    /// Adds rows as they came.
    pub(super) fn add_unsorted(&mut self, block: Block) {
        self.unsorted.push(block);
    }

    /// Takes the rows that are not sorted out, to be sorted with others; all that come later are to be sorted too.
    pub(super) fn take_unsorted(&mut self) -> Vec<Block> {
        self.is_large = true;
        std::mem::take(&mut self.unsorted)
    }

    /// Adds rows that are in order, from the first block to the last.
    pub(super) fn add_sorted(&mut self, blocks: Vec<Block>) {
        self.times += 1;
        self.sorted.extend(blocks);
    }

    /// Whether the blocks are in order as they follow each other.
    pub(super) fn is_in_order(&self) -> bool {
        self.times == 1 && self.unsorted.is_empty()
    }

    /// All blocks, in the order in which they were written as far as they are sorted.
    pub(super) fn into_blocks(self) -> Vec<Block> {
        let mut blocks = self.sorted;
        blocks.extend(self.unsorted);
        blocks
    }

    /// Into how many ranges of people, `2^bits`, a day is best cut, so that the blocks of each fit into `budget` bytes; `None`
    /// if that many do not exist. O(blocks and ranges).
    pub(super) fn range_bits(&self, budget: usize) -> Option<u8> {
        let fits = |bits: &u8| self.range_bytes(*bits).iter().all(|bytes| *bytes <= budget);
        let least = (0..=MAX_RANGE_BITS).find(fits)?;
        let all = |bits: u8| self.range_bytes(bits).iter().sum::<usize>();
        let is_large = |bits: u8| self.range_bytes(bits).iter().any(|bytes| *bytes > RANGE_BYTES);
        let once = all(least);
        // Smaller ones, as long as no more is read for them.
        (least..MAX_RANGE_BITS).find(|bits| !is_large(*bits) || all(bits + 1) > once).or(Some(least))
    }

    fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.sorted.iter().chain(&self.unsorted)
    }

    /// What the blocks of each of `2^bits` ranges take in memory.
    fn range_bytes(&self, bits: u8) -> Vec<usize> {
        let mut bytes = vec![0; 1 << bits];
        for block in self.blocks() {
            let ranges = block.ranges(bits);
            for range in &mut bytes[*ranges.start() as usize..=*ranges.end() as usize] {
                *range += block.memory_bytes;
            }
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(blocks: &[(i64, i64)]) -> SpilledDay {
        let mut day = SpilledDay::default();
        day.add_sorted(blocks.iter().map(|(min, max)| Block::for_tests(100, *min, *max)).collect());
        day
    }

    #[test]
    fn days_are_cut_into_ranges_of_people_until_each_fits() {
        assert_eq!(day(&[]).range_bits(10), Some(0));
        assert_eq!(day(&[(i64::MIN, -1), (0, i64::MAX)]).range_bits(200), Some(0));
        assert_eq!(day(&[(i64::MIN, -1), (0, i64::MAX)]).range_bits(100), Some(1));
        assert_eq!(day(&[(i64::MIN, i64::MAX), (7, 8)]).range_bits(100), None);
    }

    #[test]
    fn ranges_are_small_where_no_block_is_read_twice_for_that() {
        let block = |min, max| Block::for_tests(RANGE_BYTES, min, max);
        let mut narrow = SpilledDay::default();
        narrow.add_sorted(vec![block(i64::MIN, -1), block(0, i64::MAX)]);
        assert_eq!(narrow.range_bits(1 << 30), Some(1));
        let mut wide = SpilledDay::default();
        wide.add_sorted(vec![block(i64::MIN, 0), block(0, i64::MAX)]);
        assert_eq!(wide.range_bits(1 << 30), Some(0));
    }

    #[test]
    fn what_was_too_much_once_is_sorted_from_then_on() {
        let mut day = SpilledDay::default();
        assert!(day.has_room(100, 200));
        day.add_unsorted(Block::for_tests(100, i64::MIN, i64::MAX));
        assert!(day.has_room(100, 200) && !day.has_room(101, 200) && !day.is_in_order());
        assert_eq!(day.take_unsorted().len(), 1);
        assert!(!day.has_room(1, 200));
        day.add_sorted(Vec::new());
        assert!(day.is_in_order());
    }
}
