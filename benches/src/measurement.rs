//! What one process measured, as it travels between processes and into results.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Runs of one query in one process. Other engines print the same fields; fields that are not here are ignored.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub struct Measurement {
    /// Seconds of each timed run; of a point lookup, of each person.
    pub wall: Vec<f64>,
    /// CPU seconds of each timed run, of all threads; of a point lookup one value, the mean.
    pub cpu: Vec<f64>,
    /// Largest resident memory of the process, in MiB.
    pub rss_mib: f64,
    /// The same before the first run, if it was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss_base_mib: Option<f64>,
    /// Seconds of the run that warmed up and does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<f64>,
    /// Version of the engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Rows of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Vec<Vec<Value>>>,
    /// Rows that were read or found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Bytes that were written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Files that were written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
}

/// All measurements of one engine and one query together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    /// Median of the runs, in seconds.
    pub wall_seconds: f64,
    /// 95th percentile of the runs, in seconds.
    pub wall_p95_seconds: f64,
    /// Median of the CPU time, in seconds.
    pub cpu_seconds: f64,
    /// The largest of the processes' peaks, in MiB.
    pub peak_rss_mib: f64,
    /// How many runs were timed.
    pub runs: usize,
}

impl Summary {
    /// Of several processes; `None` if nothing was timed.
    pub fn of(measurements: &[Measurement]) -> Option<Self> {
        let walls: Vec<f64> = measurements.iter().flat_map(|m| m.wall.iter().copied()).collect();
        let cpus: Vec<f64> = measurements.iter().flat_map(|m| m.cpu.iter().copied()).collect();
        Some(Self {
            wall_seconds: median(&walls)?,
            wall_p95_seconds: percentile(&walls, 0.95)?,
            cpu_seconds: median(&cpus)?,
            peak_rss_mib: measurements.iter().map(|m| m.rss_mib).fold(0.0, f64::max),
            runs: walls.len(),
        })
    }
}

/// The middle value; of an even number the mean of the two middle ones.
pub fn median(values: &[f64]) -> Option<f64> {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The value below which `share` of the values lie, the one at the place `floor(share * n)`.
fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let sorted = sorted(values);
    let place = (sorted.len() as f64 * share) as usize;
    sorted.get(place.min(sorted.len().checked_sub(1)?)).copied()
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_percentiles() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        let hundred: Vec<f64> = (0..100).rev().map(f64::from).collect();
        assert_eq!(percentile(&hundred, 0.95), Some(95.0));
        assert_eq!(percentile(&[7.0], 0.95), Some(7.0));
    }

    #[test]
    fn lines_of_other_engines_are_read() {
        let line = r#"{"peer": "x", "layout": "native", "version": "1.2", "variant": 0, "first": 0.5, "wall": [0.25, 0.75],
            "cpu": [0.5, 0.5], "rss_mib": 12.5, "p50": 1, "result": [["a", 1, 2.5]]}"#;
        let measurement: Measurement = serde_json::from_str(line).unwrap();
        let summary =
            Summary::of(&[measurement.clone(), Measurement { rss_mib: 99.0, ..measurement }]).unwrap();
        assert_eq!((summary.wall_seconds, summary.peak_rss_mib, summary.runs), (0.5, 99.0, 4));
    }
}
