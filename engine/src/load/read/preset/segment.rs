//! Segment: its calls, as it writes them to object storage and webhooks.

use super::super::options::NumericTime;
use super::node::Node;
use super::{Field, Tool, money, text, time};

#[derive(Debug)]
pub(super) struct Segment;

const FIELDS: [Field; 15] = [
    text("event_id", &["messageId"]),
    text("user_id", &["userId", "anonymousId"]),
    text("anonymous_id", &["anonymousId"]),
    // Corrected for the clock of the device, unlike originalTimestamp.
    time("ts", &["timestamp", "originalTimestamp", "sentAt"], NumericTime::Millis),
    time("received_at", &["receivedAt"], NumericTime::Millis),
    text("event", &["touchpoint"]),
    text("source", &["context.campaign.source"]),
    text("medium", &["context.campaign.medium"]),
    text("campaign", &["context.campaign.name"]),
    text("page", &["context.page.url", "properties.url"]),
    text("referrer", &["context.page.referrer", "properties.referrer"]),
    text("device", &["context.device.type"]),
    text("country", &["context.location.country"]),
    money("revenue", &["properties.revenue", "order_total"]),
    text("currency", &["properties.currency"]),
];

impl Tool for Segment {
    fn fields(&self) -> &'static [Field] {
        &FIELDS
    }

    fn touchpoints<'a>(&self, mut record: Node<'a>) -> Result<Vec<Node<'a>>, String> {
        let kind = record.text("type").map(|kind| kind.into_owned()).unwrap_or_default();
        let name = match kind.as_str() {
            "page" => "page_view".to_owned(),
            "screen" => "screen_view".to_owned(),
            "identify" | "group" | "alias" => kind,
            "track" => {
                let event = record.text("event").map(|event| event.into_owned());
                let event = event.ok_or("a track call without an event")?;
                if event == "Order Completed" {
                    if let Some(total) = record.get("properties.total").cloned() {
                        record.set("order_total", total);
                    }
                    "purchase".to_owned()
                } else {
                    record.take("event");
                    event
                }
            }
            _ => {
                return Err(format!(
                    "the type of the call is {kind:?}; expected track, page, screen, identify, group or alias"
                ));
            }
        };
        record.set("touchpoint", Node::string(&name));
        Ok(vec![record])
    }
}
