//! Rows reduced to what a funnel needs: a time and the set of conditions that the row meets.
//!
//! A set is `words` consecutive `u64`; step `s` (counted from 1) is bit `(s - 1) % 64` of word
//! `(s - 1) / 64`. Sets of many rows lie one behind the other in one vector, so a log of rows is
//! two flat vectors whatever the number of steps.

use std::cmp::Ordering;

const STEPS_PER_WORD: usize = 64;

/// Returns the number of words that hold a set of `steps` steps, at least one.
pub fn words_for(steps: usize) -> usize {
    steps.div_ceil(STEPS_PER_WORD).max(1)
}

/// Adds `step` (counted from 1) to the set.
pub fn insert_step(set: &mut [u64], step: usize) {
    let bit = step - 1;
    set[bit / STEPS_PER_WORD] |= 1 << (bit % STEPS_PER_WORD);
}

/// Whether the set holds `step` (counted from 1); no step beyond the set is in it.
pub fn contains_step(set: &[u64], step: usize) -> bool {
    let bit = step - 1;
    set.get(bit / STEPS_PER_WORD).is_some_and(|word| word & (1 << (bit % STEPS_PER_WORD)) != 0)
}

/// Returns the steps of the set in ascending order, counted from 1.
pub fn steps_of(set: &[u64]) -> impl Iterator<Item = usize> + '_ {
    set.iter().enumerate().flat_map(|(word, bits)| {
        let mut rest = *bits;
        std::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let bit = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            Some(word * STEPS_PER_WORD + bit + 1)
        })
    })
}

/// Returns the steps of the set in descending order, counted from 1.
pub fn steps_of_descending(set: &[u64]) -> impl Iterator<Item = usize> + '_ {
    set.iter().enumerate().rev().flat_map(|(word, bits)| {
        let mut rest = *bits;
        std::iter::from_fn(move || {
            let bit = rest.checked_ilog2()? as usize;
            rest &= !(1 << bit);
            Some(word * STEPS_PER_WORD + bit + 1)
        })
    })
}

/// Compares two sets as the lists of their steps: {} < {1} < {1, 2} < {1, 3} < {2}.
pub fn compare_sets(left: &[u64], right: &[u64]) -> Ordering {
    for word in 0..left.len() {
        let differing = left[word] ^ right[word];
        if differing == 0 {
            continue;
        }
        // The lowest step that one of them lacks: that one goes on with a higher step or ends here.
        let bit = differing & differing.wrapping_neg();
        let (lacking, order) =
            if left[word] & bit == 0 { (left, Ordering::Greater) } else { (right, Ordering::Less) };
        let higher = !(bit | (bit - 1));
        let goes_on = lacking[word] & higher != 0 || lacking[word + 1..].iter().any(|rest| *rest != 0);
        return if goes_on { order } else { order.reverse() };
    }
    Ordering::Equal
}

/// Returns the numbers of the rows with these sets in the order of [`compare_sets`]; rows with
/// equal sets stay as they are.
pub fn order_of_sets(sets: &[u64], words: usize) -> Vec<usize> {
    let set = |row: usize| &sets[row * words..(row + 1) * words];
    let mut order: Vec<usize> = (0..sets.len() / words).collect();
    order.sort_by(|left, right| compare_sets(set(*left), set(*right)));
    order
}

/// Puts rows in time order; rows of one instant in no particular order.
///
/// `sets` holds the same number of words for each time. O(n) if they are in order already, as
/// rows of a time-ordered store mostly are, otherwise O(n log n) with a copy of the rows.
pub fn sort_by_time(times: &mut [i64], sets: &mut [u64]) {
    if times.is_sorted() {
        return;
    }
    let words = sets.len() / times.len();
    if words == 1 {
        let mut rows: Vec<(i64, u64)> = times.iter().copied().zip(sets.iter().copied()).collect();
        rows.sort_unstable_by_key(|(time, _)| *time);
        for (index, (time, set)) in rows.into_iter().enumerate() {
            times[index] = time;
            sets[index] = set;
        }
        return;
    }
    let mut order: Vec<usize> = (0..times.len()).collect();
    order.sort_unstable_by_key(|row| times[*row]);
    let unsorted_times = times.to_vec();
    let unsorted_sets = sets.to_vec();
    for (index, row) in order.into_iter().enumerate() {
        times[index] = unsorted_times[row];
        sets[index * words..(index + 1) * words]
            .copy_from_slice(&unsorted_sets[row * words..(row + 1) * words]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set_of(words: usize, steps: &[usize]) -> Vec<u64> {
        let mut set = vec![0; words];
        for step in steps {
            insert_step(&mut set, *step);
        }
        set
    }

    #[test]
    fn sets_return_their_steps_in_order() {
        assert_eq!(words_for(1), 1);
        assert_eq!(words_for(64), 1);
        assert_eq!(words_for(65), 2);
        let set = set_of(3, &[130, 64, 1, 65]);
        assert_eq!(steps_of(&set).collect::<Vec<_>>(), [1, 64, 65, 130]);
        assert_eq!(steps_of(&[0, 0]).count(), 0);
    }

    #[test]
    fn sets_compare_as_lists_of_their_steps() {
        let lists: [&[usize]; 9] =
            [&[], &[1], &[1, 2], &[1, 2, 70], &[1, 3], &[1, 70], &[2], &[2, 65], &[65, 66]];
        for left in 0..lists.len() {
            let left_set = set_of(2, lists[left]);
            let mut steps = lists[left].to_vec();
            steps.reverse();
            assert_eq!(steps_of_descending(&left_set).collect::<Vec<_>>(), steps);
            for right in 0..lists.len() {
                assert_eq!(contains_step(&left_set, right + 1), lists[left].contains(&(right + 1)));
                let right_set = set_of(2, lists[right]);
                assert_eq!(compare_sets(&left_set, &right_set), left.cmp(&right), "{left} {right}");
                assert_eq!(compare_sets(&left_set, &right_set), lists[left].cmp(lists[right]));
            }
        }
        assert!(!contains_step(&[u64::MAX], 65));
    }

    #[test]
    fn sorting_keeps_sets_with_their_times() {
        for words in [1, 2] {
            let mut times = [3, 1, 2];
            let mut sets: Vec<u64> = [3, 1, 2].iter().flat_map(|step| set_of(words, &[*step])).collect();
            sort_by_time(&mut times, &mut sets);
            assert_eq!(times, [1, 2, 3]);
            let steps: Vec<usize> = sets.chunks(words).flat_map(steps_of).collect();
            assert_eq!(steps, [1, 2, 3]);
        }
        sort_by_time(&mut [], &mut []);
    }
}
