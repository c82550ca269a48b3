//! The engine's sqllogictest files over the wire, by simple queries of a real driver: both faces must agree.

#[path = "../../../engine/tests/it/slt_files.rs"]
mod slt_files;

use std::sync::Arc;

use async_trait::async_trait;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};
use tokio_postgres::{Client, SimpleQueryMessage};
use wayfare_engine::load::read::ReadOptions;
use wayfare_engine::load::{Dedup, LoadRequest, NoProgress, OnError};
use wayfare_engine::{Engine, EngineConfig};
use wayfare_server::ServeOptions;

use crate::support::TestServer;

/// What the server said, as a user reads it: the driver's own text is only "db error".
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WireError(String);

struct OverTheWire(Arc<Client>);

#[async_trait]
impl AsyncDB for OverTheWire {
    type Error = WireError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, WireError> {
        let messages = self.0.simple_query(sql).await.map_err(|error| match error.as_db_error() {
            Some(from_server) => {
                WireError(format!("{}: {}", from_server.code().code(), from_server.message()))
            }
            None => WireError(format!("{error:?}")),
        })?;
        let mut columns = 0;
        let mut rows = Vec::new();
        for message in messages {
            match message {
                SimpleQueryMessage::RowDescription(description) => columns = description.len(),
                SimpleQueryMessage::Row(row) => {
                    rows.push((0..row.len()).map(|i| slt_files::shown(row.get(i))).collect());
                }
                _ => {}
            }
        }
        if columns == 0 {
            return Ok(DBOutput::StatementComplete(0));
        }
        Ok(DBOutput::Rows { types: vec![DefaultColumnType::Any; columns], rows })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &'static str {
        "wire"
    }
}

/// The store that each file expects; two partitions, so that plans are the same everywhere.
async fn engine() -> Engine {
    let config = EngineConfig {
        store_url: "memory:///test".to_owned(),
        target_partitions: 2,
        ..EngineConfig::default()
    };
    let engine = Engine::open_or_create(config).await.expect("a store in memory");
    let request = LoadRequest {
        table: "touchpoints".to_owned(),
        inputs: vec![slt_files::touchpoints().display().to_string()],
        read: ReadOptions::default(),
        on_error: OnError::Abort,
        dedup: Dedup::EventId,
        force: false,
    };
    engine.load(&request, Arc::new(NoProgress)).await.expect("the load succeeds");
    engine
}

#[tokio::test(flavor = "multi_thread")]
async fn files_over_the_wire() {
    let files = slt_files::files();
    let mut failures = Vec::new();
    for file in &files {
        let mut server = TestServer::start_on(Arc::new(engine().await), ServeOptions::default()).await;
        let client = Arc::new(server.connect().await);
        let mut runner = Runner::new(|| async { Ok(OverTheWire(Arc::clone(&client))) });
        failures.extend(runner.run_file_async(file).await.err().map(|e| e.to_string()));
        drop(runner);
        drop(client);
        server.shut_down().await;
    }
    slt_files::report(files.len(), &failures);
}
