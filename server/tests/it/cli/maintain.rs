//! The commands that maintain a table, one after the other, as an operator types them.

use super::support::{Place, STORE, figure};

#[test]
fn a_table_is_maintained() {
    let place = Place::with_three_rows();
    place.write(
        "more.csv",
        "event_id,user_id,ts,event,revenue\ne4,cem,2026-01-01,view,\ne5,ann,2026-01-02,view,1\n",
    );
    place.ok(&["load", "more.csv"]);
    let report = place.ok(&["optimize"]);
    assert_eq!(figure(&report, "days rewritten"), 2, "{report}");
    assert_eq!(figure(&report, "files merged"), 4, "{report}");
    assert!(report.ends_with("table touchpoints is now at version 3\n"), "{report}");
    assert!(place.ok(&["optimize"]).ends_with("nothing to do: table touchpoints is unchanged\n"));
    assert_eq!(place.touchpoints(STORE), 5);

    let listed = place.ok(&["vacuum", "--retention", "0h", "--dry-run"]);
    assert_eq!(
        (figure(&listed, "files to delete"), listed.matches("would delete ").count()),
        (4, 4),
        "{listed}"
    );
    let report = place.ok(&["erase", "--user-id", "ann", "--purge"]);
    assert_eq!(figure(&report, "rows erased"), 3, "{report}");
    assert!(!report.contains("ann"), "{report}");
    assert_eq!(place.touchpoints(STORE), 2);
    place.run(&["restore", "--version", "2"]).assert_refused(&["touchpoints", "erased at version 4"]);
    let report = place.ok(&["load", "three.csv", "--force"]);
    assert!(report.contains("left out: 2 rows of people who were erased"), "{report}");

    assert_eq!(figure(&place.ok(&["check"]), "problems"), 0);
    // Older files without the person stay; the newest is one that the table has.
    let written =
        |file: &std::path::PathBuf| std::fs::metadata(file).and_then(|data| data.modified()).expect("a time");
    let damaged = place.files(STORE, ".parquet").into_iter().max_by_key(written).expect("a file");
    let mut bytes = std::fs::read(&damaged).expect("a file");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&damaged, bytes).expect("a file");
    place.run(&["check"]).assert_refused(&["has 1 problem, named above"]);
    let name = damaged.file_name().expect("a name").to_string_lossy().into_owned();
    place.run(&["query", "--verify", "SELECT * FROM touchpoints"]).assert_refused(&[&name]);

    let report = place.ok(&["expire", "--older-than", "1d"]);
    assert_eq!(figure(&report, "days dropped"), 2, "{report}");
    assert_eq!(place.touchpoints(STORE), 0);
    place.run(&["expire", "--older-than", "soon"]).assert_usage("soon");
    place.run(&["erase"]).assert_usage("--user-id");
}
