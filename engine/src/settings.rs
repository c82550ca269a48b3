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

const IDS: &str = "ids";
const IDS_HELP: &str = "Under which ids touchpoints are shown: stitched, those of the people that they belong to, or                         raw, those that they came with.";

/// The settings of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whether the layout is used: see [`crate::people`].
    pub fast_path: bool,
    /// Whether touchpoints are shown under the ids that they came with.
    pub raw_ids: bool,
    /// The engine's memory limit, by which plans are sized. No statement changes it.
    pub memory_limit_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            fast_path: true,
            raw_ids: false,
            memory_limit_bytes: EngineConfig::default().memory_limit_bytes,
        }
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
        let word = value.to_ascii_lowercase();
        match (key, word.as_str()) {
            (FAST_PATH, "on" | "true" | "yes" | "1") => self.fast_path = true,
            (FAST_PATH, "off" | "false" | "no" | "0") => self.fast_path = false,
            (FAST_PATH, _) => return plan_err!("{PREFIX}.{FAST_PATH} is on or off, not '{value}'"),
            (IDS, "raw") => self.raw_ids = true,
            (IDS, "stitched") => self.raw_ids = false,
            (IDS, _) => return plan_err!("{PREFIX}.{IDS} is stitched or raw, not '{value}'"),
            _ => {
                return plan_err!(
                    "there is no setting {PREFIX}.{key}: there are {PREFIX}.{FAST_PATH} and {PREFIX}.{IDS}"
                );
            }
        }
        Ok(())
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        let entry = |name: &str, value: &str, description| ConfigEntry {
            key: format!("{PREFIX}.{name}"),
            value: Some(value.to_owned()),
            description,
        };
        vec![
            entry(FAST_PATH, if self.fast_path { "on" } else { "off" }, FAST_PATH_HELP),
            entry(IDS, if self.raw_ids { "raw" } else { "stitched" }, IDS_HELP),
        ]
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
        settings.set("ids", "raw").unwrap();
        assert!(settings.raw_ids && settings.set("ids", "on").is_err());
    }
}
