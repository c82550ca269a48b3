//! The same rows give the same table, however they are cut into files and loads.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::Config;

use wayfare_engine::EngineConfig;

use super::{DAY_US, InputRow, input_rows, run, whole_table, write_csv};
use crate::support::{engine, lines, load, memory_engine, session};

/// Rows that must be in the table, without `event_id`, and how many have one of their own.
fn expected(rows: &[InputRow]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut kept: Vec<String> = rows
        .iter()
        .filter(|row| match &row.event_id {
            // The first of an id and day stays.
            Some(id) => seen.insert((row.ts_us.div_euclid(DAY_US), id.clone())),
            None => true,
        })
        .map(|row| {
            let revenue = row.revenue_cents.map_or("NULL".to_owned(), |c| {
                format!("{}{}.{:02}00", if c < 0 { "-" } else { "" }, c.abs() / 100, c.abs() % 100)
            });
            let time = row.time_text();
            let time = time
                .replace('T', " ")
                .trim_end_matches('Z')
                .trim_end_matches('0')
                .trim_end_matches('.')
                .to_owned();
            let time = if time.len() < "2024-02-28 00:00:00".len() { format!("{:0<19}", time) } else { time };
            let page = row.page.as_deref().unwrap_or("NULL");
            format!("{}|{time}+00|{}|{revenue}|{page}", row.user_id, row.event)
        })
        .collect();
    kept.sort();
    kept
}

/// `rows` cut at `cuts`, which are fractions of 256; no piece is empty, since a file without rows is an error.
fn pieces<'a>(rows: &'a [InputRow], cuts: &[u8]) -> Vec<&'a [InputRow]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| rows.len() * usize::from(*cut) / 256).collect();
    at.extend([0, rows.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &rows[pair[0]..pair[1]]).filter(|piece| !piece.is_empty()).collect()
}

/// Rows that are alike and have no id count as one row when they come in separate loads: tells them apart.
fn told_apart(mut rows: Vec<InputRow>) -> Vec<InputRow> {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for row in &mut rows {
        let mut text = String::new();
        row.csv(&mut text);
        let count = counts.entry(text).or_default();
        if row.event_id.is_none() && *count > 0 {
            row.page = Some(format!("{}#{count}", row.page.as_deref().unwrap_or_default()));
        }
        *count += 1;
    }
    rows
}

proptest! {
    #![proptest_config(Config { cases: 12, failure_persistence: None, ..Config::default() })]

    #[test]
    fn any_cut_into_files_gives_the_same_table(rows in input_rows(40), cuts in prop::collection::vec(any::<u8>(), 0..4)) {
        run(async {
            let directory = tempfile::tempdir().expect("a directory");
            let whole = write_csv(&directory.path().join("whole.csv"), &rows);
            let one = memory_engine().await;
            let report = load(&one, &[&whole]).await;
            let reference = whole_table(&session(&one)).await;
            let columns = "SELECT user_id, ts, event, revenue, page FROM touchpoints";
            let mut found = lines(&session(&one), columns).await;
            found.sort();
            assert_eq!(found, expected(&rows));
            assert_eq!(report.rows_read, rows.len() as u64);
            assert_eq!(report.rows_loaded as usize, found.len());
            assert_eq!(report.rows_loaded + report.rows_duplicate, report.rows_read);

            let files: Vec<_> = pieces(&rows, &cuts)
                .iter()
                .enumerate()
                .map(|(i, rows)| write_csv(&directory.path().join(format!("part-{i}.csv")), rows))
                .collect();
            let many = memory_engine().await;
            let same_content = files.len() - distinct_contents(&files);
            let report = load(&many, &files).await;
            assert_eq!(report.files_already_loaded.len(), same_content);
            if same_content == 0 {
                assert_eq!(whole_table(&session(&many)).await, reference);
            }
        });
    }

    #[test]
    fn any_cut_into_loads_gives_the_same_table(rows in input_rows(40).prop_map(told_apart), cuts in prop::collection::vec(any::<u8>(), 0..4)) {
        run(async {
            let directory = tempfile::tempdir().expect("a directory");
            let whole = write_csv(&directory.path().join("whole.csv"), &rows);
            let one = memory_engine().await;
            load(&one, &[&whole]).await;
            let reference = whole_table(&session(&one)).await;

            let many = memory_engine().await;
            let mut loaded = 0;
            for (i, rows) in pieces(&rows, &cuts).into_iter().enumerate() {
                let file = write_csv(&directory.path().join(format!("load-{i}.csv")), rows);
                loaded += load(&many, &[file]).await.rows_loaded;
            }
            assert_eq!(loaded as usize, reference.len());
            assert_eq!(whole_table(&session(&many)).await, reference);

            // All of it once more, as one file of other content: nothing new.
            let again = load(&many, &[&whole]).await;
            assert_eq!(again.rows_loaded, 0);
            assert_eq!(whole_table(&session(&many)).await, reference);
        });
    }

    #[test]
    fn rows_without_id_all_stay_and_come_back_as_duplicates(rows in input_rows(30)) {
        run(async {
            let rows: Vec<InputRow> = rows.into_iter().map(|row| InputRow { event_id: None, ..row }).collect();
            let directory = tempfile::tempdir().expect("a directory");
            let engine = memory_engine().await;
            let first = write_csv(&directory.path().join("first.csv"), &rows);
            assert_eq!(load(&engine, &[&first]).await.rows_loaded, rows.len() as u64);
            let before = whole_table(&session(&engine)).await;

            // The same rows in reverse are other content.
            let reversed: Vec<InputRow> = rows.iter().rev().cloned().collect();
            let second = write_csv(&directory.path().join("second.csv"), &reversed);
            let again = load(&engine, &[&second]).await;
            assert_eq!(again.rows_loaded, 0);
            assert_eq!(whole_table(&session(&engine)).await, before);

            // One more of the first row is one more row.
            let mut more = rows.clone();
            more.push(rows[0].clone());
            let third = write_csv(&directory.path().join("third.csv"), &more);
            assert_eq!(load(&engine, &[&third]).await.rows_loaded, 1);
        });
    }
}

fn distinct_contents(files: &[std::path::PathBuf]) -> usize {
    let contents: BTreeSet<Vec<u8>> = files.iter().map(|f| std::fs::read(f).expect("a file")).collect();
    contents.len()
}

/// A sorter holds whole batches, so that these must be small where memory is little and rows are large.
#[tokio::test(flavor = "multi_thread")]
async fn large_rows_are_loaded_in_little_memory() {
    let dir = tempfile::tempdir().expect("dir");
    let mut csv = "user_id,ts,event,page\n".to_owned();
    for row in 0..1_500 {
        let page = format!("/{row}/").repeat(14 << 10 >> 3);
        csv.push_str(&format!("u{row},2024-01-02T00:00:00Z,view,{page}\n"));
    }
    let path = dir.path().join("large.csv");
    std::fs::write(&path, csv).expect("write");
    let config = EngineConfig {
        store_url: "memory:///test".to_owned(),
        memory_limit_bytes: 96 << 20,
        ..EngineConfig::default()
    };
    let engine = engine(config).await;
    let report = load(&engine, &[path]).await;
    assert_eq!((report.rows_loaded, report.rows_rejected), (1_500, 0));
}
