//! Everything at once that strangers and users could do to a server, while one client only wants its answers.
//!
//! The server is a process of its own: it must not end, must stay within its memory, and must answer the healthy client
//! within five seconds all the while. Seeded: the same bytes are sent each time. In the environment,
//! `WAYFARE_HOSTILE_SEED` takes another seed, `WAYFARE_HOSTILE=full` sends everything, `WAYFARE_HOSTILE_SERVER` names
//! another program, and `WAYFARE_HOSTILE_VERBOSE` tells about each statement.

mod client;
mod mutate;
mod server;
mod statements;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::process::{PASSWORD, ServerProcess};
use crate::support::tell;
use client::{Keys, Wire, message, start_up};

/// How much is sent.
struct Size {
    sessions: usize,
    half_open: usize,
    conversations: u64,
    /// Of all statements, each of so many.
    statements_step: usize,
}

const FULL: Size = Size { sessions: 1_000, half_open: 2_000, conversations: 10_000, statements_step: 1 };
const USUAL: Size = Size { sessions: 150, half_open: 700, conversations: 1_000, statements_step: 4 };
/// Statements that there are at least.
const STATEMENTS: usize = 150;
/// Sessions that send statements at once.
const SENDERS: usize = 4;
/// Connections that the harness works with at once.
const AT_ONCE: usize = 24;
/// How soon the healthy client is answered, always.
const HEALTHY_WITHIN: Duration = Duration::from_secs(5);
/// What the server may hold: its memory limit and temporary tables, sessions, threads, and a debug build.
const MAX_RESIDENT_BYTES: u64 = 1_500 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_under_attack_answers_its_client() {
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    let seed = std::env::var("WAYFARE_HOSTILE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let size = match std::env::var("WAYFARE_HOSTILE").as_deref() {
        Ok("full") => FULL,
        _ => USUAL,
    };
    let server = server::start();
    let address = server.address;
    let (first, keys) = Wire::log_in(address, "reader", PASSWORD, None).await.expect("a log-in");
    let healthy = Healthy::start(address, keys.clone(), first);

    let mut clock = Clock { server: &server, healthy: &healthy, began: Instant::now() };
    let sessions = sessions(address, &keys, size.sessions).await;
    clock.phase(&format!("{} sessions", sessions.len()));
    let strangers = half_open(address, size.half_open).await;
    clock.phase(&format!("{} half-open connections", strangers.len()));
    conversations(address, &keys, seed, size.conversations).await;
    clock.phase(&format!("{} mutated conversations", size.conversations));
    let first = usize::try_from(seed).unwrap_or_default() % size.statements_step;
    let answered = hostile_statements(address, first, size.statements_step).await;
    clock.phase(&format!("{answered} hostile statements"));

    // Those who were there all the time still are.
    let alive: usize = futures::stream::iter(sessions)
        .map(async |mut session| {
            session.send(&message(b'Q', b"SELECT 1\0")).await.is_ok()
                && matches!(session.until_ready().await, Ok(None))
        })
        .buffer_unordered(AT_ONCE)
        .map(usize::from)
        .fold(0, async |all, one| all + one)
        .await;
    assert_eq!(alive, size.sessions);
    clock.phase("all sessions once more");
    drop(strangers);
    healthy.stop().await;
    let log = server.stop();
    let panics: Vec<&str> = log.lines().filter(|line| line.contains("panic")).collect();
    assert!(panics.is_empty(), "panics:\n{}", panics.join("\n"));
}

/// Watches server and healthy client from phase to phase.
struct Clock<'a> {
    server: &'a ServerProcess,
    healthy: &'a Healthy,
    began: Instant,
}

impl Clock<'_> {
    fn phase(&mut self, what: &str) {
        let slowest = self.healthy.slowest();
        let resident = self.server.peak_resident_bytes();
        tell(format!(
            "{what}: {:.1} s, slowest healthy answer {} ms, server {} MiB",
            self.began.elapsed().as_secs_f64(),
            slowest.as_millis(),
            resident >> 20
        ));
        self.server.assert_running();
        assert!(slowest < HEALTHY_WITHIN, "the healthy client waited for {slowest:?}");
        assert!(resident < MAX_RESIDENT_BYTES, "the server holds {resident} bytes");
        self.began = Instant::now();
    }
}

/// A client that asks a small question ten times a second, and logs in anew each second.
struct Healthy {
    stop: Arc<AtomicBool>,
    slowest_us: Arc<AtomicU64>,
    running: tokio::task::JoinHandle<()>,
}

