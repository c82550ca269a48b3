//! Files of all formats through the public functions.

use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use object_store::ObjectStore;
use object_store::path::Path as ObjectPath;
use parquet::arrow::ArrowWriter;
use url::Url;

use super::*;
use crate::schema::load_schema;

mod coded;

struct NoStores;

impl StoreFactory for NoStores {
    fn store_for(
        &self,
        _url: &Url,
    ) -> Result<(Arc<dyn ObjectStore>, ObjectPath), Box<dyn std::error::Error + Send + Sync>> {
        Err("no stores here".into())
    }
}

/// Rows with every canonical column, as CSV and as NDJSON.
fn rows(count: u32) -> (String, String) {
    let mut csv = "event_id,user_id,ts,event,channel,page,revenue,currency,score,properties\n".to_owned();
    let mut ndjson = String::new();
    for i in 0..count {
        let user = i % 97;
        let ts = format!("2024-01-{:02}T{:02}:00:00.{:06}Z", i % 28 + 1, i % 24, i);
        let revenue = format!("{}.{:02}", i, i % 100);
        let page = format!("/p/\"{i}\",ä");
        let properties = format!("{{\"n\": {i}.50, \"t\": \"a b\"}}");
        csv.push_str(&format!(
            "e{i},u{user},{ts},view,,\"{}\",{revenue},EUR,{},\"{}\"\n",
            page.replace('"', "\"\""),
            i % 11,
            properties.replace('"', "\"\"")
        ));
        ndjson.push_str(&format!(
            "{{\"event_id\":\"e{i}\",\"user_id\":\"u{user}\",\"ts\":\"{ts}\",\"event\":\"view\",\"page\":{},\
             \"revenue\":{revenue},\"currency\":\"EUR\",\"score\":{},\"properties\":{properties}}}\n",
            serde_json::Value::from(page),
            i % 11
        ));
    }
    (csv, ndjson)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("gzip");
    encoder.finish().expect("gzip")
}

fn read_file(file: &SourceFile, options: &Arc<ReadOptions>) -> Result<RecordBatch, LoadError> {
    let mut batches = Vec::new();
    for parsed in open(file, options, &[])? {
        let parsed = parsed?;
        assert_eq!(parsed.rejected, []);
        batches.push(parsed.batch);
    }
    Ok(concat_batches(&load_schema(), &batches).expect("joined"))
}

#[tokio::test]
async fn the_same_rows_in_every_format_give_the_same_table() {
    let dir = tempfile::tempdir().expect("dir");
    let (csv, ndjson) = rows(20_000);
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).expect("write");
    write("a.csv", csv.as_bytes());
    write("b.csv.zst", &zstd::encode_all(csv.as_bytes(), 1).expect("zstd"));
    write("c.ndjson.gz", &gzip(ndjson.as_bytes()));
    let options = Arc::new(ReadOptions::default());
    let inputs = [dir.path().display().to_string()];
    let files = discover(&inputs, &options, &NoStores).await.expect("files");
    let tables: Result<Vec<RecordBatch>, LoadError> = files.iter().map(|f| read_file(f, &options)).collect();
    let tables = tables.expect("tables");
    assert_eq!(tables.len(), 3);
    assert_eq!(tables[0].num_rows(), 20_000);
    assert_eq!(tables[0], tables[1]);
    assert_eq!(tables[0], tables[2]);

    let mut writer = ArrowWriter::try_new(Vec::new(), load_schema(), None).expect("writer");
    writer.write(&tables[0]).expect("written");
    let bytes = writer.into_inner().expect("closed");
    let path = dir.path().join("d.parquet");
    std::fs::write(&path, &bytes).expect("write");
    let file =
        SourceFile::local("d".to_owned(), path, bytes.len() as u64, InputFormat::Parquet, Compression::None);
    assert_eq!(read_file(&file, &options).expect("table"), tables[0]);
}

