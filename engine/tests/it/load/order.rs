//! Single cases: which duplicate stays, time zones, NULLs, formats, the loader's columns.

use std::sync::Arc;

use wayfare_datasets::{Compression, GeneratorConfig, OutputFormat, touchpoint_schema, write_dataset};
use wayfare_engine::load::read::{ReadOptions, parse_time_zone};
use wayfare_engine::load::{LoadRequest, NoProgress};
use wayfare_engine::schema::load_schema;

use super::whole_table;
use crate::support::{lines, load, memory_engine, request, session, value};

fn write(directory: &tempfile::TempDir, name: &str, text: &str) -> std::path::PathBuf {
    let path = directory.path().join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

#[test]
fn generated_columns_are_the_columns_of_a_load() {
    assert_eq!(touchpoint_schema(), load_schema());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_of_an_event_id_stays() {
    let directory = tempfile::tempdir().expect("a directory");
    let header = "event_id,user_id,ts,event";
    // Later in time, in another file, of another person: input order alone decides.
    let first = write(
        &directory,
        "z.csv",
        &format!("{header}\ne1,ben,2024-01-01T12:00:00Z,first\ne1,ana,2024-01-01T01:00:00Z,second\n"),
    );
    let other = write(
        &directory,
        "a.csv",
        &format!("{header}\ne1,ana,2024-01-01T00:00:00Z,third\ne2,ana,2024-01-01T00:00:00Z,new\n"),
    );
    let engine = memory_engine().await;
    let report = load(&engine, &[&first, &other]).await;
    assert_eq!((report.rows_loaded, report.rows_duplicate), (2, 2));
    let sql = "SELECT event_id, user_id, event FROM touchpoints ORDER BY event_id";
    assert_eq!(lines(&session(&engine), sql).await, ["e1|ben|first", "e2|ana|new"]);

    // An id is one of a day: the same one a day later is another row.
    let later = write(
        &directory,
        "later.csv",
        &format!("{header}\ne1,ben,2024-01-02T00:00:00Z,later\ne2,ana,2024-01-01T23:00:00Z,again\n"),
    );
    let report = load(&engine, &[&later]).await;
    assert_eq!((report.rows_loaded, report.rows_duplicate), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_was_loaded_is_left_out_and_force_brings_it_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let text = "user_id,ts,event\nana,2024-01-01,visit\nana,2024-01-01,visit\n";
    let file = write(&directory, "a.csv", text);
    let engine = memory_engine().await;
    assert_eq!(load(&engine, &[&file]).await.rows_loaded, 2);
    // Under another name it is the same content.
    let renamed = write(&directory, "b.csv", text);
    let again = load(&engine, &[&renamed]).await;
    assert_eq!((again.rows_loaded, again.version, again.files_already_loaded.len()), (0, None, 1));
    let forced = LoadRequest { force: true, ..request(&[&file]) };
    let forced = engine.load(&forced, Arc::new(NoProgress)).await.expect("a load");
    assert_eq!((forced.rows_read, forced.rows_loaded, forced.rows_duplicate), (2, 0, 2));
    assert_eq!(value(&session(&engine), "SELECT count(*) FROM touchpoints").await, "2");
}

#[tokio::test(flavor = "multi_thread")]
async fn naive_times_are_of_the_zone_and_days_are_of_utc() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = write(
        &directory,
        "berlin.csv",
        "event_id,user_id,ts,event\n\
         new year,ana,2024-01-01 00:30:00,visit\n\
         offset,ana,2024-01-01T00:30:00Z,visit\n\
         winter,ana,2024-03-31 01:59:59.5,visit\n\
         summer,ana,2024-03-31 03:00:00,visit\n\
         date,ana,2024-07-01,visit\n\
         seconds,ana,1704067200,visit\n\
         millis,ana,1704067200000,visit\n",
    );
    let engine = memory_engine().await;
    let read = ReadOptions {
        time_zone: parse_time_zone("Europe/Berlin").expect("a zone"),
        ..ReadOptions::default()
    };
    let request = LoadRequest { read, ..request(&[&file]) };
    engine.load(&request, Arc::new(NoProgress)).await.expect("a load");
    let found =
        lines(&session(&engine), "SELECT event_id, ts, day FROM touchpoints ORDER BY ts, event_id").await;
    assert_eq!(
        found,
        [
            "new year|2023-12-31 23:30:00+00|2023-12-31",
            "millis|2024-01-01 00:00:00+00|2024-01-01",
            "seconds|2024-01-01 00:00:00+00|2024-01-01",
            "offset|2024-01-01 00:30:00+00|2024-01-01",
            "winter|2024-03-31 00:59:59.5+00|2024-03-31",
            "summer|2024-03-31 01:00:00+00|2024-03-31",
            "date|2024-06-30 22:00:00+00|2024-06-30",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn absent_empty_and_null_values_are_null() {
    let directory = tempfile::tempdir().expect("a directory");
    let csv = write(
        &directory,
        "a.csv",
        "event_id,user_id,ts,event,channel,revenue,score\n1,u,2024-01-01T00:00:00Z,e,,,\n",
    );
    let json = write(
        &directory,
        "a.ndjson",
        "{\"event_id\":\"2\",\"user_id\":\"u\",\"ts\":\"2024-01-01T00:00:00Z\",\"event\":\"e\",\"channel\":null,\"revenue\":null}\n\
         {\"event_id\":\"3\",\"user_id\":\"u\",\"ts\":\"2024-01-01T00:00:00Z\",\"event\":\"e\"}\n",
    );
    let engine = memory_engine().await;
    load(&engine, &[&csv, &json]).await;
    let rows = lines(&session(&engine), "SELECT channel, revenue, score, properties FROM touchpoints").await;
    assert_eq!(rows, ["NULL|NULL|NULL|NULL"; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_gives_the_same_table_and_nothing_new_after_another() {
    let directory = tempfile::tempdir().expect("a directory");
    let generator = GeneratorConfig {
        events: 1_500,
        users: 60,
        days: 3,
        duplicates: 0.02,
        late: 0.05,
        ..GeneratorConfig::default()
    };
    let forms = [
        (OutputFormat::Parquet, None),
        (OutputFormat::Csv, None),
        (OutputFormat::Ndjson, Some(Compression::Gzip)),
        (OutputFormat::Csv, Some(Compression::Zstd)),
    ];
    let written: Vec<_> = forms
        .into_iter()
        .enumerate()
        .map(|(i, (format, compression))| {
            let out = directory.path().join(i.to_string());
            write_dataset(&generator, &out, format, compression, 2).expect("a data set").files
        })
        .collect();
    let reference = memory_engine().await;
    let report = load(&reference, &written[0]).await;
    assert_eq!((report.rows_loaded, report.rows_duplicate), (1_500, 30));
    let table = whole_table(&session(&reference)).await;
    assert_eq!(table.len(), 1_500);
    for files in &written[1..] {
        let engine = memory_engine().await;
        load(&engine, files).await;
        assert!(whole_table(&session(&engine)).await == table, "{files:?} differ");
        assert_eq!(load(&reference, files).await.rows_loaded, 0);
    }
    assert!(whole_table(&session(&reference)).await == table);
}
