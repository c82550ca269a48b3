//! The parameters and what they mean.

/// What a parameter means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    UserId,
    Ts,
    Gap,
    /// `gap` as a number of seconds.
    Seconds,
    Inclusive,
    StartIf,
    EndIf,
    MaxLength,
    MaxEvents,
    SplitOn,
    Midnight,
    ClickLag,
    Separator,
}

impl Role {
    pub(super) fn is_length(self) -> bool {
        matches!(self, Self::Gap | Self::MaxLength | Self::ClickLag)
    }

    /// Whether the argument can start a session.
    pub(crate) fn is_rule(self) -> bool {
        !matches!(self, Self::UserId | Self::Ts | Self::Inclusive | Self::ClickLag)
    }
}

/// Whether the argument has a value for each row, not one for all.
pub(crate) fn is_per_row(role: Role) -> bool {
    matches!(role, Role::UserId | Role::Ts | Role::StartIf | Role::EndIf | Role::SplitOn | Role::Separator)
}

/// A parameter: what it means and what it is called.
pub(crate) type Parameter = (Role, &'static str);

/// `ts` and all rules.
pub(crate) const RULES: [Parameter; 11] = [
    (Role::Ts, "ts"),
    (Role::Gap, "gap"),
    (Role::Inclusive, "inclusive"),
    (Role::StartIf, "start_if"),
    (Role::EndIf, "end_if"),
    (Role::MaxLength, "max_length"),
    (Role::MaxEvents, "max_events"),
    (Role::SplitOn, "split_on"),
    (Role::Midnight, "midnight"),
    (Role::ClickLag, "click_lag"),
    (Role::Separator, "separator"),
];
