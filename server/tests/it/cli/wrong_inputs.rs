//! Wrong inputs: one sentence that names the file and the place, exit code 1, and the table as it was.

use wayfare_datasets::{Compression, GeneratorConfig, OutputFormat, write_dataset};

use super::support::{Known, THREE_ROWS};

const HEADER: &str = "event_id,user_id,ts,event,revenue\n";

/// The bytes of a generated file of 5,000 rows.
fn generated(format: OutputFormat, compression: Option<Compression>) -> Vec<u8> {
    let config = GeneratorConfig { events: 5_000, users: 200, days: 2, ..GeneratorConfig::default() };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let report = write_dataset(&config, dir.path(), format, compression, 1).expect("a file");
    std::fs::read(&report.files[0]).expect("a file")
}

fn first_half(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len() / 2]
}

#[test]
fn missing_file() {
    Known::new().refuses(&["load", "nowhere.csv"], &["\"nowhere.csv\"", "no such file or directory"]);
}

#[test]
fn one_of_two_files_is_missing() {
    let known = Known::new();
    known.place.write("new.csv", THREE_ROWS.replace('e', "f"));
    known.refuses(&["load", "new.csv", "nowhere.csv"], &["\"nowhere.csv\"", "no such file or directory"]);
}

#[test]
fn pattern_without_a_match() {
    Known::new().refuses(&["load", "no-*.csv"], &["\"no-*.csv\"", "no file matches"]);
}

#[test]
fn directory_without_files() {
    let known = Known::new();
    std::fs::create_dir(known.place.path("nothing")).expect("a directory");
    known.refuses(&["load", "nothing"], &["\"nothing\"", "holds no files"]);
}

#[test]
fn parquet_said_to_be_csv() {
    let known = Known::new();
    known.place.write("wrong.csv", generated(OutputFormat::Parquet, None));
    let parts = ["\"wrong.csv\"", "not csv", "Parquet file", "--format parquet"];
    known.refuses(&["load", "wrong.csv", "--format", "csv"], &parts);
}

#[test]
fn csv_named_parquet() {
    let content = format!("{HEADER}n1,ann,2026-01-03,view,1\n");
    Known::new().refuses_content("wrong.parquet", content, &["Parquet"]);
}

#[test]
fn csv_named_gzip() {
    let content = format!("{HEADER}n1,ann,2026-01-03,view,1\n");
    Known::new().refuses_content("wrong.csv.gz", content, &["gzip"]);
}

#[test]
fn csv_named_ndjson() {
    let content = format!("{HEADER}n1,ann,2026-01-03,view,1\n");
    Known::new().refuses_content("wrong.ndjson", content, &["line 1", "JSON"]);
}

#[test]
fn unknown_extension() {
    let content = format!("{HEADER}n1,ann,2026-01-03,view,1\n");
    Known::new().refuses_content("rows.dat", content, &["extension", "--format"]);
}

#[test]
fn bytes_that_are_not_utf8() {
    let mut content = format!("{HEADER}n1,ann,2026-01-03,view,1\nn2,").into_bytes();
    content.extend(b"b\xff\xfe,2026-01-03,view,1\n");
    Known::new().refuses_content("latin.csv", content, &["line 3", "\"user_id\"", "not valid UTF-8"]);
}

#[test]
fn bad_timestamp_in_line_7() {
    let good: String = (2..7).map(|line| format!("n{line},ann,2026-01-03T10:00:00Z,view,1\n")).collect();
    let content = format!("{HEADER}{good}n7,ann,yesterday,view,1\n");
    let parts = ["line 7", "column \"ts\"", "value \"yesterday\"", "not a timestamp", "--on-error skip"];
    Known::new().refuses_content("times.csv", content, &parts);
}

#[test]
fn row_without_user_id() {
    let content = format!("{HEADER}n1,ann,2026-01-03,view,1\nn2,,2026-01-03,view,1\n");
    let parts = ["line 3", "\"user_id\"", "missing"];
    Known::new().refuses_content("nobody.csv", content, &parts);
}

#[test]
fn file_without_user_id() {
    let content = "event_id,customer,ts,event\nn1,ann,2026-01-03,view\n";
    Known::new().refuses_content(
        "customers.csv",
        content,
        &["no column for user_id", "--map user_id=customer"],
    );
}

#[test]
fn map_from_an_unknown_column() {
    let known = Known::new();
    known.place.write("customers.csv", "event_id,customer,ts,event\nn1,ann,2026-01-03,view\n");
    known.refuses(
        &["load", "customers.csv", "--map", "user_id=client"],
        &["\"customers.csv\"", "\"client\"", "--map", "customer"],
    );
}

#[test]
fn map_to_an_unknown_column() {
    let known = Known::new();
    known.place.write("new.csv", format!("{HEADER}n1,ann,2026-01-03,view,1\n"));
    known.refuses(
        &["load", "new.csv", "--map", "usr=user_id"],
        &["--map usr=user_id", "no touchpoint column \"usr\"", "user_id", "--extra columns"],
    );
}

#[test]
fn map_to_a_computed_column() {
    let known = Known::new();
    known.place.write("new.csv", format!("{HEADER}n1,ann,2026-01-03,view,1\n"));
    known.refuses(
        &["load", "new.csv", "--map", "user_key=user_id"],
        &["--map user_key=user_id", "\"user_key\"", "cannot be set"],
    );
}

