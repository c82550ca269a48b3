//! Mixpanel: a line of its raw event export.
//!
//! `time` is in seconds. Projects from before 2023 count them on the clock of the project's zone: `--timezone` names
//! it. `$insert_id` is the identity by which Mixpanel leaves out repeated events.

use super::super::options::NumericTime;
use super::node::Node;
use super::{Field, Kind, Tool, money, text, time};

#[derive(Debug)]
pub(super) struct Mixpanel;

const FIELDS: [Field; 15] = [
    text("event_id", &["properties.$insert_id"]),
    text("user_id", &["properties.$user_id", "properties.distinct_id"]),
    text("anonymous_id", &["properties.$device_id"]),
    Field { column: "ts", paths: &["properties.time"], kind: Kind::LocalSeconds },
    time("received_at", &["properties.mp_processing_time_ms"], NumericTime::Millis),
    text("event", &["touchpoint"]),
    text("source", &["properties.utm_source"]),
    text("medium", &["properties.utm_medium"]),
    text("campaign", &["properties.utm_campaign"]),
    text("page", &["properties.$current_url"]),
    text("referrer", &["properties.$referrer"]),
    text("device", &["properties.$device"]),
    text("country", &["properties.mp_country_code"]),
    money("revenue", &["properties.revenue", "properties.$amount"]),
    text("currency", &["properties.currency"]),
];

const NAMES: [(&str, &str); 2] = [("$mp_web_page_view", "page_view"), ("$identify", "identify")];

impl Tool for Mixpanel {
    fn fields(&self) -> &'static [Field] {
        &FIELDS
    }

    fn touchpoints<'a>(&self, mut record: Node<'a>) -> Result<Vec<Node<'a>>, String> {
        super::name_event(&mut record, "event", &NAMES);
        Ok(vec![record])
    }
}
