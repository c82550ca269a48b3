//! The `wayfare` binary: arguments to commands. Exit codes: 0 done, 1 the request failed, 2 wrong usage.

mod cli;

use std::process::ExitCode;

use clap::Parser;
use tracing_subscriber::EnvFilter;

use cli::CliError;
use cli::args::{Cli, Command};
use cli::config::{FileConfig, LogFormat, LogLevel};

#[global_allocator]
static ALLOCATOR: wayfare_allocator::Allocator = wayfare_allocator::Allocator;

/// Planning recurses: a statement with hundreds of operators overflows the usual 2 MiB.
const STACK_BYTES: usize = 64 << 20;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let file = match FileConfig::load(cli.config.as_deref()) {
        Ok(file) => file,
        Err(error) => return failed(&error.to_string()),
    };
    start_log(&cli, &file);
    wayfare_allocator::keep_free();
    // Damage in a file can make its decoder panic; the loader catches that. Any panic ends as one error line.
    std::panic::set_hook(Box::new(|panic| {
        // Only the place: the message may hold a user's data.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panic");
    }));
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(STACK_BYTES).build()
        {
            Ok(runtime) => runtime,
            Err(error) => return failed(&format!("cannot start threads: {error}")),
        };
    let outcome = runtime.block_on(async {
        let _file_size = survive_file_size_limit();
        // Spawned, so that it runs on a worker with the large stack.
        tokio::spawn(cli::run(cli, file)).await
    });
    match outcome {
        // Whoever closed the output has seen enough.
        Ok(Ok(()) | Err(CliError::OutputClosed)) => ExitCode::SUCCESS,
        Ok(Err(error)) => failed(&error.to_string()),
        Err(error) => failed(&format!("internal error, please report it: {error}")),
    }
}

/// Log lines to standard error: of this product's own events only, since those of libraries may show a user's data.
fn start_log(cli: &Cli, file: &FileConfig) {
    let (level, format) = match &cli.command {
        // A server says what went wrong; a command says it in its one error line.
        Command::Serve(args) => (
            args.log_level.or(file.log.level).unwrap_or(LogLevel::Warn),
            args.log_format.or(file.log.format).unwrap_or(LogFormat::Text),
        ),
        Command::Demo(_) => (LogLevel::Error, LogFormat::Text),
        _ => (LogLevel::Off, LogFormat::Text),
    };
    let level = level.name();
    let filter = EnvFilter::try_from_env("WAYFARE_LOG").unwrap_or_else(|_| {
        EnvFilter::new(format!("off,wayfare={level},wayfare_server={level},wayfare_engine={level}"))
    });
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // Colours in a file are noise.
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}

fn failed(message: &str) -> ExitCode {
    eprintln!("error: {message}");
    ExitCode::FAILURE
}

/// Writes beyond a limit on file sizes fail with an error, instead of ending the process by SIGXFSZ.
fn survive_file_size_limit() -> Option<tokio::signal::unix::Signal> {
    const SIGXFSZ: i32 = 25;
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(SIGXFSZ)).ok()
}
