//! PostHog: its events, from batch exports (JSON lines, Parquet) and its API.

use super::super::options::NumericTime;
use super::node::Node;
use super::{Field, Tool, money, text, time};

#[derive(Debug)]
pub(super) struct Posthog;

const FIELDS: [Field; 15] = [
    text("event_id", &["uuid", "id"]),
    text("user_id", &["properties.$user_id", "distinct_id"]),
    text("anonymous_id", &["properties.$device_id", "properties.$anon_distinct_id"]),
    time("ts", &["timestamp"], NumericTime::Millis),
    time("received_at", &["created_at", "_inserted_at"], NumericTime::Millis),
    text("event", &["touchpoint"]),
    // Not `$initial_utm_...`, which is where the person first came from.
    text("source", &["properties.utm_source"]),
    text("medium", &["properties.utm_medium"]),
    text("campaign", &["properties.utm_campaign"]),
    text("page", &["properties.$current_url"]),
    text("referrer", &["properties.$referrer"]),
    text("device", &["properties.$device_type"]),
    text("country", &["properties.$geoip_country_code"]),
    money("revenue", &["properties.revenue", "properties.$revenue"]),
    text("currency", &["properties.currency"]),
];

/// Names that PostHog itself gives to events, and the common ones.
const NAMES: [(&str, &str); 6] = [
    ("$pageview", "page_view"),
    ("$pageleave", "page_leave"),
    ("$screen", "screen_view"),
    ("$autocapture", "autocapture"),
    ("$rageclick", "rage_click"),
    ("$identify", "identify"),
];

impl Tool for Posthog {
    fn fields(&self) -> &'static [Field] {
        &FIELDS
    }

    fn touchpoints<'a>(&self, mut record: Node<'a>) -> Result<Vec<Node<'a>>, String> {
        for object in ["properties", "person_properties", "set", "set_once"] {
            record.unfold(object)?;
        }
        super::name_event(&mut record, "event", &NAMES);
        Ok(vec![record])
    }
}
