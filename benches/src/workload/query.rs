//! The workload's queries: one `.sql` file each.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{BenchError, Result};

/// Begins the line that lists the columns whose decoding is the least that the query can cost.
const FLOOR: &str = "-- floor:";
/// Stands for the person of a point lookup.
pub const USER_PLACEHOLDER: &str = "{user_id}";

/// A query of the workload.
#[derive(Debug, Clone)]
pub struct Query {
    /// Name of the file without its extension: `q04a`, or `q06-matrix` for another form of `q06`.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Columns that it needs; empty if there is no floor to compare with.
    pub columns: Vec<String>,
    /// Whether it is asked for one person after the other.
    pub is_lookup: bool,
}

impl Query {
    /// Reads the header of `path`.
    pub fn read(path: &Path) -> Result<Self> {
        let sql = read_sql(path)?;
        let columns = sql
            .lines()
            .find_map(|line| line.strip_prefix(FLOOR))
            .map(|names| names.split(',').map(|name| name.trim().to_owned()).collect())
            .unwrap_or_default();
        Ok(Self {
            name: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            path: path.to_owned(),
            columns,
            is_lookup: sql.contains(USER_PLACEHOLDER),
        })
    }

    /// The question that it answers, which other engines know by this name: `q06` of `q06-matrix`.
    pub fn question(&self) -> &str {
        self.name.split('-').next().unwrap_or(&self.name)
    }
}

/// The text of a query.
pub fn read_sql(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|e| BenchError::new(format!("cannot read {}", path.display()), e))
}

/// The queries of `dir` by name: those in `only`, or all, other forms of the same question only with `forms`.
pub fn read_all(dir: &Path, only: &[String], forms: bool) -> Result<Vec<Query>> {
    let failed = |e| BenchError::new(format!("cannot read queries from {}", dir.display()), e);
    let mut queries = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|e| e == "sql") {
            queries.push(Query::read(&path)?);
        }
    }
    queries.sort_by(|a, b| a.name.cmp(&b.name));
    if let Some(unknown) = only.iter().find(|name| queries.iter().all(|query| query.name != **name)) {
        let names: Vec<&str> = queries.iter().map(|query| query.name.as_str()).collect();
        return Err(BenchError::plain(format!(
            "there is no query {unknown:?}: there are {}",
            names.join(", ")
        )));
    }
    queries.retain(|query| {
        if only.is_empty() { forms || query.question() == query.name } else { only.contains(&query.name) }
    });
    if queries.is_empty() {
        return Err(BenchError::plain(format!("{} has no .sql file", dir.display())));
    }
    Ok(queries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twelve_questions_are_there() {
        let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/workload"));
        let queries = read_all(dir, &[], false).unwrap();
        let names: Vec<&str> = queries.iter().map(|query| query.name.as_str()).collect();
        assert_eq!(
            names,
            ["q01", "q02", "q03", "q04a", "q04b", "q05a", "q05b", "q06", "q07", "q08", "q09", "q10", "q11"]
        );
        for query in &queries {
            assert_eq!(query.is_lookup, query.name == "q11");
            assert_eq!(query.columns.is_empty(), query.is_lookup, "{}", query.name);
        }
        assert_eq!(queries[2].columns, ["user_id", "ts", "channel"]);
    }

    #[test]
    fn other_forms_answer_the_same_question() {
        let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/workload"));
        let forms = read_all(dir, &["q06-retention_matrix".to_owned()], false).unwrap();
        assert_eq!(forms[0].question(), "q06");
        let error = read_all(dir, &["q99".to_owned()], false).unwrap_err().to_string();
        assert!(error.contains("q99") && error.contains("q04a"), "{error}");
    }
}
