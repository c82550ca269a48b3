//! Measurements in processes of their own.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{BenchError, Result};
use crate::measurement::Measurement;

/// How often a running process is looked at: seldom enough not to be seen in what it measures.
const POLL: Duration = Duration::from_millis(20);
/// The most of an error message that is shown.
const ERROR_CHARS: usize = 300;

/// This program as a worker.
pub fn worker() -> Result<Command> {
    let program =
        std::env::current_exe().map_err(|e| BenchError::new("cannot find the path of this program", e))?;
    let mut command = Command::new(program);
    command.arg("worker");
    Ok(command)
}

/// Runs `command`, whose last line on standard output is a [`Measurement`].
///
/// # Errors
/// It fails, takes longer than `timeout` or prints something else.
pub fn measure(command: &mut Command, timeout: Duration) -> Result<Measurement> {
    let line = last_line(command, timeout)?;
    serde_json::from_str(&line).map_err(|e| BenchError::new("a worker printed no measurement", e))
}

/// Runs `command` and gives the last line of its output.
pub fn last_line(command: &mut Command, timeout: Duration) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| BenchError::new(format!("cannot start {name}"), e))?;
    let output = collect(child.stdout.take());
    let errors = collect(child.stderr.take());
    let status =
        wait(&mut child, timeout).map_err(|e| BenchError::new(format!("cannot wait for {name}"), e))?;
    let Some(status) = status else {
        return Err(BenchError::plain(format!("no result within {timeout:?}")));
    };
    let text = |thread: thread::JoinHandle<Vec<u8>>| {
        String::from_utf8_lossy(&thread.join().unwrap_or_default()).into_owned()
    };
    let (output, errors) = (text(output), text(errors));
    if !status.success() {
        let reason = last_line_of(&errors).map_or_else(|| status.to_string(), str::to_owned);
        return Err(BenchError::plain(reason.chars().take(ERROR_CHARS).collect::<String>()));
    }
    last_line_of(&output)
        .map(str::to_owned)
        .ok_or_else(|| BenchError::plain(format!("{name} printed nothing")))
}

/// Reads a pipe to its end beside the process: a full pipe would stop it.
fn collect(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What was read before an error is all there is to show.
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// Waits for `child`; ends it after `timeout` and gives `None`.
fn wait(child: &mut Child, timeout: Duration) -> std::io::Result<Option<ExitStatus>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() >= timeout {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

fn last_line_of(text: &str) -> Option<&str> {
    text.lines().rev().find(|line| !line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, timeout_ms: u64) -> std::result::Result<String, String> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script);
        last_line(&mut command, Duration::from_millis(timeout_ms)).map_err(|e| e.to_string())
    }

    #[test]
    fn the_last_line_counts() {
        assert_eq!(shell("echo one; echo two; echo", 10_000), Ok("two".to_owned()));
        assert!(shell("true", 10_000).unwrap_err().contains("printed nothing"));
    }

    #[test]
    fn failures_say_why() {
        assert_eq!(
            shell("echo first >&2; echo no such table >&2; exit 3", 10_000),
            Err("no such table".to_owned())
        );
        assert!(shell("exit 3", 10_000).unwrap_err().contains('3'));
        assert!(shell("exec sleep 60", 50).unwrap_err().contains("no result within"));
    }
}
