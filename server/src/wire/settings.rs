//! Session variables: what `SET`, `SHOW` and `RESET` see, under PostgreSQL's names.
//!
//! Each connection has its own. A variable that has an effect here is checked; one that only clients care about
//! is kept and given back. Unknown names are refused, so that a misspelt name is noticed.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use arrow::array::timezone::Tz;
use pgwire::error::ErrorInfo;
use pgwire::types::format::FormatOptions;

use crate::error::{error_info, sqlstate};

/// The PostgreSQL version whose behaviour and catalogs are imitated.
pub(crate) const POSTGRES_VERSION: &str = "16.6";
/// The same as one number.
const POSTGRES_VERSION_NUMBER: &str = "160006";

/// `server_version` as clients see it.
pub(crate) fn server_version() -> String {
    format!("{POSTGRES_VERSION} (Wayfare {})", env!("CARGO_PKG_VERSION"))
}

/// A session variable.
#[derive(Debug)]
pub(crate) struct Variable {
    /// Name in PostgreSQL's spelling.
    pub name: &'static str,
    default: &'static str,
    domain: Domain,
    /// Whether the client is told about each change.
    pub reported: bool,
}

#[derive(Debug, Clone, Copy)]
enum Domain {
    /// Cannot be changed.
    Fixed,
    Text,
    Boolean,
    Integer(i64, i64),
    Milliseconds,
    TimeZone,
    DateStyle,
    Encoding,
    OneOf(&'static [&'static str]),
}

const fn variable(name: &'static str, default: &'static str, domain: Domain) -> Variable {
    Variable { name, default, domain, reported: false }
}

const fn reported(name: &'static str, default: &'static str, domain: Domain) -> Variable {
    Variable { name, default, domain, reported: true }
}

const ISOLATION_LEVELS: &[&str] = &["serializable", "repeatable read", "read committed", "read uncommitted"];

static VARIABLES: &[Variable] = &[
    reported("application_name", "", Domain::Text),
    variable("bytea_output", "hex", Domain::OneOf(&["hex", "escape"])),
    reported("client_encoding", "UTF8", Domain::Encoding),
    variable("client_min_messages", "notice", Domain::Text),
    reported("DateStyle", "ISO, MDY", Domain::DateStyle),
    variable("default_transaction_isolation", "read committed", Domain::OneOf(ISOLATION_LEVELS)),
    reported("default_transaction_read_only", "off", Domain::Boolean),
    variable("default_transaction_deferrable", "off", Domain::Boolean),
    variable("extra_float_digits", "1", Domain::Integer(-15, 3)),
    variable("idle_in_transaction_session_timeout", "0", Domain::Milliseconds),
    reported("in_hot_standby", "off", Domain::Fixed),
    reported("integer_datetimes", "on", Domain::Fixed),
    reported(
        "IntervalStyle",
        "postgres",
        Domain::OneOf(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]),
    ),
    reported("is_superuser", "off", Domain::Fixed),
    variable("jit", "off", Domain::Boolean),
    variable("lc_collate", "C", Domain::Fixed),
    variable("lc_ctype", "C.UTF-8", Domain::Fixed),
    variable("lc_messages", "C", Domain::Text),
    variable("lc_monetary", "C", Domain::Text),
    variable("lc_numeric", "C", Domain::Text),
    variable("lc_time", "C", Domain::Text),
    variable("lock_timeout", "0", Domain::Milliseconds),
    variable("max_identifier_length", "63", Domain::Fixed),
    variable("max_index_keys", "32", Domain::Fixed),
    variable("row_security", "on", Domain::Boolean),
    variable("search_path", "\"$user\", public", Domain::Text),
    reported("server_encoding", "UTF8", Domain::Fixed),
    reported("server_version", "", Domain::Fixed),
    variable("server_version_num", POSTGRES_VERSION_NUMBER, Domain::Fixed),
    reported("session_authorization", "", Domain::Fixed),
    reported("standard_conforming_strings", "on", Domain::OneOf(&["on"])),
    variable("statement_timeout", "0", Domain::Milliseconds),
    variable("synchronous_commit", "on", Domain::Text),
    reported("TimeZone", "UTC", Domain::TimeZone),
    variable("transaction_deferrable", "off", Domain::Boolean),
    variable("transaction_isolation", "read committed", Domain::OneOf(ISOLATION_LEVELS)),
    variable("transaction_read_only", "off", Domain::Boolean),
    variable("work_mem", "4MB", Domain::Text),
];

/// The variable of this name, case ignored.
pub(crate) fn find(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name.eq_ignore_ascii_case(name))
}

/// Boxed, because most settings are found.
fn refusal(code: &str, message: impl Into<String>) -> Box<ErrorInfo> {
    Box::new(error_info(code, message))
}

fn find_or_error(name: &str) -> Result<&'static Variable, Box<ErrorInfo>> {
    find(name).ok_or_else(|| {
        refusal(sqlstate::UNDEFINED_OBJECT, format!("unrecognized configuration parameter \"{name}\""))
    })
}

