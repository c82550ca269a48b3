//! Object stores on this machine, each with the files of a directory in it.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::proxy::Proxy;
use crate::cli::support::Finished;
use crate::support::tell;

/// The bucket or container of every emulator.
pub(super) const BUCKET: &str = "journeys";
/// The account that every emulator of Azure has.
const AZURE_ACCOUNT: &str = "devstoreaccount1";
/// Its key, which is public.
pub(super) const AZURE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// Shows that it is never shown.
pub(super) const S3_SECRET: &str = "a-secret-of-the-tests";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    S3,
    Azure,
    /// Google's client, sent to the S3 service through a proxy that translates its conditions.
    Gcs,
}

/// A service; it ends when its standard input closes, so also when the test fails.
pub(super) struct Emulator {
    process: Child,
    kind: Kind,
    pub(super) address: String,
    /// Where `address` is not that of the process.
    _translator: Option<Proxy>,
}

impl Emulator {
    /// Starts it with the files below `directory`; `None` where its packages are missing.
    pub(super) fn start(kind: Kind, directory: &Path) -> Option<Self> {
        let python = std::env::var("WAYFARE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let modules = std::env::var("WAYFARE_NODE_MODULES").unwrap_or_else(|_| "node_modules".to_owned());
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python");
        let mut command = Command::new(&python);
        match kind {
            Kind::S3 | Kind::Gcs => command.arg(scripts.join("s3_server.py")).arg(BUCKET).arg(directory),
            Kind::Azure => {
                command.arg(scripts.join("azure_server.py")).arg(BUCKET).arg(directory).arg(modules)
            }
        };
        let started = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut process = match started {
            Ok(process) => process,
            Err(error) => return missing(kind, &format!("{python}: {error}")),
        };
        let mut address = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let mut complaints = process.stderr.take().unwrap();
        if address.trim().is_empty() {
            let mut why = String::new();
            complaints.read_to_string(&mut why).unwrap();
            process.wait().unwrap();
            return missing(kind, why.lines().last().unwrap_or("no address"));
        }
        // Its log must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut complaints, &mut std::io::sink()));
        let address = address.trim().trim_start_matches("http://").to_owned();
        let translator = (kind == Kind::Gcs).then(|| Proxy::of_google(&address));
        let address = translator.as_ref().map_or(address, |proxy| proxy.address.clone());
        Some(Self { process, kind, address, _translator: translator })
    }

    /// The URL of `path` in the bucket.
    pub(super) fn url(&self, path: &str) -> String {
        let scheme = match self.kind {
            Kind::S3 => "s3",
            Kind::Azure => "az",
            Kind::Gcs => "gs",
        };
        format!("{scheme}://{BUCKET}/{path}")
    }

    /// `wayfare ARGS` with the service at `address`, which may be a proxy of it.
    pub(super) fn command_at(&self, address: &str, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wayfare"));
        command.args(["--threads", "2"]).args(args).stdin(Stdio::null());
        for (name, _) in std::env::vars() {
            if ["AWS_", "AZURE_", "GOOGLE_", "WAYFARE_"].iter().any(|prefix| name.starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        match self.kind {
            Kind::S3 => command
                .env("AWS_ENDPOINT_URL", format!("http://{address}"))
                .env("AWS_ACCESS_KEY_ID", "test")
                .env("AWS_SECRET_ACCESS_KEY", S3_SECRET)
                .env("AWS_REGION", "us-east-1"),
            Kind::Azure => command
                .env("AZURE_STORAGE_ACCOUNT_NAME", AZURE_ACCOUNT)
                .env("AZURE_STORAGE_ACCOUNT_KEY", AZURE_KEY)
                .env("AZURE_STORAGE_ENDPOINT", format!("http://{address}/{AZURE_ACCOUNT}")),
            Kind::Gcs => {
                let account = serde_json::json!({
                    "gcs_base_url": format!("http://{address}"),
                    "disable_oauth": true,
                    "client_email": "",
                    "private_key": "",
                    "private_key_id": "",
                });
                // The address once more: a plain one is meant.
                command
                    .env("GOOGLE_BASE_URL", format!("http://{address}"))
                    .env("GOOGLE_SERVICE_ACCOUNT_KEY", account.to_string())
            }
        };
        command
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        self.command_at(&self.address, args)
    }

    /// Standard output of `wayfare ARGS`, which must succeed.
    pub(super) fn ok(&self, args: &[&str]) -> String {
        Finished::of(&mut self.command(args)).succeeded(args)
    }

    /// The only value of `sql` on the store at `store`.
    pub(super) fn value(&self, store: &str, sql: &str) -> String {
        let text = self.ok(&["--store", store, "query", "--format", "csv", sql]);
        text.lines().nth(1).expect("a row").to_owned()
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

fn missing(kind: Kind, why: &str) -> Option<Emulator> {
    assert!(std::env::var_os("CI").is_none(), "the emulator of {kind:?} cannot be started in CI: {why}");
    tell(format!("not run: {kind:?}: {why}"));
    None
}
