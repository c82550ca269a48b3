//! Counters of a server, and their text for Prometheus.
//!
//! Labels are few and fixed: nothing of a user, a statement or its data is in them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::wire::lock;

/// Upper ends of the buckets of statement times, in seconds.
const BUCKETS: [f64; 10] = [0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0];
/// SQLSTATEs counted apart; there are about as many that this server answers.
const MAX_CODES: usize = 100;

/// What a server counts.
#[derive(Debug)]
pub(crate) struct Metrics {
    started: SystemTime,
    pub(crate) sessions: Gauge,
    pub(crate) connections: Counter,
    pub(crate) evicted: Counter,
    pub(crate) refused: Counter,
    pub(crate) failed_logins: Counter,
    pub(crate) cancel_requests: Counter,
    pub(crate) wrong_cancel_keys: Counter,
    pub(crate) rows: Counter,
    running: Gauge,
    statements: Times,
    errors: Mutex<BTreeMap<String, u64>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            started: SystemTime::now(),
            sessions: Gauge::default(),
            connections: Counter::default(),
            evicted: Counter::default(),
            refused: Counter::default(),
            failed_logins: Counter::default(),
            cancel_requests: Counter::default(),
            wrong_cancel_keys: Counter::default(),
            rows: Counter::default(),
            running: Gauge::default(),
            statements: Times::default(),
            errors: Mutex::default(),
        }
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A number that grows and shrinks.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicI64);

impl Gauge {
    pub(crate) fn add(&self, more: i64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
struct Times {
    buckets: [AtomicU64; BUCKETS.len()],
    count: Counter,
    sum_us: Counter,
}

/// What is not counted but looked up when asked.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Levels {
    pub(crate) pending_logins: usize,
    pub(crate) memory_reserved_bytes: usize,
    pub(crate) memory_limit_bytes: usize,
    pub(crate) temp_bytes: u64,
}

impl Metrics {
    /// A statement begins.
    pub(crate) fn begin_statement(&self) {
        self.running.add(1);
    }

    /// A statement has ended, in whatever way.
    pub(crate) fn end_statement(&self, took: Duration) {
        self.running.add(-1);
        self.statements.count.add(1);
        self.statements.sum_us.add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
        let bucket = BUCKETS.iter().position(|end| took.as_secs_f64() <= *end);
        if let Some(bucket) = bucket.and_then(|bucket| self.statements.buckets.get(bucket)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A client was told an error with SQLSTATE `code`.
    pub(crate) fn error(&self, code: &str) {
        let mut errors = lock(&self.errors);
        if let Some(count) = errors.get_mut(code) {
            *count += 1;
        } else if errors.len() < MAX_CODES {
            errors.insert(code.to_owned(), 1);
        }
    }

    /// All of it in Prometheus' text format.
    pub(crate) fn render(&self, levels: Levels) -> String {
        let mut text = String::new();
        let started = self.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mut put = |name: &str, kind: &str, help: &str, value: f64| {
            let _ = write!(
                text,
                "# HELP wayfare_{name} {help}\n# TYPE wayfare_{name} {kind}\nwayfare_{name} {value}\n"
            );
        };
        #[expect(clippy::cast_precision_loss, reason = "Prometheus has no other numbers")]
        let number = |counter: &Counter| counter.get() as f64;
        put(
            "start_time_seconds",
            "gauge",
            "When the server started, since the Unix epoch.",
            started.as_secs_f64(),
        );
        #[expect(clippy::cast_precision_loss, reason = "Prometheus has no other numbers")]
        for (name, help, value) in [
            ("sessions", "Logged-in connections.", self.sessions.get() as f64),
            ("pending_logins", "Connections that are not logged in yet.", levels.pending_logins as f64),
            ("running_statements", "Statements that have begun and not ended.", self.running.get() as f64),
            ("memory_reserved_bytes", "Memory that queries hold.", levels.memory_reserved_bytes as f64),
            ("memory_limit_bytes", "Memory that queries may hold.", levels.memory_limit_bytes as f64),
            (
                "temp_bytes",
                "Disk that queries hold for what does not fit into memory.",
                levels.temp_bytes as f64,
            ),
        ] {
            put(name, "gauge", help, value);
        }
        for (name, help, counter) in [
            ("connections_total", "Connections accepted.", &self.connections),
            ("evicted_logins_total", "Connections ended before the log-in to make room.", &self.evicted),
            ("refused_logins_total", "Log-ins refused because all sessions were in use.", &self.refused),
            ("failed_logins_total", "Log-ins with a wrong user or password.", &self.failed_logins),
            ("cancel_requests_total", "Cancel requests.", &self.cancel_requests),
            ("wrong_cancel_keys_total", "Cancel requests with a wrong key.", &self.wrong_cancel_keys),
            ("rows_total", "Rows of results sent to clients.", &self.rows),
        ] {
            put(name, "counter", help, number(counter));
        }
        self.render_times(&mut text);
        let _ = write!(
            text,
            "# HELP wayfare_errors_total Errors told to clients.\n# TYPE wayfare_errors_total counter\n"
        );
        for (code, count) in lock(&self.errors).iter() {
            let _ = writeln!(text, "wayfare_errors_total{{sqlstate=\"{code}\"}} {count}");
        }
        text
    }

    fn render_times(&self, text: &mut String) {
        let Times { buckets, count, sum_us } = &self.statements;
        let _ = write!(
            text,
            "# HELP wayfare_statement_seconds Time from the begin of a statement to the end of its result.\n\
             # TYPE wayfare_statement_seconds histogram\n"
        );
        let mut below = 0;
        for (end, bucket) in BUCKETS.iter().zip(buckets) {
            below += bucket.load(Ordering::Relaxed);
            let _ = writeln!(text, "wayfare_statement_seconds_bucket{{le=\"{end}\"}} {below}");
        }
        let count = count.get();
        let _ = writeln!(text, "wayfare_statement_seconds_bucket{{le=\"+Inf\"}} {count}");
        let seconds = Duration::from_micros(sum_us.get()).as_secs_f64();
        let _ = write!(
            text,
            "wayfare_statement_seconds_sum {seconds}\nwayfare_statement_seconds_count {count}\n"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_cumulative_and_errors_by_code() {
        let metrics = Metrics::default();
        for ms in [0, 20, 20, 2_000, 10_000_000] {
            metrics.begin_statement();
            metrics.end_statement(Duration::from_millis(ms));
        }
        metrics.error("42P01");
        metrics.error("42P01");
        let text = metrics.render(Levels { pending_logins: 3, ..Levels::default() });
        for line in [
            "wayfare_statement_seconds_bucket{le=\"0.001\"} 1",
            "wayfare_statement_seconds_bucket{le=\"0.025\"} 3",
            "wayfare_statement_seconds_bucket{le=\"5\"} 4",
            "wayfare_statement_seconds_bucket{le=\"600\"} 4",
            "wayfare_statement_seconds_bucket{le=\"+Inf\"} 5",
            "wayfare_statement_seconds_count 5",
            "wayfare_statement_seconds_sum 10002.04",
            "wayfare_errors_total{sqlstate=\"42P01\"} 2",
            "wayfare_running_statements 0",
            "wayfare_pending_logins 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn codes_are_bounded() {
        let metrics = Metrics::default();
        for code in 0..10_000 {
            metrics.error(&code.to_string());
        }
        assert_eq!(lock(&metrics.errors).len(), MAX_CODES);
    }
}
