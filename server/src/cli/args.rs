//! The command line: commands, options, defaults.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};
use wayfare_engine::load::read::{ExtraColumns, InputFormat, NumericTime, Preset};
use wayfare_engine::maintain::optimize::DayRange;
use wayfare_engine::{Role, VersionPin};

use super::config::{LogFormat, LogLevel, TlsArg};
use super::units::{Limit, parse_bytes, parse_duration, parse_time_limit};

use super::identity::{IdentifyArgs, IdentityOptions, StitchArgs};

/// SQL for customer journeys: load touchpoints, ask about sessions, funnels and paths, serve BI tools.
#[derive(Debug, Parser)]
#[command(name = "wayfare", version, max_term_width = 100)]
pub struct Cli {
    /// Where the store is: a directory, or a file://, s3://, gs:// or az:// URL
    /// [default: ./wayfare-data, for demo ./wayfare-demo]
    #[arg(long, global = true, env = "WAYFARE_STORE", value_name = "URL")]
    pub store: Option<String>,

    /// Configuration file in TOML; options and environment variables go before it
    #[arg(long, global = true, env = "WAYFARE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Memory that queries and loads may take before they spill to disk, such as 512MiB [default: 4GiB]
    #[arg(long, global = true, env = "WAYFARE_MEMORY_LIMIT", value_name = "SIZE", value_parser = parse_bytes)]
    pub memory_limit: Option<usize>,

    /// Where to spill [default: the system's temporary directory]
    #[arg(long, global = true, value_name = "DIR")]
    pub temp_dir: Option<PathBuf>,

    /// Partitions that a query or load works on at once [default: the number of cores]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,

    /// Compare every data file with its checksum before it is read first
    #[arg(long, global = true)]
    pub verify: bool,

    /// How long a fault of an object store or web server may last before the command fails
    #[arg(long, global = true, env = "WAYFARE_REMOTE_DEADLINE", value_name = "TIME", default_value = "120s", value_parser = parse_duration)]
    pub remote_deadline: Duration,
    #[command(flatten)]
    pub identity: IdentityOptions,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Load bundled real data, answer five journey questions, then serve Postgres
    Demo(DemoArgs),
    /// Load touchpoints from files: one commit, everything or nothing
    Load(Box<LoadArgs>),
    /// Run SQL and print the result
    Query(QueryArgs),
    /// Serve the PostgreSQL protocol
    Serve(Box<ServeArgs>),
    /// Manage who may log in to `serve`
    #[command(subcommand)]
    User(UserCommand),
    /// Write realistic generated touchpoints
    Generate(GenerateArgs),
    /// Merge the small files of each day, and take over files that other engines appended
    Optimize(OptimizeArgs),
    /// Load links between ids: who was anonymous is known
    Identify(IdentifyArgs),
    /// Give earlier touchpoints to the people that the links make
    Stitch(StitchArgs),
    /// Erase people: their rows go, and no load brings them back
    Erase(EraseArgs),
    /// Drop whole days that are too old
    Expire(ExpireArgs),
    /// Delete data files that only older versions need
    Vacuum(VacuumArgs),
    /// Make a table what it was at an older version
    Restore(RestoreArgs),
    /// Read every data file and compare it with the log
    Check(TableArgs),
    /// List the tables of the store
    Tables,
    /// List the commits of a table, newest first
    History(HistoryArgs),
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// End after the answers
    #[arg(long)]
    pub no_serve: bool,
    /// Port to serve on
    #[arg(long, default_value_t = wayfare_server::DEFAULT_PORT)]
    pub port: u16,
}

