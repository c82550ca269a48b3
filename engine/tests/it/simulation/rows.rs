//! Rows of simulated data files: a line of text each, since the commit loop does not look into data files.

use std::collections::BTreeSet;

use bytes::Bytes;
use deltalake_core::kernel::Add;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use wayfare_engine::store::commit;
use wayfare_engine::store::snapshot::{DataFile, TableSnapshot};
use wayfare_engine::store::stats::FileStatistics;
use wayfare_engine::store::table::Table;

use super::{COMMON, PEOPLE};

/// What can fail: the text is for people.
pub type Attempt<T> = Result<T, String>;

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    pub event: String,
    pub batch: String,
    pub person: String,
}

impl Row {
    pub fn new(batch: &str, event: String, person: &str) -> Self {
        Self { event, batch: batch.to_owned(), person: person.to_owned() }
    }

    fn parse(line: &str) -> Self {
        let [event, batch, person] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("no row: {line:?}")
        };
        Self::new(batch, event.to_owned(), person)
    }
}

/// The rows of a batch on one of its days.
pub fn of_batch(batch: &str, day: i32) -> Vec<Row> {
    let own = PEOPLE.iter().map(|person| Row::new(batch, format!("{batch}-{day}-{person}"), person));
    // Every batch has it, and whoever comes first brings it.
    own.chain([Row::new(COMMON, format!("shared-{day}"), PEOPLE[1])]).collect()
}

/// Writes a file of one day under a new name.
pub async fn write(table: &Table, day: i32, rows: &[Row]) -> Attempt<Add> {
    let text: String =
        rows.iter().map(|row| format!("{} {} {}\n", row.event, row.batch, row.person)).collect();
    let size = text.len() as u64;
    let name = format!("day=1970-01-0{}/{}.parquet", day + 1, commit::new_id());
    let path: Path = table.location().path.parts().chain(Path::from(name.as_str()).parts()).collect();
    let payload = PutPayload::from(text.into_bytes());
    table.location().store.put(&path, payload).await.map_err(|e| e.to_string())?;
    let statistics = FileStatistics { num_records: Some(rows.len() as u64), ..FileStatistics::default() };
    Ok(commit::add_action(name, Some(day), size, &statistics, None))
}

/// Rows of a file that a version lists: it must be there, and whole.
pub async fn read(snapshot: &TableSnapshot, file: &DataFile) -> Attempt<Vec<Row>> {
    let got = match snapshot.table().location().store.get(&file.path).await {
        Err(object_store::Error::NotFound { .. }) => {
            panic!("{} of version {} is missing", file.path, snapshot.version())
        }
        got => got.map_err(|e| e.to_string())?,
    };
    let bytes: Bytes = got.bytes().await.map_err(|e| e.to_string())?;
    assert_eq!(bytes.len() as u64, file.size, "{} is torn", file.path);
    Ok(std::str::from_utf8(&bytes).expect("text").lines().map(Row::parse).collect())
}

/// All rows of a version.
pub async fn all(snapshot: &TableSnapshot) -> Attempt<BTreeSet<Row>> {
    let mut rows = Vec::new();
    for file in snapshot.files() {
        rows.extend(read(snapshot, file).await?);
    }
    Ok(each_once(rows, snapshot.version()))
}

/// The same rows, of which none has an event that another has.
pub fn each_once(rows: Vec<Row>, version: u64) -> BTreeSet<Row> {
    let mut events = BTreeSet::new();
    for row in &rows {
        assert!(events.insert(row.event.as_str()), "{} is there twice in version {version}", row.event);
    }
    rows.into_iter().collect()
}
