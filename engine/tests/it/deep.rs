//! Statements at and above each limit, called from a thread with the 2 MiB stack that an embedding program has.

use std::fmt::Write as _;
use std::future::Future;
use std::time::{Duration, Instant};

use wayfare_engine::limits::{
    Limit, MAX_CTES, MAX_EXPRESSION_DEPTH, MAX_JOINS, MAX_JSON_PATH, MAX_OPERATORS, MAX_SET_OPERATIONS,
    MAX_STATEMENT_BYTES, MAX_SUB_QUERIES, MAX_VIEWS,
};
use wayfare_engine::{Error, Session};

use crate::support::{memory_engine, rows, session};

/// What Tokio and the standard library give a thread.
const STACK_BYTES: usize = 2 << 20;

fn on_a_small_stack<F: Future<Output = ()>>(work: impl FnOnce() -> F + Send + 'static) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .unwrap();
    let handle = runtime.handle().clone();
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    thread.spawn(move || handle.block_on(work())).unwrap().join().unwrap();
}

async fn prepared() -> Session {
    let session = session(&memory_engine().await);
    rows(
        &session,
        "CREATE TABLE t AS SELECT value AS a, value * 2 AS b, 'x' AS s FROM generate_series(1, 1000)",
    )
    .await;
    session
}

/// Far more than any takes, with all cores busy; what is exponential takes years.
const SOON: Duration = Duration::from_secs(300);

async fn passes(session: &Session, what: &str, sql: &str) {
    let started = Instant::now();
    let found = rows(session, sql).await;
    assert!(!found.is_empty() || what == "EXCEPT", "{what}");
    assert!(started.elapsed() < SOON, "{what}: {:?}", started.elapsed());
}

async fn refused(session: &Session, limit: Limit, sql: &str) {
    match session.query(sql).await {
        Err(Error::Limit(exceeded)) => assert_eq!(exceeded.limit, limit, "{exceeded}"),
        Err(other) => panic!("{limit:?}: {other}"),
        Ok(_) => panic!("{limit:?}: passed"),
    }
}

/// A chain of `operators` operators between `operators + 1` terms.
fn chain(term: &str, operator: &str, operators: usize) -> String {
    format!("{term}{}", format!(" {operator} {term}").repeat(operators))
}

/// Operators in a chain that is just deep enough: the innermost term is one deeper than its operator.
const CHAIN: usize = MAX_EXPRESSION_DEPTH - 1;

#[test]
fn chains_of_operators() {
    on_a_small_stack(|| async {
        let session = prepared().await;
        for (term, operator) in [("1", "+"), ("a", "+"), ("s", "||"), ("a", "*")] {
            let sql = |operators| format!("SELECT {} FROM t", chain(term, operator, operators));
            if operator == "*" {
                // Overflows when it runs, and says so.
                assert!(session.query(&sql(CHAIN)).await.is_ok());
            } else {
                passes(&session, operator, &sql(CHAIN)).await;
            }
            refused(&session, Limit::ExpressionDepth, &sql(CHAIN + 1)).await;
        }
        // Conditions are as many as operators are: each has one of its own, and one to the next.
        for (term, operator) in [("a > 0", "AND"), ("a = 1", "OR")] {
            let sql = |operators| format!("SELECT {} FROM t", chain(term, operator, operators));
            passes(&session, operator, &sql(MAX_OPERATORS / 2 - 1)).await;
            refused(&session, Limit::Operators, &sql(MAX_OPERATORS / 2)).await;
        }
        passes(
            &session,
            "filter",
            &format!("SELECT count(*) FROM t WHERE {} > 0", chain("a", "+", CHAIN - 1)),
        )
        .await;
        passes(&session, "casts", &format!("SELECT a{} FROM t", "::bigint::text".repeat(CHAIN / 2 - 1)))
            .await;
        passes(&session, "is", &format!("SELECT a > 1{} FROM t", " IS NOT NULL".repeat(CHAIN - 2))).await;
        passes(&session, "minus", &format!("SELECT {}a FROM t", "- ".repeat(40))).await;
        passes(&session, "not", &format!("SELECT {}(a > 1) FROM t", "NOT ".repeat(40))).await;
    });
}

