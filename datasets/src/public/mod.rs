//! Public data sets that are bundled with the crate, each with its licence.

pub mod cdnow;
pub mod simple_shop;
pub mod weblog_2015;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Writes a bundled file into a directory, which is created if needed, and returns the path of the file.
/// A file of that name is replaced in one step.
fn write_file(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(dir)?;
    let path = dir.join(name);
    let temporary = dir.join(format!(".{name}.{}.tmp", std::process::id()));
    let result = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, &path));
    if result.is_err() {
        // Best effort: the first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    result.map(|()| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writing_twice_replaces_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = write_file(&dir.path().join("new"), "a.csv", b"old").unwrap();
        assert_eq!(write_file(&dir.path().join("new"), "a.csv", b"other").unwrap(), path);
        assert_eq!(fs::read(&path).unwrap(), b"other");
        assert_eq!(fs::read_dir(dir.path().join("new")).unwrap().count(), 1);
    }
}
