//! Session variables: what `SET`, `SHOW` and `RESET` see, under PostgreSQL's names.
//!
//! Each connection has its own. A variable that has an effect here is checked; one that only clients care about
//! is kept and given back. Unknown names are refused, so that a misspelt name is noticed.

mod listing;
mod search_path;
mod units;
mod variables;
pub(crate) mod zone;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pgwire::error::ErrorInfo;
use pgwire::types::format::FormatOptions;

use self::units::UnitError;
use self::variables::{Domain, VARIABLES, Variable};
use crate::error::{error_info, sqlstate};

pub(crate) use self::search_path::quoted as quoted_schema;
pub(crate) use self::variables::find;

/// The PostgreSQL version whose behaviour and catalogs are imitated.
pub(crate) const POSTGRES_VERSION: &str = "16.6";
/// The same as one number.
const POSTGRES_VERSION_NUMBER: &str = "160006";

/// `server_version` as clients see it.
pub(crate) fn server_version() -> String {
    format!("{POSTGRES_VERSION} (Wayfare {})", env!("CARGO_PKG_VERSION"))
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

/// Prefixes of the options of the engine, which are not kept here.
const ENGINE_PREFIXES: [&str; 2] = ["wayfare.", "datafusion."];

/// Whether `name` is that of a variable which the client makes up, such as `myapp.user`.
pub(crate) fn is_custom(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    name.contains('.') && !ENGINE_PREFIXES.iter().any(|prefix| lower.starts_with(prefix))
}

/// The values of one session. Copies are cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    values: Arc<BTreeMap<&'static str, String>>,
    // What RESET goes back to: the defaults, and over them what the client asked for at log-in.
    initial: Arc<BTreeMap<&'static str, String>>,
    // Variables that the client made up.
    custom: Arc<BTreeMap<String, String>>,
}

impl Settings {
    /// The defaults for a session of `user`.
    pub(crate) fn new(user: &str) -> Self {
        let mut values: BTreeMap<&'static str, String> =
            VARIABLES.iter().map(|variable| (variable.name, variable.default.to_owned())).collect();
        values.insert("server_version", server_version());
        values.insert("session_authorization", user.to_owned());
        let values = Arc::new(values);
        Self { initial: Arc::clone(&values), values, custom: Arc::default() }
    }

    /// Sets a value that the client gave in its start-up packet; it becomes the value of `RESET`.
    ///
    /// # Errors
    /// As [`Self::set`].
    pub(crate) fn set_initial(&mut self, name: &str, value: &str) -> Result<(), Box<ErrorInfo>> {
        let variable = self.set(name, Some(value))?;
        let value = self.value(variable.name).to_owned();
        Arc::make_mut(&mut self.initial).insert(variable.name, value);
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
        let value = match (value, variable.domain) {
            // What belongs to the server has no default to go back to either.
            (None, Domain::Fixed | Domain::Server) => canonical(variable, "", self.value(variable.name))?,
            (Some(value), _) => canonical(variable, value, self.value(variable.name))?,
            (None, _) => self.initial.get(variable.name).cloned().unwrap_or_default(),
        };
        Arc::make_mut(&mut self.values).insert(variable.name, value);
        Ok(variable)
    }

    /// Sets a variable that the client made up, or forgets it.
    pub(crate) fn set_custom(&mut self, name: &str, value: Option<&str>) {
        let custom = Arc::make_mut(&mut self.custom);
        let name = name.to_ascii_lowercase();
        match value {
            Some(value) => custom.insert(name, value.to_owned()),
            None => custom.remove(&name),
        };
    }

    /// Puts back a value that [`Self::get`] gave, or sets one that is known to be valid.
    ///
    /// # Errors
    /// 42704 unknown name.
    pub(crate) fn restore(&mut self, name: &str, value: Option<&str>) -> Result<(), Box<ErrorInfo>> {
        let Some(value) = value.filter(|_| !is_custom(name)) else {
            self.set_custom(name, value);
            return Ok(());
        };
        let variable = find_or_error(name)?;
        Arc::make_mut(&mut self.values).insert(variable.name, value.to_owned());
        Ok(())
    }

