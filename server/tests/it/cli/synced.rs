//! Written files are on disk before anybody is told: shown by the order of system calls (`strace`).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::support::{Place, STORE};
use crate::support::tell;

/// A call that names or syncs files, in the order in which calls began and ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Call {
    /// These bytes are on disk.
    Synced(PathBuf),
    /// The call that gives a file its final name begins: from, to.
    Naming(PathBuf, PathBuf),
    /// A file has its final name.
    Named(PathBuf),
    /// The process ends with this code.
    Exit(i32),
}

/// The calls in a trace of `strace -f -y`, in which a call that is interrupted by another thread's stands twice.
fn calls(trace: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut open: BTreeMap<&str, String> = BTreeMap::new();
    for line in trace.lines() {
        let (pid, rest) = line.split_once(' ').expect("a process");
        let rest = rest.trim_start();
        let (text, begins, ends) = if let Some(begin) = rest.strip_suffix(" <unfinished ...>") {
            open.insert(pid, begin.to_owned());
            (begin.to_owned(), true, false)
        } else if rest.starts_with("<... ") {
            let Some(begin) = open.remove(pid) else { continue };
            let end = rest.split_once("resumed>").map_or("", |(_, end)| end);
            (format!("{begin}{end}"), false, true)
        } else {
            (rest.to_owned(), true, true)
        };
        let succeeds = text.trim_end().ends_with("= 0");
        let quoted: Vec<PathBuf> = text.split('"').skip(1).step_by(2).map(PathBuf::from).collect();
        if text.starts_with("fsync(") || text.starts_with("fdatasync(") {
            let path = text.split_once('<').and_then(|(_, rest)| rest.split_once('>')).expect("a path").0;
            if ends && succeeds {
                calls.push(Call::Synced(path.into()));
            }
        } else if let ([from, to], true) =
            (quoted.as_slice(), text.starts_with("link") || text.starts_with("rename"))
        {
            if begins {
                calls.push(Call::Naming(from.clone(), to.clone()));
            }
            if ends && succeeds {
                calls.push(Call::Named(to.clone()));
            }
        } else if let Some(code) = text.strip_prefix("exit_group(") {
            let code = code.split_once(')').and_then(|(code, _)| code.parse().ok()).expect("a code");
            calls.push(Call::Exit(code));
        }
    }
    calls
}

/// Asserts that every file of `store` was on disk, with its name, before a commit that came after it could be seen, and
/// before the process ended well. Gives the number of data files and commits.
fn assert_synced(calls: &[Call], store: &Path) -> (usize, usize) {
    let is_commit = |path: &Path| {
        path.parent().is_some_and(|p| p.ends_with("_delta_log"))
            && path.extension().is_some_and(|e| e == "json")
    };
    let (mut data_files, mut commits) = (0, 0);
    // Files with unsynced bytes or names.
    let mut owing: BTreeSet<PathBuf> = BTreeSet::new();
    let mut synced: BTreeSet<&PathBuf> = BTreeSet::new();
    let mut bytes_owing: BTreeSet<PathBuf> = BTreeSet::new();
    let mut named: BTreeSet<&PathBuf> = BTreeSet::new();
    for call in calls {
        match call {
            Call::Synced(path) => {
                synced.insert(path);
                bytes_owing.remove(path);
                // A directory: the names in it.
                owing.retain(|file| file.parent() != Some(path.as_path()));
            }
            Call::Naming(from, to) if to.starts_with(store) => {
                if is_commit(to) {
                    assert!(
                        synced.contains(from),
                        "{} can be seen before its bytes are synced",
                        to.display()
                    );
                    assert!(
                        owing.is_empty() && bytes_owing.is_empty(),
                        "{}: {owing:?} {bytes_owing:?}",
                        to.display()
                    );
                }
                if !synced.contains(from) {
                    bytes_owing.insert(to.clone());
                }
            }
            Call::Named(to) if to.starts_with(store) => {
                owing.insert(to.clone());
                named.insert(to);
                data_files += usize::from(to.extension().is_some_and(|e| e == "parquet"));
                commits += usize::from(is_commit(to));
            }
            Call::Exit(code) => {
                assert_eq!(*code, 0);
                assert!(owing.is_empty() && bytes_owing.is_empty(), "at the end: {owing:?} {bytes_owing:?}");
            }
            _ => {}
        }
    }
    assert!(calls.iter().any(|call| matches!(call, Call::Exit(0))));
    // The directories from the root on: their names are in those above them.
    for directory in named.iter().filter_map(|file| file.parent()).flat_map(Path::ancestors) {
        assert!(synced.contains(&directory.to_path_buf()), "{} was never synced", directory.display());
    }
    (data_files, commits)
}

