//! Slow and obvious versions of the algorithms.

/// One row: its time and the steps that it meets, counted from 1.
pub(crate) type Row = (i64, Vec<usize>);

/// Session numbers: one more than the gaps that are too long before each row.
pub(crate) fn session_numbers(gap: i64, times: &[i64]) -> Vec<i64> {
    (0..times.len())
        .map(|row| {
            let breaks = times[..=row]
                .windows(2)
                .filter(|pair| i128::from(pair[1]) - i128::from(pair[0]) > i128::from(gap))
                .count();
            i64::try_from(breaks).unwrap() + 1
        })
        .collect()
}
