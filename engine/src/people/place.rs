//! When the place of a row tells more than its time.
//!
//! Our files are sorted by person, time and event id. Where all rows of a person and a day are in one file, rows of one
//! instant lie in the order of their event ids, so that these need not be read.

use std::collections::HashMap;

use crate::scan::source::ScanSource;

/// Whether the rows of each person lie in the order of time and then of the column at `sequence`, which is `event_id`.
pub fn tells_order(source: &ScanSource, sequence: usize) -> bool {
    // Rows without an id have no order among each other.
    if source.complete.get(sequence) != Some(&true) {
        return false;
    }
    let mut days: HashMap<i32, Vec<(i64, i64)>> = HashMap::new();
    for file in &source.files {
        let (Some(day), Some(row_groups)) = (file.day, &file.row_groups) else { return false };
        let ranges = row_groups.iter().map(|(_, range)| (range.min_key, range.max_key));
        // A person may be in two row groups of a file, one behind the other.
        if !ranges.clone().zip(ranges.clone().skip(1)).all(|(before, after)| before.1 <= after.0) {
            return false;
        }
        let whole = ranges.reduce(|first, last| (first.0, last.1));
        days.entry(day).or_default().extend(whole);
    }
    days.into_values().all(are_apart)
}

/// Whether no two of the ranges, which include their ends, share a key.
fn are_apart(mut ranges: Vec<(i64, i64)>) -> bool {
    ranges.sort_unstable();
    ranges.windows(2).all(|pair| pair[0].1 < pair[1].0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_share_a_key_are_not_apart() {
        assert!(are_apart(vec![]));
        assert!(are_apart(vec![(5, 9), (-3, 4)]));
        assert!(!are_apart(vec![(5, 9), (-3, 5)]));
        assert!(!are_apart(vec![(1, 9), (2, 3)]));
        assert!(!are_apart(vec![(1, 1), (1, 1)]));
    }
}
