//! The views of schema `journey`: ready definitions over `touchpoints` for tools that only drag and drop.

/// Name of the schema.
pub const JOURNEY_SCHEMA: &str = "journey";

/// A view: its name, what it answers, its SQL.
#[derive(Debug, Clone, Copy)]
pub struct JourneyView {
    /// Name inside the schema.
    pub name: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// The query.
    pub sql: &'static str,
}

/// All views.
pub const VIEWS: &[JourneyView] = &[
    JourneyView {
        name: "attribution",
        description: "One row per purchase, touch and model: rows with a channel in the 30 days before a purchase, by six models.",
        sql: include_str!("journey/attribution.sql"),
    },
    JourneyView {
        name: "sessions",
        description: "One row per session of a person: a gap of more than 30 minutes starts a new session.",
        sql: include_str!("journey/sessions.sql"),
    },
    JourneyView {
        name: "top_paths",
        description: "The first five events of sessions, repetitions left out, and how often they come.",
        sql: include_str!("journey/top_paths.sql"),
    },
    JourneyView {
        name: "transitions",
        description: "How often one event follows another within sessions.",
        sql: include_str!("journey/transitions.sql"),
    },
];

/// The view called `name`.
pub fn view(name: &str) -> Option<&'static JourneyView> {
    VIEWS.iter().find(|v| v.name == name)
}