#[derive(Debug, Default, Args)]
pub struct ServeArgs {
    /// Address to listen on; other machines can connect only with users and --tls require [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    pub host: Option<std::net::IpAddr>,
    /// Port to listen on [default: 5433]
    #[arg(long)]
    pub port: Option<u16>,
    /// Let everybody on this machine connect as an admin, without users and passwords
    #[arg(long)]
    pub no_auth: bool,
    /// Without users, let clients change the store by INSERT, DELETE and CREATE TABLE
    #[arg(long)]
    pub allow_writes: bool,
    /// Merge the small files of quiet days in the background
    #[arg(long)]
    pub maintain: bool,
    /// How often that looks at the tables [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub maintain_every: Option<Duration>,
    /// How long nothing must have been written to a day [default: 5min]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub maintain_quiet: Option<Duration>,
    /// Encryption [default: require if there is a certificate]
    #[arg(long, value_enum)]
    pub tls: Option<TlsArg>,
    /// Certificate, with those between it and the root, in PEM
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate, in PEM
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Where to answer metrics and health over HTTP, such as 127.0.0.1:9433
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics: Option<std::net::SocketAddr>,
    /// Logged-in connections at the same time [default: 1000]
    #[arg(long, value_name = "N")]
    pub max_connections: Option<usize>,
    /// Connections that are not logged in; with one more the oldest ends [default: 1000]
    #[arg(long, value_name = "N")]
    pub max_pending_logins: Option<usize>,
    /// Time from connecting to being logged in [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub login_time: Option<Duration>,
    /// Longest message of a client [default: 16MiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub max_message_size: Option<usize>,
    /// How long a statement may run, whatever statement_timeout says, or none [default: 1h]
    #[arg(long, value_name = "TIME", value_parser = parse_time_limit)]
    pub max_statement_time: Option<Limit<Duration>>,
    /// Rows of a result [default: 1000000000]
    #[arg(long, value_name = "N")]
    pub max_result_rows: Option<u64>,
    /// Memory that one query may hold [default: half of --memory-limit]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub max_query_memory: Option<usize>,
    /// Disk that all queries together may spill to [default: 100GiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes)]
    pub max_temp_size: Option<usize>,
    /// Log statements that take longer, without their literals
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub slow_statement: Option<Duration>,
    /// What is logged to standard error [default: warn]
    #[arg(long, value_enum, value_name = "LEVEL")]
    pub log_level: Option<LogLevel>,
    /// How log lines are written [default: text]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,
}

#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add a user
    Add {
        /// The name to log in with
        name: String,
        /// reader queries; loader loads and creates views too; admin may do everything
        #[arg(long)]
        role: Role,
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// List the users
    List,
    /// Remove a user
    Remove {
        /// The user
        name: String,
    },
    /// Change the password of a user
    Password {
        /// The user
        name: String,
        #[command(flatten)]
        password: PasswordArgs,
    },
}

#[derive(Debug, Args)]
pub struct PasswordArgs {
    /// File whose only line is the password, - for standard input
    /// [default: the variable WAYFARE_PASSWORD, else you are asked]
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct LoadArgs {
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<String>,
    /// Table to load into; it is created if it does not exist
    #[arg(long, default_value = wayfare_engine::store::TOUCHPOINTS)]
    pub table: String,
    /// Load into a reference table: any columns, with their own names and types, not partitioned
    #[arg(long)]
    pub reference: bool,
    /// Format of the input [default: by content and extension]
    #[arg(long, value_enum)]
    pub format: Option<InputFormatArg>,
    /// The input is the export of this tool: its events, identities, sources and times fill the columns, the rest
    /// goes into properties
    #[arg(long, value_enum)]
    pub preset: Option<PresetArg>,
    /// Column of the table = column of the file, such as user_id=customer,ts=time
    #[arg(long, value_name = "COLUMN=SOURCE,...")]
    pub map: Vec<String>,
    /// Constants, such as channel=web
    #[arg(long = "set", value_name = "COLUMN=VALUE,...")]
    pub set: Vec<String>,
    /// What becomes of columns that are not mapped
    #[arg(long, value_enum, default_value = "properties")]
    pub extra: Extra,
    /// Unit of numeric timestamps, or yyyymmdd for dates such as 20260131 [default: unit by magnitude]
    #[arg(long, value_enum)]
    pub ts_unit: Option<Unit>,
    /// Zone of timestamps without an offset
    #[arg(long, default_value = "UTC", value_name = "ZONE")]
    pub timezone: String,
    /// What a bad row does
    #[arg(long, value_enum, default_value = "abort")]
    pub on_error: OnErrorArg,
    /// Where rejected rows go, as CSV, with --on-error skip
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// Which rows count as loaded already
    #[arg(long, value_enum, default_value = "event_id")]
    pub dedup: DedupArg,
    /// Load files even if their content was loaded before
    #[arg(long)]
    pub force: bool,
    /// Wanted size of the data files of a large day
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = parse_bytes)]
    pub target_file_size: usize,
    /// Go on: look again and again for files that are new, and load each exactly once
    #[arg(long, conflicts_with_all = ["force", "reference"])]
    pub follow: bool,
    /// How often to look
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_duration, requires = "follow")]
    pub every: Duration,
    /// With --follow: look once and end, for a scheduler
    #[arg(long, requires = "follow")]
    pub once: bool,
}

#[derive(Debug, Args)]
pub struct QueryArgs {
    /// The statement; several are separated by semicolons [default: read from --file or standard input]
    pub sql: Option<String>,
    /// Read the statements from a file
    #[arg(short, long, conflicts_with = "sql")]
    pub file: Option<PathBuf>,
    /// How results are written
    #[arg(long, value_enum, default_value = "table")]
    pub format: OutputFormat,
    /// Write the result to a file; it appears when it is complete
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Read touchpoint tables as of this version
    #[arg(long, value_name = "N", conflicts_with = "as_of")]
    pub table_version: Option<u64>,
    /// Let INSERT, DELETE and CREATE TABLE change the store; without it the first two are refused, and the third makes a
    /// table for the other statements of the command
    #[arg(long, conflicts_with_all = ["table_version", "as_of"])]
    pub allow_writes: bool,
    /// Read touchpoint tables as of this instant, such as 2026-11-21T10:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub as_of: Option<DateTime<Utc>>,
}