    /// Sets everything back to its initial value.
    pub(crate) fn reset_all(&mut self) {
        self.values = Arc::clone(&self.initial);
        self.custom = Arc::default();
    }

    /// The modes of a transaction are those that the session has for new ones.
    pub(crate) fn reset_transaction_modes(&mut self) {
        for (mode, default) in TRANSACTION_MODES {
            if self.value(mode) != self.value(default) {
                let value = self.value(default).to_owned();
                Arc::make_mut(&mut self.values).insert(mode, value);
            }
        }
    }

    /// The modes of the transaction, by name.
    pub(crate) fn transaction_modes(&self) -> Vec<(&'static str, String)> {
        TRANSACTION_MODES.iter().map(|(mode, _)| (*mode, self.value(mode).to_owned())).collect()
    }

    /// The value of `name` as it is kept.
    ///
    /// # Errors
    /// 42704 unknown name.
    pub(crate) fn get(&self, name: &str) -> Result<&str, Box<ErrorInfo>> {
        if let Some(value) = self.custom.get(&name.to_ascii_lowercase()) {
            return Ok(value);
        }
        find_or_error(name).map(|variable| self.value(variable.name))
    }

    /// The value of `name` as `SHOW` prints it.
    ///
    /// # Errors
    /// 42704 unknown name.
    pub(crate) fn show(&self, name: &str) -> Result<String, Box<ErrorInfo>> {
        if let Some(value) = self.custom.get(&name.to_ascii_lowercase()) {
            return Ok(value.clone());
        }
        find_or_error(name).map(|variable| self.shown(variable))
    }

    fn shown(&self, variable: &Variable) -> String {
        let value = self.value(variable.name);
        let number = || value.parse().unwrap_or(0);
        match variable.domain {
            Domain::Milliseconds(_) => units::show_milliseconds(number()),
            Domain::Bytes(unit) => units::show_size(number(), unit),
            _ => value.to_owned(),
        }
    }

    fn value(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }

    /// Name, value and description of every variable, by name.
    pub(crate) fn all(&self) -> Vec<Vec<String>> {
        let row = |v: &Variable| vec![v.name.to_owned(), self.shown(v), v.description.to_owned()];
        VARIABLES.iter().map(row).collect()
    }

    /// The variables that a client is told at log-in.
    pub(crate) fn reported(&self) -> impl Iterator<Item = (&'static str, &str)> {
        VARIABLES.iter().filter(|v| v.reported).map(|v| (v.name, self.value(v.name)))
    }

