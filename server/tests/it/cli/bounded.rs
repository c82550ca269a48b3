//! A load under a memory limit spills to disk and gives the same table.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use wayfare_datasets::{GeneratorConfig, OutputFormat, write_dataset};

use super::support::{Place, figure};
use crate::support::tell;

const ROWS: u64 = 300_000;

#[test]
fn a_load_beyond_its_memory_spills() {
    let place = Place::new();
    let config = GeneratorConfig { events: ROWS, users: 9_000, days: 3, ..GeneratorConfig::default() };
    write_dataset(&config, &place.path("input"), OutputFormat::Parquet, None, 1).expect("input");

    let mut bounded = place.command(&["load", "input", "--store", "bounded", "--memory-limit", "64MiB"]);
    let mut running = bounded.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a load");
    let status = format!("/proc/{}/status", running.id());
    let (mut spilled, mut peak_kib) = (false, 0);
    while running.try_wait().expect("a state").is_none() {
        spilled |= holds_bytes(&place.path("spill"));
        peak_kib = peak_kib.max(peak_memory_kib(&status).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = running.wait_with_output().expect("an end");
    let report = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(figure(&report, "rows loaded"), ROWS, "{report}");
    tell(format!("peak resident memory with a limit of 64 MiB: {} MiB", peak_kib / 1024));
    assert!(spilled, "nothing was written to the spill directory");
    assert!(place.files("spill", "").is_empty(), "what was spilled is removed");

    place.ok(&["load", "input", "--store", "unbounded"]);
    let answers = ["bounded", "unbounded"].map(|store| {
        let file = format!("{store}.csv");
        let sql = "SELECT * FROM touchpoints ORDER BY event_id";
        place.ok(&["query", "--format", "csv", "--output", &file, "--store", store, sql]);
        place.read(&file)
    });
    assert!(answers[0] == answers[1], "the two tables differ");
}

/// Whether a file below `directory` has bytes. Files may vanish while this looks.
fn holds_bytes(directory: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(directory) else { return false };
    entries.filter_map(Result::ok).any(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => holds_bytes(&entry.path()),
        Ok(metadata) => metadata.len() > 0,
        Err(_) => false,
    })
}

/// The largest resident size so far, where the system tells.
pub(super) fn peak_memory_kib(status: &str) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
