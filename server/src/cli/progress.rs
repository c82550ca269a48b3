//! How a load gets on: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use wayfare_engine::load::{LoadProgress, LoadStage};

/// Plain lines come no faster than this.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Progress of a load on standard error.
pub struct Progress {
    bar: Option<ProgressBar>,
    rows: AtomicU64,
    last_line: Mutex<(Instant, LoadStage)>,
}

impl Progress {
    /// A bar if standard error is a terminal.
    pub fn new() -> Self {
        Self {
            bar: std::io::stderr().is_terminal().then(ProgressBar::no_length),
            rows: AtomicU64::new(0),
            last_line: Mutex::new((Instant::now(), LoadStage::Identify)),
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn verb(stage: LoadStage) -> &'static str {
    match stage {
        LoadStage::Identify => "looking at the input",
        LoadStage::Read => "reading",
        LoadStage::Write => "writing",
        LoadStage::Commit => "committing",
    }
}

impl LoadProgress for Progress {
    fn stage(&self, stage: LoadStage, total_rows: Option<u64>) {
        self.rows.store(0, Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            let template = match total_rows {
                Some(_) => "{msg} {wide_bar} {human_pos}/{human_len} rows {eta}",
                None => "{spinner} {msg} {human_pos} rows, {per_sec}",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.reset();
            bar.set_length(total_rows.unwrap_or(0));
            bar.set_message(verb(stage));
        }
        self.last_line.lock().unwrap_or_else(PoisonError::into_inner).1 = stage;
    }

    fn rows(&self, rows: u64) {
        let done = self.rows.fetch_add(rows, Ordering::Relaxed) + rows;
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            return;
        }
        let Ok(mut last) = self.last_line.try_lock() else { return };
        if last.0.elapsed() >= LINE_INTERVAL {
            last.0 = Instant::now();
            eprintln!("{}: {done} rows", verb(last.1));
        }
    }
}
