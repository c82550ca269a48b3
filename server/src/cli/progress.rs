//! How a load gets on: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use wayfare_engine::load::{LoadProgress, LoadStage};

/// Plain lines come no faster than this.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Done, and in all.
#[derive(Debug, Default)]
struct Counter {
    done: AtomicU64,
    total: AtomicU64,
}

impl Counter {
    fn set(&self, total: u64) {
        self.done.store(0, Ordering::Relaxed);
        self.total.store(total, Ordering::Relaxed);
    }

    fn add(&self, more: u64) {
        self.done.fetch_add(more, Ordering::Relaxed);
    }

    fn get(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }
}

/// Progress of a load on standard error.
pub struct Progress {
    bar: Option<ProgressBar>,
    rows: AtomicU64,
    files: Counter,
    bytes: Counter,
    last_line: Mutex<(Instant, LoadStage)>,
}

impl Progress {
    /// A bar if standard error is a terminal.
    pub fn new() -> Self {
        Self {
            bar: std::io::stderr().is_terminal().then(ProgressBar::no_length),
            rows: AtomicU64::new(0),
            files: Counter::default(),
            bytes: Counter::default(),
            last_line: Mutex::new((Instant::now(), LoadStage::Identify)),
        }
    }

    /// How much of the input is done with, if the stage has any.
    fn input_text(&self) -> String {
        let ((files, all_files), (bytes, all_bytes)) = (self.files.get(), self.bytes.get());
        if all_files == 0 {
            return String::new();
        }
        // Sizes of compressed input are not known to the last byte until it ends.
        let bytes = indicatif::HumanBytes(bytes.min(all_bytes));
        format!("{files} of {all_files} files, {bytes} of {}", indicatif::HumanBytes(all_bytes))
    }

    /// Tells where the stage is; on a plain stream not more often than every few seconds.
    fn show(&self) {
        let rows = self.rows.load(Ordering::Relaxed);
        if let Some(bar) = &self.bar {
            bar.set_position(rows);
            bar.set_prefix(self.input_text());
            return;
        }
        let Ok(mut last) = self.last_line.try_lock() else { return };
        if last.0.elapsed() >= LINE_INTERVAL {
            last.0 = Instant::now();
            let input = self.input_text();
            let comma = if input.is_empty() { "" } else { ", " };
            eprintln!("{}: {input}{comma}{rows} rows", verb(last.1));
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
        if matches!(stage, LoadStage::Write | LoadStage::Commit) {
            self.total_input(0, 0);
        }
        if let Some(bar) = &self.bar {
            let template = match total_rows {
                Some(_) => "{msg} {wide_bar} {human_pos}/{human_len} rows {eta}",
                None => "{spinner} {msg} {prefix}, {human_pos} rows, {per_sec}",
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
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.show();
    }

    fn total_input(&self, files: u64, bytes: u64) {
        self.files.set(files);
        self.bytes.set(bytes);
    }

    fn input(&self, files: u64, bytes: u64) {
        self.files.add(files);
        self.bytes.add(bytes);
        self.show();
    }
}
