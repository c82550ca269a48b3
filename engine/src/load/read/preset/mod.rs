//! Exports of analytics tools as touchpoints.
//!
//! A tool is a table of fields, which column is filled from which paths of a record, and a function that brings a
//! record into the shape that the paths speak of; one record may hold several touchpoints, or none. What fills no
//! column stays in `properties` under the name that the tool gives it. Each touchpoint goes on as a JSON object with
//! the names of the table's columns, so that values are checked and converted as those of any other file.

mod adobe;
mod channel;
mod ga4;
mod matomo;
mod mixpanel;
mod node;
mod posthog;
mod segment;
mod snowplow;
mod tsv;

use std::collections::VecDeque;
use std::str::FromStr;
use std::sync::Arc;

use chrono_tz::Tz;

use self::node::Node;
use super::json_text::append_string;
use super::number::ExactNumber;
use super::options::{ExtraColumns, InputFormat, NumericTime, ReadOptions};
use super::parquet_records::ParquetRecords;
use super::recognise::{Opened, Recognised};
use super::records::Records;
use super::rejected::{RowPlace, shorten};
use super::source::SourceFile;
use super::stream::Passed;
use super::timestamp::TimestampRule;
use crate::load::error::LoadError;
use crate::schema;

/// A tool whose export is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Preset {
    /// Google Analytics 4, as it exports to BigQuery.
    Ga4,
    /// Snowplow's enriched events.
    Snowplow,
    /// Segment's calls.
    Segment,
    /// PostHog's events.
    Posthog,
    /// Matomo's visits.
    Matomo,
    /// Mixpanel's raw export.
    Mixpanel,
    /// A data feed of Adobe Analytics.
    Adobe,
}

impl Preset {
    /// The name that `--preset` takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ga4 => "ga4",
            Self::Snowplow => "snowplow",
            Self::Segment => "segment",
            Self::Posthog => "posthog",
            Self::Matomo => "matomo",
            Self::Mixpanel => "mixpanel",
            Self::Adobe => "adobe",
        }
    }

    /// Whether `name` is a file that belongs to the export and holds no touchpoints.
    pub(super) fn is_beside(self, name: &str) -> bool {
        self == Self::Adobe && adobe::is_lookup(name)
    }

    /// Checks that the other options have a meaning beside the preset.
    ///
    /// # Errors
    /// [`LoadError::Argument`].
    pub(super) fn check(self, options: &ReadOptions) -> Result<(), LoadError> {
        let contradicts = [
            ("--map", !options.mapping.is_empty(), "the preset says which field fills which column"),
            ("--ts-unit", options.ts_unit.is_some(), "the preset knows the units of the tool"),
            (
                "--extra",
                options.extra != ExtraColumns::Properties,
                "what fills no column goes into properties",
            ),
            (
                "--timezone",
                options.time_zone != Tz::UTC && self != Self::Mixpanel,
                "the times of this tool are in UTC or carry their offset",
            ),
        ];
        match contradicts.iter().find(|(_, used, _)| *used) {
            Some((option, _, reason)) => Err(LoadError::Argument(format!(
                "{option} does not go together with --preset {}: {reason}",
                self.name()
            ))),
            None => Ok(()),
        }
    }
}

impl FromStr for Preset {
    type Err = LoadError;

    fn from_str(text: &str) -> Result<Self, LoadError> {
        const ALL: [Preset; 7] = [
            Preset::Ga4,
            Preset::Snowplow,
            Preset::Segment,
            Preset::Posthog,
            Preset::Matomo,
            Preset::Mixpanel,
            Preset::Adobe,
        ];
        ALL.into_iter().find(|preset| preset.name() == text).ok_or_else(|| {
            let names = ALL.map(Preset::name).join(", ");
            LoadError::Argument(format!("unknown preset {text:?}: use one of {names}"))
        })
    }
}

/// What a tool puts in the place of a channel where it knows that there is none, so that none is looked for.
const NO_CHANNEL: &str = "(none)";
/// The columns without which a touchpoint is none.
const REQUIRED: [&str; 3] = [schema::USER_ID, schema::TS, schema::EVENT];

/// What fills a column of the table.
#[derive(Debug, Clone, Copy)]
struct Field {
    column: &'static str,
    /// Places in a record, keys separated by points; the first one with a value counts.
    paths: &'static [&'static str],
    kind: Kind,
}

/// How a value is understood.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Text,
    /// A number in this unit, or a text with date and time.
    Time(NumericTime),
    /// Seconds since 1970 of a clock in `--timezone`.
    LocalSeconds,
    Money,
}

