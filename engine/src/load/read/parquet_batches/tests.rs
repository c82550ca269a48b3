//! Parquet files row group by row group: streamed, by ranges, from objects; damage and change.

use std::io::Write;

use arrow::array::{ArrayRef, AsArray, Int64Array, ListArray, RecordBatch, StringArray, StructArray};
use arrow::compute::concat_batches;
use arrow::datatypes::Int64Type;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter, RowGroupMetaData,
};
use parquet::file::properties::WriterProperties;

use super::super::identity::content_identity;
use super::super::options::InputFormat;
use super::super::source::{Compression, Origin};
use super::*;

const GROUP_ROWS: usize = 1_000;

fn rows(count: usize) -> RecordBatch {
    let numbers = Int64Array::from_iter_values((0..count as i64).map(|row| row * 7919 % 10_007));
    let texts =
        StringArray::from_iter((0..count).map(|row| (row % 5 > 0).then(|| format!("text {}", row % 40))));
    let lists =
        (0..count as i64).map(|row| (row % 3 > 0).then(|| (0..row % 4).map(Some).collect::<Vec<_>>()));
    let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(lists);
    let members: Vec<(&str, ArrayRef)> =
        vec![("a", Arc::new(numbers.clone())), ("b", Arc::new(texts.clone()))];
    let both = StructArray::from(RecordBatch::try_from_iter(members).expect("members"));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("number", Arc::new(numbers)),
        ("text", Arc::new(texts)),
        ("list", Arc::new(lists)),
        ("both", Arc::new(both)),
    ];
    RecordBatch::try_from_iter(columns).expect("batch")
}

fn parquet(rows: &RecordBatch) -> Vec<u8> {
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(GROUP_ROWS)).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).expect("writer");
    if rows.num_rows() > 0 {
        writer.write(rows).expect("written");
    }
    writer.into_inner().expect("closed")
}

/// The file with other row groups in its footer.
fn with_groups(bytes: &[u8], change: impl FnOnce(Vec<RowGroupMetaData>) -> Vec<RowGroupMetaData>) -> Vec<u8> {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes::Bytes::copy_from_slice(bytes));
    let mut builder = metadata.expect("footer").into_builder();
    let groups = change(builder.take_row_groups());
    let changed: ParquetMetaData = builder.set_row_groups(groups).build();
    let (length, _) = bytes[bytes.len() - 8..].split_at(4);
    let footer = u32::from_le_bytes(length.try_into().expect("four bytes")) as usize;
    let mut out = bytes[..bytes.len() - 8 - footer].to_vec();
    ParquetMetaDataWriter::new(&mut out, &changed).finish().expect("footer");
    out
}

fn local(dir: &tempfile::TempDir, bytes: &[u8]) -> SourceFile {
    let path = dir.path().join("x.parquet");
    std::fs::write(&path, bytes).expect("write");
    let (name, size) = ("x.parquet".to_owned(), bytes.len() as u64);
    SourceFile::local(name, path, size, InputFormat::Parquet, Compression::None)
}

async fn object(file: &SourceFile, bytes: &[u8]) -> SourceFile {
    let store = Arc::new(InMemory::new());
    let location = object_store::path::Path::from("x.parquet");
    store.put(&location, bytes.to_vec().into()).await.expect("put");
    SourceFile { origin: Origin::Object { store, location }, ..file.clone() }
}

fn open(file: &SourceFile, columns: &[usize], group_bytes: u64) -> Result<Batches, LoadError> {
    let options = ReadOptions { group_bytes, batch_rows: 300, ..ReadOptions::default() };
    Batches::open(file, Footer::read(file)?, columns, &options)
}

/// All rows of some columns, and what the file was found to hold.
fn read(
    file: &SourceFile,
    columns: &[usize],
    group_bytes: u64,
) -> Result<(Vec<RecordBatch>, Option<String>), LoadError> {
    let mut batches = open(file, columns, group_bytes)?;
    let rows = std::iter::from_fn(|| batches.next()).collect::<Result<_, _>>()?;
    assert!(batches.next().is_none());
    assert_eq!(batches.progress().0, batches.progress().1);
    Ok((rows, batches.passed().content().map(str::to_owned)))
}

async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("joined")
}

#[tokio::test]
async fn rows_and_identity_are_the_same_however_a_file_is_read() {
    let dir = tempfile::tempdir().expect("dir");
    for count in [0, 1, GROUP_ROWS, 4 * GROUP_ROWS + 321] {
        let rows = rows(count);
        let bytes = parquet(&rows);
        let swapped = with_groups(&bytes, |groups| groups.into_iter().rev().collect());
        for (bytes, is_swapped) in [(bytes, false), (swapped, true)] {
            let local = local(&dir, &bytes);
            let object = object(&local, &bytes).await;
            let identity = content_identity(&local).await.expect("identity");
            for columns in [vec![0, 1, 2, 3], vec![0], vec![3], vec![1, 3], vec![2]] {
                let wanted = rows.project(&columns).expect("columns");
                for (file, group_bytes) in [(&local, u64::MAX), (&local, 0), (&object, 0)] {
                    let (file, columns) = (file.clone(), columns.clone());
                    let read = in_background(move || read(&file, &columns, group_bytes)).await;
                    let (found, content) = read.expect("rows");
                    assert!(found.iter().all(|batch| (1..=300).contains(&batch.num_rows())));
                    let found = concat_batches(&wanted.schema(), &found).expect("one batch");
                    if is_swapped {
                        assert_eq!(found.num_rows(), count);
                    } else {
                        assert_eq!(found, wanted);
                    }
                    assert_eq!(
                        content.as_ref(),
                        Some(&identity),
                        "{count} rows, {columns_of:?}",
                        columns_of = wanted.schema()
                    );
                }
            }
        }
    }
}