impl QueryArgs {
    /// The past state to read, if any.
    pub fn pin(&self) -> Option<VersionPin> {
        self.table_version.map(VersionPin::Version).or(self.as_of.map(VersionPin::AsOf))
    }
}

#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// Number of touchpoints
    #[arg(long)]
    pub events: u64,
    /// Number of people [default: a thirtieth of the touchpoints]
    #[arg(long)]
    pub users: Option<u64>,
    /// Number of days
    #[arg(long, default_value_t = 30)]
    pub days: u32,
    /// The same seed gives the same rows
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Directory to write to
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Format of the files
    #[arg(long, value_enum, default_value = "parquet")]
    pub format: Format,
    /// Compression of CSV and NDJSON files
    #[arg(long, value_enum)]
    pub compression: Option<Compression>,
    /// Number of files
    #[arg(long, default_value_t = 1)]
    pub parts: u32,
    /// First day, as YYYY-MM-DD
    #[arg(long, default_value = "2026-01-01", value_parser = parse_day)]
    pub start: i32,
    /// Fraction of rows that come a second time
    #[arg(long, default_value_t = 0.0)]
    pub duplicates: f64,
    /// Fraction of rows that are received days late
    #[arg(long, default_value_t = 0.0)]
    pub late: f64,
    /// Fraction of rows that come minutes out of order
    #[arg(long, default_value_t = 0.0)]
    pub out_of_order: f64,
}

#[derive(Debug, Args)]
pub struct OptimizeArgs {
    /// The touchpoint table
    #[arg(long, default_value = wayfare_engine::store::TOUCHPOINTS)]
    pub table: String,
    /// Only these days, both included, such as 2026-01-01..2026-01-31, or one day
    #[arg(long, value_name = "RANGE", value_parser = parse_days)]
    pub days: Option<DayRange>,
    /// Wanted size of the data files of a large day
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = parse_bytes)]
    pub target_file_size: usize,
}

#[derive(Debug, Args)]
pub struct EraseArgs {
    /// One id
    #[arg(long, value_name = "ID", required_unless_present = "file", conflicts_with = "file")]
    pub user_id: Option<String>,
    /// A file with one id on each line
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Also rows under the anonymous ids that the people's rows name
    #[arg(long)]
    pub include_aliases: bool,
    /// Also delete the files of older versions in which they stand
    #[arg(long)]
    pub purge: bool,
    /// Only from this touchpoint table [default: from all]
    #[arg(long)]
    pub table: Option<String>,
}

#[derive(Debug, Args)]
pub struct ExpireArgs {
    /// Drop the days that ended longer ago, such as 400d
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    pub older_than: Duration,
    /// The touchpoint table
    #[arg(long, default_value = wayfare_engine::store::TOUCHPOINTS)]
    pub table: String,
}

#[derive(Debug, Args)]
pub struct VacuumArgs {
    /// Keep files that were replaced more recently
    #[arg(long, value_name = "AGE", default_value = "7d", value_parser = parse_age)]
    pub retention: Duration,
    /// Only list what would be deleted
    #[arg(long)]
    pub dry_run: bool,
    /// The touchpoint table
    #[arg(long, default_value = wayfare_engine::store::TOUCHPOINTS)]
    pub table: String,
}

#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The version, as `wayfare history` lists them
    #[arg(long = "version", value_name = "N")]
    pub to_version: u64,
    /// The touchpoint table
    #[arg(long, default_value = wayfare_engine::store::TOUCHPOINTS)]
    pub table: String,
}

#[derive(Debug, Args)]
pub struct TableArgs {
    /// The touchpoint table
    #[arg(long, default_value = wayfare_engine::store::TOUCHPOINTS)]
    pub table: String,
}

