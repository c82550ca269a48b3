//! The sqllogictest files and what both faces, in process and over the wire, do with them alike.
//!
//! Values are text as PostgreSQL's simple protocol gives it: `t` and `f`, `2024-02-29 00:10:00+00`, decimals with all
//! digits of their scale. In addition NULL is `NULL`, an empty text is `(empty)` and a line break is `\n`.
//!
//! Each file runs on a store of its own whose table `touchpoints` holds [`touchpoints`], and in a session of its own.

use std::path::{Path, PathBuf};

/// The directory of the files; the tests of the server run the same ones.
pub fn directory() -> PathBuf {
    // The manifest is that of engine or of server, which are neighbours.
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/slt")
}

/// The rows of `touchpoints`: several people, ties, NULLs, money, sessions across midnight, Unicode.
pub fn touchpoints() -> PathBuf {
    directory().join("data/touchpoints.csv")
}

/// All files, sorted; with `WAYFARE_SLT` in the environment those whose path contains its value.
pub fn files() -> Vec<PathBuf> {
    let wanted = std::env::var("WAYFARE_SLT").unwrap_or_default();
    let mut files = Vec::new();
    let mut directories = vec![directory()];
    while let Some(directory) = directories.pop() {
        let entries =
            std::fs::read_dir(&directory).unwrap_or_else(|e| panic!("{}: {e}", directory.display()));
        for entry in entries {
            let path = entry.expect("an entry of a directory").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|e| e == "slt") && path.to_string_lossy().contains(&wanted)
            {
                files.push(path);
            }
        }
    }
    files.sort();
    assert!(!files.is_empty(), "no file matches {wanted:?}");
    files
}

/// A value as the files show it.
pub fn shown(value: Option<&str>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some("") => "(empty)".to_owned(),
        Some(text) => without_file_names(text).replace('\n', "\\n"),
    }
}

/// `text` without the random part of data file names, which EXPLAIN shows.
fn without_file_names(text: &str) -> String {
    const EXTENSION: &str = ".parquet";
    const UUID_CHARS: usize = 36;
    let mut parts = text.split(EXTENSION).peekable();
    let mut out = String::with_capacity(text.len());
    while let Some(part) = parts.next() {
        let is_last = parts.peek().is_none();
        let start =
            part.len().checked_sub(UUID_CHARS).filter(|start| !is_last && part.is_char_boundary(*start));
        match start {
            Some(start) if part[start..].chars().all(|c| c.is_ascii_hexdigit() || c == '-') => {
                out.push_str(&part[..start]);
                out.push_str("<uuid>");
            }
            _ => out.push_str(part),
        }
        if !is_last {
            out.push_str(EXTENSION);
        }
    }
    out
}

/// Panics with all of `failures`, if there are any.
pub fn report(files: usize, failures: &[String]) {
    assert!(failures.is_empty(), "{} of {files} files failed:\n\n{}", failures.len(), failures.join("\n\n"));
}
