//! What commits did to the rows of a table, read from the log's files.

use std::collections::HashSet;

use object_store::ObjectStoreExt;
use serde_json::Value;

use crate::error::StoreError;
use crate::schema;
use crate::store::commit::INFO_COMMIT;
use crate::store::layout;
use crate::store::table::Table;

/// Start of the application id that a commit which erases people carries.
pub const ERASURE_PREFIX: &str = "wayfare:erasure:";

/// What one commit did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommitChanges {
    /// Version of the table after it.
    pub version: u64,
    /// The identity that writers of ours give their commits.
    pub id: Option<String>,
    /// Whether it erased people.
    pub erases: bool,
    /// Days that rows came to or went from; `None` for a file without a day. A compaction changes none.
    days: Vec<Option<i32>>,
}

impl CommitChanges {
    /// Whether rows of one of `days` came or went; `None` asks for any day.
    pub fn touches(&self, days: Option<&HashSet<i32>>) -> bool {
        match days {
            None => !self.days.is_empty(),
            Some(days) => self.days.iter().any(|day| day.is_some_and(|day| days.contains(&day))),
        }
    }

    fn parse(version: u64, commit: &[u8]) -> Option<Self> {
        let mut changes = Self { version, ..Self::default() };
        for line in commit.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            let action: Value = serde_json::from_slice(line).ok()?;
            if let Some(info) = action.get("commitInfo") {
                changes.id = info.get(INFO_COMMIT).and_then(Value::as_str).map(str::to_owned);
            } else if let Some(id) = action.pointer("/txn/appId").and_then(Value::as_str) {
                changes.erases |= id.starts_with(ERASURE_PREFIX);
            } else if let Some(file) = action.get("add").or_else(|| action.get("remove"))
                && file.get("dataChange").and_then(Value::as_bool).unwrap_or(true)
            {
                changes.days.push(day_of(file));
            }
        }
        Some(changes)
    }
}

/// The day of the file of an action: of its partition values, or of its path where they are left out.
fn day_of(file: &Value) -> Option<i32> {
    let value = file.get("partitionValues").and_then(|values| values.get(schema::DAY)?.as_str());
    let in_path = || {
        let path = file.get("path")?.as_str()?;
        path.split('/').find_map(|part| part.strip_prefix("day="))
    };
    layout::parse_day(value.or_else(in_path)?)
}

/// The place of the commit file of `version`.
pub fn commit_path(table: &Table, version: u64) -> object_store::path::Path {
    table.location().path.clone().join("_delta_log").join(format!("{version:020}.json"))
}

/// The commits after version `after` up to version `through`, in order.
///
/// # Errors
/// If one of them cannot be read: what it did is not known then.
pub async fn between(table: &Table, after: u64, through: u64) -> Result<Vec<CommitChanges>, StoreError> {
    let mut commits = Vec::new();
    for version in after + 1..=through {
        let path = commit_path(table, version);
        let failed = |e| StoreError::io("read", path.to_string(), e);
        let read = table.location().store.get(&path).await.map_err(failed)?;
        let bytes = read.bytes().await.map_err(failed)?;
        let changes = CommitChanges::parse(version, &bytes).ok_or_else(|| StoreError::Damaged {
            file: path.to_string(),
            reason: "it is not a commit of a Delta log".to_owned(),
        })?;
        commits.push(changes);
    }
    Ok(commits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_commit_did_to_rows() {
        let commit = br#"{"commitInfo":{"wayfareCommit":"c1"}}
{"txn":{"appId":"wayfare:erasure:x","version":1}}
{"add":{"path":"day=1970-01-02/a.parquet","partitionValues":{"day":"1970-01-02"},"dataChange":true}}
{"remove":{"path":"day=1970-01-04/b.parquet","dataChange":true}}
{"remove":{"path":"day=1970-01-06/b.parquet","dataChange":false}}
"#;
        let changes = CommitChanges::parse(7, commit).expect("a commit");
        assert_eq!((changes.version, changes.id.as_deref(), changes.erases), (7, Some("c1"), true));
        for (day, touched) in [(1, true), (3, true), (5, false)] {
            assert_eq!(changes.touches(Some(&HashSet::from([day]))), touched, "day {day}");
        }
        assert!(changes.touches(None));
        assert_eq!(CommitChanges::parse(7, b"{\"add\":"), None, "cut off");
    }
}
