//! The named rules that make a funnel stricter.

use std::fmt;

/// Which rules apply beside the order of steps and the window. All off is the default mode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct FunnelModes {
    /// Once the chain has begun, a row that meets no condition, a step whose predecessor is
    /// missing, and step 1 after step 2 was reached end the search.
    pub strict_order: bool,
    /// The time of each step is after the time of the step before it, not equal.
    pub strict_increase: bool,
    /// A step above 1 that is reached already and occurs again ends the search.
    pub strict_deduplication: bool,
    /// With `strict_order`: step 1 after step 2 was reached is ignored, it does not end the search.
    pub allow_reentry: bool,
}

const SUPPORTED: &str = "default, strict_order, strict_increase, strict_deduplication, \
                         allow_reentry (together with strict_order)";

impl FunnelModes {
    /// Reads mode names separated by commas, in any case and order: `strict_order, strict_increase`.
    ///
    /// `default` adds no rule.
    ///
    /// # Errors
    /// [`ModeError`] for an unknown name, an empty name, or `allow_reentry` without `strict_order`.
    pub fn parse(text: &str) -> Result<Self, ModeError> {
        let mut modes = Self::default();
        for name in text.split(',') {
            let name = name.trim().to_ascii_lowercase();
            match name.as_str() {
                "default" => {}
                "strict_order" => modes.strict_order = true,
                "strict_increase" => modes.strict_increase = true,
                "strict_deduplication" => modes.strict_deduplication = true,
                "allow_reentry" => modes.allow_reentry = true,
                _ => return Err(ModeError::Unknown { name }),
            }
        }
        if modes.allow_reentry && !modes.strict_order {
            return Err(ModeError::ReentryWithoutOrder);
        }
        Ok(modes)
    }

    /// Whether rows that meet no condition change the answer and must be kept.
    pub fn needs_unmatched_rows(self) -> bool {
        self.strict_order
    }
}

/// Why a mode text was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModeError {
    /// Not the name of a mode that is implemented.
    Unknown {
        /// The name as given, in lower case.
        name: String,
    },
    /// `allow_reentry` means nothing unless `strict_order` forbids re-entry.
    ReentryWithoutOrder,
}

impl fmt::Display for ModeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => {
                write!(f, "mode '{name}' is not supported; supported: {SUPPORTED}")
            }
            Self::ReentryWithoutOrder => {
                write!(f, "mode 'allow_reentry' needs 'strict_order': write 'strict_order, allow_reentry'")
            }
        }
    }
}

impl std::error::Error for ModeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_any_case_and_order() {
        let both = FunnelModes { strict_order: true, strict_increase: true, ..FunnelModes::default() };
        assert_eq!(FunnelModes::parse("strict_order,strict_increase"), Ok(both));
        assert_eq!(FunnelModes::parse(" STRICT_INCREASE , strict_order "), Ok(both));
        assert_eq!(FunnelModes::parse("default"), Ok(FunnelModes::default()));
    }

    #[test]
    fn unknown_names_are_named() {
        let error = FunnelModes::parse("strict_order, strict_once").unwrap_err();
        assert_eq!(
            error.to_string(),
            "mode 'strict_once' is not supported; supported: default, strict_order, \
             strict_increase, strict_deduplication, allow_reentry (together with strict_order)"
        );
        assert!(FunnelModes::parse("").is_err());
        assert!(FunnelModes::parse("strict_order,").is_err());
    }

    #[test]
    fn reentry_needs_order() {
        assert_eq!(FunnelModes::parse("allow_reentry"), Err(ModeError::ReentryWithoutOrder));
        assert!(FunnelModes::parse("allow_reentry, strict_order").is_ok());
    }
}
