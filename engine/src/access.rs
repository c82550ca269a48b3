//! Who may use a store, and for what.
//!
//! The list of users is part of the store: see [`crate::store::access_list`]. The engine keeps names, roles and
//! verifiers, and knows what a role may do; who somebody is, is told by whoever opens the session.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name of a user, as in PostgreSQL.
pub const MAX_NAME_BYTES: usize = 63;

/// What a user may do. Each role may do what the one before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Reader,
    /// Brings data in, and creates and drops what is not temporary.
    Loader,
    /// Everything, what runs in other sessions among it.
    Admin,
}

/// Something for which a role is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Queries, and everything about one's own session, temporary tables among it.
    Read,
    /// Bringing rows in: `COPY FROM`, `INSERT`.
    Load,
    /// Creating, replacing and dropping what is not temporary.
    Define,
    /// Changing or removing what others loaded, and ending what others run.
    Administer,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Loader, Self::Admin];

    /// Whether the role is enough for `action`.
    pub fn may(self, action: Action) -> bool {
        let needed = match action {
            Action::Read => Self::Reader,
            Action::Load | Action::Define => Self::Loader,
            Action::Administer => Self::Admin,
        };
        self >= needed
    }

    /// Refuses `action` if the role is not enough for it.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn require(self, action: Action) -> Result<(), Denied> {
        if self.may(action) { Ok(()) } else { Err(Denied { role: self, action }) }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Loader => "loader",
            Self::Admin => "admin",
        }
    }
}

/// Something that a role is not enough for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("permission denied: a {role} may not {}", .action.words())]
pub struct Denied {
    /// Whose role.
    pub role: Role,
    /// For what.
    pub action: Action,
}

impl Denied {
    /// The least role that is enough.
    pub fn needed(&self) -> Role {
        Role::ALL.into_iter().find(|role| role.may(self.action)).unwrap_or(Role::Admin)
    }
}

impl Action {
    fn words(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Load => "load data",
            Self::Define => "create, change or drop what is not temporary",
            Self::Administer => "change or remove what others loaded",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|role| role.name() == text)
            .ok_or_else(|| format!("no role {text:?}: there are reader, loader and admin"))
    }
}

/// A user of a store.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// Its name, as in the start-up packet of a connection.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// With what a server checks the password, without being able to tell it. Not to be shown or logged.
    pub verifier: String,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User").field("name", &self.name).field("role", &self.role).finish_non_exhaustive()
    }
}

/// Checks the name of a new user.
///
/// # Errors
/// What is wrong with it.
pub fn check_name(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("the name of a user cannot be empty".to_owned());
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(format!("the name of a user has at most {MAX_NAME_BYTES} bytes, not {}", name.len()));
    }
    if name.chars().any(char::is_control) {
        return Err("the name of a user cannot have control characters".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_more() {
        let allowed = |role: Role| {
            [Action::Read, Action::Load, Action::Define, Action::Administer].map(|action| role.may(action))
        };
        assert_eq!(allowed(Role::Reader), [true, false, false, false]);
        assert_eq!(allowed(Role::Loader), [true, true, true, false]);
        assert_eq!(allowed(Role::Admin), [true, true, true, true]);
    }

    #[test]
    fn a_refusal_says_what_is_needed() {
        let denied = Role::Reader.require(Action::Load).unwrap_err();
        assert_eq!(denied.to_string(), "permission denied: a reader may not load data");
        assert_eq!(denied.needed(), Role::Loader);
        assert_eq!(Role::Loader.require(Action::Administer).unwrap_err().needed(), Role::Admin);
    }

    #[test]
    fn names_of_roles_and_users() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(role));
        }
        assert!("root".parse::<Role>().unwrap_err().contains("\"root\""));
        assert!(check_name("ana.b@example").is_ok());
        for bad in ["", "a\nb", &"x".repeat(64)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_verifier_is_not_shown() {
        let user = User { name: "ana".to_owned(), role: Role::Reader, verifier: "secret".to_owned() };
        assert!(!format!("{user:?}").contains("secret"));
    }
}
