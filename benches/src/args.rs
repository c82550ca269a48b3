//! Command line.

use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use wayfare_datasets::{GeneratorConfig, OutputFormat};

/// Times loading and querying of generated touchpoints, end to end.
#[derive(Debug, Clone, Parser)]
#[command(name = "wayfare-benches", version)]
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
}

impl Format {
    /// As it is written on the command line and in results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
        }
    }

    /// As the generator calls it.
    pub fn output(self) -> OutputFormat {
        match self {
            Self::Parquet => OutputFormat::Parquet,
            Self::Csv => OutputFormat::Csv,
        }
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

    /// Where the generated files of `format` are: the name tells all that they depend on.
    pub fn data_dir(&self, format: Format) -> PathBuf {
        let generator = self.generator();
        let version = env!("CARGO_PKG_VERSION");
        self.dir.join(format!(
            "data-{version}-e{}-u{}-d{}-s{}-{}",
            generator.events,
            generator.users,
            generator.days,
            generator.seed,
            format.name()
        ))
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
        Args::command().debug_assert();
        let args = Args::parse_from(["x", "--events", "200", "--format", "parquet,csv,csv"]);
        assert_eq!(args.generator().users, 6);
        assert_eq!(args.formats(), [Format::Parquet, Format::Csv]);
    }
}
