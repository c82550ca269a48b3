//! Command line of the workload.

use std::path::PathBuf;

use clap::Args;

/// The workload: which data, which queries, beside which engines.
#[derive(Debug, Clone, Args)]
pub struct WorkloadArgs {
    /// Directory of the workload's data: the raw files are in SIZE/raw/day=*/part-0.parquet.
    #[arg(long, value_name = "DIR", env = "BENCH_DATA")]
    pub data: PathBuf,
    /// Which data set below --data.
    #[arg(long, value_name = "NAME", default_value = "small")]
    pub size: String,
    /// Store to measure; loaded if it is not there [default: DATA/native/wayfare-SIZE]
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// Loads the store again.
    #[arg(long)]
    pub reload: bool,
    /// Directory of the package `peers` that measures the other engines; they are measured only with --python.
    #[arg(long, value_name = "DIR", requires = "python")]
    pub peers: Option<PathBuf>,
    /// Python that has the other engines installed.
    #[arg(long, value_name = "FILE", requires = "peers")]
    pub python: Option<PathBuf>,
    /// Engines and layouts to measure beside Wayfare.
    #[arg(
        long,
        value_name = "PEER/LAYOUT",
        value_delimiter = ',',
        default_value = "chdb/native,chdb/sorted,duckdb/native,duckdb/sorted,polars/sorted,datafusion/sorted"
    )]
    pub configs: Vec<PeerConfig>,
    /// Directory of the known answers, QUERY.csv each; made for one size.
    #[arg(long, value_name = "DIR")]
    pub expected: Option<PathBuf>,
    /// Only these queries, by the names of their files.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub queries: Vec<String>,
    /// Also runs the alternative forms QUERY-FORM.sql.
    #[arg(long)]
    pub forms: bool,
    /// Directory of the queries.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/workload"), hide_default_value = true)]
    pub sql: PathBuf,
    /// Timed runs in each process, after one that warms up.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub runs: u32,
    /// How often all is measured, each time in new processes.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub rounds: u32,
    /// Seconds after which a process stops to repeat its query; a slower query counts its first run.
    #[arg(long, value_name = "SECONDS", default_value_t = 30.0)]
    pub budget: f64,
    /// Seconds after which a process is ended; an engine that needs longer is not asked the same again.
    #[arg(long, value_name = "SECONDS", default_value_t = 600.0)]
    pub timeout: f64,
    /// Threads of every engine [default: the number of cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Memory limit of Wayfare in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    pub memory_limit_mib: usize,
    /// Writes all numbers to this file, after every query.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

impl WorkloadArgs {
    /// Where the store is.
    pub fn store_dir(&self) -> PathBuf {
        self.store.clone().unwrap_or_else(|| self.data.join("native").join(format!("wayfare-{}", self.size)))
    }
}

/// An engine and the form of its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerConfig {
    /// Name of the engine.
    pub peer: String,
    /// Name of the layout.
    pub layout: String,
}

impl std::str::FromStr for PeerConfig {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((peer, layout)) if !peer.is_empty() && !layout.is_empty() => {
                Ok(Self { peer: peer.to_owned(), layout: layout.to_owned() })
            }
            _ => Err(format!("{text:?} is not an engine and a layout, such as duckdb/native")),
        }
    }
}

impl std::fmt::Display for PeerConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.peer, self.layout)
    }
}
