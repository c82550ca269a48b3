//! Loads one after the other: history, past versions, repeats, rejected rows, many files.

use std::io::Write;
use std::process::{Command, Stdio};

use super::support::{Place, STORE, THREE_ROWS, figure};
use crate::support::tell;

const HEADER: &str = "event_id,user_id,ts,event,revenue\n";
const COUNT: &str = "SELECT count(*) AS n FROM touchpoints";

/// A store with three versions: empty, three rows, five rows.
fn with_two_loads() -> Place {
    let place = Place::with_three_rows();
    place.write("two.csv", format!("{HEADER}f1,cem,2026-01-02,view,\nf2,cem,2026-01-05,view,\n"));
    place.ok(&["load", "two.csv"]);
    place
}

/// The cells of `wayfare history`, newest commit first, without the header.
fn commits(place: &Place) -> Vec<Vec<String>> {
    let text = place.ok(&["history"]);
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().expect("a header").split_whitespace().collect();
    assert_eq!(header, ["version", "time", "operation", "rows", "files", "removed", "source"]);
    lines
        .map(|line| line.split("  ").map(str::trim).filter(|c| !c.is_empty()).map(str::to_owned).collect())
        .collect()
}

fn count_at(place: &Place, option: &str, value: &str) -> u64 {
    let text = place.ok(&["query", "--format", "csv", option, value, COUNT]);
    text.lines().nth(1).and_then(|n| n.parse().ok()).expect("a count")
}

#[test]
fn history_lists_commits_newest_first() {
    let place = with_two_loads();
    let commits = commits(&place);
    let without_time: Vec<Vec<&str>> = commits
        .iter()
        .map(|cells| cells.iter().enumerate().filter(|(i, _)| *i != 1).map(|(_, c)| c.as_str()).collect())
        .collect();
    assert_eq!(
        without_time,
        [
            vec!["2", "load", "2", "2", "0", "two.csv"],
            vec!["1", "load", "3", "2", "0", "three.csv"],
            vec!["0", "create table", "0", "0", "0"],
        ]
    );
    assert!(commits.is_sorted_by(|newer, older| newer[1] >= older[1]), "{commits:?}");
}

#[test]
fn past_versions_can_be_read() {
    let place = with_two_loads();
    for (version, rows) in [("0", 0), ("1", 3), ("2", 5)] {
        assert_eq!(count_at(&place, "--table-version", version), rows, "version {version}");
    }
    assert_eq!(place.touchpoints(STORE), 5);
}

#[test]
fn past_instants_can_be_read() {
    let place = with_two_loads();
    let assert_instants = || {
        for cells in commits(&place) {
            let rows = [0, 3, 5][cells[0].parse::<usize>().expect("a version")];
            assert_eq!(
                count_at(&place, "--as-of", &cells[1]),
                rows,
                "the time of a commit is its own: {cells:?}"
            );
        }
        assert_eq!(count_at(&place, "--as-of", "2999-01-01T00:00:00+02:00"), 5);
    };
    assert_instants();
    // A copied store has new file times; the commits keep theirs.
    for file in place.files(STORE, ".json") {
        std::fs::write(&file, std::fs::read(&file).expect("a file")).expect("a file");
    }
    assert_instants();
}

#[test]
fn versions_that_do_not_exist() {
    let place = with_two_loads();
    let query = |option: &str, value: &str| place.run(&["query", option, value, COUNT]);
    query("--table-version", "99").assert_refused(&[
        "\"touchpoints\" has no version 99",
        "the newest is 2",
        "wayfare history",
    ]);
    query("--as-of", "2001-01-01T00:00:00Z").assert_refused(&[
        "no version at or before 2001-01-01T00:00:00Z",
        "did not exist then",
        "wayfare history",
    ]);
    for (option, value) in
        [("--table-version", "1.5"), ("--table-version", "first"), ("--as-of", "yesterday")]
    {
        let finished = query(option, value);
        assert_eq!(finished.code, Some(2), "{finished:#?}");
        assert!(finished.stderr.contains(value) && finished.stderr.contains(option), "{finished:#?}");
    }
}