#[test]
fn json_paths() {
    on_a_small_stack(|| async {
        let session = prepared().await;
        let sql = |n| format!("SELECT {} FROM t", chain("s", "->", n));
        passes(&session, "json", &sql(MAX_JSON_PATH)).await;
        refused(&session, Limit::JsonPath, &sql(MAX_JSON_PATH + 1)).await;
    });
}

#[test]
fn too_many_operators_are_refused_before_they_are_parsed() {
    on_a_small_stack(|| async {
        let session = prepared().await;
        for operator in
            ["+ 1", "|| 'a'", "AND true", "OR true", "::int", "IS NULL", "[1]", "-> 1", "COLLATE c", "IN (1)"]
        {
            let sql = format!("SELECT 1 {}", format!("{operator} ").repeat(60_000));
            refused(&session, Limit::Operators, &sql).await;
        }
        for prefix in ["- ", "NOT ", "~ ", "EXPLAIN ", "CASE ", "INTERVAL ", "PREPARE p AS "] {
            refused(&session, Limit::Operators, &prefix.repeat(60_000)).await;
        }
        // Each statement of a text has its own count.
        let many = format!("SELECT {};", chain("1", "+", 100)).repeat(MAX_OPERATORS / 50);
        assert_eq!(session.parse(&many).unwrap().len(), MAX_OPERATORS / 50);
        refused(&session, Limit::Bytes, &format!("SELECT '{}'", "x".repeat(MAX_STATEMENT_BYTES))).await;
    });
}

#[test]
fn joins_and_sub_queries() {
    on_a_small_stack(|| async {
        let session = prepared().await;
        let joins = |n: usize| {
            let mut sql = "SELECT count(*) FROM t AS t0".to_owned();
            for index in 1..=n {
                write!(sql, " JOIN t AS t{index} ON t{index}.a = t{}.a", index - 1).unwrap();
            }
            sql
        };
        passes(&session, "joins", &joins(MAX_JOINS)).await;
        refused(&session, Limit::Joins, &joins(MAX_JOINS + 1)).await;
        let commas = |n: usize| {
            let tables: Vec<String> = (0..=n).map(|index| format!("(SELECT 1) AS t{index}")).collect();
            format!("SELECT count(*) FROM {}", tables.join(", "))
        };
        passes(&session, "commas", &commas(MAX_JOINS)).await;
        refused(&session, Limit::Joins, &commas(MAX_JOINS + 1)).await;
        let sub_queries = |n: usize| {
            format!("SELECT count(*) FROM t WHERE {}", chain("a IN (SELECT b FROM t)", "AND", n - 1))
        };
        passes(&session, "sub-queries", &sub_queries(MAX_SUB_QUERIES)).await;
        refused(&session, Limit::SubQueries, &sub_queries(MAX_SUB_QUERIES + 1)).await;
    });
}

#[test]
fn ctes_and_set_operations() {
    on_a_small_stack(|| async {
        let session = prepared().await;
        let ctes = |n: usize| {
            let mut sql = "WITH c1 AS (SELECT a FROM t)".to_owned();
            for index in 2..=n {
                write!(sql, ", c{index} AS (SELECT a + 1 AS a FROM c{})", index - 1).unwrap();
            }
            write!(sql, " SELECT count(*) FROM c{n}").unwrap();
            sql
        };
        passes(&session, "ctes", &ctes(MAX_CTES)).await;
        refused(&session, Limit::Ctes, &ctes(MAX_CTES + 1)).await;
        for operation in ["UNION ALL", "UNION", "EXCEPT", "INTERSECT"] {
            let sql = |n| chain("SELECT a FROM t", operation, n);
            passes(&session, operation, &sql(MAX_SET_OPERATIONS)).await;
            refused(&session, Limit::SetOperations, &sql(MAX_SET_OPERATIONS + 1)).await;
        }
        // Each level doubles the plan.
        let mut doubling = "WITH c0 AS (SELECT a FROM t)".to_owned();
        for index in 1..30 {
            let below = index - 1;
            write!(doubling, ", c{index} AS (SELECT x.a FROM c{below} AS x JOIN c{below} AS y ON x.a = y.a)")
                .unwrap();
        }
        doubling.push_str(" SELECT count(*) FROM c29");
        refused(&session, Limit::PlanNodes, &doubling).await;
    });
}

