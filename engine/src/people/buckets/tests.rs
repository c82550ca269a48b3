//! Buckets: every row of every person in exactly one of them.

use object_store::ObjectMeta;
use object_store::path::Path;
use proptest::prelude::*;

use super::*;

fn file(row_groups: Vec<RowGroup>) -> ChosenFile {
    let meta = ObjectMeta {
        location: Path::from("f"),
        last_modified: chrono::DateTime::default(),
        size: 0,
        e_tag: None,
        version: None,
    };
    ChosenFile {
        number: 0,
        meta,
        day: Some(0),
        row_groups: Some(row_groups.into_iter().enumerate().collect()),
    }
}

/// Row groups of equal shares of the keys.
fn even(count: u32, rows: u64) -> ChosenFile {
    let at = |index: u32| {
        let place = (u128::from(index) << 64) / u128::from(count);
        i64::try_from(i128::try_from(place).unwrap() + i128::from(i64::MIN)).unwrap_or(i64::MAX)
    };
    let last = |index: u32| if index + 1 == count { i64::MAX } else { at(index + 1) - 1 };
    let groups = (0..count).map(|index| RowGroup { rows, min_key: at(index), max_key: last(index) });
    file(groups.collect())
}

#[test]
fn large_days_are_read_once() {
    let files: Vec<ChosenFile> = (0..30).map(|_| even(32, 52_000)).collect();
    let divided = divide(&files, 2, u64::MAX).unwrap();
    assert!(divided.buckets.len() >= 32 && divided.partitions == 2, "{}", divided.buckets.len());
    let parts = divided.buckets.iter().flat_map(|bucket| &bucket.parts);
    let read: u64 = parts.map(|part| part.range.rows).sum();
    assert!(read < 30 * 32 * 52_000 * 13 / 10, "{read}");
}

#[test]
fn small_days_are_read_once_for_all_partitions() {
    let files: Vec<ChosenFile> = (0..365).map(|_| even(1, 27_000)).collect();
    let divided = divide(&files, 2, u64::MAX).unwrap();
    assert_eq!((divided.buckets.len(), divided.partitions), (1, 2));
    // Memory goes before speed.
    assert!(divide(&files, 2, 1_000_000).unwrap().buckets.len() >= 8);
}

#[test]
fn few_rows_are_for_one_partition() {
    let of = |files: &[ChosenFile]| {
        let divided = divide(files, 8, u64::MAX).unwrap();
        (divided.buckets.len(), divided.partitions)
    };
    assert_eq!(of(&[even(1, 100)]), (1, 1));
    assert_eq!(of(&[]), (0, 1));
    assert_eq!(of(&[even(1, 40_000)]), (1, 4));
}

#[test]
fn files_of_other_writers_are_not_divided() {
    let mut foreign = even(1, 100);
    foreign.row_groups = None;
    assert_eq!(divide(&[even(1, 100), foreign], 2, u64::MAX), None);
}

proptest! {
    #[test]
    fn every_key_is_found(
        groups in prop::collection::vec((any::<i64>(), any::<i64>(), 1_u64..200_000), 1..40),
        partitions in 1_usize..9,
        max_rows in 1_u64..1_000_000,
    ) {
        let groups: Vec<RowGroup> = groups
            .into_iter()
            .map(|(a, b, rows)| RowGroup { rows, min_key: a.min(b), max_key: a.max(b) })
            .collect();
        let buckets = divide(&[file(groups.clone())], partitions, max_rows).unwrap().buckets;
        for (row_group, range) in groups.iter().enumerate() {
            for key in [range.min_key, range.max_key] {
                let holding: Vec<&Bucket> = buckets
                    .iter()
                    .filter(|bucket| KeyPrefix::of(key, bucket.prefix.bits) == bucket.prefix)
                    .collect();
                prop_assert_eq!(holding.len(), 1);
                prop_assert!(holding[0].parts.iter().any(|part| part.row_group == row_group));
            }
        }
    }
}
