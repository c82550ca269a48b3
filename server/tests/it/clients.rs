//! Real clients in other languages: the suites of `tests/clients`, each against a server with the same rows.
//!
//! `WAYFARE_PYTHON` names a Python with the packages of `requirements.txt`, `WAYFARE_NODE_MODULES` a directory with
//! those of `node/package.json`, `WAYFARE_JDBC` the archive of pgjdbc. `known_failures/SUITE.txt` says which checks do
//! not pass, and why: `check: reason`. With `WAYFARE_UPDATE_KNOWN_FAILURES` set a run writes those files instead of
//! comparing. Reasons stay; a new failure gets `check: ? what it said`, until somebody writes a reason in its place.

mod suite;

use suite::passes_as_known;

/// One test for each suite, so that they run beside one another and fail by name.
macro_rules! suites {
    ($($name:ident),* $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                passes_as_known(stringify!($name)).await;
            }
        )*

        #[test]
        fn every_suite_is_a_test() {
            let mut declared = vec![$(stringify!($name)),*];
            let suites = suite::all();
            let mut listed: Vec<_> = suites.iter().map(|one| one.name.as_str()).collect();
            declared.sort_unstable();
            listed.sort_unstable();
            assert_eq!(declared, listed);
        }
    };
}

suites!(
    psql,
    psycopg3,
    psycopg3_types,
    psycopg3_sql,
    psycopg3_session,
    psycopg3_errors,
    psycopg3_cursors,
    psycopg3_copy,
    psycopg3_cancel,
    psycopg2,
    asyncpg,
    sqlalchemy,
    superset,
    frames,
    odbc,
    dbt,
    node_postgres,
    postgres_js,
    pgjdbc,
    tokio_postgres,
    tools,
);
