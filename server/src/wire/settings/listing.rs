//! Variables as `pg_settings` lists them: with their types, units and bounds, and numbers without a unit.

use super::Settings;
use super::variables::{Domain, VARIABLES, Variable};

/// A row of `pg_settings`.
#[derive(Debug)]
pub(crate) struct Listed {
    pub name: &'static str,
    pub description: &'static str,
    /// `bool`, `integer`, `real`, `enum` or `string`.
    pub vartype: &'static str,
    /// What numbers count.
    pub unit: Option<String>,
    pub least: Option<String>,
    pub most: Option<String>,
    /// Of an `enum`.
    pub choices: Vec<String>,
    /// Who may change it, and when.
    pub context: &'static str,
    pub setting: String,
    pub default: &'static str,
    pub reset: String,
}

impl Settings {
    /// All variables, by name.
    pub(crate) fn listed(&self) -> Vec<Listed> {
        VARIABLES.iter().map(|variable| self.one(variable)).collect()
    }

    fn one(&self, variable: &Variable) -> Listed {
        let (least, most) = bounds(variable.domain);
        Listed {
            name: variable.name,
            description: variable.description,
            vartype: vartype(variable),
            unit: unit(variable.domain),
            least,
            most,
            choices: match variable.domain {
                Domain::OneOf(choices) if vartype(variable) == "enum" => {
                    choices.iter().map(|choice| (*choice).to_owned()).collect()
                }
                _ => Vec::new(),
            },
            context: match variable.domain {
                Domain::Fixed => "internal",
                Domain::Server => "postmaster",
                _ => "user",
            },
            setting: self.value(variable.name).to_owned(),
            default: variable.default,
            reset: self.initial.get(variable.name).cloned().unwrap_or_default(),
        }
    }
}

fn vartype(variable: &Variable) -> &'static str {
    match variable.domain {
        Domain::Boolean => "bool",
        Domain::Integer(..) | Domain::Milliseconds(_) | Domain::Bytes(_) => "integer",
        Domain::Real => "real",
        Domain::OneOf(choices) if choices.iter().all(|choice| ["on", "off"].contains(choice)) => "bool",
        Domain::OneOf(_) => "enum",
        Domain::Text | Domain::TimeZone | Domain::DateStyle | Domain::SearchPath | Domain::Encoding => {
            "string"
        }
        Domain::Fixed | Domain::Server => match variable.default {
            "on" | "off" => "bool",
            number if number.parse::<i64>().is_ok() => "integer",
            _ => "string",
        },
    }
}

fn unit(domain: Domain) -> Option<String> {
    match domain {
        Domain::Milliseconds(_) => Some("ms".to_owned()),
        Domain::Bytes(1) => Some("B".to_owned()),
        Domain::Bytes(1024) => Some("kB".to_owned()),
        Domain::Bytes(size) => Some(format!("{}kB", size / 1024)),
        _ => None,
    }
}

fn bounds(domain: Domain) -> (Option<String>, Option<String>) {
    let texts = |least: i64, most: i64| (Some(least.to_string()), Some(most.to_string()));
    match domain {
        Domain::Integer(least, most) => texts(least, most),
        Domain::Milliseconds(least) => texts(least, i64::from(i32::MAX)),
        Domain::Bytes(_) => texts(0, i64::from(i32::MAX)),
        _ => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // What PostgreSQL 15 lists.
    #[test]
    fn types_and_units() {
        let mut settings = Settings::new("anna");
        settings.set("statement_timeout", Some("90s")).unwrap();
        let all = settings.listed();
        let of = |name: &str| all.iter().find(|one| one.name == name).unwrap();
        let about = |name: &str| {
            let one = of(name);
            (one.setting.as_str(), one.vartype, one.unit.as_deref())
        };
        assert_eq!(about("statement_timeout"), ("90000", "integer", Some("ms")));
        assert_eq!(about("standard_conforming_strings"), ("on", "bool", None));
        assert_eq!(about("effective_cache_size"), ("524288", "integer", Some("8kB")));
        assert_eq!(about("block_size"), ("8192", "integer", None));
        assert_eq!(about("bytea_output"), ("hex", "enum", None));
        assert_eq!(about("search_path").1, "string");
        assert_eq!(of("statement_timeout").reset, "0");
        assert_eq!(of("bytea_output").choices, ["hex", "escape"]);
        assert_eq!(of("max_identifier_length").context, "internal");
    }
}
