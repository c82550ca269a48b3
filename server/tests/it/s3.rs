//! A store and its input in S3, against a local service (Python packages `moto` and `boto3`).

use crate::support::tell;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};

const BUCKET: &str = "journeys";
const ROWS: u64 = wayfare_datasets::simple_shop::ROWS;

/// The service; it ends when its standard input closes, so also when the test fails.
struct S3 {
    process: Child,
    endpoint: String,
}

impl S3 {
    /// Starts it with the bundled data as `in/shop.csv.gz`; `None` where its packages are missing.
    fn start(dir: &std::path::Path) -> Option<Self> {
        let python = std::env::var("WAYFARE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let file = wayfare_datasets::simple_shop::write_to(dir).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/s3_server.py");
        let started = Command::new(&python)
            .arg(script)
            .args([BUCKET, file.to_str().unwrap(), "in/shop.csv.gz"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut process = match started {
            Ok(process) => process,
            Err(error) => return missing(&format!("{python}: {error}")),
        };
        let mut endpoint = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut endpoint).unwrap();
        if endpoint.trim().is_empty() {
            let mut why = String::new();
            process.stderr.take().unwrap().read_to_string(&mut why).unwrap();
            process.wait().unwrap();
            return missing(why.lines().last().unwrap_or("no address"));
        }
        Some(Self { process, endpoint: endpoint.trim().to_owned() })
    }

    fn wayfare(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_wayfare"))
            .args(["--store", "s3://journeys/store", "--threads", "2"])
            .args(args)
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "us-east-1")
            .output()
            .unwrap()
    }

    fn done(&self, args: &[&str]) -> String {
        let output = self.wayfare(args);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{args:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn missing(why: &str) -> Option<S3> {
    assert!(std::env::var_os("CI").is_none(), "the S3 service cannot be started in CI: {why}");
    tell(format!("not run: {why}"));
    None
}

#[test]
fn a_store_in_a_bucket_is_loaded_from_a_bucket_and_read() {
    let dir = tempfile::tempdir().unwrap();
    let Some(s3) = S3::start(dir.path()) else { return };
    let load = ["load", "s3://journeys/in/", "--map", "ts=timestamp"];
    let report = s3.done(&load);
    assert!(report.contains(&format!("rows loaded                {ROWS}\n")), "{report}");
    assert!(s3.done(&load).contains("nothing new: table touchpoints is unchanged"));
    let count = s3.done(&["query", "--format", "csv", "SELECT count(*) AS n FROM touchpoints"]);
    assert_eq!(count, format!("n\n{ROWS}\n"));
    assert!(s3.done(&["history"]).contains("s3://journeys/in/shop.csv.gz"));

    let missing = s3.wayfare(&["load", "s3://journeys/nothing/"]);
    assert_eq!(missing.status.code(), Some(1));
    let message = String::from_utf8(missing.stderr).unwrap();
    assert!(message.contains("s3://journeys/nothing/") && message.lines().count() == 1, "{message}");
}