#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// The table
    #[arg(default_value = wayfare_engine::store::TOUCHPOINTS)]
    pub table: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Format {
    Csv,
    Ndjson,
    Parquet,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum InputFormatArg {
    /// Text with a header line
    Csv,
    /// One JSON object on each line
    Ndjson,
    /// An array of JSON objects
    Json,
    Parquet,
    Avro,
}

impl From<InputFormatArg> for InputFormat {
    fn from(format: InputFormatArg) -> Self {
        match format {
            InputFormatArg::Csv => Self::Csv,
            InputFormatArg::Ndjson | InputFormatArg::Json => Self::Ndjson,
            InputFormatArg::Parquet => Self::Parquet,
            InputFormatArg::Avro => Self::Avro,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum PresetArg {
    /// Google Analytics 4: the export to BigQuery, as JSON lines, Avro or Parquet
    Ga4,
    /// Snowplow: enriched events, as TSV of 131 columns or JSON lines
    Snowplow,
    /// Segment: calls as JSON lines
    Segment,
    /// PostHog: events as JSON lines or Parquet
    Posthog,
    /// Matomo: visits of Live.getLastVisitsDetails as JSON
    Matomo,
    /// Mixpanel: the raw export, JSON lines
    Mixpanel,
    /// Adobe Analytics: hit_data.tsv of a data feed, with column_headers.tsv beside it
    Adobe,
}

impl From<PresetArg> for Preset {
    fn from(preset: PresetArg) -> Self {
        match preset {
            PresetArg::Ga4 => Self::Ga4,
            PresetArg::Snowplow => Self::Snowplow,
            PresetArg::Segment => Self::Segment,
            PresetArg::Posthog => Self::Posthog,
            PresetArg::Matomo => Self::Matomo,
            PresetArg::Mixpanel => Self::Mixpanel,
            PresetArg::Adobe => Self::Adobe,
        }
    }
}

impl From<Format> for wayfare_datasets::OutputFormat {
    fn from(format: Format) -> Self {
        match format {
            Format::Csv => Self::Csv,
            Format::Ndjson => Self::Ndjson,
            Format::Parquet => Self::Parquet,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Compression {
    Gzip,
    Zstd,
}

impl From<Compression> for wayfare_datasets::Compression {
    fn from(compression: Compression) -> Self {
        match compression {
            Compression::Gzip => Self::Gzip,
            Compression::Zstd => Self::Zstd,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    Table,
    Csv,
    Json,
    Ndjson,
    Parquet,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Extra {
    /// They go into the JSON object `properties`
    Properties,
    /// They become columns of the table
    Columns,
    /// They end the load
    Error,
}

impl From<Extra> for ExtraColumns {
    fn from(extra: Extra) -> Self {
        match extra {
            Extra::Properties => Self::Properties,
            Extra::Columns => Self::Columns,
            Extra::Error => Self::Error,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Unit {
    S,
    Ms,
    Us,
    Ns,
    Yyyymmdd,
}

impl From<Unit> for NumericTime {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::S => Self::Seconds,
            Unit::Ms => Self::Millis,
            Unit::Us => Self::Micros,
            Unit::Ns => Self::Nanos,
            Unit::Yyyymmdd => Self::CompactDate,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OnErrorArg {
    /// The first one ends the load; nothing is loaded
    Abort,
    /// Bad rows are left out and counted
    Skip,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum DedupArg {
    /// Rows whose event_id is in the same day already are skipped
    EventId,
    /// Every row is loaded
    None,
}

fn parse_time(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|t| t.with_timezone(&Utc))
        .map_err(|e| format!("expected a time such as 2026-11-21T10:00:00Z ({e})"))
}

fn parse_day(text: &str) -> Result<i32, String> {
    wayfare_engine::store::layout::parse_day(text)
        .ok_or_else(|| "expected a day such as 2026-01-01".to_owned())
}

/// Parses an age such as `400d` or `12h`.
fn parse_age(text: &str) -> Result<Duration, String> {
    let wrong = || "expected an age such as 400d or 12h".to_owned();
    let (number, seconds) = match text.strip_suffix('d') {
        Some(days) => (days, 24 * 3600),
        None => (text.strip_suffix('h').ok_or_else(wrong)?, 3600),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

/// Parses `FIRST..LAST`, either of which may be left out, or one day.
fn parse_days(text: &str) -> Result<DayRange, String> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let day = |text: &str, open: i32| if text.is_empty() { Ok(open) } else { parse_day(text) };
    let range = DayRange { first: day(first, i32::MIN)?, last: day(last, i32::MAX)? };
    if range.first > range.last { Err("the range ends before it begins".to_owned()) } else { Ok(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn ranges_of_days() {
        let range = |first, last| Ok(DayRange { first, last });
        assert_eq!(parse_days("1970-01-02"), range(1, 1));
        assert_eq!(parse_days("1970-01-02..1970-02-01"), range(1, 31));
        assert_eq!(parse_days("..1970-01-02"), range(i32::MIN, 1));
        assert_eq!(parse_days("1970-01-02.."), range(1, i32::MAX));
        for bad in ["yesterday", "1970-01-02..1970-01-01", "1970-01-02..x", "1970-01-01...1970-01-02"] {
            assert!(parse_days(bad).is_err(), "{bad}");
        }
    }
}
