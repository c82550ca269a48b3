//! Files of a data set: names, report, refusal to overwrite.

use std::fs;

use wayfare_datasets::{Compression, DatasetError, GeneratorConfig, OutputFormat, write_dataset, write_part};

use crate::disturbed;

#[test]
fn files_are_named_after_their_part_and_reported() {
    let dir = tempfile::tempdir().unwrap();
    let out_dir = dir.path().join("new/folder");
    let config = disturbed();
    let report = write_dataset(&config, &out_dir, OutputFormat::Csv, None, 3).unwrap();
    assert_eq!(report.rows, 21_000);
    let names: Vec<String> =
        report.files.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(
        names,
        [
            "touchpoints-00000-of-00003.csv",
            "touchpoints-00001-of-00003.csv",
            "touchpoints-00002-of-00003.csv"
        ]
    );
    let contents: Vec<Vec<u8>> = report.files.iter().map(|path| fs::read(path).unwrap()).collect();
    assert_eq!(report.bytes, contents.iter().map(|content| content.len() as u64).sum::<u64>());
    assert_eq!(fs::read_dir(&out_dir).unwrap().count(), 3, "no temporary file is left");
    for (part, content) in (0..).zip(&contents) {
        let mut expected = Vec::new();
        write_part(&config, (part, 3), OutputFormat::Csv, None, &mut expected).unwrap();
        assert!(*content == expected);
    }
}

#[test]
fn extensions_name_format_and_compression() {
    let config = GeneratorConfig { events: 10, users: 3, ..GeneratorConfig::default() };
    let cases = [
        (OutputFormat::Parquet, None, "parquet"),
        (OutputFormat::Parquet, Some(Compression::Zstd), "parquet"),
        (OutputFormat::Csv, Some(Compression::Gzip), "csv.gz"),
        (OutputFormat::Csv, Some(Compression::Zstd), "csv.zst"),
        (OutputFormat::Ndjson, None, "ndjson"),
        (OutputFormat::Ndjson, Some(Compression::Gzip), "ndjson.gz"),
    ];
    for (format, compression, extension) in cases {
        let dir = tempfile::tempdir().unwrap();
        let report = write_dataset(&config, dir.path(), format, compression, 1).unwrap();
        assert_eq!(report.files, [dir.path().join(format!("touchpoints-00000-of-00001.{extension}"))]);
    }
}

#[test]
fn existing_files_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let existing = dir.path().join("touchpoints-00001-of-00002.ndjson");
    fs::write(&existing, "mine").unwrap();
    let error = write_dataset(&disturbed(), dir.path(), OutputFormat::Ndjson, None, 2).unwrap_err();
    assert!(matches!(&error, DatasetError::AlreadyExists { path } if *path == existing), "{error}");
    assert_eq!(fs::read(existing).unwrap(), b"mine");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn bad_arguments_write_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let out_dir = dir.path().join("out");
    let config = GeneratorConfig { late: 2.0, ..GeneratorConfig::default() };
    assert!(write_dataset(&config, &out_dir, OutputFormat::Csv, None, 1).is_err());
    assert!(write_dataset(&GeneratorConfig::default(), &out_dir, OutputFormat::Csv, None, 0).is_err());
    assert!(!out_dir.exists());
}