#[test]
fn the_same_content_is_loaded_once() {
    let place = Place::with_three_rows();
    place.write("copy.csv", THREE_ROWS);
    for file in ["three.csv", "copy.csv"] {
        let report = place.ok(&["load", file]);
        assert!(report.contains(&format!("already loaded: {file} (")), "{report}");
        assert!(report.contains("--force"), "{report}");
        assert!(report.ends_with("nothing new: table touchpoints is unchanged\n"), "{report}");
    }
    assert_eq!(commits(&place).len(), 2);
}

#[test]
fn force_loads_again() {
    let place = Place::with_three_rows();
    let report = place.ok(&["load", "three.csv", "--force"]);
    assert_eq!(figure(&report, "rows read"), 3, "{report}");
    assert_eq!(figure(&report, "rows skipped as duplicates"), 3, "by their ids: {report}");
    assert_eq!(place.touchpoints(STORE), 3);
    let report = place.ok(&["load", "three.csv", "--force", "--dedup", "none"]);
    assert_eq!(figure(&report, "rows loaded"), 3, "{report}");
    assert_eq!(place.touchpoints(STORE), 6);
}

const MIXED_ROWS: &str = "\
event_id,user_id,ts,event,revenue
g1,ann,2026-01-01,view,1.00
g2,ann,yesterday,view,1.00
g3,,2026-01-01,view,1.00
g4,ben,2026-01-01,\"buy, twice\",1.00
g5,ben,2026-01-01,view,1.23456
g6,ben,2026-01-01
";

#[test]
fn bad_rows_can_be_skipped() {
    let place = Place::new();
    place.write("mixed.csv", MIXED_ROWS);
    let report = place.ok(&["load", "mixed.csv", "--on-error", "skip", "--rejects", "bad.csv"]);
    for (name, expected) in [("rows read", 6), ("rows loaded", 2), ("rows rejected", 4)] {
        assert_eq!(figure(&report, name), expected, "{report}");
    }
    let ids = place.ok(&["query", "--format", "csv", "SELECT event_id FROM touchpoints ORDER BY event_id"]);
    assert_eq!(ids, "event_id\ng1\ng4\n");

    let rejects = String::from_utf8(place.read("bad.csv")).expect("UTF-8");
    let lines: Vec<&str> = rejects.lines().collect();
    assert_eq!(lines[0], "file,line,column,value,reason,raw");
    let expected = [
        ("mixed.csv,3,ts,yesterday,", "not a timestamp"),
        ("mixed.csv,4,user_id,,", "missing"),
        ("mixed.csv,6,revenue,1.23456,", "decimal places"),
        ("mixed.csv,7,,,", "3 fields"),
    ];
    assert_eq!(lines.len(), 1 + expected.len(), "{rejects}");
    for (line, (start, reason)) in lines[1..].iter().zip(expected) {
        assert!(line.starts_with(start) && line.contains(reason), "{start} .. {reason}: {line}");
    }
    assert!(lines[1].ends_with("\"g2,ann,yesterday,view,1.00\""), "the row as it stands: {}", lines[1]);
}

#[test]
fn a_failed_load_leaves_no_rejects_file() {
    let place = Place::with_three_rows();
    place.write("mixed.csv", MIXED_ROWS);
    place.write("broken.parquet", "PAR1, and then nothing");
    place
        .run(&["load", "mixed.csv", "broken.parquet", "--on-error", "skip", "--rejects", "bad.csv"])
        .assert_refused(&["broken.parquet"]);
    assert!(place.files(".", "bad.csv").is_empty());
    assert_eq!(place.files(".", "").len(), place.files(STORE, "").len() + 3, "three inputs and the store");
    assert_eq!(place.touchpoints(STORE), 3);
}

