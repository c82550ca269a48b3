//! Engines for tests, and their answers as text.

use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::TryStreamExt;
use wayfare_engine::load::read::ReadOptions;
use wayfare_engine::load::{Dedup, LoadReport, LoadRequest, NoProgress, OnError};
use wayfare_engine::{Engine, EngineConfig, Result, Session, SessionOptions};

use crate::pg_text;

/// An engine over a fresh store in memory, with two partitions on every machine so that plans are the same.
pub async fn memory_engine() -> Engine {
    engine(EngineConfig { store_url: "memory:///test".to_owned(), ..EngineConfig::default() }).await
}

/// An engine over the store in a directory, which is created.
pub async fn directory_engine(store: &Path) -> Engine {
    engine(EngineConfig { store_url: store.display().to_string(), ..EngineConfig::default() }).await
}

/// The engine of `config` with two partitions.
pub async fn engine(config: EngineConfig) -> Engine {
    let config = EngineConfig { target_partitions: 2, ..config };
    Engine::open_or_create(config).await.expect("a store")
}

/// A request to load these files into `touchpoints`.
pub fn request<P: AsRef<Path>>(inputs: &[P]) -> LoadRequest {
    LoadRequest {
        table: "touchpoints".to_owned(),
        inputs: inputs.iter().map(|p| p.as_ref().display().to_string()).collect(),
        read: ReadOptions::default(),
        on_error: OnError::Abort,
        dedup: Dedup::EventId,
        force: false,
    }
}

/// Loads these files in one call.
pub async fn load<P: AsRef<Path>>(engine: &Engine, inputs: &[P]) -> LoadReport {
    engine.load(&request(inputs), Arc::new(NoProgress)).await.expect("the load succeeds")
}

/// A session with default options.
pub fn session(engine: &Engine) -> Session {
    engine.session(&SessionOptions::default()).expect("a session")
}

/// The columns and batches that `sql` gives.
pub async fn batches(session: &Session, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>)> {
    let stream = session.query(sql).await?;
    let schema = stream.schema();
    Ok((schema, stream.try_collect().await?))
}

/// The rows that `sql` gives, as text; NULL is `NULL`.
pub async fn rows(session: &Session, sql: &str) -> Vec<Vec<String>> {
    match batches(session, sql).await {
        Ok((_, batches)) => pg_text::rows(&batches),
        Err(error) => panic!("{sql}: {error}"),
    }
}

/// The rows as one line each, values separated by `|`.
pub async fn lines(session: &Session, sql: &str) -> Vec<String> {
    rows(session, sql).await.into_iter().map(|row| row.join("|")).collect()
}

/// The only value that `sql` gives.
pub async fn value(session: &Session, sql: &str) -> String {
    let rows = rows(session, sql).await;
    assert!(rows.len() == 1 && rows[0].len() == 1, "{sql}: {rows:?}");
    rows[0][0].clone()
}

/// The physical plan of `sql`, one operator a line.
pub async fn plan(session: &Session, sql: &str) -> String {
    let rows = rows(session, &format!("EXPLAIN {sql}")).await;
    let physical = rows.into_iter().find(|row| row[0] == "physical_plan");
    physical.unwrap_or_else(|| panic!("no physical plan: {sql}"))[1].replace("\\n", "\n")
}
