//! How many rows of people may be in memory at once.

use super::columns::Columns;
use super::slices::SLICE_ROWS;
use crate::settings::Settings;

/// Share of the memory limit that the rows of a bucket may take. There may be two, one partition being done before another,
/// and slices of both, which are as large as the buckets if these are small.
const MEMORY_SHARE: usize = 4;
/// The same if all columns have to be read, which is seldom needed, and slices are smaller: two buckets still leave a third.
const SELDOM_SHARE: usize = 3;
/// Bytes of a row beside its columns: whose it is.
const ROW_BYTES: usize = 24;

/// How many rows a bucket may have so that it fits into memory with the slices that `partitions` put together, also if the
/// column at `seldom` has to be read too.
pub fn max_rows(settings: &Settings, columns: &Columns, seldom: Option<usize>, partitions: usize) -> u64 {
    let fitting = |bytes: usize| settings.memory_limit_bytes / (ROW_BYTES + bytes);
    let all = columns.row_bytes();
    let rows = match seldom {
        Some(column) => {
            let fitting_all = fitting(all);
            // Two buckets, and what is put together of each.
            let sliced = partitions.saturating_mul(SLICE_ROWS);
            let beside_slices = fitting_all.saturating_sub(sliced.saturating_mul(2)) / 2;
            let most = beside_slices.min(fitting_all / SELDOM_SHARE).max(fitting_all / MEMORY_SHARE);
            most.min(fitting(all - columns.bytes_of(column)) / MEMORY_SHARE)
        }
        None => fitting(all) / MEMORY_SHARE,
    };
    rows as u64
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;

    #[test]
    fn a_column_that_is_seldom_read_takes_less_room_but_has_to_fit() {
        let fields = [
            Field::new("user_id", DataType::Utf8View, false),
            Field::new("revenue", DataType::Decimal128(18, 4), true),
            Field::new("event_id", DataType::Utf8View, true),
        ];
        let columns = Columns::new(&Schema::new(fields.to_vec()), &[0, 1, 2]);
        let bytes = |columns: &[usize]| -> usize {
            ROW_BYTES + columns.iter().map(|column| COLUMN_BYTES[*column]).sum::<usize>()
        };
        // Codes, a decimal, text of its own.
        const COLUMN_BYTES: [usize; 3] = [4, 16, 48];
        let rows = |limit: usize, seldom| {
            let settings = Settings { memory_limit_bytes: limit, ..Settings::default() };
            max_rows(&settings, &columns, seldom, 2) as usize
        };
        let (row, without) = (bytes(&[0, 1, 2]), bytes(&[0, 1]));
        // As many as fit with it into a third: more would fit into a quarter without it.
        let large = 100 * SLICE_ROWS * row;
        assert_eq!(rows(large, None), large / row / 4);
        assert_eq!(rows(large, Some(2)), large / row / 3);
        assert!(large / without / 4 > large / row / 3);
        assert_eq!(rows(large, Some(0)), large / bytes(&[1, 2]) / 4);
        // Slices of two partitions are as large as a bucket: two of each.
        let small = 4 * 2 * SLICE_ROWS * row;
        assert_eq!(rows(small, Some(2)), 2 * SLICE_ROWS);
        assert_eq!(rows(small / 2, Some(2)), SLICE_ROWS);
        // Between the two slices stay as they are.
        let between = 5 * 2 * SLICE_ROWS * row;
        assert_eq!(rows(between, Some(2)), (between / row - 4 * SLICE_ROWS) / 2);
    }
}
