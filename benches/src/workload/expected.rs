//! Known answers in files.

use std::fs;
use std::path::Path;

use crate::error::{BenchError, Result};
use crate::workload::answer::Answer;

/// The known answer to `question`.
pub fn answer(directory: &Path, question: &str) -> Result<Answer> {
    Ok(Answer::from_csv(&read(directory, question)?))
}

/// The people of the known answer to a point lookup.
pub fn lookup_users(directory: &Path, question: &str) -> Result<Vec<String>> {
    let text = read(directory, question)?;
    let users = text.lines().skip(1).filter_map(|line| line.split(',').next());
    Ok(users.filter(|user| !user.is_empty()).map(str::to_owned).collect())
}

fn read(directory: &Path, question: &str) -> Result<String> {
    let path = directory.join(format!("{question}.csv"));
    fs::read_to_string(&path)
        .map_err(|e| BenchError::new(format!("cannot read the known answer {}", path.display()), e))
}
