//! Discovery in a temporary directory and in an object store in memory.

use object_store::memory::InMemory;

use super::*;

struct NoStores;

impl StoreFactory for NoStores {
    fn store_for(
        &self,
        url: &Url,
    ) -> Result<(Arc<dyn ObjectStore>, ObjectPath), Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("no store for {}", url.scheme()).into())
    }
}

struct OneStore(Arc<dyn ObjectStore>);

impl StoreFactory for OneStore {
    fn store_for(
        &self,
        url: &Url,
    ) -> Result<(Arc<dyn ObjectStore>, ObjectPath), Box<dyn std::error::Error + Send + Sync>> {
        Ok((Arc::clone(&self.0), ObjectPath::from_url_path(url.path())?))
    }
}

fn tree(names: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("dir");
    for name in names {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("dirs");
        std::fs::write(path, "x").expect("write");
    }
    dir
}

async fn local(dir: &tempfile::TempDir, inputs: &[&str]) -> Result<Vec<String>, LoadError> {
    let root = dir.path().display().to_string();
    let inputs: Vec<String> = inputs.iter().map(|i| format!("{root}/{i}")).collect();
    let files = discover(&inputs, &ReadOptions::default(), &NoStores).await?;
    Ok(files.iter().map(|f| f.display[root.len() + 1..].to_owned()).collect())
}

async fn local_error(dir: &tempfile::TempDir, input: &str) -> String {
    local(dir, &[input]).await.expect_err("refused").to_string()
}

#[tokio::test]
async fn directories_are_searched_in_order_without_hidden_names() {
    let dir = tree(&[
        "b.csv",
        "a/z.ndjson.gz",
        "a/y.parquet",
        "_SUCCESS",
        ".x.csv",
        "_delta_log/0.json",
        "c/.d/e.csv",
    ]);
    assert_eq!(local(&dir, &[""]).await.expect("files"), ["a/y.parquet", "a/z.ndjson.gz", "b.csv"]);
}

#[tokio::test]
async fn inputs_keep_their_order_and_a_file_is_read_once() {
    let dir = tree(&["b.csv", "a.csv", "[x].csv"]);
    assert_eq!(
        local(&dir, &["b.csv", "*.csv", "./a.csv"]).await.expect("files"),
        ["b.csv", "[x].csv", "a.csv"]
    );
    assert_eq!(
        local(&dir, &["[x].csv"]).await.expect("files"),
        ["[x].csv"],
        "a name is not a pattern if it exists"
    );
}

#[tokio::test]
async fn patterns_match_files_and_directories() {
    let dir = tree(&["x/1.csv", "x/2.csv", "y/3.csv", "y/deep/4.csv", "y/_5.csv"]);
    assert_eq!(local(&dir, &["x/*.csv"]).await.expect("files"), ["x/1.csv", "x/2.csv"]);
    assert_eq!(local(&dir, &["[y]"]).await.expect("files"), ["y/3.csv", "y/deep/4.csv"]);
    assert_eq!(local(&dir, &["y/**/*.csv"]).await.expect("files"), ["y/3.csv", "y/deep/4.csv"]);
}

#[tokio::test]
async fn what_is_not_there_is_named_with_advice() {
    let dir = tree(&["a/readme.md"]);
    std::fs::create_dir(dir.path().join("empty")).expect("dir");
    let error = local_error(&dir, "gone.csv").await;
    assert!(error.contains("gone.csv") && error.contains("no such file"), "{error}");
    let error = local_error(&dir, "*.csv").await;
    assert!(error.contains("*.csv") && error.contains("no file matches"), "{error}");
    let error = local_error(&dir, "empty").await;
    assert!(error.contains("holds no files"), "{error}");
    let error = discover(&["s3://bucket/x.csv".to_owned()], &ReadOptions::default(), &NoStores).await;
    let error = error.expect_err("refused").to_string();
    assert!(error.contains("s3://bucket/x.csv") && error.contains("no store"), "{error}");
    assert!(discover(&[], &ReadOptions::default(), &NoStores).await.is_err());
}

#[test]
fn extensions_tell_format_and_compression() {
    let options = ReadOptions::default();
    let cases = [
        ("a.csv", Some(InputFormat::Csv), Compression::None),
        ("a.TSV.GZ", Some(InputFormat::Csv), Compression::Gzip),
        ("a.b.jsonl.zst", Some(InputFormat::Ndjson), Compression::Zstd),
        ("a.json.bz2", Some(InputFormat::Ndjson), Compression::Bzip2),
        ("a.csv.xz", Some(InputFormat::Csv), Compression::Xz),
        ("a.csv.sz", Some(InputFormat::Csv), Compression::Snappy),
        ("a.pq", Some(InputFormat::Parquet), Compression::None),
        ("a.avro", Some(InputFormat::Avro), Compression::None),
        ("a.gz", None, Compression::Gzip),
        ("part-0001", None, Compression::None),
    ];
    for (name, format, compression) in cases {
        assert_eq!(named_kind(name, &options), (format, compression), "{name}");
    }
    let csv = ReadOptions { format: Some(InputFormat::Csv), ..ReadOptions::default() };
    assert_eq!(named_kind("a.gz", &csv), (Some(InputFormat::Csv), Compression::Gzip));
}

async fn remote(inputs: &[&str]) -> Result<Vec<String>, LoadError> {
    let store = InMemory::new();
    for name in ["in/b.csv", "in/a.csv", "in/deep/c.ndjson", "in/_SUCCESS", "in/.x/y.csv", "other.csv"] {
        store.put(&ObjectPath::from(name), "x".into()).await.expect("put");
    }
    let inputs: Vec<String> = inputs.iter().map(|i| (*i).to_owned()).collect();
    let files = discover(&inputs, &ReadOptions::default(), &OneStore(Arc::new(store))).await?;
    Ok(files.into_iter().map(|f| f.display).collect())
}

#[tokio::test]
async fn objects_prefixes_and_patterns_are_found() {
    assert_eq!(remote(&["s3://bucket/other.csv"]).await.expect("files"), ["s3://bucket/other.csv"]);
    let all = ["s3://bucket/in/a.csv", "s3://bucket/in/b.csv", "s3://bucket/in/deep/c.ndjson"];
    assert_eq!(remote(&["s3://bucket/in/"]).await.expect("files"), all);
    assert_eq!(remote(&["s3://bucket/in"]).await.expect("files"), all);
    assert_eq!(remote(&["s3://bucket/in/*.csv"]).await.expect("files"), all[..2]);
    assert_eq!(remote(&["s3://bucket/in/?.csv"]).await.expect("files"), all[..2]);
    for missing in ["s3://bucket/gone.csv", "s3://bucket/gone/", "s3://bucket/in/*.parquet"] {
        let error = remote(&[missing]).await.expect_err("refused").to_string();
        assert!(error.contains(missing), "{error}");
    }
}

#[test]
fn secrets_are_not_shown() {
    let shown = |url: &str| without_password(&Url::parse(url).expect("url"));
    assert_eq!(shown("https://me:secret@host/x.csv?sig=secret"), "https://me@host/x.csv");
    assert_eq!(shown("s3://bucket/x?.csv"), "s3://bucket/x?.csv");
}
