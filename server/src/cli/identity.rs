//! `wayfare identify` and `wayfare stitch`.

use std::path::PathBuf;

use clap::Args;
use wayfare_engine::Engine;
use wayfare_engine::identity::IdentityLimits;
use wayfare_engine::identity::links::IdentifyRequest;
use wayfare_engine::load::read::{ReadOptions, parse_time_zone};

use super::args::InputFormatArg;
use super::error::CliError;
use super::load::assignments;
use super::output;

/// When linked ids are not one person: the same for loads and for `stitch`.
#[derive(Debug, Args)]
pub struct IdentityOptions {
    /// Linked ids that are more than this are not one person, but a shared device or a placeholder
    #[arg(long, global = true, env = "WAYFARE_IDS_PER_PERSON", value_name = "N", default_value_t = 50, hide_short_help = true, value_parser = clap::value_parser!(u32).range(1..))]
    ids_per_person: u32,

    /// Linked ids with more known ones among them than this are not one person
    #[arg(long, global = true, env = "WAYFARE_USERS_PER_PERSON", value_name = "N", default_value_t = 1, hide_short_help = true, value_parser = clap::value_parser!(u32).range(1..))]
    users_per_person: u32,
}

impl From<&IdentityOptions> for IdentityLimits {
    fn from(options: &IdentityOptions) -> Self {
        Self {
            ids_per_person: options.ids_per_person as usize,
            users_per_person: options.users_per_person as usize,
        }
    }
}

#[derive(Debug, Args)]
pub struct IdentifyArgs {
    /// Files, directories, glob patterns or URLs with the columns anonymous_id, user_id, valid_from
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,
    /// Format of the input [default: by content and extension]
    #[arg(long, value_enum)]
    format: Option<InputFormatArg>,
    /// Column = column of the file, such as anonymous_id=cookie
    #[arg(long, value_name = "COLUMN=SOURCE,...")]
    map: Vec<String>,
    /// Since when the links are valid, where the files do not say
    #[arg(long, value_name = "TIME")]
    valid_from: Option<String>,
    /// Zone of times without an offset
    #[arg(long, default_value = "UTC", value_name = "ZONE")]
    timezone: String,
    /// Load files even if their content was loaded before
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
pub struct StitchArgs {
    /// The touchpoint table
    #[arg(long, default_value = wayfare_engine::store::TOUCHPOINTS)]
    table: String,
    /// Write which ids became whose, as CSV
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// Loads links and prints the report.
pub async fn identify(engine: &Engine, args: &IdentifyArgs) -> Result<(), CliError> {
    let request = IdentifyRequest {
        inputs: args.inputs.clone(),
        read: ReadOptions {
            format: args.format.map(Into::into),
            mapping: assignments(&args.map)?,
            time_zone: parse_time_zone(&args.timezone).map_err(wayfare_engine::Error::from)?,
            ..ReadOptions::default()
        },
        valid_from: args.valid_from.clone(),
        force: args.force,
    };
    let report = engine.identify(&request).await?;
    let mut text = String::new();
    for file in &report.files_already_loaded {
        text += &format!("already loaded: {file}\n");
    }
    text += &output::figures(&[
        ("links loaded", report.links.to_string()),
        ("links of nobody", report.links_blocked.to_string()),
        ("links of erased people", report.links_erased.to_string()),
    ]);
    text += &output::outcome(report.version, wayfare_engine::identity::IDENTITIES);
    output::print(&text)
}

/// Gives rows to their people and prints the report.
pub async fn stitch(engine: &Engine, args: &StitchArgs) -> Result<(), CliError> {
    let report = engine.stitch(&args.table).await?;
    if let Some(file) = &args.report {
        let rows: String =
            report.merged.iter().map(|(person, id)| format!("{},{}\n", quoted(person), quoted(id))).collect();
        std::fs::write(file, format!("user_id,id\n{rows}"))
            .map_err(|e| CliError::io("write", file.display().to_string(), e))?;
    }
    let identities = &report.identities;
    let mut text = output::figures(&[
        ("links", format!("{}, {} of nobody", identities.links, identities.links_blocked)),
        ("people merged", format!("{} of {} ids", identities.people, identities.ids_merged)),
        ("groups kept apart", identities.groups_apart.to_string()),
        ("devices by time", identities.devices_by_time.to_string()),
        ("devices of nobody", identities.devices_of_nobody.to_string()),
        ("rows changed", report.rows.to_string()),
        ("files rewritten", format!("{} of {} bytes", report.files, report.bytes_removed)),
        ("bytes written", report.bytes_added.to_string()),
        ("seconds", format!("{:.2}", report.elapsed.as_secs_f64())),
    ]);
    text += &output::outcome(report.version, &args.table);
    output::print(&text)
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}
