//! A directory of its own for each test, and the binary run in it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The store that commands work on unless they name another.
pub(crate) const STORE: &str = "store";
/// Three rows of two people on two days.
pub(crate) const THREE_ROWS: &str = "\
event_id,user_id,ts,event,revenue
e1,ann,2026-01-01T10:00:00Z,view,1.50
e2,ann,2026-01-01T10:05:00Z,buy,2.25
e3,ben,2026-01-02T11:00:00Z,view,
";

/// A temporary directory in which commands run. File names are relative to it.
pub(crate) struct Place {
    dir: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(dir.path().join("spill")).expect("a directory to spill to");
        Self { dir }
    }

    /// A place whose store holds [`THREE_ROWS`].
    pub(crate) fn with_three_rows() -> Self {
        let place = Self::new();
        place.write("three.csv", THREE_ROWS);
        place.ok(&["load", "three.csv"]);
        place
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("a file");
    }

    pub(crate) fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        std::fs::read(self.path(name)).expect("a file")
    }

    /// `wayfare ARGS` on [`STORE`] with two threads, spilling below this place.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_wayfare"), args)
    }

    /// The same in a shell that limits the size of files that it writes, in units of 512 bytes.
    pub(crate) fn command_with_file_limit(&self, blocks: u32, args: &[&str]) -> Command {
        let script = format!("ulimit -f {blocks} && exec \"$0\" \"$@\"");
        let mut all = vec!["-c", &script, env!("CARGO_BIN_EXE_wayfare")];
        all.extend(args);
        self.command_of("sh", &all)
    }

    fn command_of(&self, program: impl AsRef<OsStr>, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null());
        let defaults = [("--store", STORE), ("--threads", "2"), ("--temp-dir", "spill")];
        for (option, value) in defaults {
            if !args.contains(&option) {
                command.args([option, value]);
            }
        }
        for variable in ["WAYFARE_STORE", "WAYFARE_MEMORY_LIMIT", "WAYFARE_LOG"] {
            command.env_remove(variable);
        }
        // A backtrace in a message for a person would show.
        command.env("RUST_BACKTRACE", "1");
        command
    }

    /// Runs `wayfare ARGS` to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Finished {
        Finished::of(&mut self.command(args))
    }

    /// Standard output of `wayfare ARGS`, which must succeed and say nothing else.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        self.run(args).succeeded(args)
    }

    /// The rows of `sql`, as JSON objects.
    pub(crate) fn rows(&self, sql: &str) -> Vec<Value> {
        serde_json::from_str(&self.ok(&["query", "--format", "json", sql])).expect("JSON")
    }

    /// The first column of the only row of `sql`.
    pub(crate) fn value(&self, sql: &str) -> Value {
        let rows = self.rows(sql);
        assert_eq!(rows.len(), 1, "{sql}");
        let columns = rows[0].as_object().expect("an object");
        columns.values().next().cloned().unwrap_or(Value::Null)
    }

    /// The number of touchpoints in `store`.
    pub(crate) fn touchpoints(&self, store: &str) -> u64 {
        let sql = "SELECT count(*) FROM touchpoints";
        let text = self.ok(&["query", "--format", "csv", "--store", store, sql]);
        text.lines().nth(1).and_then(|line| line.parse().ok()).expect("a count")
    }

    /// Paths below `directory` whose names end in `suffix`, sorted.
    pub(crate) fn files(&self, directory: &str, suffix: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![self.path(directory)];
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(directory).expect("a directory") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    open.push(path);
                } else if path.to_string_lossy().ends_with(suffix) {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }
}

/// What a reader can see of the table, and its data files.
#[derive(Debug, PartialEq)]
struct Seen {
    rows: String,
    history: String,
    tables: String,
    data_files: usize,
}

/// A store with known rows, which no wrong request may change.
pub(crate) struct Known {
    pub(crate) place: Place,
    before: Seen,
}

impl Known {
    pub(crate) fn new() -> Self {
        let place = Place::with_three_rows();
        let before = seen(&place);
        Self { place, before }
    }

    /// Writes `content` to `file` and loads it.
    pub(crate) fn refuses_content(&self, file: &str, content: impl AsRef<[u8]>, parts: &[&str]) {
        self.place.write(file, content);
        self.refuses(&["load", file], &[&[file], parts].concat());
    }

    pub(crate) fn refuses(&self, args: &[&str], parts: &[&str]) {
        self.refused(&self.place.run(args), parts);
    }

    pub(crate) fn refused(&self, finished: &Finished, parts: &[&str]) {
        finished.assert_refused(parts);
        assert_eq!(seen(&self.place), self.before);
    }
}

fn seen(place: &Place) -> Seen {
    Seen {
        rows: place.ok(&["query", "--format", "csv", "SELECT * FROM touchpoints ORDER BY event_id"]),
        history: place.ok(&["history"]),
        tables: place.ok(&["tables"]),
        data_files: place.files(STORE, ".parquet").len(),
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.output().expect("the command starts");
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("UTF-8 on standard output"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8 on standard error"),
        }
    }

    pub(crate) fn succeeded(self, args: &[&str]) -> String {
        let unexpected: Vec<&str> = self.stderr.lines().filter(|line| !is_progress(line)).collect();
        assert!(self.code == Some(0) && unexpected.is_empty(), "{args:?}: {self:#?}");
        self.stdout
    }

    /// Asserts that the command line is wrong, told with `part`.
    pub(crate) fn assert_usage(&self, part: &str) {
        assert!(self.code == Some(2) && self.stderr.contains(part), "{self:#?}");
    }

    /// Asserts that this is a failed request, told in one sentence that holds all of `parts`.
    pub(crate) fn assert_refused(&self, parts: &[&str]) {
        assert_eq!(self.code, Some(1), "{self:#?}");
        let lines: Vec<&str> = self.stderr.lines().filter(|line| !is_progress(line)).collect();
        assert_eq!(lines.len(), 1, "one sentence: {self:#?}");
        assert!(lines[0].starts_with("error: "), "{self:#?}");
        for part in parts {
            assert!(lines[0].contains(part), "{part:?} is not in {:?}", lines[0]);
        }
        for noise in NOISE {
            assert!(!lines[0].contains(noise), "{noise:?} is in {:?}", lines[0]);
        }
    }
}

/// What a person should not be told: wrappers of other libraries, formatted values of Rust, traces.
const NOISE: [&str; 18] = [
    "panicked",
    "External error",
    "Generic",
    "DataFusion",
    "Arrow error",
    "ArrowError",
    "Parquet error",
    "Delta",
    "kernel",
    "Object at location",
    "LocalFileSystem",
    "IoError",
    "Some(",
    "Error {",
    "Error(",
    "Os {",
    "backtrace",
    "internal error",
];

/// Lines that a slow load prints on standard error.
fn is_progress(line: &str) -> bool {
    ["looking at the input: ", "reading: ", "writing: ", "committing: "].iter().any(|p| line.starts_with(p))
}

/// A figure of the report of a load.
pub(crate) fn figure(report: &str, name: &str) -> u64 {
    report
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no {name:?} in {report}"))
}
