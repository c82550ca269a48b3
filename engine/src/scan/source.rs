//! What one read of a table was planned to read: for operators that read the files themselves.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use object_store::ObjectMeta;

use crate::store::layout::RowGroup;
use crate::store::snapshot::TableSnapshot;

/// The chosen files of one version of a table, and the columns asked for.
#[derive(Debug)]
pub struct ScanSource {
    /// The version that is read.
    pub snapshot: Arc<TableSnapshot>,
    /// The files, by day and path.
    pub files: Vec<ChosenFile>,
    /// All columns with their SQL types; [`Self::projection`] counts in it.
    pub full_schema: SchemaRef,
    /// The columns asked for, in the order of the scan's output.
    pub projection: Vec<usize>,
    /// For each of all columns whether it has a value in every row of the files: the log says so of files of ours.
    pub complete: Vec<bool>,
    /// Whether the scan may stop after some rows.
    pub is_limited: bool,
}

/// A file and the row groups of it that can hold rows of the answer.
#[derive(Debug, Clone)]
pub struct ChosenFile {
    /// Its place among the files of the version.
    pub number: usize,
    /// Where it is.
    pub meta: ObjectMeta,
    /// UTC day of its rows; `None` in a reference table.
    pub day: Option<i32>,
    /// Number in the file and description of each row group to read; `None` for a file of another writer.
    pub row_groups: Option<Vec<(usize, RowGroup)>>,
}
