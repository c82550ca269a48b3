//! The named rules that make a funnel stricter.

use std::fmt;

/// Which rules apply beside the order of steps and the window. All off is the default mode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct FunnelModes {
    /// Which rows one chain may leave out.
    pub follow: Follow,
    /// Once the chain has begun, a row that meets no condition, a step whose predecessor is
    /// missing, and step 1 after step 2 was reached end the search.
    pub strict_order: bool,
    /// The time of each step is after the time of the step before it, not equal.
    pub strict_increase: bool,
    /// A step above 1 that is reached already and occurs again ends the search.
    pub strict_deduplication: bool,
    /// Each row fills at most one step of a chain.
    pub strict_once: bool,
    /// With `strict_order`: step 1 after step 2 was reached is ignored, it does not end the search.
    pub allow_reentry: bool,
    /// With `strict_order`: step 1 after step 2 was reached begins a chain, it does not end the search.
    pub allow_restart: bool,
}

/// Which rows may stand between the steps of one chain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Follow {
    /// Any rows.
    #[default]
    AnyRows,
    /// None: the row of each step is the very next one after the row of the step before.
    AdjacentRows,
    /// Rows that meet no condition.
    AdjacentSteps,
    /// Rows that meet none of the steps that the chain holds already.
    NoRepeat,
}

const REENTRY: &str = "allow_reentry";
const RESTART: &str = "allow_restart";

const SUPPORTED: &str = "default, strict_order, strict_increase, strict_deduplication, strict_once, \
                         allow_reentry or allow_restart (together with strict_order), strict_rows, strict_steps, strict_no_repeat";

impl FunnelModes {
    /// Reads mode names separated by commas, in any case and order: `strict_order, strict_increase`.
    ///
    /// `default` adds no rule.
    ///
    /// # Errors
    /// [`ModeError`] for an unknown name, an empty name, or names that do not go together.
    pub fn parse(text: &str) -> Result<Self, ModeError> {
        let mut modes = Self::default();
        for name in text.split(',') {
            let name = name.trim().to_ascii_lowercase();
            match name.as_str() {
                "default" => {}
                "strict_order" => modes.strict_order = true,
                "strict_increase" => modes.strict_increase = true,
                "strict_deduplication" => modes.strict_deduplication = true,
                "strict_once" => modes.strict_once = true,
                REENTRY => modes.allow_reentry = true,
                RESTART => modes.allow_restart = true,
                "strict_rows" => modes.set_follow(Follow::AdjacentRows)?,
                "strict_steps" => modes.set_follow(Follow::AdjacentSteps)?,
                "strict_no_repeat" => modes.set_follow(Follow::NoRepeat)?,
                _ => return Err(ModeError::Unknown { name }),
            }
        }
        modes.check()?;
        Ok(modes)
    }

    fn set_follow(&mut self, follow: Follow) -> Result<(), ModeError> {
        if self.follow != Follow::AnyRows && self.follow != follow {
            return Err(ModeError::Exclusive {
                first: self.follow.name(),
                second: follow.name(),
                matter: "which rows may stand between two steps",
            });
        }
        self.follow = follow;
        Ok(())
    }

    fn check(self) -> Result<(), ModeError> {
        let entries = [(self.allow_reentry, REENTRY), (self.allow_restart, RESTART)];
        if let Some((_, name)) = entries.iter().find(|(given, _)| *given && !self.strict_order) {
            return Err(ModeError::EntryWithoutOrder { name });
        }
        if self.allow_reentry && self.allow_restart {
            return Err(ModeError::Exclusive {
                first: REENTRY,
                second: RESTART,
                matter: "what step 1 does after step 2 was reached",
            });
        }
        if self.follow == Follow::AnyRows {
            return Ok(());
        }
        let first = self.follow.name();
        for (given, second, reason) in [
            (
                self.strict_order,
                "strict_order",
                "it decides for each chain by itself which rows may stand between steps",
            ),
            (
                self.strict_deduplication,
                "strict_deduplication",
                "it decides for each chain by itself what a repeated step ends",
            ),
            (self.strict_once, "strict_once", "each row fills one step of a chain already"),
        ] {
            if given {
                return Err(ModeError::Contradiction { first, second, reason });
            }
        }
        Ok(())
    }

    /// Whether rows that meet no condition change the answer and must be kept.
    pub fn needs_unmatched_rows(self) -> bool {
        self.strict_order || self.follow == Follow::AdjacentRows
    }

    /// Whether a row can end the search as a whole.
    pub(super) fn ends_search(self) -> bool {
        self.strict_order || self.strict_deduplication
    }

    /// Whether which rows a chain has used within the current instant must be known.
    pub(super) fn uses_rows_once(self) -> bool {
        // Steps at different times are different rows.
        self.strict_once && !self.strict_increase
    }
}

