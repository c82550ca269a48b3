//! `wayfare query`: where SQL comes from, how results are written, how it ends.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::json;

use super::support::{Finished, Place};

const SQL: &str = "SELECT event_id, revenue, ts FROM touchpoints ORDER BY event_id";
const SERIES: &str = "SELECT value, value * 2 AS twice FROM generate_series(1, 2000000)";

#[test]
fn csv() {
    let text = Place::with_three_rows().ok(&["query", "--format", "csv", SQL]);
    let expected = "event_id,revenue,ts\n\
        e1,1.5000,2026-01-01T10:00:00Z\n\
        e2,2.2500,2026-01-01T10:05:00Z\n\
        e3,,2026-01-02T11:00:00Z\n";
    assert_eq!(text, expected);
}

#[test]
fn csv_without_rows_has_its_header() {
    let text = Place::with_three_rows().ok(&[
        "query",
        "--format",
        "csv",
        "SELECT event FROM touchpoints WHERE false",
    ]);
    assert_eq!(text, "event\n");
}

#[test]
fn csv_quotes_what_needs_it() {
    let text = Place::with_three_rows().ok(&["query", "--format", "csv", "SELECT 'a,\"b\"' AS x, 'c' AS y"]);
    assert_eq!(text, "x,y\n\"a,\"\"b\"\"\",c\n");
}

#[test]
fn json_and_ndjson() {
    let place = Place::with_three_rows();
    let expected = json!([
        {"event_id": "e1", "revenue": 1.5, "ts": "2026-01-01T10:00:00Z"},
        {"event_id": "e2", "revenue": 2.25, "ts": "2026-01-01T10:05:00Z"},
        {"event_id": "e3", "ts": "2026-01-02T11:00:00Z"},
    ]);
    let array: serde_json::Value =
        serde_json::from_str(&place.ok(&["query", "--format", "json", SQL])).expect("JSON");
    assert_eq!(array, expected);
    let lines = place.ok(&["query", "--format", "ndjson", SQL]);
    let rows: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(json!(rows), expected);
    let nothing = "SELECT event FROM touchpoints WHERE false";
    assert_eq!(place.ok(&["query", "--format", "json", nothing]).trim(), "[]");
    assert_eq!(place.ok(&["query", "--format", "ndjson", nothing]), "");
}

#[test]
fn table() {
    let text = Place::with_three_rows()
        .ok(&["query", "SELECT user_id, count(*) AS n FROM touchpoints GROUP BY user_id ORDER BY n DESC"]);
    let expected = "\
        +---------+---+\n\
        | user_id | n |\n\
        +---------+---+\n\
        | ann     | 2 |\n\
        | ben     | 1 |\n\
        +---------+---+\n\
        (2 rows)\n";
    assert_eq!(text, expected);
}

#[test]
fn parquet_goes_to_a_file() {
    let place = Place::with_three_rows();
    place
        .run(&["query", "--format", "parquet", SQL])
        .assert_refused(&["--format parquet needs --output FILE"]);
    assert_eq!(place.ok(&["query", "--format", "parquet", "--output", "out.parquet", SQL]), "");
    let file = File::open(place.path("out.parquet")).expect("a file");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("Parquet").build().expect("a reader");
    let batches: Vec<_> = reader.map(|batch| batch.expect("a batch")).collect();
    assert_eq!(batches.iter().map(|batch| batch.num_rows()).sum::<usize>(), 3);
    assert_eq!(batches[0].schema().field(1).data_type().to_string(), "Decimal128(18, 4)");
}

#[test]
fn an_output_file_appears_when_it_is_complete() {
    let place = Place::with_three_rows();
    place.write("out.csv", "as it was\n");
    // Fails after many batches have been written.
    let failing = "SELECT 1 / (value - 1900000) AS x FROM generate_series(1, 2000000)";
    place
        .run(&["query", "--format", "csv", "--output", "out.csv", failing])
        .assert_refused(&["division by zero"]);
    assert_eq!(place.read("out.csv"), b"as it was\n");
    place
        .run(&["query", "--format", "csv", "--output", "new.csv", failing])
        .assert_refused(&["division by zero"]);
    let names: Vec<_> =
        place.files(".", "").into_iter().filter(|f| f.to_string_lossy().contains("new.csv")).collect();
    assert!(names.is_empty(), "{names:?}");

    place.ok(&["query", "--format", "csv", "--output", "out.csv", SQL]);
    assert_eq!(place.read("out.csv"), place.ok(&["query", "--format", "csv", SQL]).as_bytes());
    assert!(place.files(".", ".partial").is_empty());
}

#[test]
fn an_output_that_cannot_be_written() {
    let place = Place::with_three_rows();
    let query = |file: &str| place.run(&["query", "--format", "csv", "--output", file, SQL]);
    query("nowhere/out.csv").assert_refused(&["cannot write \"nowhere/out.csv\"", "No such file"]);
    query("spill").assert_refused(&["cannot write \"spill\"", "directory"]);
    let args = ["query", "--format", "csv", "--output", "full.csv", SERIES];
    Finished::of(&mut place.command_with_file_limit(64, &args))
        .assert_refused(&["cannot write \"full.csv\"", "File too large"]);
    assert!(place.files(".", "full.csv").is_empty());
    assert!(place.files(".", ".partial").is_empty());
}

