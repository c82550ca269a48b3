//! What to generate: scale, time range, seed and disturbances.

use super::activity::Activity;
use crate::error::{DatasetError, Result};

/// 2026-01-01 as days since 1970-01-01.
pub const DEFAULT_START_DAY: i32 = 20_454;

/// 0001-01-01 and 9999-12-31: the days that RFC 3339 can write.
const FIRST_DAY: i64 = -719_162;
const LAST_DAY: i64 = 2_932_896;
/// Late rows are received up to this many days after the last day.
const LATE_MARGIN_DAYS: i64 = 30;
/// Above this, an event count is no longer exact in the activity curve.
const MAX_EVENTS: u64 = 1 << 53;
/// The rows of one user are built in memory at once.
const MAX_EVENTS_PER_USER: u64 = 1 << 24;

/// Scale, time range, seed and disturbances of a generated data set.
///
/// The rows are a pure function of this value: same configuration, same rows, on every machine and for any
/// number of parts.
#[derive(Debug, Clone, PartialEq)]
pub struct GeneratorConfig {
    /// Rows before duplicates. The data set has exactly this many distinct `event_id`.
    pub events: u64,
    /// People. Each has at least one row when `events >= users`.
    pub users: u64,
    /// Length of the time range in days (UTC).
    pub days: u32,
    /// People come over this many days: the journey of each lasts `days` and begins up to so many whole days later, so
    /// that the range grows to the sum. Rows, sessions and days of each person are those of 0, moved.
    pub arrival_days: u32,
    pub seed: u64,
    /// First day as days since 1970-01-01.
    pub start: i32,
    /// Fraction of rows (0..=1) that are emitted a second time, identical, later in the stream.
    /// Exactly `round(events * duplicates)` rows are.
    pub duplicates: f64,
    /// Fraction of rows (0..=1) that are received, and emitted, one to seven days after they happened.
    pub late: f64,
    /// Fraction of rows (0..=1) that are received, and emitted, one to thirty minutes after they happened.
    pub out_of_order: f64,
}

impl Default for GeneratorConfig {
    /// One million rows of 30,000 users over 30 days from 2026-01-01, undisturbed.
    fn default() -> Self {
        Self {
            events: 1_000_000,
            users: 30_000,
            days: 30,
            arrival_days: 0,
            seed: 42,
            start: DEFAULT_START_DAY,
            duplicates: 0.0,
            late: 0.0,
            out_of_order: 0.0,
        }
    }
}

impl GeneratorConfig {
    /// Returns the number of rows of the whole data set, duplicates included.
    pub fn total_rows(&self) -> u64 {
        self.events + self.chosen_rows(self.duplicates)
    }

    /// Returns how many of the rows a fraction means.
    pub(crate) fn chosen_rows(&self, fraction: f64) -> u64 {
        ((self.events as f64 * fraction).round() as u64).min(self.events)
    }

    /// Checks every field.
    ///
    /// # Errors
    /// [`DatasetError::InvalidArgument`] that names the field and its limit.
    pub fn validate(&self) -> Result<()> {
        for (argument, fraction) in
            [("duplicates", self.duplicates), ("late", self.late), ("out_of_order", self.out_of_order)]
        {
            // Also refuses NaN, which is in no range.
            if !(0.0..=1.0).contains(&fraction) {
                return Err(DatasetError::argument(
                    argument,
                    format!("{fraction} is not a fraction between 0 and 1"),
                ));
            }
        }
        let first_day = i64::from(self.start);
        let end_day = first_day + i64::from(self.days) + i64::from(self.arrival_days);
        if first_day < FIRST_DAY || end_day > LAST_DAY - LATE_MARGIN_DAYS {
            return Err(DatasetError::argument("days", "the time range leaves the years 0001 to 9999"));
        }
        if self.events == 0 {
            return Ok(());
        }
        if self.users == 0 {
            return Err(DatasetError::argument("users", "rows need at least one user"));
        }
        if self.days == 0 {
            return Err(DatasetError::argument("days", "rows need at least one day"));
        }
        if self.events > MAX_EVENTS || self.users > MAX_EVENTS {
            return Err(DatasetError::argument(
                "events",
                format!("events and users are limited to {MAX_EVENTS}"),
            ));
        }
        let most_active = Activity::new(self.events, self.users).row_count(0);
        if most_active > MAX_EVENTS_PER_USER {
            return Err(DatasetError::argument(
                "users",
                format!(
                    "the most active of {} users would have {most_active} rows, the limit is {MAX_EVENTS_PER_USER}; \
                     use more users",
                    self.users
                ),
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(config: &GeneratorConfig) -> String {
        config.validate().unwrap_err().to_string()
    }

    #[test]
    fn bad_arguments_are_named() {
        let base = GeneratorConfig::default();
        let cases = [
            (GeneratorConfig { duplicates: 1.5, ..base.clone() }, "invalid duplicates"),
            (GeneratorConfig { late: f64::NAN, ..base.clone() }, "invalid late"),
            (GeneratorConfig { out_of_order: -0.1, ..base.clone() }, "invalid out_of_order"),
            (GeneratorConfig { users: 0, ..base.clone() }, "invalid users"),
            (GeneratorConfig { days: 0, ..base.clone() }, "invalid days"),
            (GeneratorConfig { days: u32::MAX, ..base.clone() }, "invalid days"),
            (GeneratorConfig { arrival_days: u32::MAX, ..base.clone() }, "invalid days"),
            (GeneratorConfig { start: i32::MIN, ..base.clone() }, "invalid days"),
            (GeneratorConfig { events: u64::MAX, ..base.clone() }, "invalid events"),
            (GeneratorConfig { events: 1 << 30, users: 1, ..base.clone() }, "invalid users"),
        ];
        for (config, expected) in cases {
            let text = message(&config);
            assert!(text.starts_with(expected), "{text}");
        }
    }

    #[test]
    fn no_rows_need_no_users_and_no_days() {
        let config = GeneratorConfig { events: 0, users: 0, days: 0, ..GeneratorConfig::default() };
        assert!(config.validate().is_ok());
    }
}