const fn text(column: &'static str, paths: &'static [&'static str]) -> Field {
    Field { column, paths, kind: Kind::Text }
}

const fn time(column: &'static str, paths: &'static [&'static str], unit: NumericTime) -> Field {
    Field { column, paths, kind: Kind::Time(unit) }
}

const fn money(column: &'static str, paths: &'static [&'static str]) -> Field {
    Field { column, paths, kind: Kind::Money }
}

/// The export of a tool.
trait Tool: std::fmt::Debug + Send {
    fn fields(&self) -> &'static [Field];

    /// The touchpoints of a record, in the shape that [`Self::fields`] speaks of; none if the tool itself does not
    /// count it.
    ///
    /// # Errors
    /// A reason for the user: the record is rejected.
    fn touchpoints<'a>(&self, record: Node<'a>) -> Result<Vec<Node<'a>>, String>;
}

/// Opens a file of the export of `preset`.
pub(super) fn open(
    preset: Preset,
    file: &SourceFile,
    recognised: Recognised,
    options: &ReadOptions,
) -> Result<Opened, LoadError> {
    let limit = options.max_record_bytes;
    let rule = TimestampRule { unit: None, zone: options.time_zone };
    let constants = options.constants.iter().map(|(column, _)| column.to_ascii_lowercase()).collect();
    let (source, passed, tool): (Box<dyn Records>, Arc<Passed>, Box<dyn Tool>) = match recognised {
        Recognised::Text(None | Some(InputFormat::Csv), stream) if preset == Preset::Snowplow => {
            let passed = Arc::clone(&stream.passed);
            (Box::new(snowplow::tsv(stream, limit)?), passed, Box::new(snowplow::Snowplow))
        }
        Recognised::Text(None | Some(InputFormat::Csv), stream) if preset == Preset::Adobe => {
            let passed = Arc::clone(&stream.passed);
            let (records, tool) = adobe::open(file, stream, limit)?;
            (Box::new(records), passed, Box::new(tool))
        }
        Recognised::Text(None | Some(InputFormat::Csv), _) => {
            let problem = format!(
                "the preset {} reads JSON, Avro or Parquet; export it in one of these",
                preset.name()
            );
            return Err(LoadError::input(&file.display, problem));
        }
        _ if preset == Preset::Adobe => {
            let problem = "the preset adobe reads the hit_data.tsv of a data feed";
            return Err(LoadError::input(&file.display, problem));
        }
        Recognised::Text(Some(format), stream) => match super::recognise::records(format, stream, options)? {
            Opened::Records(records, passed) => (records, passed, plain_tool(preset)),
            other => return Ok(other),
        },
        Recognised::Parquet => {
            let records = ParquetRecords::open(file, options)?;
            let passed = records.passed();
            (Box::new(records), passed, plain_tool(preset))
        }
    };
    let records = PresetRecords {
        source,
        tool,
        constants,
        rule,
        rows: VecDeque::new(),
        current: Row::default(),
        at_end: false,
        left_out: 0,
    };
    Ok(Opened::Records(Box::new(records), passed))
}

fn plain_tool(preset: Preset) -> Box<dyn Tool> {
    match preset {
        Preset::Ga4 => Box::new(ga4::Ga4),
        Preset::Snowplow => Box::new(snowplow::Snowplow),
        Preset::Segment => Box::new(segment::Segment),
        Preset::Posthog => Box::new(posthog::Posthog),
        Preset::Matomo => Box::new(matomo::Matomo),
        Preset::Mixpanel => Box::new(mixpanel::Mixpanel),
        Preset::Adobe => Box::new(adobe::Adobe::default()),
    }
}

/// The touchpoints of an export as JSON objects with the columns of the table.
#[derive(Debug)]
struct PresetRecords {
    source: Box<dyn Records>,
    tool: Box<dyn Tool>,
    /// Columns that `--set` fills: it wins.
    constants: Vec<String>,
    rule: TimestampRule,
    /// Touchpoints of the current record of the source that are still to come.
    rows: VecDeque<Row>,
    current: Row,
    at_end: bool,
    left_out: u64,
}

#[derive(Debug, Default)]
struct Row {
    text: Vec<u8>,
    problem: Option<(Option<String>, String)>,
}

impl PresetRecords {
    /// The touchpoints of the current record of the source.
    fn rows_of_record(&self) -> Vec<Row> {
        let rejected = |problem| vec![Row { text: Vec::new(), problem: Some(problem) }];
        if let Some(problem) = self.source.problem() {
            return rejected(problem);
        }
        let Ok(text) = std::str::from_utf8(self.source.text()) else {
            return rejected((None, "not valid UTF-8; convert the file to UTF-8".to_owned()));
        };
        let parsed = Node::parse(text).and_then(|record| match record {
            record @ Node::Object(_) => self.tool.touchpoints(record),
            Node::Raw(_) => Err("not a JSON object".to_owned()),
        });
        match parsed {
            Ok(touchpoints) => touchpoints.into_iter().map(|touchpoint| self.row(touchpoint)).collect(),
            Err(reason) => rejected((None, reason)),
        }
    }

    fn row(&self, mut record: Node<'_>) -> Row {
        let mut values: Vec<(&'static str, String, bool)> = Vec::new();
        let mut problem = None;
        let mut used = Vec::new();
        for field in self.tool.fields() {
            let found = field.paths.iter().find_map(|path| record.text(path).map(|text| (*path, text)));
            let Some((path, text)) = found else {
                if REQUIRED.contains(&field.column) && !self.constants.iter().any(|c| c == field.column) {
                    let reason =
                        format!("{} is missing: no value in {}", field.column, field.paths.join(", "));
                    problem.get_or_insert((None, reason));
                }
                continue;
            };
            match self.convert(field.kind, &text) {
                Ok((value, is_number)) => values.push((field.column, value, is_number)),
                Err(reason) => {
                    let reason = format!("{:?}: {reason}", shorten(&text));
                    problem.get_or_insert((Some(path.to_owned()), reason));
                }
            }
            used.push(path);
        }
        for path in used {
            record.take(path);
        }
        let value = |column: &str| {
            values.iter().find(|(known, _, _)| *known == column).map(|(_, value, _)| value.as_str())
        };
        if value("channel").is_none()
            && let Some(channel) =
                channel::channel(value("source"), value("medium"), value("referrer"), value("page"))
        {
            values.push(("channel", channel.to_owned(), false));
        }
        let mut text = vec![b'{'];
        for (column, value, is_number) in &values {
            // "No referrer" is not a referrer.
            if self.constants.iter().any(|constant| constant == column)
                || (*column == "referrer" && value == "$direct")
                || (*column == "channel" && value == NO_CHANNEL)
            {
                continue;
            }
            append_string(column, &mut text);
            text.push(b':');
            if *is_number {
                text.extend_from_slice(value.as_bytes());
            } else {
                append_string(value, &mut text);
            }
            text.push(b',');
        }
        if !record.is_empty() && !self.constants.iter().any(|constant| constant == schema::PROPERTIES) {
            append_string(schema::PROPERTIES, &mut text);
            text.push(b':');
            record.append(&mut text);
        } else if text.last() == Some(&b',') {
            text.pop();
        }
        text.push(b'}');
        Row { text, problem }
    }

    /// The value as it goes on, and whether it is a number. Times go on as microseconds.
    fn convert(&self, kind: Kind, text: &str) -> Result<(String, bool), String> {
        let utc = |unit| TimestampRule { unit, zone: Tz::UTC };
        let micros = match kind {
            Kind::Text => return Ok((text.to_owned(), false)),
            Kind::Money => return Ok((exact_money(text), false)),
            Kind::Time(unit) => utc(Some(unit)).parse(text),
            Kind::LocalSeconds => {
                utc(Some(NumericTime::Seconds)).parse(text).and_then(|micros| self.rule.local(micros))
            }
        };
        micros.map(|micros| (micros.to_string(), true)).map_err(|error| error.to_string())
    }
}

/// Money that a tool has as a binary fraction, as the decimal that was meant: such a number has 15 digits that can be
/// relied on, so `59.970000000000006` is `59.97`. Anything with fewer digits stays as it is.
fn exact_money(text: &str) -> String {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let is_fraction = ExactNumber::parse(text).is_some_and(|number| number.exponent < -4);
    if digits > 15
        && is_fraction
        && let Ok(value) = text.parse::<f64>()
    {
        return format!("{value:.14e}");
    }
    text.to_owned()
}

impl Records for PresetRecords {
    fn path(&self) -> &Arc<str> {
        self.source.path()
    }

    fn next(&mut self) -> Result<bool, LoadError> {
        while self.rows.is_empty() {
            if self.at_end || !self.source.next()? {
                self.at_end = true;
                return Ok(false);
            }
            self.rows = self.rows_of_record().into();
            if self.rows.is_empty() {
                self.left_out += 1;
                self.source.consume();
            }
        }
        self.current = self.rows.pop_front().unwrap_or_default();
        Ok(true)
    }

    fn text(&self) -> &[u8] {
        &self.current.text
    }

    fn raw(&self) -> &[u8] {
        self.source.raw()
    }

    fn place(&self) -> RowPlace {
        self.source.place()
    }

    fn problem(&self) -> Option<(Option<String>, String)> {
        self.current.problem.clone()
    }

    fn consume(&mut self) {
        if self.rows.is_empty() {
            self.source.consume();
        }
    }

    fn take_left_out(&mut self) -> u64 {
        std::mem::take(&mut self.left_out)
    }

    fn expected(&self) -> &'static str {
        self.source.expected()
    }
}

/// Sets `touchpoint` to the common name of the event at `path`. One that has no other name moves there; else the
/// tool's own name stays where it is.
fn name_event(record: &mut Node<'_>, path: &'static str, names: &[(&str, &str)]) {
    let own = record.text(path).map(|own| own.into_owned());
    let common = own.and_then(|own| names.iter().find(|(known, _)| *known == own).map(|(_, common)| *common));
    let name = match common {
        Some(common) => Some(Node::string(common)),
        None => record.take(path),
    };
    if let Some(name) = name {
        record.set("touchpoint", name);
    }
}
