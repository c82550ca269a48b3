//! Small files that declare or hold far more than they may: an answer that names file and limit, and bounded memory.

use std::io::Write;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, Int8Array, ListArray, RecordBatch, StringArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::bounded::peak_memory_kib;
use super::support::{Finished, Known, Place};
use crate::support::tell;

const LIMIT: &str = "512MiB";
/// The process as a whole stays within it.
const MOST_KIB: u64 = 512 << 10;

/// Loads `file`, which must be refused with `parts`, and looks at the memory that it takes.
fn refuses_in_bounds(known: &Known, file: &str, parts: &[&str]) {
    let finished = in_bounds(&known.place, &["load", file, "--memory-limit", LIMIT, "--on-error", "skip"]);
    known.refused(&finished, &[&[file], parts].concat());
    let size = std::fs::metadata(known.place.path(file)).expect("a file").len();
    tell(format!("{file}: {size} bytes"));
}

/// Runs a command and looks at the memory that it takes.
fn in_bounds(place: &Place, args: &[&str]) -> Finished {
    let mut command = place.command(args);
    let mut running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a load");
    let status = format!("/proc/{}/status", running.id());
    let mut peak_kib = 0;
    while running.try_wait().expect("a state").is_none() {
        peak_kib = peak_kib.max(peak_memory_kib(&status).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = running.wait_with_output().expect("an end");
    let finished = Finished {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    };
    tell(format!("{args:?}: peak resident memory {} MiB", peak_kib / 1024));
    assert!(peak_kib < MOST_KIB, "{args:?}: {peak_kib} KiB");
    finished
}

/// Rows of 1 kB each, all alike, 150 MB of them.
fn repetitive() -> impl Iterator<Item = Vec<u8>> {
    let page = "x".repeat(1_000);
    let header = b"user_id,ts,event,page\n".to_vec();
    let rows = (0..150_000).map(move |_| format!("u-1,2026-01-02,view,{page}\n").into_bytes());
    std::iter::once(header).chain(rows)
}

fn written<W: Write>(mut encoder: W) -> W {
    for part in repetitive() {
        encoder.write_all(&part).expect("written");
    }
    encoder
}

#[test]
fn compressed_text() {
    let known = Known::new();
    let gzip = written(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best()));
    known.place.write("bomb.csv.gz", gzip.finish().expect("gzip"));
    let zstd = written(zstd::stream::write::Encoder::new(Vec::new(), 3).expect("zstd"));
    known.place.write("bomb.csv.zst", zstd.finish().expect("zstd"));
    for file in ["bomb.csv.gz", "bomb.csv.zst"] {
        refuses_in_bounds(&known, file, &["after line", "more than 250 times its size"]);
    }
    // Without any line end.
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).expect("zstd");
    for _ in 0..2_000 {
        encoder.write_all(&[b'x'; 1 << 20]).expect("zstd");
    }
    known.place.write("line.csv.zst", encoder.finish().expect("zstd"));
    refuses_in_bounds(&known, "line.csv.zst", &["at line 1", "longer than 16777216 bytes"]);
}

fn texts(values: Vec<&str>) -> ArrayRef {
    Arc::new(StringArray::from(values))
}

/// A file of `repeats` batches with the required columns and `more`.
fn parquet(
    rows: usize,
    repeats: usize,
    more: Option<(&str, ArrayRef)>,
    properties: WriterProperties,
) -> Vec<u8> {
    let mut columns = vec![
        ("user_id", texts(vec!["u-1"; rows])),
        ("ts", texts(vec!["2026-01-02"; rows])),
        ("event", texts(vec!["view"; rows])),
    ];
    columns.extend(more);
    let batch = RecordBatch::try_from_iter(columns).expect("a batch");
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).expect("a writer");
    for _ in 0..repeats {
        writer.write(&batch).expect("written");
    }
    writer.into_inner().expect("closed")
}

fn zstd() -> Compression {
    Compression::ZSTD(ZstdLevel::default())
}

#[test]
fn parquet_pages_lists_and_rows() {
    let known = Known::new();
    let long = "x".repeat(300 << 20);
    let plain = WriterProperties::builder()
        .set_compression(zstd())
        .set_dictionary_enabled(false)
        .set_data_page_size_limit(1 << 30)
        .build();
    known.place.write("page.parquet", parquet(1, 1, Some(("page", texts(vec![&long]))), plain));
    drop(long);
    refuses_in_bounds(
        &known,
        "page.parquet",
        &["in row group 0", "\"page\"", "more than the limit of 268435456"],
    );

    let item = Arc::new(Field::new("item", DataType::Int8, false));
    let values = Arc::new(Int8Array::from(vec![7; 70_000_000]));
    let list = ListArray::new(item, OffsetBuffer::from_lengths([70_000_000]), values, None);
    let properties = WriterProperties::builder().set_compression(zstd()).build();
    known.place.write("list.parquet", parquet(1, 1, Some(("list", Arc::new(list))), properties));
    refuses_in_bounds(
        &known,
        "list.parquet",
        &["in row group 0", "list", "declares 70000000 values, more than the limit of 67108864"],
    );

    let properties = WriterProperties::builder()
        .set_compression(zstd())
        .set_max_row_group_row_count(Some(1 << 30))
        .build();
    known.place.write("rows.parquet", parquet(1_000_000, 12, None, properties));
    refuses_in_bounds(
        &known,
        "rows.parquet",
        &["declares 12000000 rows, more than the limit of 64 for each byte"],
    );
}

/// Half a gigabyte of text, which is one value: it is held once, as in the file, so that there is nothing to refuse.
#[test]
fn parquet_dictionary_that_repeats_a_long_text() {
    let place = Place::with_three_rows();
    let long = "x".repeat(256 << 10);
    let properties =
        WriterProperties::builder().set_compression(zstd()).set_dictionary_page_size_limit(16 << 20).build();
    let column = Some(("page", texts(vec![&long; 1_000])));
    place.write("dictionary.parquet", parquet(1_000, 2, column, properties));
    let load = ["load", "dictionary.parquet", "--memory-limit", LIMIT];
    let report = in_bounds(&place, &load).succeeded(&load);
    assert!(report.lines().any(|line| line.split_whitespace().eq(["rows", "loaded", "2000"])), "{report}");
    let sql =
        "SELECT count(*), min(length(page)), max(length(page)) FROM touchpoints WHERE length(page) > 1000";
    let query = ["query", "--format", "csv", "--memory-limit", LIMIT, sql];
    let answer = in_bounds(&place, &query).succeeded(&query);
    assert_eq!(answer.lines().nth(1), Some("2000,262144,262144"), "{answer}");
}
