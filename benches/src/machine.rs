//! What the numbers were measured on. Facts that a system does not tell are left out.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

/// Cores, memory, processor and system.
pub fn description() -> Value {
    json!({
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "cpu": field("/proc/cpuinfo", "model name"),
        "memory_bytes": field("/proc/meminfo", "MemTotal").and_then(|text| kib(&text)),
        "os": std::env::consts::OS,
        "kernel": fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned()),
        "arch": std::env::consts::ARCH,
    })
}

/// Versions of what was measured.
pub fn versions() -> Value {
    json!({
        "wayfare": env!("CARGO_PKG_VERSION"),
        "datafusion": datafusion::DATAFUSION_VERSION,
        "arrow": arrow::ARROW_VERSION,
        "commit": commit(),
        "debug_build": cfg!(debug_assertions),
    })
}

/// The commit of the sources, with `-dirty` if they were changed since.
fn commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output =
            Command::new("git").arg("-C").arg(env!("CARGO_MANIFEST_DIR")).args(arguments).output().ok()?;
        let text = output.status.success().then(|| String::from_utf8(output.stdout).ok())??;
        Some(text.trim().to_owned())
    };
    let commit = git(&["rev-parse", "HEAD"])?;
    let changed =
        git(&["status", "--porcelain", "--untracked-files=no"]).is_some_and(|text| !text.is_empty());
    Some(if changed { commit + "-dirty" } else { commit })
}

/// The largest resident memory of this process since the last [`reset_peak_rss`].
pub fn peak_rss_bytes() -> Option<u64> {
    kib(&field("/proc/self/status", "VmHWM")?)
}

/// Lets [`peak_rss_bytes`] count from now; `false` where that is not possible.
pub fn reset_peak_rss() -> bool {
    // 5 resets the peak, see proc(5).
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

/// CPU time of this process so far, of all its threads, in steps of 10 ms; `None` where the system does not tell.
pub fn cpu_seconds() -> Option<f64> {
    cpu_of_stat(&fs::read_to_string("/proc/self/stat").ok()?)
}

/// How many processes wanted a core in the last minute.
pub fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

/// User and system time out of a line of /proc/PID/stat, see proc(5).
fn cpu_of_stat(line: &str) -> Option<f64> {
    /// What the kernel counts in for programs, whatever it counts in itself.
    const TICKS_PER_SECOND: f64 = 100.0;
    // The name of the program, in brackets, may hold anything.
    let (_, fields) = line.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

/// The value of the first line `name : value` of a file.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

/// `1234 kB` in bytes.
fn kib(text: &str) -> Option<u64> {
    text.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_proc_are_kibibytes() {
        assert_eq!(kib("12 kB"), Some(12_288));
        assert_eq!(kib("12"), None);
    }

    #[test]
    fn cpu_time_is_user_and_system_time() {
        let line = "42 (a ) b) S 1 42 42 0 -1 4194560 100 0 0 0 150 25 7 7 20 0 3 0 900 1000 200";
        assert_eq!(cpu_of_stat(line), Some(1.75));
        assert_eq!(cpu_of_stat("42 (x) S 1"), None);
    }

    #[test]
    fn the_machine_has_cores() {
        assert!(description()["cores"].as_u64().is_some_and(|cores| cores > 0));
    }
}