    /// The reported variables whose values differ from those in `before`.
    pub(crate) fn reported_changes(&self, before: &Self) -> Vec<(String, String)> {
        self.reported()
            .filter(|(name, value)| before.value(name) != *value)
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// The zone in which timestamps are shown and read, as the engine calls it.
    pub(crate) fn time_zone(&self) -> String {
        zone::for_engine(self.value("TimeZone"))
    }

    /// The schemas in which names are looked up, in order.
    pub(crate) fn search_path(&self) -> Vec<String> {
        let user = self.value("session_authorization");
        let path = search_path::parse(self.value("search_path")).unwrap_or_default();
        path.into_iter().map(|schema| if schema == "$user" { user.to_owned() } else { schema }).collect()
    }

    /// The isolation level of the transaction.
    pub(crate) fn isolation(&self) -> &str {
        self.value("transaction_isolation")
    }

    /// Whether the transaction only reads.
    pub(crate) fn is_read_only(&self) -> bool {
        self.value("transaction_read_only") == "on"
    }

    /// How long a statement may run; `None` for no limit.
    pub(crate) fn statement_timeout(&self) -> Option<Duration> {
        self.duration("statement_timeout")
    }

    /// How long the client may wait inside a transaction; `None` for no limit.
    pub(crate) fn idle_in_transaction_timeout(&self) -> Option<Duration> {
        self.duration("idle_in_transaction_session_timeout")
    }

    /// How long the client may wait outside a transaction; `None` for no limit.
    pub(crate) fn idle_timeout(&self) -> Option<Duration> {
        self.duration("idle_session_timeout")
    }

    fn duration(&self, name: &str) -> Option<Duration> {
        let milliseconds: u64 = self.value(name).parse().unwrap_or(0);
        (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
    }

    /// Whether a notice of `severity` is sent.
    pub(crate) fn sends_notice(&self, severity: &str) -> bool {
        let rank = |level: &str| match level {
            "error" => 3,
            "warning" => 2,
            "notice" => 1,
            _ => 0,
        };
        rank(&severity.to_ascii_lowercase()) >= rank(self.value("client_min_messages"))
    }

    /// How values are written as text.
    pub(crate) fn format_options(&self) -> FormatOptions {
        let mut options = FormatOptions::default();
        options.date_style = self.value("DateStyle").to_owned();
        options.interval_style = self.value("IntervalStyle").to_owned();
        options.bytea_output = self.value("bytea_output").to_owned();
        options.time_zone = self.time_zone();
        options.extra_float_digits = self.value("extra_float_digits").parse().unwrap_or(1);
        options
    }
}

/// Modes of a transaction, and of new ones.
const TRANSACTION_MODES: [(&str, &str); 3] = [
    ("transaction_isolation", "default_transaction_isolation"),
    ("transaction_read_only", "default_transaction_read_only"),
    ("transaction_deferrable", "default_transaction_deferrable"),
];

/// `value` in the form in which it is kept; `current` is the value that it replaces.
fn canonical(variable: &Variable, value: &str, current: &str) -> Result<String, Box<ErrorInfo>> {
    let name = variable.name;
    let invalid = || {
        refusal(
            sqlstate::INVALID_PARAMETER_VALUE,
            format!("invalid value for parameter \"{name}\": \"{value}\""),
        )
    };
    let with_hint = |hint: String| {
        let mut info = invalid();
        info.hint = Some(hint);
        info
    };
    let outside = |shown: String, least: i64, most: i64| {
        refusal(
            sqlstate::INVALID_PARAMETER_VALUE,
            format!("{shown} is outside the valid range for parameter \"{name}\" ({least} .. {most})"),
        )
    };
    let number = |parsed: Result<i64, UnitError>, units: &str, unit: &str, least: i64| match parsed {
        Ok(number) if number < least => Err(outside(format!("{number}{unit}"), least, i64::from(i32::MAX))),
        Ok(number) => Ok(number.to_string()),
        Err(UnitError::NotANumber) => Err(invalid()),
        Err(UnitError::UnknownUnit) => Err(with_hint(format!("Valid units for this parameter are {units}."))),
        Err(UnitError::TooLarge) => Err(with_hint("Value exceeds integer range.".to_owned())),
    };
    match variable.domain {
        Domain::Fixed => Err(refusal(
            sqlstate::CANT_CHANGE_RUNTIME_PARAM,
            format!("parameter \"{name}\" cannot be changed"),
        )),
        Domain::Server => Err(refusal(
            sqlstate::CANT_CHANGE_RUNTIME_PARAM,
            format!("parameter \"{name}\" cannot be changed without restarting the server"),
        )),
        Domain::Text => Ok(value.to_owned()),
        Domain::Boolean => boolean(value).map(str::to_owned).ok_or_else(|| {
            refusal(
                sqlstate::INVALID_PARAMETER_VALUE,
                format!("parameter \"{name}\" requires a Boolean value"),
            )
        }),
        Domain::Integer(least, most) => match value.trim().parse::<i64>() {
            Ok(number) if (least..=most).contains(&number) => Ok(number.to_string()),
            Ok(number) => Err(outside(number.to_string(), least, most)),
            Err(_) => Err(invalid()),
        },
        Domain::Real => match value.trim().parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(number.to_string()),
            _ => Err(invalid()),
        },
        Domain::Milliseconds(least) => number(
            units::milliseconds(value),
            "\"us\", \"ms\", \"s\", \"min\", \"h\", and \"d\"",
            " ms",
            least,
        ),
        Domain::Bytes(unit) => {
            let shown = if unit == 1024 { " kB" } else { " 8kB" };
            let units = "\"B\", \"kB\", \"MB\", \"GB\", and \"TB\"";
            number(units::size(value, unit), units, shown, 0)
        }
        Domain::TimeZone => zone::canonical(value).ok_or_else(invalid),
        Domain::DateStyle => date_style(value, current).map_err(|detail| {
            let mut info = invalid();
            info.detail = Some(detail);
            info
        }),
        Domain::SearchPath => {
            search_path::parse(value).map(|path| search_path::shown(&path)).ok_or_else(|| {
                let mut info = invalid();
                info.detail = Some("List syntax is invalid.".to_owned());
                info
            })
        }
        // Some clients quote the name.
        Domain::Encoding => match value.to_ascii_lowercase().replace(['-', '_', '\''], "").as_str() {
            "utf8" | "unicode" => Ok("UTF8".to_owned()),
            // No conversion, which for text that is UTF-8 is the same.
            "sqlascii" => Ok("SQL_ASCII".to_owned()),
            _ => Err(refusal(
                sqlstate::FEATURE_NOT_SUPPORTED,
                format!("client_encoding \"{value}\" is not supported: use UTF8"),
            )),
        },
        Domain::OneOf(allowed) => {
            // Two words may be written as on or off.
            let asked = boolean(value).filter(|on_off| allowed.contains(on_off)).unwrap_or(value);
            allowed
                .iter()
                .find(|one| one.eq_ignore_ascii_case(asked))
                .map(|one| (*one).to_owned())
                .ok_or_else(|| with_hint(format!("Available values: {}.", allowed.join(", "))))
        }
    }
}

/// `on` or `off` for one of the words that PostgreSQL takes for them.
pub(crate) fn boolean(value: &str) -> Option<&'static str> {
    let value = value.trim().to_ascii_lowercase();
    // Words may be shortened as long as they stay different.
    let begins = |word: &str, least: usize| value.len() >= least && word.starts_with(&value);
    match value.as_str() {
        "1" => Some("on"),
        "0" => Some("off"),
        _ if begins("true", 1) || begins("yes", 1) || begins("on", 2) => Some("on"),
        _ if begins("false", 1) || begins("no", 1) || begins("off", 2) => Some("off"),
        _ => None,
    }
}

