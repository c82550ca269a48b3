//! Command line.

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand, ValueEnum};
use wayfare_datasets::{Compression, GeneratorConfig, OutputFormat};

use crate::life::LifeArgs;
use crate::loads::LoadsArgs;
use crate::scaling::args::ScalingArgs;
use crate::worker::WorkerCommand;
use crate::workload::args::WorkloadArgs;

/// Times loading and querying of touchpoints, end to end. Without a subcommand: of generated ones, in this process.
#[derive(Debug, Parser)]
#[command(name = "wayfare-benches", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to measure instead.
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub generated: Args,
}

/// What is measured beside the default.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The twelve journey queries over the workload's files, beside other engines.
    Workload(WorkloadArgs),
    /// Cost against the number of rows, of days and of files.
    Scaling(ScalingArgs),
    /// Loads of the same files, beside other engines.
    Loads(LoadsArgs),
    /// The life of a table: many small loads, compaction, erasure, expiry, restoring.
    Life(LifeArgs),
    /// One measurement in a process of its own; prints one line of JSON.
    #[command(subcommand, hide = true)]
    Worker(WorkerCommand),
}

/// Loading and queries of generated touchpoints.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Rows to generate.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub events: u64,
    /// People [default: 3 per 100 rows]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub users: Option<u64>,
    /// Days that the rows spread over.
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    pub days: u32,
    /// Seed of the generator: the same one gives the same rows.
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub seed: u64,
    /// Which files to load; each is loaded into a fresh store, the queries run on the last one.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "parquet")]
    pub format: Vec<Format>,
    /// Timed runs of each query, after one that warms up.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub runs: u32,
    /// Where generated data (kept and used again) and the store (made anew) go.
    #[arg(long, value_name = "DIR", default_value = "target/bench-data")]
    pub dir: PathBuf,
    /// Writes all numbers to this file.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Memory limit of the engine in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    pub memory_limit_mib: usize,
    /// Partitions that a load or query works on at once [default: the number of cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Runs only the queries whose name contains this.
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
    /// Directory of the queries, one per `.sql` file.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/queries"), hide_default_value = true)]
    pub queries: PathBuf,
}

/// Form of the files to load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Snappy-compressed Parquet.
    Parquet,
    /// Plain CSV.
    Csv,
    /// CSV, compressed with gzip.
    CsvGz,
    /// Plain NDJSON.
    Ndjson,
}

impl Format {
    /// As it is written on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::CsvGz => "csv-gz",
            Self::Ndjson => "ndjson",
        }
    }

    /// As the generator calls it.
    pub fn output(self) -> OutputFormat {
        match self {
            Self::Parquet => OutputFormat::Parquet,
            Self::Csv | Self::CsvGz => OutputFormat::Csv,
            Self::Ndjson => OutputFormat::Ndjson,
        }
    }

    /// Compression around it.
    pub fn compression(self) -> Option<Compression> {
        (self == Self::CsvGz).then_some(Compression::Gzip)
    }
}

impl Args {
    /// What to generate.
    pub fn generator(&self) -> GeneratorConfig {
        GeneratorConfig {
            events: self.events,
            users: self.users.unwrap_or((self.events.saturating_mul(3) / 100).max(1)),
            days: self.days,
            seed: self.seed,
            ..GeneratorConfig::default()
        }
    }

    /// The formats, each once, in the order given.
    pub fn formats(&self) -> Vec<Format> {
        let mut formats = Vec::new();
        for format in &self.format {
            if !formats.contains(format) {
                formats.push(*format);
            }
        }
        formats
    }

    /// Where the store is.
    pub fn store_dir(&self) -> PathBuf {
        Path::new(&self.dir).join("store")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
        let args = Cli::parse_from(["x", "--events", "200", "--format", "parquet,csv,csv"]).generated;
        assert_eq!(args.generator().users, 6);
        assert_eq!(args.formats(), [Format::Parquet, Format::Csv]);
    }
}
