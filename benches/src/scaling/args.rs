//! Command line of the scaling tables.

use std::path::PathBuf;

use clap::Args;

/// Cost against the number of rows, of days and of files.
#[derive(Debug, Clone, Args)]
pub struct ScalingArgs {
    /// Directory of the workload's data, see `workload`; without it the first table is left out.
    #[arg(long, value_name = "DIR", env = "BENCH_DATA")]
    pub data: Option<PathBuf>,
    /// Sizes of the workload, the smallest first.
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "small,main,large")]
    pub sizes: Vec<String>,
    /// Rows of the generated data for the other two tables; 0 leaves them out.
    #[arg(long, value_name = "N", default_value_t = 2_000_000)]
    pub events: u64,
    /// Over how many days the same number of rows is spread.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "30,365", value_parser = clap::value_parser!(u32).range(1..))]
    pub days: Vec<u32>,
    /// In how many loads, one after the other, the same rows come: each leaves a file of its own in every day.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,8,32", value_parser = clap::value_parser!(u32).range(1..))]
    pub loads: Vec<u32>,
    /// Where generated data and stores go; both are kept and used again.
    #[arg(long, value_name = "DIR", default_value = "target/bench-data")]
    pub dir: PathBuf,
    /// Loads all stores again.
    #[arg(long)]
    pub reload: bool,
    /// Queries of the workload.
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "q02,q03,q04a,q07")]
    pub queries: Vec<String>,
    /// Directory of the queries.
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/workload"), hide_default_value = true)]
    pub sql: PathBuf,
    /// Timed runs of each query, after one that warms up.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub runs: u32,
    /// Threads [default: the number of cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Memory limit in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 4096)]
    pub memory_limit_mib: usize,
    /// Writes all numbers to this file.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