#[test]
fn map_without_an_equals_sign() {
    let known = Known::new();
    known.place.write("new.csv", THREE_ROWS);
    known.refuses(&["load", "new.csv", "--map", "user_id"], &["\"user_id\"", "NAME=VALUE"]);
}

#[test]
fn truncated_gzip() {
    let bytes = generated(OutputFormat::Csv, Some(Compression::Gzip));
    let parts = ["damaged", "gzip data ends too early"];
    Known::new().refuses_content("cut.csv.gz", first_half(&bytes), &parts);
}

#[test]
fn truncated_gzip_that_is_read_to_a_line() {
    let config = GeneratorConfig { events: 40_000, users: 1_000, days: 2, ..GeneratorConfig::default() };
    let known = Known::new();
    let compression = Some(Compression::Gzip);
    let report =
        write_dataset(&config, &known.place.path("long"), OutputFormat::Csv, compression, 1).expect("a file");
    let bytes = std::fs::read(&report.files[0]).expect("a file");
    known.refuses_content("cut.csv.gz", first_half(&bytes), &["damaged after line ", "ends too early"]);
}

#[test]
fn truncated_zstd() {
    let bytes = generated(OutputFormat::Ndjson, Some(Compression::Zstd));
    let parts = ["damaged", "zstd data ends too early"];
    Known::new().refuses_content("cut.ndjson.zst", first_half(&bytes), &parts);
}

#[test]
fn truncated_parquet() {
    let bytes = generated(OutputFormat::Parquet, None);
    let parts = ["damaged after ", " bytes", "Parquet file that ends too early"];
    Known::new().refuses_content("cut.parquet", first_half(&bytes), &parts);
}

#[test]
fn overwritten_parquet() {
    let mut bytes = generated(OutputFormat::Parquet, None);
    let middle = bytes.len() / 2;
    bytes[middle..middle + 2_000].fill(0x5a);
    Known::new().refuses_content("overwritten.parquet", bytes, &["\"overwritten.parquet\""]);
}

#[test]
fn parquet_whose_decoder_panics() {
    let mut bytes = generated(OutputFormat::Parquet, None);
    // Numbers that never end.
    let middle = bytes.len() / 2;
    for start in (1_000..bytes.len() - 20_000).step_by(997).chain([middle]) {
        bytes[start..start + 64].fill(0xff);
    }
    Known::new().refuses_content("ones.parquet", bytes, &["\"ones.parquet\" is damaged"]);
}

#[test]
fn empty_files() {
    let known = Known::new();
    for file in ["empty.csv", "empty.ndjson", "empty.parquet"] {
        known.refuses_content(file, "", &["it is empty"]);
    }
}

#[test]
fn header_only() {
    Known::new().refuses_content("header.csv", HEADER, &["a header but no rows"]);
}

#[test]
fn wrong_number_of_fields() {
    let content = format!("{HEADER}n1,ann,2026-01-03,view,1\nn2,ann,2026-01-03,view\n");
    Known::new().refuses_content("fields.csv", content, &["line 3", "4 fields", "the header has 5"]);
}

#[test]
fn column_twice_in_the_header() {
    let content = "event_id,user_id,ts,event,ts\nn1,ann,2026-01-03,view,2026-01-03\n";
    Known::new().refuses_content("twice.csv", content, &["\"ts\""]);
}

#[test]
fn quote_that_is_never_closed() {
    let content = format!("{HEADER}n1,ann,2026-01-03,\"view,1\nn2,ann,2026-01-03,view,1\n");
    Known::new().refuses_content("quote.csv", content, &["line 2", "quote"]);
}

#[test]
fn broken_json() {
    let content = "{\"user_id\":\"ann\",\"ts\":\"2026-01-03\",\"event\":\"view\"}\n{\"user_id\":\n";
    Known::new().refuses_content("broken.ndjson", content, &["line 2", "JSON"]);
}

#[test]
fn json_that_is_no_object() {
    let content = "{\"user_id\":\"ann\",\"ts\":\"2026-01-03\",\"event\":\"view\"}\n[1, 2]\n";
    Known::new().refuses_content("list.ndjson", content, &["line 2", "object"]);
}

#[test]
fn too_many_decimals() {
    let content = format!("{HEADER}n1,ann,2026-01-03,view,1.123456\n");
    let parts = ["line 2", "\"revenue\"", "\"1.123456\"", "4 decimal places"];
    Known::new().refuses_content("money.csv", content, &parts);
}

#[test]
fn number_that_is_none() {
    let content = format!("{HEADER}n1,ann,2026-01-03,view,cheap\n");
    Known::new().refuses_content("money.csv", content, &["line 2", "\"revenue\"", "\"cheap\""]);
}

#[test]
fn unmapped_column_with_extra_error() {
    let known = Known::new();
    known.place.write("shoes.csv", "event_id,user_id,ts,event,shoe\nn1,ann,2026-01-03,view,9\n");
    let parts = ["\"shoes.csv\"", "shoe", "--map", "--extra"];
    known.refuses(&["load", "shoes.csv", "--extra", "error"], &parts);
}