/// The values of one session.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    values: BTreeMap<&'static str, String>,
    // What RESET goes back to: the defaults, and over them what the client asked for at log-in.
    initial: BTreeMap<&'static str, String>,
}

impl Settings {
    /// The defaults for a session of `user`.
    pub(crate) fn new(user: &str) -> Self {
        let mut values: BTreeMap<&'static str, String> =
            VARIABLES.iter().map(|variable| (variable.name, variable.default.to_owned())).collect();
        values.insert("server_version", server_version());
        values.insert("session_authorization", user.to_owned());
        Self { initial: values.clone(), values }
    }

    /// Sets a value that the client gave in its start-up packet; it becomes the value of `RESET`.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub(crate) fn set_initial(&mut self, name: &str, value: &str) -> Result<(), Box<ErrorInfo>> {
        let variable = self.set(name, Some(value))?;
        let value = self.get_known(variable).to_owned();
        self.initial.insert(variable.name, value);
        Ok(())
    }

    /// Sets `name` to `value`, or back to its initial value if `None`.
    ///
    /// # Errors
    /// 42704 unknown name, 22023 value outside the domain, 55P02 read-only variable.
    pub(crate) fn set(
        &mut self,
        name: &str,
        value: Option<&str>,
    ) -> Result<&'static Variable, Box<ErrorInfo>> {
        let variable = find_or_error(name)?;
        let value = match value {
            Some(value) => canonical(variable, value)?,
            None => self.initial.get(variable.name).cloned().unwrap_or_default(),
        };
        self.values.insert(variable.name, value);
        Ok(variable)
    }

    /// Sets everything back to its initial value; returns the reported variables that changed.
    pub(crate) fn reset_all(&mut self) -> Vec<&'static Variable> {
        let changed = VARIABLES
            .iter()
            .filter(|v| v.reported && self.values.get(v.name) != self.initial.get(v.name))
            .collect();
        self.values.clone_from(&self.initial);
        changed
    }

    /// The value of `name`.
    ///
    /// # Errors
    /// 42704 unknown name.
    pub(crate) fn get(&self, name: &str) -> Result<&str, Box<ErrorInfo>> {
        find_or_error(name).map(|variable| self.get_known(variable))
    }

    /// The value of a variable.
    pub(crate) fn get_known(&self, variable: &Variable) -> &str {
        self.values.get(variable.name).map_or("", String::as_str)
    }

    fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// Every variable with its value, by name.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, &str)> {
        VARIABLES.iter().map(|v| (v.name, self.get_known(v)))
    }

    /// The variables that a client is told at log-in.
    pub(crate) fn reported(&self) -> impl Iterator<Item = (&'static str, &str)> {
        VARIABLES.iter().filter(|v| v.reported).map(|v| (v.name, self.get_known(v)))
    }

    /// The reported variables whose values differ from those in `before`.
    pub(crate) fn reported_changes(&self, before: &Self) -> Vec<(String, String)> {
        self.reported()
            .filter(|(name, value)| before.value(name) != *value)
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// The zone in which timestamps are shown and read.
    pub(crate) fn time_zone(&self) -> &str {
        self.value("TimeZone")
    }

    /// How long a statement may run; `None` for no limit.
    pub(crate) fn statement_timeout(&self) -> Option<Duration> {
        let milliseconds: u64 = self.value("statement_timeout").parse().unwrap_or(0);
        (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
    }

    /// How values are written as text.
    pub(crate) fn format_options(&self) -> FormatOptions {
        let mut options = FormatOptions::default();
        options.date_style = self.value("DateStyle").to_owned();
        options.interval_style = self.value("IntervalStyle").to_owned();
        options.bytea_output = self.value("bytea_output").to_owned();
        options.time_zone = self.time_zone().to_owned();
        options.extra_float_digits = self.value("extra_float_digits").parse().unwrap_or(1);
        options
    }
}

/// `value` in the form in which `SHOW` prints it.
fn canonical(variable: &Variable, value: &str) -> Result<String, Box<ErrorInfo>> {
    let invalid = || {
        refusal(
            sqlstate::INVALID_PARAMETER_VALUE,
            format!("invalid value for parameter \"{}\": \"{value}\"", variable.name),
        )
    };
    match variable.domain {
        Domain::Fixed => Err(refusal(
            sqlstate::CANT_CHANGE_RUNTIME_PARAM,
            format!("parameter \"{}\" cannot be changed", variable.name),
        )),
        Domain::Text => Ok(value.to_owned()),
        Domain::Boolean => match value.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" | "1" | "t" | "y" => Ok("on".to_owned()),
            "off" | "false" | "no" | "0" | "f" | "n" => Ok("off".to_owned()),
            _ => Err(refusal(
                sqlstate::INVALID_PARAMETER_VALUE,
                format!("parameter \"{}\" requires a Boolean value", variable.name),
            )),
        },
        Domain::Integer(least, most) => match value.trim().parse::<i64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(number.to_string()),
            Ok(number) => Err(refusal(
                sqlstate::INVALID_PARAMETER_VALUE,
                format!(
                    "{number} is outside the valid range for parameter \"{}\" ({least} .. {most})",
                    variable.name
                ),
            )),
            Err(_) => Err(invalid()),
        },
        Domain::Milliseconds => milliseconds(value).map(|n| n.to_string()).ok_or_else(invalid),
        Domain::TimeZone => time_zone(value).ok_or_else(invalid),
        Domain::DateStyle => date_style(value).ok_or_else(|| {
            refusal(
                sqlstate::FEATURE_NOT_SUPPORTED,
                format!("DateStyle \"{value}\" is not supported: use ISO, with MDY, DMY or YMD"),
            )
        }),
        // Some clients quote the name.
        Domain::Encoding => match value.to_ascii_lowercase().replace(['-', '_', '\''], "").as_str() {
            "utf8" | "unicode" => Ok("UTF8".to_owned()),
            _ => Err(refusal(
                sqlstate::FEATURE_NOT_SUPPORTED,
                format!("client_encoding \"{value}\" is not supported: use UTF8"),
            )),
        },
        Domain::OneOf(allowed) => allowed
            .iter()
            .find(|one| one.eq_ignore_ascii_case(value))
            .map(|one| (*one).to_owned())
            .ok_or_else(invalid),
    }
}

