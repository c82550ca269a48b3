//! `wayfare serve` as a process of its own.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub const PASSWORD: &str = "correct horse, battery";
const ROWS: &str = "\
user_id,ts,event
ann,2026-01-01T10:00:00Z,view
ann,2026-01-01T10:05:00Z,buy
ben,2026-01-02T11:00:00Z,view
";

/// A directory with a small store.
pub struct SmallStore {
    pub dir: TempDir,
    program: OsString,
}

impl SmallStore {
    /// With [`ROWS`], for the program under test.
    pub fn new() -> Self {
        Self::for_program(env!("CARGO_BIN_EXE_wayfare").into())
    }

    /// The same for another program.
    pub fn for_program(program: OsString) -> Self {
        let store = Self { dir: tempfile::tempdir().unwrap(), program };
        std::fs::write(store.dir.path().join("rows.csv"), ROWS).unwrap();
        store.ok(&["load", "rows.csv"]);
        store
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(self.dir.path()).args(["--store", "store", "--threads", "2"]);
        command.env("WAYFARE_PASSWORD", PASSWORD).env_remove("WAYFARE_LOG").env_remove("WAYFARE_CONFIG");
        command.stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command().args(args).output().unwrap()
    }

    pub fn ok(&self, args: &[&str]) {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {output:?}");
    }
}

/// A server that runs. It is killed when the value is dropped.
pub struct ServerProcess {
    pub address: SocketAddr,
    child: Mutex<Child>,
    log: Arc<Mutex<String>>,
    // Removed when the server is gone.
    _store: SmallStore,
}

impl ServerProcess {
    /// `wayfare serve ARGS` on a free port.
    pub fn start(store: SmallStore, args: &[&str]) -> Self {
        let mut command = store.command();
        command.args(["serve", "--port", "0"]).args(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let (mut stderr, kept) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&log));
        std::thread::spawn(move || {
            let mut line = String::new();
            while stderr.read_line(&mut line).is_ok_and(|read| read > 0) {
                kept.lock().unwrap().push_str(&line);
                line.clear();
            }
        });
        stdout.read_line(&mut line).unwrap();
        let address = line.split_whitespace().nth(3).and_then(|word| word.trim_end_matches(':').parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}\n{}", log.lock().unwrap()));
        // Nobody else reads what it prints.
        std::thread::spawn(move || stdout.read_to_string(&mut String::new()));
        Self { address, child: Mutex::new(child), log, _store: store }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Waits until `text` is in the log.
    ///
    /// # Panics
    /// It is not there after half a minute.
    pub async fn wait_for_log(&self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.log().contains(text) {
            assert!(Instant::now() < deadline, "{text:?} is not in the log:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Sends the process a signal, such as `HUP`.
    pub fn signal(&self, name: &str) {
        let id = self.child.lock().unwrap().id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    pub fn assert_running(&self) {
        let ended = self.child.lock().unwrap().try_wait().unwrap();
        assert!(ended.is_none(), "the server ended: {ended:?}\n{}", self.log.lock().unwrap());
    }

    /// The most memory that the process ever held; 0 where the system does not tell.
    pub fn peak_resident_bytes(&self) -> u64 {
        let id = self.child.lock().unwrap().id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kib| kib << 10)
    }

    /// Ends the server as an operator would, and returns what it logged.
    pub fn stop(self) -> String {
        self.signal("TERM");
        self.wait_for_end()
    }

    /// Waits until it has ended, as it should, and returns what it logged.
    pub fn wait_for_end(self) -> String {
        let status = self.child.lock().unwrap().wait().unwrap();
        assert!(status.success(), "{status}");
        self.log()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        if let Ok(child) = self.child.get_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
