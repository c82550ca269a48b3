//! `wayfare load --follow`: one line for each batch, until interrupted.

use std::sync::Arc;
use std::time::Duration;

use chrono::{SecondsFormat, Utc};
use wayfare_engine::load::follow::{FollowEvent, Follower};
use wayfare_engine::load::{LoadProgress, LoadReport, LoadRequest, NoProgress};
use wayfare_engine::{Engine, EngineConfig};

use super::args::LoadArgs;
use super::error::CliError;
use super::output;
use super::serve::interrupted;

/// After failures the pause between looks grows up to so many times itself.
const LONGEST_PAUSE: u32 = 16;

/// Looks for new files every while, or once.
pub async fn run(config: EngineConfig, args: &LoadArgs, request: LoadRequest) -> Result<(), CliError> {
    wayfare_engine::load::check_options(&request)?;
    let engine = Engine::open_or_create(config).await?;
    let mut follower = Follower::new(request);
    let progress: Arc<dyn LoadProgress> = Arc::new(NoProgress);
    if args.once {
        let looked = look(&engine, &mut follower, &progress, &args.table).await?;
        return match looked.refused {
            0 => Ok(()),
            n => Err(CliError::Other(format!("{n} files were not loaded, see above"))),
        };
    }
    let followed = async {
        let mut pause = args.every;
        loop {
            match look(&engine, &mut follower, &progress, &args.table).await {
                Ok(_) => pause = args.every,
                Err(CliError::Engine(error)) => {
                    complain(&format!("{}; looking again in {pause:?}", CliError::Engine(error)));
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(args.every * LONGEST_PAUSE);
                    continue;
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause).await;
        }
    };
    tokio::select! {
        ended = followed => ended,
        () = interrupted() => output::print("stopped\n"),
    }
}

struct Looked {
    refused: usize,
}

async fn look(
    engine: &Engine,
    follower: &mut Follower,
    progress: &Arc<dyn LoadProgress>,
    table: &str,
) -> Result<Looked, CliError> {
    let mut printed = Ok(());
    let mut refused = 0;
    let looked = engine
        .follow(follower, progress, &mut |event| match event {
            FollowEvent::Loaded(report) => {
                if let (Some(line), Ok(())) = (line(report, table), &printed) {
                    printed = output::print(&line);
                }
            }
            FollowEvent::Refused { error, .. } => {
                refused += 1;
                complain(&format!("not loaded: {error}"));
            }
        })
        .await;
    printed?;
    looked?;
    Ok(Looked { refused })
}

/// The line of one batch; none for files that turned out to be loaded already.
fn line(report: &LoadReport, table: &str) -> Option<String> {
    let new = report.files - report.files_already_loaded.len() as u64;
    let version = report.version.map_or_else(|| "no new version".to_owned(), |v| format!("version {v}"));
    (new > 0).then(|| {
        format!(
            "{} {table}: {new} files, {} rows loaded, {} duplicates, {} rejected, {} bytes, {:.2} s, {version}\n",
            now(),
            report.rows_loaded,
            report.rows_duplicate,
            report.rows_rejected,
            report.bytes_read,
            Duration::as_secs_f64(&report.elapsed),
        )
    })
}

fn complain(text: &str) {
    eprintln!("{} {text}", now());
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true)
}