#[test]
fn files_directories_and_patterns_in_one_load() {
    let place = Place::new();
    for directory in ["tree", "tree/deep", "tree/.hidden", "matched"] {
        std::fs::create_dir(place.path(directory)).expect("a directory");
    }
    let row = |id: &str| format!("{HEADER}{id},ann,2026-01-01,view,\n");
    for (file, id) in [
        ("single.csv", "a"),
        ("tree/one.csv", "b"),
        ("tree/deep/two.csv", "c"),
        ("tree/.hidden/three.csv", "never"),
        ("matched/x1.csv", "d"),
        ("matched/x2.csv", "e"),
        ("matched/y1.csv", "never too"),
    ] {
        place.write(file, row(id));
    }
    place.write(
        "tree/deep/rows.jsonl",
        "{\"event_id\":\"f\",\"user_id\":\"ann\",\"ts\":\"2026-01-01\",\"event\":\"view\"}\n",
    );
    let report = place.ok(&["load", "single.csv", "tree", "matched/x*.csv", "matched/x1.csv"]);
    assert_eq!(figure(&report, "files"), 6, "a file found twice is read once: {report}");
    let ids = place.ok(&["query", "--format", "csv", "SELECT event_id FROM touchpoints ORDER BY event_id"]);
    assert_eq!(ids, "event_id\na\nb\nc\nd\ne\nf\n");
    let commits = commits(&place);
    assert_eq!(commits.len(), 2, "one commit for all");
    assert_eq!(commits[0].last().map(String::as_str), Some("single.csv and 5 more"));
}

/// The output of `program -c` for `input`, or `None` if there is no such program.
fn compressed(program: &str, input: &str) -> Option<Vec<u8>> {
    let mut command = Command::new(program);
    let mut child = command.arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    child.stdin.take()?.write_all(input.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    output.status.success().then_some(output.stdout)
}

#[test]
fn compressed_files_in_one_load() {
    let place = Place::new();
    std::fs::create_dir(place.path("in")).expect("a directory");
    let mut written = 0;
    for (program, extension) in [("gzip", "gz"), ("zstd", "zst"), ("bzip2", "bz2"), ("xz", "xz"), ("cat", "")]
    {
        let rows = format!("{HEADER}{program},ann,2026-01-01T10:00:00Z,view,0.10\n");
        let content = if extension.is_empty() { Some(rows.into_bytes()) } else { compressed(program, &rows) };
        let Some(content) = content else {
            assert!(std::env::var_os("CI").is_none(), "{program} is needed in CI");
            tell(format!("not run: there is no {program}"));
            continue;
        };
        place.write(format!("in/{program}.csv.{extension}").trim_end_matches('.'), content);
        written += 1;
    }
    let report = place.ok(&["load", "in"]);
    assert_eq!(figure(&report, "rows loaded"), written, "{report}");
    let sql = "SELECT count(*) AS n, CAST(sum(revenue) AS VARCHAR) AS revenue FROM touchpoints";
    let row = &place.rows(sql)[0];
    assert_eq!(row["n"], written);
    assert_eq!(row["revenue"], format!("0.{written}000"));
}

#[test]
fn tables_lists_what_there_is() {
    let place = with_two_loads();
    place.write("prices.csv", "product,price\nshoe,9\nhat,7\n");
    place.ok(&["load", "prices.csv", "--reference", "--table", "prices"]);
    let text = place.ok(&["tables"]);
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), 2, "{text}");
    assert_eq!(&rows[0][..4], ["prices", "reference", "1", "2"]);
    assert_eq!(&rows[1][..4], ["touchpoints", "touchpoints", "2", "5"]);
    assert!(text.contains("2026-01-01 to 2026-01-05"), "{text}");
    let sum = place.value("SELECT sum(CAST(price AS INT)) FROM prices");
    assert_eq!(sum, 16);
}
