//! Input files of every kind.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;

/// Rows of each file.
pub(super) const ROWS: u64 = 5;

/// Format and compression of file `number`.
const KINDS: [(&str, Option<&str>); 11] = [
    ("csv", None),
    ("csv", Some("gzip")),
    ("csv", Some("zstd")),
    ("csv", Some("bzip2")),
    ("csv", Some("xz")),
    ("ndjson", None),
    ("ndjson", Some("gzip")),
    ("ndjson", Some("zstd")),
    ("ndjson", Some("bzip2")),
    ("ndjson", Some("xz")),
    ("parquet", None),
];

/// Writes `count` files below `directory`, in folders of 50; their names relative to it. Every kind is among them.
pub(super) fn write_files(directory: &Path, count: u64) -> Vec<String> {
    (0..count)
        .map(|number| {
            let (format, compression) = KINDS[(number % KINDS.len() as u64) as usize];
            let name = format!("part={}/f{number}.{format}", number / 50);
            let path = directory.join(&name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            match format {
                "csv" => std::fs::write(&path, csv(number)).unwrap(),
                "ndjson" => std::fs::write(&path, ndjson(number)).unwrap(),
                _ => write_parquet(&path, number),
            }
            match compression {
                None => name,
                Some(tool) => {
                    let extension = compress(tool, &path);
                    format!("{name}.{extension}")
                }
            }
        })
        .collect()
}

/// (event_id, user_id, ts, campaign) of the rows of file `number`; `campaign` names the file.
fn rows(number: u64) -> impl Iterator<Item = [String; 4]> {
    (0..ROWS).map(move |row| {
        [
            format!("e{number}-{row}"),
            format!("u{}", (number + row) % 17),
            format!("2026-01-{:02}T{:02}:00:00Z", 1 + number % 28, row),
            format!("f{number}"),
        ]
    })
}

pub(super) fn csv(number: u64) -> String {
    let mut text = "event_id,user_id,ts,event,campaign\n".to_owned();
    for [id, user, ts, campaign] in rows(number) {
        writeln!(text, "{id},{user},{ts},view,{campaign}").unwrap();
    }
    text
}

fn ndjson(number: u64) -> String {
    let mut text = String::new();
    for [id, user, ts, campaign] in rows(number) {
        let row = serde_json::json!({"event_id": id, "user_id": user, "ts": ts, "event": "view", "campaign": campaign});
        writeln!(text, "{row}").unwrap();
    }
    text
}

fn write_parquet(path: &Path, number: u64) {
    let rows: Vec<[String; 4]> = rows(number).collect();
    let column =
        |index: usize| Arc::new(StringArray::from_iter_values(rows.iter().map(|r| &r[index]))) as ArrayRef;
    let events: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|_| "view")));
    let columns = [
        ("event_id", column(0)),
        ("user_id", column(1)),
        ("ts", column(2)),
        ("event", events),
        ("campaign", column(3)),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer =
        ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// Replaces the file by its compressed form; the extension that it gets.
fn compress(tool: &str, path: &Path) -> &'static str {
    let mut command = Command::new(tool);
    let extension = match tool {
        "gzip" => "gz",
        "zstd" => {
            command.args(["--quiet", "--rm"]);
            "zst"
        }
        "bzip2" => "bz2",
        _ => "xz",
    };
    let status = command.arg(path).status().unwrap_or_else(|e| panic!("{tool} is needed: {e}"));
    assert!(status.success(), "{tool}");
    extension
}