/// What passes while a file is read is what identifies it, in every form.
#[tokio::test]
async fn a_file_that_was_read_is_identified() {
    let dir = tempfile::tempdir().expect("dir");
    let (csv, ndjson) = rows(3_000);
    let array = format!("[{}]\n\n", ndjson.trim_end().replace('\n', ","));
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).expect("write");
    write("a.csv", csv.as_bytes());
    write("b.csv.gz", &[gzip(csv.as_bytes()), gzip(b"")].concat());
    write("c.csv.zst", &zstd::encode_all(csv.as_bytes(), 1).expect("zstd"));
    write("d.ndjson", ndjson.as_bytes());
    write("e.json", array.as_bytes());
    let mut bzip2 = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bzip2.write_all(ndjson.as_bytes()).expect("bzip2");
    write("f.ndjson.bz2", &bzip2.finish().expect("bzip2"));
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    xz.write_all(csv.as_bytes()).expect("xz");
    write("g.csv.xz", &xz.finish().expect("xz"));
    let mut snappy = snap::write::FrameEncoder::new(Vec::new());
    snappy.write_all(array.as_bytes()).expect("snappy");
    write("h.json.sz", &snappy.into_inner().expect("snappy"));
    let batch = read_file(
        &discover(&[dir.path().join("a.csv").display().to_string()], &ReadOptions::default(), &NoStores)
            .await
            .expect("files")[0],
        &Arc::default(),
    );
    let mut writer = ArrowWriter::try_new(Vec::new(), load_schema(), None).expect("writer");
    writer.write(&batch.expect("rows")).expect("written");
    write("i.parquet", &writer.into_inner().expect("closed"));

    let inputs = [dir.path().display().to_string()];
    let files = discover(&inputs, &ReadOptions::default(), &NoStores).await.expect("files");
    assert_eq!(files.len(), 9);
    for file in files {
        let mut reader = open(&file, &Arc::default(), &[]).expect("reader");
        assert_eq!(reader.content(), None, "{}: nothing was read", file.display);
        reader.by_ref().for_each(|batch| assert_eq!(batch.expect("batch").rejected, []));
        let content = content_identity(&file).await.expect("identity");
        assert_eq!(reader.content(), Some(content.as_str()), "{}", file.display);
    }
}

#[tokio::test]
async fn progress_ends_at_the_size() {
    let dir = tempfile::tempdir().expect("dir");
    let (csv, _) = rows(1_000);
    let path = dir.path().join("a.csv.gz");
    std::fs::write(&path, gzip(csv.as_bytes())).expect("write");
    let inputs = [path.display().to_string()];
    let files = discover(&inputs, &ReadOptions::default(), &NoStores).await.expect("files");
    let mut reader = open(&files[0], &Arc::default(), &[]).expect("reader");
    for parsed in reader.by_ref() {
        parsed.expect("batch");
    }
    assert_eq!(reader.bytes_read(), files[0].size);
    assert_eq!(reader.unseen_sources(), Vec::<String>::new());
}

#[tokio::test]
async fn a_truncated_gzip_is_told_with_its_line() {
    let dir = tempfile::tempdir().expect("dir");
    let (csv, ndjson) = rows(50_000);
    for (name, text) in [("a.csv.gz", csv), ("a.ndjson.gz", ndjson)] {
        let bytes = gzip(text.as_bytes());
        let path = dir.path().join(name);
        std::fs::write(&path, &bytes[..bytes.len() / 2]).expect("write");
        let inputs = [path.display().to_string()];
        let files = discover(&inputs, &ReadOptions::default(), &NoStores).await.expect("files");
        let error = open(&files[0], &Arc::default(), &[])
            .and_then(|reader| reader.collect::<Result<Vec<_>, _>>())
            .expect_err("refused")
            .to_string();
        assert!(error.contains(name) && error.contains("is damaged after line"), "{error}");
        assert!(error.contains("gzip data ends too early"), "{error}");
    }
}

#[test]
fn the_bundled_shop_is_read_whole() {
    let dir = tempfile::tempdir().expect("dir");
    let path = wayfare_datasets::simple_shop::write_to(dir.path()).expect("written");
    let size = std::fs::metadata(&path).expect("metadata").len();
    let file = SourceFile::local("shop".to_owned(), path, size, InputFormat::Csv, Compression::Gzip);
    let mapping = vec![("ts".to_owned(), "timestamp".to_owned())];
    let options = Arc::new(ReadOptions { mapping, ..ReadOptions::default() });
    assert_eq!(read_file(&file, &options).expect("table").num_rows(), 35_381);
    let error = open(&file, &Arc::default(), &[]).expect_err("refused").to_string();
    assert!(error.ends_with("the file has user_id, event, timestamp; add --map ts=timestamp"), "{error}");
}

#[test]
fn options_are_checked_without_files() {
    let wrong =
        ReadOptions { mapping: vec![("nothing".to_owned(), "x".to_owned())], ..ReadOptions::default() };
    assert!(check_options(&wrong).is_err());
    let new_column = ReadOptions { extra: ExtraColumns::Columns, ..wrong };
    assert!(check_options(&new_column).is_ok());
}