#[test]
fn sql_from_a_file_and_from_standard_input() {
    let place = Place::with_three_rows();
    let sql = "-- how many\nSELECT count(*) AS n\nFROM touchpoints;\n";
    place.write("count.sql", sql);
    assert_eq!(place.ok(&["query", "--format", "csv", "-f", "count.sql"]), "n\n3\n");
    place
        .run(&["query", "-f", "nowhere.sql"])
        .assert_refused(&["cannot read \"nowhere.sql\"", "No such file"]);

    let mut command = place.command(&["query", "--format", "csv"]);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a query");
    child.stdin.take().expect("standard input").write_all(sql.as_bytes()).expect("SQL");
    let output = child.wait_with_output().expect("an end");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "n\n3\n");
    assert!(output.status.success() && output.stderr.is_empty());
    // Standard input of other tests is empty.
    place.run(&["query"]).assert_refused(&["no statement given"]);
}

#[test]
fn several_statements() {
    let place = Place::with_three_rows();
    let sql = "SET datafusion.execution.batch_size = 100; \
        CREATE VIEW buyers AS SELECT user_id FROM touchpoints WHERE event = 'buy'; \
        SELECT count(*) AS n FROM buyers; SELECT 'done' AS state";
    assert_eq!(place.ok(&["query", "--format", "csv", sql]), "n\n1\nstate\ndone\n");
    place
        .run(&["query", "--format", "csv", "--output", "out.csv", "SELECT 1; SELECT 2"])
        .assert_refused(&["--output takes the result of one statement"]);
    let half = place.run(&["query", "--format", "csv", "SELECT 1 AS a; SELECT nothing"]);
    half.assert_refused(&["\"nothing\" does not exist"]);
    assert_eq!(half.stdout, "a\n1\n", "what came before the error stays");
}

#[test]
fn wrong_sql() {
    let place = Place::with_three_rows();
    let query = |sql: &str| place.run(&["query", sql]);
    query("SELEC 1").assert_refused(&["syntax error", "SELEC"]);
    query("SELECT evnt FROM touchpoints")
        .assert_refused(&["\"evnt\" does not exist", "\"touchpoints.event\""]);
    query("SELECT nosuch(1)").assert_refused(&["function nosuch does not exist"]);
    query("SELECT CAST('x' AS INT)").assert_refused(&["invalid input syntax", "\"x\""]);
    query("SELECT sessionize(ts, 5) OVER (ORDER BY ts) FROM touchpoints").assert_refused(&["sessionize"]);
    query("SELECT window_funnel(INTERVAL '-1 hour', ts, event = 'view') FROM touchpoints")
        .assert_refused(&["window"]);
    query("INSERT INTO touchpoints VALUES (1)").assert_refused(&[]);
    query("DROP TABLE touchpoints").assert_refused(&[]);
    assert_eq!(place.touchpoints(super::support::STORE), 3);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let place = Place::with_three_rows();
    for format in ["csv", "ndjson", "json", "table"] {
        let sql = if format == "table" { "SELECT value FROM generate_series(1, 200000)" } else { SERIES };
        let mut command = place.command(&["query", "--format", format, sql]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a query");
        let mut first = String::new();
        let mut output = BufReader::new(child.stdout.take().expect("standard output"));
        output.read_line(&mut first).expect("a line");
        assert!(!first.is_empty());
        drop(output);
        let output = child.wait_with_output().expect("an end");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.is_empty(), "{format}: {:?} {stderr}", output.status);
    }
}

#[test]
fn wrong_usage_is_told_apart() {
    let place = Place::with_three_rows();
    let cases: [&[&str]; 11] = [
        &["load"],
        &["frobnicate"],
        &["query", "--format", "xml", "SELECT 1"],
        &["query", "--threads", "0", "SELECT 1"],
        &["query", "--memory-limit", "lots", "SELECT 1"],
        &["query", "--table-version", "1", "--as-of", "2026-01-01T00:00:00Z", "SELECT 1"],
        &["query", "-f", "count.sql", "SELECT 1"],
        &["load", "three.csv", "--on-error", "ignore"],
        &["load", "three.csv", "--extra", "drop"],
        &["load", "three.csv", "--format", "xlsx"],
        &["generate", "--events", "many", "--out", "x"],
    ];
    for args in cases {
        let finished = place.run(args);
        assert_eq!(finished.code, Some(2), "{args:?}: {finished:#?}");
        assert!(finished.stdout.is_empty() && finished.stderr.starts_with("error: "), "{finished:#?}");
        assert!(finished.stderr.contains("--help"), "it says where help is: {finished:#?}");
    }
    for args in [["--help"], ["--version"]] {
        assert_eq!(place.run(&args).code, Some(0));
    }
}