/// Whether processes can be traced here.
fn can_trace() -> bool {
    let output = Command::new("strace").args(["-f", "-e", "trace=exit_group", "true"]).output();
    let problem = match output {
        Ok(output) if output.status.success() => return true,
        Ok(output) => String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned(),
        Err(error) => error.to_string(),
    };
    tell(format!("not run: strace cannot trace here ({problem})"));
    false
}

#[test]
fn files_and_names_are_synced_before_a_commit_and_before_the_end() {
    if !can_trace() {
        return;
    }
    let place = Place::new();
    let rows = |load: u32| {
        let row = |n: u32| format!("e{load}-{n},user-{},2026-01-0{}T10:00:00Z,view\n", n % 5, 1 + n % 3);
        format!("event_id,user_id,ts,event\n{}", (0..30).map(row).collect::<String>())
    };
    place.write("a.csv", rows(0));
    place.write("b.csv", rows(1));
    place.write("links.csv", "anonymous_id,user_id,valid_from\nuser-1,user-2,2026-01-01\n");
    let commands: [(&[&str], usize); 6] = [
        (&["load", "a.csv"], 3),
        (&["load", "b.csv"], 3),
        (&["optimize"], 3),
        (&["identify", "links.csv"], 1),
        (&["stitch"], 1),
        (&["erase", "--user-id", "user-3", "--purge"], 1),
    ];
    for (command, at_least) in commands {
        let mut traced = Command::new("strace");
        traced.args(["-f", "-y", "-s", "4096", "-o", "trace"]);
        traced.args(["-e", "trace=fsync,fdatasync,link,linkat,rename,renameat,renameat2,exit_group"]);
        let plain = place.command(command);
        traced.arg(plain.get_program()).args(plain.get_args()).current_dir(place.path(""));
        let output = traced.output().expect("strace");
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        let trace = String::from_utf8(place.read("trace")).expect("text");
        let store = place.path("").canonicalize().expect("a path").join(STORE);
        let (data_files, commits) = assert_synced(&calls(&trace), &store);
        assert!(data_files >= at_least && commits >= 1, "{command:?}: {data_files} files, {commits} commits");
    }
}

#[test]
fn a_trace_without_syncs_is_told() {
    let store = Path::new("/s");
    let trace = "7 rename(\"/s/t/a.parquet#1\", \"/s/t/a.parquet\") = 0\n\
                 7 fsync(3</s/t/_delta_log/0.json#1>) = 0\n\
                 8 linkat(AT_FDCWD, \"/s/t/_delta_log/0.json#1\", AT_FDCWD, \"/s/t/_delta_log/0.json\", 0 <unfinished ...>\n\
                 7 fsync(3</s/t>) = 0\n\
                 8 <... linkat resumed>) = 0\n";
    let calls = calls(trace);
    assert_eq!(calls.len(), 6, "{calls:?}");
    let told = std::panic::catch_unwind(|| assert_synced(&calls, store)).expect_err("told");
    let text = told.downcast_ref::<String>().expect("text");
    assert!(text.contains("a.parquet"), "{text}");
}
