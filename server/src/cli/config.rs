//! The configuration file. What stands on the command line or in the environment goes before it.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use serde::Deserialize;
use wayfare_server::tls::TlsMode;

use super::error::CliError;
use super::units::{Limit, Size, Time};

/// What the file may hold; every key may be left out.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FileConfig {
    pub store: Option<String>,
    pub memory_limit: Option<Size>,
    pub temp_dir: Option<PathBuf>,
    pub threads: Option<u16>,
    pub serve: ServeSection,
    pub maintain: MaintainSection,
    pub tls: TlsSection,
    pub limits: LimitsSection,
    pub log: LogSection,
    pub metrics: MetricsSection,
}

#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServeSection {
    pub host: Option<IpAddr>,
    pub port: Option<u16>,
    pub auth: Option<bool>,
    pub shutdown_grace: Option<Time>,
}

#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MaintainSection {
    pub enabled: Option<bool>,
    pub every: Option<Time>,
    pub quiet: Option<Time>,
}

#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSection {
    pub mode: Option<TlsArg>,
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSection {
    pub connections: Option<usize>,
    pub pending_logins: Option<usize>,
    pub login_time: Option<Time>,
    pub message_size: Option<Size>,
    pub statement_time: Option<Limit<Time>>,
    pub result_rows: Option<u64>,
    pub query_memory: Option<Size>,
    pub temp_size: Option<Size>,
}

#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSection {
    pub level: Option<LogLevel>,
    pub format: Option<LogFormat>,
    pub slow_statement: Option<Time>,
}

#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsSection {
    pub listen: Option<SocketAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TlsArg {
    /// Connections without TLS are refused
    Require,
    /// The client chooses
    Allow,
    /// No TLS
    Off,
}

impl TlsArg {
    /// The mode, if there is TLS.
    pub fn mode(self) -> Option<TlsMode> {
        match self {
            Self::Require => Some(TlsMode::Require),
            Self::Allow => Some(TlsMode::Allow),
            Self::Off => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Off,
    Error,
    /// And failed log-ins, slow statements
    Warn,
    /// And log-ins, certificates, start and stop
    Info,
    Debug,
}

impl LogLevel {
    /// Its name in a filter.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    Text,
    Json,
}

impl FileConfig {
    /// Reads the file at `path`; the empty configuration without one.
    ///
    /// # Errors
    /// The file cannot be read, is no TOML, or has an unknown key or a wrong value: with the line.
    pub fn load(path: Option<&Path>) -> Result<Self, CliError> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let place = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|e| CliError::io("read the configuration", place.clone(), e))?;
        Self::parse(&text)
            .map_err(|why| CliError::Other(format!("cannot use the configuration {place:?}: {why}")))
    }

    fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|e| {
            let before = e.span().and_then(|span| text.get(..span.start));
            let line = before.map_or(1, |before| before.matches('\n').count() + 1);
            format!("line {line}: {}", e.message().lines().next().unwrap_or_default())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const EXAMPLE: &str = include_str!("../../../packaging/wayfare.toml");

    /// Section, key, a value of its own, and whether it was read.
    type Key = (&'static str, &'static str, &'static str, fn(&FileConfig) -> bool);

    const KEYS: [Key; 26] = [
        ("", "store", "\"s3://b/s\"", |c| c.store.as_deref() == Some("s3://b/s")),
        ("", "memory_limit", "\"2GiB\"", |c| c.memory_limit == Some(Size(2 << 30))),
        ("", "temp_dir", "\"/spill\"", |c| c.temp_dir.as_deref() == Some(Path::new("/spill"))),
        ("", "threads", "3", |c| c.threads == Some(3)),
        ("serve", "host", "\"10.0.0.1\"", |c| c.serve.host == Some([10, 0, 0, 1].into())),
        ("serve", "port", "1234", |c| c.serve.port == Some(1234)),
        ("serve", "auth", "false", |c| c.serve.auth == Some(false)),
        ("serve", "shutdown_grace", "\"7s\"", |c| {
            c.serve.shutdown_grace == Some(Time(Duration::from_secs(7)))
        }),
        ("maintain", "enabled", "false", |c| c.maintain.enabled == Some(false)),
        ("maintain", "every", "\"11s\"", |c| c.maintain.every == Some(Time(Duration::from_secs(11)))),
        ("maintain", "quiet", "\"12s\"", |c| c.maintain.quiet == Some(Time(Duration::from_secs(12)))),
        ("tls", "mode", "\"allow\"", |c| c.tls.mode == Some(TlsArg::Allow)),
        ("tls", "certificate", "\"c.pem\"", |c| c.tls.certificate.as_deref() == Some(Path::new("c.pem"))),
        ("tls", "key", "\"k.pem\"", |c| c.tls.key.as_deref() == Some(Path::new("k.pem"))),
        ("limits", "connections", "17", |c| c.limits.connections == Some(17)),
        ("limits", "pending_logins", "18", |c| c.limits.pending_logins == Some(18)),
        ("limits", "login_time", "\"9s\"", |c| c.limits.login_time == Some(Time(Duration::from_secs(9)))),
        ("limits", "message_size", "\"1MiB\"", |c| c.limits.message_size == Some(Size(1 << 20))),
        ("limits", "statement_time", "\"none\"", |c| c.limits.statement_time == Some(Limit(None))),
        ("limits", "result_rows", "1000", |c| c.limits.result_rows == Some(1_000)),
        ("limits", "query_memory", "\"1GiB\"", |c| c.limits.query_memory == Some(Size(1 << 30))),
        ("limits", "temp_size", "\"3GiB\"", |c| c.limits.temp_size == Some(Size(3 << 30))),
        ("log", "level", "\"debug\"", |c| c.log.level == Some(LogLevel::Debug)),
        ("log", "format", "\"json\"", |c| c.log.format == Some(LogFormat::Json)),
        ("log", "slow_statement", "\"5s\"", |c| c.log.slow_statement == Some(Time(Duration::from_secs(5)))),
        ("metrics", "listen", "\"127.0.0.1:1\"", |c| {
            c.metrics.listen == Some(SocketAddr::from(([127, 0, 0, 1], 1)))
        }),
    ];

    fn file(section: &str, key: &str, value: &str) -> String {
        let section = if section.is_empty() { String::new() } else { format!("[{section}]\n") };
        format!("{section}{key} = {value}\n")
    }

    #[test]
    fn every_key_is_read() {
        for (section, key, value, is_read) in KEYS {
            let config = FileConfig::parse(&file(section, key, value)).unwrap();
            assert!(is_read(&config), "{section}.{key}");
            assert!(!is_read(&FileConfig::default()), "{section}.{key}");
        }
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_named_with_their_line() {
        for (section, key, value, _) in KEYS {
            let line = if section.is_empty() { "line 1" } else { "line 2" };
            let misspelt = format!("{key}x");
            let error = FileConfig::parse(&file(section, &misspelt, value)).unwrap_err();
            assert!(error.contains(&format!("`{misspelt}`")) && error.starts_with(line), "{error}");
            let error = FileConfig::parse(&file(section, key, "[[1]]")).unwrap_err();
            assert!(error.starts_with(line), "{error}");
        }
        assert!(FileConfig::parse("[server]\nport = 1").unwrap_err().contains("`server`"));
        let error = FileConfig::parse("memory_limit = \"lots\"").unwrap_err();
        assert!(error.contains("512MiB"), "{error}");
        assert!(FileConfig::parse("store = ").unwrap_err().starts_with("line 1"));
    }

    #[test]
    fn the_example_has_every_key() {
        FileConfig::parse(EXAMPLE).unwrap();
        // With those that are commented out.
        let all: String = EXAMPLE
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
                _ => format!("{line}\n"),
            })
            .collect();
        let parsed: toml::Table = toml::from_str(&all).unwrap();
        FileConfig::parse(&all).unwrap();
        let mut found = 0;
        for (section, key, _, _) in KEYS {
            let table = if section.is_empty() { Some(&parsed) } else { parsed[section].as_table() };
            assert!(table.unwrap().contains_key(key), "{section}.{key} is not in the example");
            found += 1;
        }
        let listed: usize = parsed.values().map(|value| value.as_table().map_or(1, toml::Table::len)).sum();
        assert_eq!(listed, found, "the example has a key that is not tested");
    }
}
