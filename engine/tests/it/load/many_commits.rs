//! Files are known from a log that has been summed up in a checkpoint.

use crate::support::{directory_engine, load, session, value};

/// Delta sums the log up every hundred commits.
const FILES: usize = 105;

#[tokio::test(flavor = "multi_thread")]
async fn files_are_known_beyond_a_checkpoint() {
    let directory = tempfile::tempdir().expect("a directory");
    let store = directory.path().join("store");
    let engine = directory_engine(&store).await;
    let file = |number: usize| directory.path().join(format!("{number}.csv"));
    for number in 0..FILES {
        let text = format!("event_id,user_id,ts,event\ne{number},ana,2026-01-01T00:00:00Z,view\n");
        std::fs::write(file(number), text).expect("a file");
        assert_eq!(load(&engine, &[file(number)]).await.rows_loaded, 1);
    }
    let checkpoint = store.join("touchpoints/_delta_log/00000000000000000099.checkpoint.parquet");
    assert!(checkpoint.exists(), "the log is summed up");
    // What the checkpoint holds may go from the log.
    for version in 0..99 {
        std::fs::remove_file(store.join(format!("touchpoints/_delta_log/{version:020}.json")))
            .expect("a commit");
    }
    let again = directory_engine(&store).await;
    let all: Vec<_> = (0..FILES).map(file).collect();
    let report = load(&again, &all).await;
    assert_eq!(report.files_already_loaded.len(), FILES);
    assert_eq!((report.rows_read, report.version), (0, None));
    assert_eq!(value(&session(&again), "SELECT count(*) FROM touchpoints").await, FILES.to_string());
}
