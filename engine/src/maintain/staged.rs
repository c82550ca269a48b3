//! Files on local disk that a killed process was still writing: `NAME.parquet#1`, which no listing shows.

use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::error::StoreError;
use crate::store::table::Table;

/// How long such a file must not have been written to before a purge takes it away.
pub const PURGE_AGE: Duration = Duration::from_secs(600);

/// Deletes those of `table` that were last written to at least `age` ago, and gives their number. Object stores keep
/// what was not completed out of sight themselves.
pub fn remove(table: &Table, age: Duration) -> Result<u64, StoreError> {
    let Ok(directory) = table.location().url.to_file_path() else { return Ok(0) };
    remove_below(&directory, age).map_err(|e| StoreError::io("clean up", directory.display().to_string(), e))
}

fn remove_below(directory: &Path, age: Duration) -> std::io::Result<u64> {
    let mut removed = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            removed += remove_below(&path, age)?;
        } else if is_staged(&entry.file_name().to_string_lossy()) {
            let written = entry.metadata()?.modified()?;
            let is_old = SystemTime::now().duration_since(written).is_ok_and(|since| since >= age);
            if is_old {
                std::fs::remove_file(&path)?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

fn is_staged(name: &str) -> bool {
    name.rsplit_once('#').is_some_and(|(base, number)| {
        base.ends_with(".parquet") && !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_unfinished_files() {
        assert!(is_staged("k0-0-x.parquet#1") && is_staged("a.parquet#12"));
        for other in ["a.parquet", "a.parquet#", "a.parquet#x", "a.json#1"] {
            assert!(!is_staged(other), "{other}");
        }
    }
}