#[test]
fn rows_follow_the_footer() {
    let dir = tempfile::tempdir().expect("dir");
    let rows = rows(3 * GROUP_ROWS);
    let swapped = with_groups(&parquet(&rows), |groups| groups.into_iter().rev().collect());
    let (found, _) = read(&local(&dir, &swapped), &[0], u64::MAX).expect("rows");
    let found = concat_batches(&found[0].schema(), &found).expect("one batch");
    let wanted: Vec<i64> =
        rows.column(0).as_primitive::<Int64Type>().values().rchunks(GROUP_ROWS).flatten().copied().collect();
    assert_eq!(found.column(0).as_primitive::<Int64Type>().values(), wanted.as_slice());
}

#[test]
fn small_row_groups_give_whole_batches() {
    let dir = tempfile::tempdir().expect("dir");
    let file = local(&dir, &parquet(&rows(3 * GROUP_ROWS + 1)));
    let (found, _) = read(&file, &[0, 1], u64::MAX).expect("rows");
    assert_eq!(found.len(), (3 * GROUP_ROWS + 1).div_ceil(300));
}

#[test]
fn nothing_is_identified_before_the_end() {
    let dir = tempfile::tempdir().expect("dir");
    let file = local(&dir, &parquet(&rows(2 * GROUP_ROWS)));
    let mut batches = open(&file, &[0], u64::MAX).expect("open");
    batches.next().expect("a batch").expect("rows");
    assert_eq!(batches.passed().content(), None);
}

#[test]
fn a_file_that_grows_while_it_is_read_is_told() {
    let dir = tempfile::tempdir().expect("dir");
    let file = local(&dir, &parquet(&rows(2 * GROUP_ROWS)));
    let mut batches = open(&file, &[0], u64::MAX).expect("open");
    let path = dir.path().join("x.parquet");
    let more = std::fs::OpenOptions::new().append(true).open(path);
    more.expect("open").write_all(b"more").expect("written");
    let last = std::iter::from_fn(|| batches.next()).last().expect("a result");
    assert!(matches!(last, Err(LoadError::Changed { .. })), "{last:?}");
    assert_eq!(batches.passed().content(), None);
    // What is read by ranges was looked at before.
    let error = read(&file, &[0], 0).expect_err("changed");
    assert!(matches!(error, LoadError::Damaged { .. } | LoadError::Changed { .. }), "{error}");
}

#[test]
fn chunks_that_are_said_to_lie_elsewhere_are_told() {
    let dir = tempfile::tempdir().expect("dir");
    let bytes = parquet(&rows(2 * GROUP_ROWS));
    let size = bytes.len() as i64;
    for (dictionary, data) in [(Some(size * 3), 4), (Some(-4), 4), (Some(4), -4), (None, size)] {
        let forged = with_groups(&bytes, |mut groups| {
            let group = groups.remove(1);
            let columns = group.columns().iter().enumerate().map(|(leaf, column)| {
                let builder = column.clone().into_builder();
                if leaf != 1 {
                    return builder.build().expect("column");
                }
                let builder = builder.set_dictionary_page_offset(dictionary).set_data_page_offset(data);
                builder.build().expect("column")
            });
            let columns = columns.collect();
            let forged = group.clone().into_builder().set_column_metadata(columns).build().expect("group");
            groups.push(forged);
            groups
        });
        let error = read(&local(&dir, &forged), &[0, 1], u64::MAX).expect_err("refused").to_string();
        assert!(error.contains("row group 1") && error.contains("column \"text\""), "{error}");
    }
}

/// One byte of the data of the second row group after the other: rows, or a message that names the file.
#[tokio::test]
async fn damage_in_an_object_is_told_as_in_a_file() {
    let dir = tempfile::tempdir().expect("dir");
    let bytes = parquet(&rows(2 * GROUP_ROWS));
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&bytes::Bytes::copy_from_slice(&bytes));
    let (start, length) = metadata.expect("footer").row_group(1).column(1).byte_range();
    for at in (start..start + length).step_by(11) {
        let mut damaged = bytes.clone();
        damaged[at as usize] ^= 0x55;
        let file = local(&dir, &damaged);
        let object = object(&file, &damaged).await;
        let local = read(&file, &[0, 1], u64::MAX).map_err(|error| error.to_string());
        let by_ranges = read(&file, &[0, 1], 0).map_err(|error| error.to_string());
        let streamed =
            in_background(move || read(&object, &[0, 1], 0).map_err(|error| error.to_string())).await;
        assert_eq!(local, by_ranges, "byte {at}");
        assert_eq!(local, streamed, "byte {at}");
        assert!(
            local.as_ref().err().is_none_or(|error| error.contains("\"x.parquet\" is damaged in row group")),
            "{local:?}"
        );
    }
}