/// `value` over the date style `current`; an error says what is wrong.
fn date_style(value: &str, current: &str) -> Result<String, String> {
    let (mut style, mut order) = current.split_once(", ").unwrap_or(("ISO", "MDY"));
    let (mut new_style, mut new_order) = (None, None);
    let conflict = || "Conflicting \"datestyle\" specifications.".to_owned();
    for word in value.split(',').map(str::trim) {
        let (chosen_style, chosen_order) = match word.to_ascii_uppercase().as_str() {
            "ISO" => (Some("ISO"), None),
            "SQL" => (Some("SQL"), None),
            "POSTGRES" => (Some("Postgres"), None),
            "GERMAN" => (Some("German"), None),
            "MDY" | "US" | "NONEURO" | "NONEUROPEAN" => (None, Some("MDY")),
            "DMY" | "EURO" | "EUROPEAN" => (None, Some("DMY")),
            "YMD" => (None, Some("YMD")),
            "DEFAULT" => (Some("ISO"), Some("MDY")),
            _ => return Err(format!("Unrecognized key word: \"{word}\".")),
        };
        if let Some(chosen) = chosen_style
            && new_style.replace(chosen).is_some_and(|before| before != chosen)
        {
            return Err(conflict());
        }
        if let Some(chosen) = chosen_order
            && new_order.replace(chosen).is_some_and(|before| before != chosen)
        {
            return Err(conflict());
        }
    }
    // German dates begin with the day.
    if new_style == Some("German") && new_order.is_none() {
        new_order = Some("DMY");
    }
    style = new_style.unwrap_or(style);
    order = new_order.unwrap_or(order);
    Ok(format!("{style}, {order}"))
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
        let mut names: Vec<String> = VARIABLES.iter().map(|v| v.name.to_ascii_lowercase()).collect();
        let found = names.clone();
        names.sort();
        names.dedup();
        assert_eq!(names, found, "sorted, each once");
    }

    #[test]
    fn every_default_is_a_value() {
        for variable in VARIABLES {
            if !matches!(variable.domain, Domain::Fixed | Domain::Server) {
                let kept = canonical(variable, variable.default, variable.default).unwrap();
                assert_eq!(kept, variable.default, "{}", variable.name);
            }
        }
    }

    #[test]
    fn reset_goes_back_to_what_the_client_asked_for() {
        let mut settings = Settings::new("ana");
        settings.set_initial("application_name", "psql").unwrap();
        settings.set("application_name", Some("other")).unwrap();
        settings.set("application_name", None).unwrap();
        assert_eq!(settings.get("application_name").unwrap(), "psql");
        settings.set_custom("My.Var", Some("1"));
        assert_eq!(settings.show("my.var").unwrap(), "1");
        settings.reset_all();
        assert_eq!(settings.show("my.var").unwrap_err().code, "42704");
    }

    #[test]
    fn times_take_units() {
        let mut settings = Settings::new("ana");
        assert_eq!(settings.statement_timeout(), None);
        settings.set("statement_timeout", Some("2min")).unwrap();
        assert_eq!(settings.statement_timeout(), Some(Duration::from_secs(120)));
        assert_eq!(settings.show("statement_timeout").unwrap(), "2min");
        let refused = settings.set("statement_timeout", Some("2 weeks")).unwrap_err();
        assert_eq!(refused.code, "22023");
        assert!(refused.hint.as_deref().unwrap().contains("\"min\""));
        let refused = settings.set("statement_timeout", Some("-1")).unwrap_err();
        assert_eq!(
            refused.message,
            "-1 ms is outside the valid range for parameter \"statement_timeout\" (0 .. 2147483647)"
        );
    }

    #[test]
    fn date_styles_are_made_canonical() {
        let after = |value: &str, current: &str| date_style(value, current);
        assert_eq!(after("iso", "SQL, DMY").as_deref(), Ok("ISO, DMY"));
        assert_eq!(after("ISO, DMY", "ISO, MDY").as_deref(), Ok("ISO, DMY"));
        assert_eq!(after("german", "ISO, MDY").as_deref(), Ok("German, DMY"));
        assert_eq!(after("ymd", "SQL, MDY").as_deref(), Ok("SQL, YMD"));
        assert!(after("bad", "ISO, MDY").unwrap_err().contains("\"bad\""));
        assert!(after("iso, sql", "ISO, MDY").unwrap_err().contains("Conflicting"));
    }

    #[test]
    fn booleans_may_be_shortened() {
        for on in ["on", "TRUE", "t", "y", "yes", "1", "tr"] {
            assert_eq!(boolean(on), Some("on"), "{on}");
        }
        for off in ["off", "of", "f", "no", "0"] {
            assert_eq!(boolean(off), Some("off"), "{off}");
        }
        assert_eq!(boolean("o"), None);
        assert_eq!(boolean(""), None);
    }
}
