//! Timed queries: one run that warms up, then runs that count.

use std::path::Path;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use futures::TryStreamExt;
use wayfare_engine::{Engine, Session, SessionOptions};

use crate::error::{BenchError, Result};
use crate::measurement::median;

/// Is replaced by a person of middling activity.
const USER_PLACEHOLDER: &str = "{user_id}";
const MIDDLING_USER: &str = "SELECT user_id FROM (SELECT user_id, row_number() OVER (ORDER BY events, user_id) AS place,
    count(*) OVER () AS people FROM (SELECT user_id, count(*) AS events FROM touchpoints GROUP BY user_id) AS counted)
    AS placed WHERE place = (people + 1) / 2";

/// A query to time.
#[derive(Debug)]
pub struct Query {
    /// Name of its file, without the extension.
    pub name: String,
    /// Its text.
    pub sql: String,
}

/// How often and how long a query ran.
#[derive(Debug)]
pub struct QueryResult {
    /// Name of the query.
    pub name: String,
    /// Rows of the answer.
    pub rows: usize,
    /// Seconds of each timed run, in the order in which they ran.
    pub seconds: Vec<f64>,
    /// Seconds of the run that warmed up.
    pub warm_up_seconds: f64,
}

impl QueryResult {
    /// The middle run; of an even number the mean of the two middle ones.
    pub fn median(&self) -> f64 {
        median(&self.seconds).unwrap_or(f64::NAN)
    }

    /// The fastest run.
    pub fn min(&self) -> f64 {
        self.seconds.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The slowest run.
    pub fn max(&self) -> f64 {
        self.seconds.iter().copied().fold(0.0, f64::max)
    }
}

/// Reads the `.sql` files of `dir` in the order of their names, those whose name contains `only`.
pub fn read(dir: &Path, only: Option<&str>) -> Result<Vec<Query>> {
    let failed = |e| BenchError::new(format!("cannot read queries from {}", dir.display()), e);
    let mut queries = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_none_or(|e| e != "sql") {
            continue;
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if only.is_none_or(|only| name.contains(only)) {
            let sql = std::fs::read_to_string(&path)
                .map_err(|e| BenchError::new(format!("cannot read {}", path.display()), e))?;
            queries.push(Query { name, sql });
        }
    }
    if queries.is_empty() {
        let named = only.map_or_else(String::new, |only| format!(" with {only:?} in its name"));
        return Err(BenchError::plain(format!("{} has no .sql file{named}", dir.display())));
    }
    queries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(queries)
}

/// Runs each query once to warm up and `runs` times to count.
pub async fn measure(engine: &Engine, queries: &[Query], runs: u32) -> Result<Vec<QueryResult>> {
    let session = engine
        .session(&SessionOptions::default())
        .map_err(|e| BenchError::new("cannot start a session", e))?;
    let mut results = Vec::new();
    let mut user = None;
    for query in queries {
        eprint!("{}: ", query.name);
        let mut sql = query.sql.clone();
        if sql.contains(USER_PLACEHOLDER) {
            if user.is_none() {
                user = Some(one_value(&session, MIDDLING_USER).await?);
            }
            sql = sql.replace(USER_PLACEHOLDER, &user.clone().unwrap_or_default().replace('\'', "''"));
        }
        let (rows, warm_up_seconds) = timed(&session, query, &sql).await?;
        let mut seconds = Vec::new();
        for _ in 0..runs {
            let (rows_again, elapsed) = timed(&session, query, &sql).await?;
            if rows_again != rows {
                return Err(BenchError::plain(format!(
                    "{}: {rows} rows at first, then {rows_again}",
                    query.name
                )));
            }
            seconds.push(elapsed);
        }
        let result = QueryResult { name: query.name.clone(), rows, seconds, warm_up_seconds };
        eprintln!("{:.3} s", result.median());
        results.push(result);
    }
    Ok(results)
}

/// Rows and seconds of one run, from text to last row.
async fn timed(session: &Session, query: &Query, sql: &str) -> Result<(usize, f64)> {
    let started = Instant::now();
    let batches = batches(session, sql).await.map_err(|e| BenchError::new(&query.name, e))?;
    Ok((batches.iter().map(RecordBatch::num_rows).sum(), started.elapsed().as_secs_f64()))
}

/// All of the answer to one query.
pub async fn batches(session: &Session, sql: &str) -> wayfare_engine::Result<Vec<RecordBatch>> {
    Ok(session.query(sql).await?.try_collect().await?)
}

async fn one_value(session: &Session, sql: &str) -> Result<String> {
    let failed = |e: &dyn std::fmt::Display| BenchError::new("cannot choose a person", e);
    let batches = batches(session, sql).await.map_err(|e| failed(&e))?;
    let Some(batch) = batches.iter().find(|batch| batch.num_rows() > 0) else {
        return Err(BenchError::plain("cannot choose a person: the table is empty"));
    };
    let options = FormatOptions::default();
    let text = ArrayFormatter::try_new(batch.column(0).as_ref(), &options).map_err(|e| failed(&e))?;
    Ok(text.value(0).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(seconds: &[f64]) -> QueryResult {
        QueryResult { name: String::new(), rows: 0, seconds: seconds.to_vec(), warm_up_seconds: 0.0 }
    }

    #[test]
    fn medians() {
        assert_eq!(result(&[3.0, 1.0, 2.0]).median(), 2.0);
        assert_eq!(result(&[4.0, 1.0, 2.0, 3.0]).median(), 2.5);
        assert_eq!((result(&[4.0, 1.0]).min(), result(&[4.0, 1.0]).max()), (1.0, 4.0));
    }

    #[test]
    fn all_queries_are_found_and_one_by_name() {
        let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/queries"));
        assert!(read(dir, None).is_ok_and(|queries| queries.len() >= 8));
        assert!(read(dir, Some("one_person")).is_ok_and(|queries| queries.len() == 1));
        let error = read(dir, Some("nothing like it")).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("nothing like it"), "{error}");
    }
}