/// `1500`, `1500ms`, `30s`, `5min`, `1h`, `1d` as milliseconds.
fn milliseconds(value: &str) -> Option<u64> {
    let value = value.trim();
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = value.split_at(digits);
    let factor = match unit.trim() {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor).filter(|n| *n <= u64::from(i32::MAX.unsigned_abs()))
}

/// The IANA name or the offset `+HH:MM` of a zone.
fn time_zone(value: &str) -> Option<String> {
    let value = value.trim();
    if value.eq_ignore_ascii_case("utc")
        || value.eq_ignore_ascii_case("gmt")
        || value.eq_ignore_ascii_case("z")
    {
        return Some(value.to_ascii_uppercase().replace('Z', "UTC"));
    }
    // PostgreSQL takes plain hours, positive east of Greenwich.
    if let Ok(hours) = value.parse::<i32>()
        && (-15..=15).contains(&hours)
    {
        let sign = if hours < 0 { '-' } else { '+' };
        return Some(format!("{sign}{:02}:00", hours.abs()));
    }
    Tz::from_str(value).ok().map(|_| value.to_owned())
}

fn date_style(value: &str) -> Option<String> {
    let mut order = "MDY";
    for part in value.split(',') {
        match part.trim().to_ascii_uppercase().as_str() {
            "ISO" => {}
            "MDY" | "US" => order = "MDY",
            "DMY" | "EURO" | "EUROPEAN" => order = "DMY",
            "YMD" => order = "YMD",
            _ => return None,
        }
    }
    Some(format!("ISO, {order}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_ignore_case_and_unknown_ones_are_refused() {
        let mut settings = Settings::new("ana");
        settings.set("timezone", Some("Europe/Berlin")).unwrap();
        assert_eq!(settings.get("TIMEZONE").unwrap(), "Europe/Berlin");
        assert_eq!(settings.set("statment_timeout", Some("1")).unwrap_err().code, "42704");
        assert_eq!(settings.set("TimeZone", Some("Mars/Base")).unwrap_err().code, "22023");
        assert_eq!(settings.set("server_version", Some("9")).unwrap_err().code, "55P02");
        assert_eq!(settings.get("session_authorization").unwrap(), "ana");
    }

    #[test]
    fn reset_goes_back_to_what_the_client_asked_for() {
        let mut settings = Settings::new("ana");
        settings.set_initial("application_name", "psql").unwrap();
        settings.set("application_name", Some("other")).unwrap();
        settings.set("application_name", None).unwrap();
        assert_eq!(settings.get("application_name").unwrap(), "psql");
    }

    #[test]
    fn times_take_units() {
        let mut settings = Settings::new("ana");
        assert_eq!(settings.statement_timeout(), None);
        settings.set("statement_timeout", Some("2min")).unwrap();
        assert_eq!(settings.statement_timeout(), Some(Duration::from_secs(120)));
        assert_eq!(settings.set("statement_timeout", Some("2 weeks")).unwrap_err().code, "22023");
        assert_eq!(milliseconds("99999999d"), None);
    }

    #[test]
    fn zones_and_date_styles_are_made_canonical() {
        assert_eq!(time_zone("-7").as_deref(), Some("-07:00"));
        assert_eq!(time_zone("utc").as_deref(), Some("UTC"));
        assert_eq!(date_style("iso").as_deref(), Some("ISO, MDY"));
        assert_eq!(date_style("ISO, DMY").as_deref(), Some("ISO, DMY"));
        assert_eq!(date_style("German"), None);
    }
}
