//! How many rows of people may be in memory at once.

use super::columns::Columns;
use crate::settings::Settings;

/// Share of the memory limit that the rows of a bucket may take. There may be two: one partition is done before another.
const MEMORY_SHARE: usize = 4;
/// The same if all columns have to be read, which is seldom needed: two buckets still leave a third to what is made of them.
const SELDOM_SHARE: usize = 3;
/// Bytes of a row beside its columns: whose it is.
const ROW_BYTES: usize = 24;

/// How many rows a bucket may have so that it fits into memory, also if the column at `seldom` has to be read too.
pub fn max_rows(settings: &Settings, columns: &Columns, seldom: Option<usize>) -> u64 {
    let rows =
        |share: usize, bytes: usize| (settings.memory_limit_bytes / share / (ROW_BYTES + bytes)) as u64;
    let all = columns.row_bytes();
    match seldom {
        Some(column) => rows(MEMORY_SHARE, all - columns.bytes_of(column)).min(rows(SELDOM_SHARE, all)),
        None => rows(MEMORY_SHARE, all),
    }
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
        let settings = Settings { memory_limit_bytes: 12_000_000, ..Settings::default() };
        let rows = |seldom| max_rows(&settings, &columns, seldom) as usize;
        assert_eq!(rows(None), 3_000_000 / bytes(&[0, 1, 2]));
        // As many as fit with it into a third: more would fit into a quarter without it.
        assert_eq!(rows(Some(2)), 4_000_000 / bytes(&[0, 1, 2]));
        assert!(3_000_000 / bytes(&[0, 1]) > rows(Some(2)));
        assert_eq!(rows(Some(0)), 3_000_000 / bytes(&[1, 2]));
    }
}
