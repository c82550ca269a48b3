//! Where in a Parquet file reading came to, for messages.

use parquet::file::metadata::ParquetMetaData;

/// The ends of the row groups of a file, in rows.
#[derive(Debug)]
pub(super) struct RowGroups {
    ends: Vec<u64>,
}

impl RowGroups {
    pub(super) fn of(metadata: &ParquetMetaData) -> Self {
        let rows =
            metadata.row_groups().iter().map(|group| u64::try_from(group.num_rows()).unwrap_or_default());
        let mut end = 0;
        Self {
            ends: rows
                .map(|rows| {
                    end += rows;
                    end
                })
                .collect(),
        }
    }

    /// Rows of the file.
    pub(super) fn rows(&self) -> u64 {
        self.ends.last().copied().unwrap_or_default()
    }

    /// How many row groups there are.
    pub(super) fn count(&self) -> usize {
        self.ends.len()
    }

    /// Rows of the first `groups` row groups.
    pub(super) fn rows_before(&self, groups: usize) -> u64 {
        groups.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or_default()
    }

    /// The place behind row `row`; row groups count from 0, as the other tools for Parquet have it.
    pub(super) fn after(&self, row: u64) -> String {
        let group = self.ends.partition_point(|end| *end <= row).min(self.ends.len().saturating_sub(1));
        format!("in row group {group}, after row {row}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_lie_in_the_group_that_goes_on_behind_them() {
        let groups = RowGroups { ends: vec![3, 3, 5] };
        let found = [0, 2, 3, 4, 5].map(|row| groups.after(row));
        let expected = [(0, 0), (0, 2), (2, 3), (2, 4), (2, 5)];
        assert_eq!(found, expected.map(|(group, row)| format!("in row group {group}, after row {row}")));
        assert_eq!(groups.rows(), 5);
        assert_eq!(groups.count(), 3);
        assert_eq!([0, 1, 2, 3].map(|count| groups.rows_before(count)), [0, 3, 3, 5]);
        assert_eq!(RowGroups { ends: Vec::new() }.after(0), "in row group 0, after row 0");
    }
}