impl Follow {
    fn name(self) -> &'static str {
        match self {
            Self::AnyRows => "default",
            Self::AdjacentRows => "strict_rows",
            Self::AdjacentSteps => "strict_steps",
            Self::NoRepeat => "strict_no_repeat",
        }
    }
}

/// Why a mode text was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModeError {
    /// Not the name of a mode.
    Unknown {
        /// The name as given, in lower case.
        name: String,
    },
    /// A mode that means nothing unless `strict_order` forbids another step 1.
    EntryWithoutOrder {
        /// Name of the mode.
        name: &'static str,
    },
    /// Two modes that say different things about one matter.
    Exclusive {
        /// Name of one mode.
        first: &'static str,
        /// Name of the other mode.
        second: &'static str,
        /// What they differ in.
        matter: &'static str,
    },
    /// A mode whose rule the first mode replaces.
    Contradiction {
        /// Name of the mode that replaces the rule.
        first: &'static str,
        /// Name of the mode that has no place.
        second: &'static str,
        /// Why not.
        reason: &'static str,
    },
}

/// What other engines call a mode that has another name here.
fn elsewhere(name: &str) -> Option<&'static str> {
    match name {
        "strict" => Some("'strict' of older ClickHouse releases is 'strict_deduplication'"),
        "increase" => Some("'increase' of Doris is 'strict_increase'"),
        "deduplication" => Some("'deduplication' of Doris is 'strict_no_repeat'"),
        "fixed" => Some("'fixed' of Doris is 'strict_rows' up to 4.0 and 'strict_steps' from 4.1 on"),
        _ => None,
    }
}

impl fmt::Display for ModeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { name } => {
                write!(f, "mode '{name}' is not supported; supported: {SUPPORTED}")?;
                elsewhere(name).map_or(Ok(()), |hint| write!(f, "; {hint}"))
            }
            Self::EntryWithoutOrder { name } => {
                write!(f, "mode '{name}' needs 'strict_order': write 'strict_order, {name}'")
            }
            Self::Exclusive { first, second, matter } => {
                write!(
                    f,
                    "modes '{first}' and '{second}' exclude each other: they differ in {matter}; choose one"
                )
            }
            Self::Contradiction { first, second, reason } => {
                write!(
                    f,
                    "mode '{first}' does not go with '{second}': {reason}; leave '{second}' out, \
                     only 'strict_increase' can be added"
                )
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
        let rows =
            FunnelModes { follow: Follow::AdjacentRows, strict_increase: true, ..FunnelModes::default() };
        assert_eq!(FunnelModes::parse("strict_increase, strict_rows, strict_rows"), Ok(rows));
    }

    #[test]
    fn unknown_names_are_named() {
        let error = FunnelModes::parse("strict_order, strictly").unwrap_err();
        assert_eq!(
            error.to_string(),
            "mode 'strictly' is not supported; supported: default, strict_order, \
             strict_increase, strict_deduplication, strict_once, allow_reentry or allow_restart (together with \
             strict_order), strict_rows, strict_steps, strict_no_repeat"
        );
        assert!(FunnelModes::parse("").is_err());
        assert!(FunnelModes::parse("strict_order,").is_err());
        let hint = FunnelModes::parse("fixed").unwrap_err().to_string();
        assert!(hint.ends_with("'strict_rows' up to 4.0 and 'strict_steps' from 4.1 on"), "{hint}");
    }

    #[test]
    fn another_entry_needs_order() {
        for name in ["allow_reentry", "allow_restart"] {
            assert_eq!(FunnelModes::parse(name), Err(ModeError::EntryWithoutOrder { name }));
            assert!(FunnelModes::parse(&format!("{name}, strict_order")).is_ok());
        }
        let error = FunnelModes::parse("strict_order, allow_restart, allow_reentry").unwrap_err().to_string();
        let expected = "modes 'allow_reentry' and 'allow_restart' exclude each other: they differ in what step 1 \
                        does after step 2 was reached; choose one";
        assert_eq!(error, expected);
    }

    #[test]
    fn modes_that_replace_a_rule_refuse_it() {
        for follow in ["strict_rows", "strict_steps", "strict_no_repeat"] {
            for other in ["strict_order", "strict_deduplication", "strict_once"] {
                let error = FunnelModes::parse(&format!("{other}, {follow}")).unwrap_err().to_string();
                let expected = format!("mode '{follow}' does not go with '{other}': ");
                assert!(error.starts_with(&expected), "{error}");
            }
            assert!(FunnelModes::parse(&format!("{follow}, strict_increase")).is_ok());
        }
        let error = FunnelModes::parse("strict_rows, strict_steps").unwrap_err().to_string();
        assert!(error.starts_with("modes 'strict_rows' and 'strict_steps' exclude each other: "), "{error}");
    }
}
