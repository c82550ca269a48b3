//! A server for a test, and clients of it.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};
use wayfare_engine::{Engine, EngineConfig};
use wayfare_server::{ServeOptions, Server};

/// A server on a free port over an empty store in memory. Stops when dropped.
pub struct TestServer {
    pub address: SocketAddr,
    /// Where metrics are, if the options name an address for them.
    pub monitor: Option<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<()>>,
}

impl TestServer {
    pub async fn start() -> Self {
        Self::start_with(ServeOptions::default()).await
    }

    pub async fn start_with(options: ServeOptions) -> Self {
        let config = EngineConfig { store_url: "memory:///test".to_owned(), ..EngineConfig::default() };
        let engine = Engine::open_or_create(config).await.expect("a store in memory");
        Self::start_on(Arc::new(engine), options).await
    }

    /// Serves `engine`, whatever address `options` name.
    pub async fn start_on(engine: Arc<Engine>, options: ServeOptions) -> Self {
        let options =
            ServeOptions { listen: SocketAddr::from(([127, 0, 0, 1], 0)), cpu_threads: 2, ..options };
        let server = Server::bind(engine, options).await.expect("a free port");
        let address = server.local_addr();
        let monitor = server.monitor_addr();
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(server.run(async move {
            let _ = stopped.await;
        }));
        Self { address, monitor, stop: Some(stop), running: Some(running) }
    }

    /// Begins the shutdown; returns when the server has ended.
    pub async fn shut_down(&mut self) {
        drop(self.stop.take());
        if let Some(running) = self.running.take() {
            running.await.expect("no panic in the server");
        }
    }

    pub async fn connect(&self) -> Client {
        self.connect_with(|_| {}).await
    }

    pub async fn connect_with(&self, configure: impl FnOnce(&mut Config)) -> Client {
        let mut config = Config::new();
        config
            .host(self.address.ip().to_string())
            .port(self.address.port())
            .user("tester")
            .dbname("wayfare")
            .connect_timeout(Duration::from_secs(10));
        configure(&mut config);
        let (client, connection) = config.connect(NoTls).await.expect("a connection");
        tokio::spawn(async move {
            // Ends with the client or with the server; tests look at the client.
            let _ = connection.await;
        });
        client
    }
}

/// The rows of the last statement in `sql`, as text.
pub async fn text_rows(client: &Client, sql: &str) -> Vec<Vec<Option<String>>> {
    let messages = client.simple_query(sql).await.unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    let mut rows = Vec::new();
    for message in messages {
        match message {
            SimpleQueryMessage::Row(row) => {
                rows.push((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect());
            }
            SimpleQueryMessage::RowDescription(_) => rows.clear(),
            _ => {}
        }
    }
    rows
}

/// The only value of `sql`, as text.
pub async fn text_value(client: &Client, sql: &str) -> Option<String> {
    let rows = text_rows(client, sql).await;
    assert_eq!(rows.len(), 1, "{sql}");
    rows[0][0].clone()
}

/// The SQLSTATE and message with which `sql` fails.
pub async fn failure(client: &Client, sql: &str) -> (String, String) {
    match client.simple_query(sql).await {
        Ok(_) => panic!("{sql} succeeded"),
        Err(e) => db_error(&e),
    }
}

pub fn db_error(error: &tokio_postgres::Error) -> (String, String) {
    let error = error.as_db_error().unwrap_or_else(|| panic!("not from the server: {error:?}"));
    (error.code().code().to_owned(), error.message().to_owned())
}

/// Runs psql with each of `commands` in one session and returns what it prints; `None` without psql.
///
/// # Panics
/// psql fails, or is missing where it must not be (in CI).
pub fn psql(address: SocketAddr, commands: &[&str]) -> Option<String> {
    let mut command = Command::new("psql");
    command
        .args(["-X", "-A", "-v", "ON_ERROR_STOP=1", "-h"])
        .arg(address.ip().to_string())
        .arg("-p")
        .arg(address.port().to_string())
        .args(["-U", "tester", "-d", "wayfare"])
        .env("PGCONNECT_TIMEOUT", "10");
    for one in commands {
        command.args(["-c", one]);
    }
    let output = match command.output() {
        Ok(output) => output,
        Err(e) => {
            assert!(std::env::var_os("CI").is_none(), "psql is needed in CI: {e}");
            tell("not run: psql not found");
            return None;
        }
    };
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "psql {commands:?}:\n{printed}\n{complaints}");
    Some(printed)
}

/// Says something past the capture of the test harness: what is not run must be seen.
pub fn tell(text: impl std::fmt::Display) {
    use std::io::Write;
    // A closed standard error is nobody listening.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Whether this process runs nothing but the test `name`. Where it does not, the test runs in a process that does, and has
/// passed there: what is measured of a process must be of one test.
///
/// # Panics
/// It failed there, or there is no such test.
pub fn is_alone(name: &str) -> bool {
    const ALONE: &str = "WAYFARE_TEST_ALONE";
    if std::env::var_os(ALONE).is_some_and(|alone| alone == *name) {
        return true;
    }
    let tests = std::env::current_exe().expect("the program of the tests");
    let mut command = Command::new(tests);
    command.args(["--exact", name, "--nocapture"]).env(ALONE, name);
    let output = command.output().expect("a process for one test");
    let printed = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && printed.contains("1 passed"), "{name}:\n{printed}\n{complaints}");
    complaints.lines().filter(|line| line.starts_with("not run")).for_each(tell);
    false
}