impl Healthy {
    fn start(address: SocketAddr, keys: Keys, mut session: Wire) -> Self {
        let (stop, slowest_us) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, slowest) = (Arc::clone(&stop), Arc::clone(&slowest_us));
        let running = tokio::spawn(async move {
            let mut round = 0_u32;
            while !stopped.load(Ordering::Relaxed) {
                let asked = Instant::now();
                if round.is_multiple_of(10) {
                    let (mut fresh, _) =
                        Wire::log_in(address, "reader", PASSWORD, Some(&keys)).await.expect("a log-in");
                    ask(&mut fresh).await;
                    let _ = fresh.send(&message(b'X', b"")).await;
                } else {
                    ask(&mut session).await;
                }
                let took = u64::try_from(asked.elapsed().as_micros()).unwrap();
                slowest.fetch_max(took, Ordering::Relaxed);
                round += 1;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        Self { stop, slowest_us, running }
    }

    /// The longest wait since it was asked last.
    fn slowest(&self) -> Duration {
        Duration::from_micros(self.slowest_us.swap(0, Ordering::Relaxed))
    }

    async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.running.await.expect("the healthy client was served to the end");
    }
}

async fn ask(session: &mut Wire) {
    session
        .send(&message(b'Q', b"SELECT count(*) FROM touchpoints WHERE event = 'view'\0"))
        .await
        .expect("a session");
    assert_eq!(session.until_ready().await.expect("an answer"), None);
}

async fn sessions(address: SocketAddr, keys: &Keys, count: usize) -> Vec<Wire> {
    let sessions: Vec<Wire> = futures::stream::iter(0..count)
        .map(async |_| Wire::log_in(address, "reader", PASSWORD, Some(keys)).await.expect("a log-in").0)
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    sessions
}

/// Connections that begin and do not go on, each in another place.
async fn half_open(address: SocketAddr, count: usize) -> Vec<Wire> {
    let packet = start_up("reader");
    let mut strangers = Vec::new();
    for number in 0..count {
        let Ok(mut wire) = Wire::open(address).await else { continue };
        let said: &[u8] = match number % 5 {
            0 => &[],
            1 => &packet,
            2 => &packet[..packet.len() / 2],
            3 => &[0, 0],
            _ => &[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f],
        };
        // The server may have ended it already, to make room.
        let _ = wire.send(said).await;
        strangers.push(wire);
    }
    assert_eq!(strangers.len(), count);
    strangers
}

async fn conversations(address: SocketAddr, keys: &Keys, seed: u64, count: u64) {
    let quiet = Duration::from_millis(30);
    futures::stream::iter(0..AT_ONCE as u64)
        .for_each_concurrent(None, async |worker| {
            let mut session = None;
            for number in (worker..count).step_by(AT_ONCE) {
                let mut random = StdRng::seed_from_u64(seed.wrapping_mul(1 << 32).wrapping_add(number));
                if number % 2 == 0 {
                    let bytes = mutate::before_login(&mut random);
                    let mut wire = Wire::open(address).await.expect("the server listens");
                    let _ = wire.send(&bytes).await;
                    wire.drain(quiet).await;
                    continue;
                }
                let mut wire = match session.take() {
                    Some(wire) => wire,
                    None => Wire::log_in(address, "reader", PASSWORD, Some(keys)).await.expect("a log-in").0,
                };
                let bytes = mutate::after_login(&mut random);
                let ended = wire.send(&bytes).await.is_err() || wire.drain(quiet).await;
                // A message that was left open would swallow the next conversation.
                if !ended && random_end(&mut wire).await {
                    session = Some(wire);
                }
            }
        })
        .await;
}

/// Whether the session still answers.
async fn random_end(wire: &mut Wire) -> bool {
    wire.send(&message(b'S', b"")).await.is_ok()
        && matches!(tokio::time::timeout(Duration::from_millis(500), wire.until_ready()).await, Ok(Ok(_)))
}

/// Sends each of `step` statements, beginning with `first`, from several sessions; each is answered, with an error or
/// with rows.
async fn hostile_statements(address: SocketAddr, first: usize, step: usize) -> usize {
    let all = statements::all();
    assert!(all.len() >= STATEMENTS, "{}", all.len());
    let chosen: Vec<String> = all.into_iter().skip(first).step_by(step).collect();
    let (_, keys) = Wire::log_in(address, "loader", PASSWORD, None).await.expect("a log-in");
    let next = AtomicUsize::new(0);
    futures::stream::iter(0..SENDERS)
        .for_each_concurrent(None, async |_| {
            let login = Wire::log_in(address, "loader", PASSWORD, Some(&keys)).await;
            let mut session = login.expect("a log-in").0;
            while let Some(sql) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                send_statement(&mut session, sql).await;
            }
        })
        .await;
    chosen.len()
}

async fn send_statement(session: &mut Wire, sql: &str) {
    let start: String = sql.chars().take(100).collect();
    let began = Instant::now();
    session.send(&message(b'Q', format!("{sql}\0").as_bytes())).await.expect("a session");
    let code = session.until_ready().await.unwrap_or_else(|e| panic!("{e}: {start}"));
    if std::env::var_os("WAYFARE_HOSTILE_VERBOSE").is_some() {
        let code = code.as_deref().unwrap_or("-----");
        tell(format!("{:>6} ms {code} {start}", began.elapsed().as_millis()));
    }
    assert_ne!(code.as_deref(), Some("XX000"), "{start}");
}
