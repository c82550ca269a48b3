//! The server under attack: a process of its own, with limits that a test can reach.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

pub const PASSWORD: &str = "correct horse, battery";
const ROWS: &str = "\
user_id,ts,event
ann,2026-01-01T10:00:00Z,view
ann,2026-01-01T10:05:00Z,buy
ben,2026-01-02T11:00:00Z,view
";

pub struct ServerProcess {
    pub address: SocketAddr,
    child: Mutex<Child>,
    log: Arc<Mutex<String>>,
    _dir: TempDir,
}

impl ServerProcess {
    /// A server over a small store, with the users reader and loader.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("rows.csv"), ROWS).unwrap();
        run(&dir, &["load", "rows.csv"]);
        for role in ["reader", "loader"] {
            run(&dir, &["user", "add", role, "--role", role]);
        }
        let mut command = wayfare(&dir);
        command.args(["serve", "--port", "0", "--memory-limit", "256MiB", "--max-query-memory", "64MiB"]);
        command.args([
            "--max-temp-size",
            "256MiB",
            "--max-statement-time",
            "2s",
            "--max-connections",
            "1200",
        ]);
        command.args(["--max-pending-logins", "500", "--login-time", "60s", "--log-level", "error"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let address = line.split_whitespace().nth(3).and_then(|word| word.trim_end_matches(':').parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}"));
        let log = Arc::new(Mutex::new(String::new()));
        let (mut stderr, kept) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&log));
        std::thread::spawn(move || {
            let mut line = String::new();
            while stderr.read_line(&mut line).is_ok_and(|read| read > 0) {
                kept.lock().unwrap().push_str(&line);
                line.clear();
            }
        });
        // Nobody else reads what it prints.
        std::thread::spawn(move || stdout.read_to_string(&mut String::new()));
        Self { address, child: Mutex::new(child), log, _dir: dir }
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
        let mut child = self.child.lock().unwrap();
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let status = child.wait().unwrap();
        assert!(status.success(), "{status}");
        self.log.lock().unwrap().clone()
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

fn wayfare(dir: &TempDir) -> Command {
    let program = std::env::var_os("WAYFARE_HOSTILE_SERVER");
    let mut command = Command::new(program.unwrap_or_else(|| env!("CARGO_BIN_EXE_wayfare").into()));
    command.current_dir(dir.path()).args(["--store", "store", "--threads", "2"]);
    command.env("WAYFARE_PASSWORD", PASSWORD).env_remove("WAYFARE_LOG").env_remove("WAYFARE_CONFIG");
    command
}

fn run(dir: &TempDir, args: &[&str]) {
    let output = wayfare(dir).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {output:?}");
}
