//! A bug of ours in a statement ends that statement and nothing else.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use futures::TryStreamExt;
use wayfare_engine::{Engine, EngineConfig};
use wayfare_server::ServeOptions;

use crate::support::{TestServer, db_error, failure, text_value};

/// A function that panics: while a statement is planned if it is immutable, else while it runs.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Panics {
    name: &'static str,
    signature: Signature,
}

impl Panics {
    fn function(name: &'static str, volatility: Volatility) -> ScalarUDF {
        ScalarUDF::from(Self { name, signature: Signature::exact(vec![DataType::Int64], volatility) })
    }
}

impl ScalarUDFImpl for Panics {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        panic!("a bug with a user's secret in it")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_ends_its_statement_only() {
    let config = EngineConfig { store_url: "memory:///panics".to_owned(), ..EngineConfig::default() };
    let engine = Engine::open_or_create(config).await.unwrap();
    let engine = engine
        .with_function(Panics::function("panics_in_planning", Volatility::Immutable))
        .with_function(Panics::function("panics_in_running", Volatility::Volatile));
    let server = TestServer::start_on(Arc::new(engine), ServeOptions::default()).await;
    let (client, other) = (server.connect().await, server.connect().await);
    other.batch_execute("BEGIN; CREATE TEMP TABLE kept AS SELECT 7 AS a").await.unwrap();
    for sql in [
        "SELECT panics_in_planning(1)",
        "SELECT panics_in_running(1)",
        "SELECT panics_in_running(x) FROM generate_series(1, 100000) AS s(x)",
        "SELECT count(*) FROM generate_series(1, 100000) AS s(x) GROUP BY panics_in_running(x)",
        "SELECT x FROM generate_series(1, 100000) AS s(x) ORDER BY panics_in_running(x)",
        "CREATE TEMP TABLE t AS SELECT panics_in_running(1)",
        "DECLARE c CURSOR WITH HOLD FOR SELECT panics_in_planning(1)",
        "EXPLAIN ANALYZE SELECT panics_in_running(1)",
    ] {
        for _ in 0..3 {
            let (code, message) = failure(&client, sql).await;
            assert_eq!(code, "XX000", "{message}: {sql}");
            assert!(!message.contains("secret"), "{message}");
        }
        let refused = client.query(sql, &[]).await.unwrap_err();
        assert_eq!(db_error(&refused).0, "XX000", "{sql}");
        assert_eq!(text_value(&client, "SELECT 1").await.as_deref(), Some("1"), "after {sql}");
    }
    let copied = match client.copy_out("COPY (SELECT panics_in_running(1)) TO STDOUT").await {
        Ok(rows) => rows.try_collect::<Vec<_>>().await.map(drop),
        Err(error) => Err(error),
    };
    assert_eq!(db_error(&copied.unwrap_err()).0, "XX000");
    // More of them than there are threads left nothing behind.
    for _ in 0..100 {
        assert_eq!(failure(&client, "SELECT panics_in_planning(1)").await.0, "XX000");
    }
    assert_eq!(text_value(&other, "SELECT a FROM kept").await.as_deref(), Some("7"));
}
