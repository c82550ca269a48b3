//! Settings of a session beside DataFusion's: `SET wayfare.NAME = value`.

use std::any::Any;

use datafusion::common::config::{ConfigEntry, ConfigExtension, ExtensionOptions};
use datafusion::common::{Result, plan_err};

use crate::config::EngineConfig;

/// What stands before the name of a setting.
pub const PREFIX: &str = "wayfare";
const FAST_PATH: &str = "fast_path";
const FAST_PATH_HELP: &str = "Whether questions about people are answered person by person from the layout of the \
                              table, without a shuffle and without a sort; the answers are the same if not.";

/// The settings of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whether the layout is used: see [`crate::people`].
    pub fast_path: bool,
    /// The engine's memory limit, by which plans are sized. No statement changes it.
    pub memory_limit_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { fast_path: true, memory_limit_bytes: EngineConfig::default().memory_limit_bytes }
    }
}

impl ConfigExtension for Settings {
    const PREFIX: &'static str = PREFIX;
}

impl ExtensionOptions for Settings {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(*self)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        if key != FAST_PATH {
            return plan_err!("there is no setting {PREFIX}.{key}: the only one is {PREFIX}.{FAST_PATH}");
        }
        self.fast_path = match value.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" | "1" => true,
            "off" | "false" | "no" | "0" => false,
            _ => return plan_err!("{PREFIX}.{FAST_PATH} is on or off, not '{value}'"),
        };
        Ok(())
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        let value = if self.fast_path { "on" } else { "off" };
        vec![ConfigEntry {
            key: format!("{PREFIX}.{FAST_PATH}"),
            value: Some(value.to_owned()),
            description: FAST_PATH_HELP,
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_postgres_switch_it() {
        let mut settings = Settings::default();
        for (word, expected) in [("off", false), ("ON", true), ("0", false), ("true", true), ("no", false)] {
            settings.set("fast_path", word).unwrap();
            assert_eq!(settings.fast_path, expected, "{word}");
        }
        assert!(settings.set("fast_path", "maybe").is_err());
        assert!(settings.set("slow_path", "on").is_err());
    }
}
