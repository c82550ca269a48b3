//! One statement, many ways to plan it: with and without the fast path, other numbers of partitions, other sizes of
//! batches. All must answer alike.

use wayfare_engine::{Engine, Error, Session};

use crate::{pg_text, support};

/// Whether the layout is used, partitions, rows of a batch.
const WAYS: [(&str, usize, usize); 6] =
    [("off", 2, 8192), ("on", 1, 8192), ("on", 3, 1), ("on", 8, 8192), ("off", 8, 1), ("on", 2, 100)];

/// Sessions that get the same statements.
#[derive(Debug)]
pub struct Twins {
    sessions: Vec<(String, Session)>,
}

impl Twins {
    /// Sessions on the store of `engine`.
    pub async fn new(engine: &Engine) -> Self {
        let mut sessions = Vec::new();
        for (fast_path, partitions, batch_rows) in WAYS {
            let session = support::session(engine);
            let settings = [
                format!("SET wayfare.fast_path = {fast_path}"),
                format!("SET datafusion.execution.target_partitions = {partitions}"),
                format!("SET datafusion.execution.batch_size = {batch_rows}"),
            ];
            for setting in &settings {
                support::batches(&session, setting).await.expect("a setting");
            }
            sessions.push((settings.join("; "), session));
        }
        Self { sessions }
    }

    /// Runs `sql` in every session and compares with `expected`, what the ordinary session gave: rows in any order,
    /// or an error.
    ///
    /// Statements whose answer is about plans or settings, or any one of several, only run.
    pub async fn check(&self, sql: &str, expected: Result<&[Vec<String>], &Error>) -> Result<(), String> {
        if is_about_the_store(sql) {
            return Ok(());
        }
        for (way, session) in &self.sessions {
            let found = support::batches(session, sql).await.map(|(_, batches)| pg_text::rows(&batches));
            if !is_comparable(sql) {
                continue;
            }
            match (expected, found) {
                (Ok(expected), Ok(found)) if sorted(expected) == sorted(&found) => {}
                (Err(_), Err(_)) => {}
                (expected, found) => {
                    return Err(format!("{way}\n{sql}\nexpected {expected:?}\nfound    {found:?}"));
                }
            }
        }
        Ok(())
    }
}

/// Views belong to the store: what one session creates or drops, all have or miss.
fn is_about_the_store(sql: &str) -> bool {
    let words: Vec<String> = sql.split_whitespace().take(4).map(str::to_ascii_uppercase).collect();
    matches!(words.first().map(String::as_str), Some("CREATE" | "DROP" | "COMMENT"))
        && words.iter().any(|word| word == "VIEW")
        && !words.iter().any(|word| word.starts_with("TEMP"))
}

fn is_comparable(sql: &str) -> bool {
    let first = sql.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
    let first = first.trim_start_matches('(');
    first == "SELECT" || first == "WITH" || first == "TABLE"
}

fn sorted(rows: &[Vec<String>]) -> Vec<&Vec<String>> {
    let mut rows: Vec<&Vec<String>> = rows.iter().collect();
    rows.sort_unstable();
    rows
}
