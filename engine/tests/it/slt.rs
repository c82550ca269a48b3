//! The sqllogictest files in process, each statement with and without the fast path, with other numbers of partitions
//! and other sizes of batches. `WAYFARE_SLT=part-of-a-path` runs only some of them, `WAYFARE_SLT_COMPLETE=1`
//! writes the answers into the files instead of comparing: read them against the definition, bugs are written too.

use std::sync::Arc;

use async_trait::async_trait;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};
use wayfare_engine::{Error, Session};

use crate::twins::Twins;
use crate::{pg_text, slt_files, support};

struct InProcess {
    session: Arc<Session>,
    twins: Arc<Twins>,
}

#[async_trait]
impl AsyncDB for InProcess {
    type Error = Error;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Error> {
        let answer = support::batches(&self.session, sql).await;
        let rows = answer.as_ref().map(|(_, batches)| pg_text::rows(batches));
        let compared = self.twins.check(sql, rows.as_deref().map_err(|error| *error)).await;
        compared.unwrap_or_else(|difference| panic!("another answer with {difference}"));
        let (schema, batches) = answer?;
        if schema.fields().is_empty() {
            return Ok(DBOutput::StatementComplete(0));
        }
        Ok(DBOutput::Rows {
            types: vec![DefaultColumnType::Any; schema.fields().len()],
            rows: pg_text::rows(&batches),
        })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &'static str {
        "wayfare"
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_in_process() {
    let complete = std::env::var_os("WAYFARE_SLT_COMPLETE").is_some();
    let files = slt_files::files();
    let mut failures = Vec::new();
    for file in &files {
        let engine = support::memory_engine().await;
        support::load(&engine, &[slt_files::touchpoints()]).await;
        let session = Arc::new(support::session(&engine));
        let twins = Arc::new(Twins::new(&engine).await);
        let mut runner = Runner::new(|| async {
            Ok(InProcess { session: Arc::clone(&session), twins: Arc::clone(&twins) })
        });
        let outcome = if complete {
            runner
                .update_test_file(
                    file,
                    " ",
                    sqllogictest::default_validator,
                    sqllogictest::default_normalizer,
                    sqllogictest::default_column_validator,
                )
                .await
                .map_err(|e| e.to_string())
        } else {
            runner.run_file_async(file).await.map_err(|e| e.to_string())
        };
        failures.extend(outcome.err());
    }
    slt_files::report(files.len(), &failures);
}
