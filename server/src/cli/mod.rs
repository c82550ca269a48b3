//! The commands: from arguments to calls of the libraries, and from answers to text.

pub mod args;
pub mod config;
mod demo;
mod error;
mod follow;
mod generate;
mod identity;
mod load;
mod maintain;
mod output;
mod progress;
mod query;
mod serve;
mod tables;
mod units;
mod user;

use wayfare_engine::{Engine, EngineConfig};

use args::{Cli, Command};
use config::FileConfig;
pub use error::CliError;

/// Runs the command that `cli` names.
///
/// # Errors
/// Whatever keeps it from being done, as one sentence.
pub async fn run(cli: Cli, file: FileConfig) -> Result<(), CliError> {
    let config = engine_config(&cli, &file);
    match cli.command {
        Command::Demo(args) => demo::run(config, &args).await,
        Command::Load(args) => load::run(config, &args).await,
        Command::Query(args) => query::run(config, &args).await,
        Command::Serve(args) => serve::run(config, &args, &file).await,
        Command::User(command) => user::run(config, command).await,
        Command::Generate(args) => generate::run(args).await,
        Command::Optimize(args) => maintain::optimize(config, &args).await,
        Command::Identify(args) => identity::identify(&Engine::open_or_create(config).await?, &args).await,
        Command::Stitch(args) => identity::stitch(&Engine::open(config).await?, &args).await,
        Command::Erase(args) => maintain::erase(&Engine::open(config).await?, &args).await,
        Command::Expire(args) => maintain::expire(&Engine::open(config).await?, &args).await,
        Command::Vacuum(args) => maintain::vacuum(&Engine::open(config).await?, &args).await,
        Command::Restore(args) => maintain::restore(&Engine::open(config).await?, &args).await,
        Command::Check(args) => maintain::check(&Engine::open(config).await?, &args.table).await,
        Command::Tables => tables::tables(&Engine::open(config).await?).await,
        Command::History(args) => tables::history(&Engine::open(config).await?, &args.table).await,
    }
}

fn engine_config(cli: &Cli, file: &FileConfig) -> EngineConfig {
    let default = EngineConfig::default();
    let default_store = match cli.command {
        Command::Demo(_) => demo::DEMO_STORE.to_owned(),
        _ => default.store_url.clone(),
    };
    EngineConfig {
        store_url: cli.store.clone().or_else(|| file.store.clone()).unwrap_or(default_store),
        memory_limit_bytes: cli
            .memory_limit
            .or(file.memory_limit.map(|size| size.0))
            .unwrap_or(default.memory_limit_bytes),
        temp_dir: cli.temp_dir.clone().or_else(|| file.temp_dir.clone()),
        target_partitions: cli.threads.or(file.threads).map_or(default.target_partitions, usize::from),
        verify_files: cli.verify,
        remote_deadline: cli.remote_deadline,
        identity: (&cli.identity).into(),
        ..default
    }
}