#[test]
fn views_on_views() {
    on_a_small_stack(|| async {
        let session = prepared().await;
        rows(&session, "CREATE VIEW v1 AS SELECT a FROM t").await;
        for index in 2..=MAX_VIEWS + 1 {
            rows(&session, &format!("CREATE VIEW v{index} AS SELECT a FROM v{} WHERE a > 1", index - 1))
                .await;
        }
        passes(&session, "views", &format!("SELECT count(*) FROM v{MAX_VIEWS}")).await;
        refused(&session, Limit::Views, &format!("SELECT count(*) FROM v{}", MAX_VIEWS + 1)).await;
    });
}

/// The parser goes back and reads again: what is nested must be refused, or answered, in little time.
#[test]
fn nesting_takes_no_time() {
    on_a_small_stack(|| async {
        let session = prepared().await;
        let nested =
            |open: &str, close: &str, depth| format!("SELECT {}1{}", open.repeat(depth), close.repeat(depth));
        for (open, close) in [
            ("(", ")"),
            ("abs(", ")"),
            ("coalesce(1, ", ")"),
            ("CAST(", " AS INT)"),
            ("(SELECT ", ")"),
            ("CASE WHEN true THEN ", " END"),
            ("ARRAY[", "]"),
            ("NOT ", ""),
            ("- ", ""),
        ] {
            for depth in [10, 45, 900] {
                quickly(&session, &nested(open, close, depth)).await;
                // Closed too early.
                quickly(&session, &nested(open, &close.replace([')', ']'], ""), depth)).await;
            }
        }
        for (open, inner, close) in [
            ("(", "t", ")"),
            ("(", "(SELECT 1)", ")"),
            ("(SELECT * FROM ", "t", ")"),
            ("TABLE(sessions(", "t", "))"),
            ("sessions((SELECT * FROM ", "t", "))"),
        ] {
            for depth in [5, 12, 20, 45, 900] {
                let sql = format!("SELECT * FROM {}{inner}{}", open.repeat(depth), close.repeat(depth));
                quickly(&session, &sql).await;
            }
        }
        for sql in [
            format!("SELECT 1::int{}", "[]".repeat(1_900)),
            format!("SELECT CAST(1 AS {}INT{})", "ARRAY<".repeat(500), ">".repeat(500)),
            format!("{}SELECT 1", "EXPLAIN ".repeat(1_900)),
            format!("{}SELECT 1", "PREPARE p AS ".repeat(1_900)),
            format!("{}SELECT 1", "WITH a AS (".repeat(500)),
            format!("SELECT {} '1'", "INTERVAL ".repeat(1_900)),
            format!("SELECT a{} FROM t", ".a".repeat(100_000)),
            format!("SELECT 1 WHERE 1 IN ({}1)", "1,".repeat(100_000)),
        ] {
            quickly(&session, &sql).await;
        }
    });
}

/// Whatever the answer is, it must come soon.
async fn quickly(session: &Session, sql: &str) {
    let started = Instant::now();
    let outcome = session.query(sql).await.map(drop);
    let elapsed = started.elapsed();
    assert!(elapsed < SOON, "{elapsed:?}: {} {outcome:?}", sql.chars().take(60).collect::<String>());
}
