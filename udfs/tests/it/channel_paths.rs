//! Ten thousand marketing paths of twelve channels, with figures of another package. The data are under the GPL and stay
//! outside the repository.

use std::path::PathBuf;

use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::prelude::{CsvReadOptions, SessionContext};
use serde_json::{Map, Value};

use crate::sql::{context, tell};

/// The paths as table `t`, and the figures.
pub(crate) struct ChannelPaths {
    pub(crate) context: SessionContext,
    pub(crate) answers: Value,
}

/// The table `t`; `None` where the data are not there, which is said.
pub(crate) async fn load() -> Option<ChannelPaths> {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/channel_paths");
    let Ok(answers) = std::fs::read_to_string(directory.join("answers.json")) else {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{} is missing", directory.display());
        tell("not run: channel_paths, its data are not there");
        return None;
    };
    let context = context();
    let options = CsvReadOptions::new()
        .delimiter(b';')
        .file_extension(".csv.gz")
        .file_compression_type(FileCompressionType::GZIP);
    let file = directory.join("path_data.csv.gz");
    context.register_csv("t", file.to_str().unwrap(), options).await.unwrap();
    Some(ChannelPaths { context, answers: serde_json::from_str(&answers).unwrap() })
}

/// Asserts that the number in text is `expected`.
pub(crate) fn close(found: &str, expected: f64, tolerance: f64, what: &str) {
    let found: f64 = found.parse().unwrap();
    assert!((found - expected).abs() <= tolerance, "{what}: {found} is not {expected}");
}

/// Every key of `expected` is in the rows, which are key and number, and nothing else.
pub(crate) fn compare(found: &[Vec<String>], expected: &Map<String, Value>, tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: {found:?}");
    for row in found {
        close(&row[1], expected[&row[0]].as_f64().unwrap(), tolerance, &format!("{what}: {}", row[0]));
    }
}
