//! Google Analytics 4: a row of the table `events_YYYYMMDD` that it exports to BigQuery.
//!
//! `traffic_source` is where the *person* first came from and `session_traffic_source_last_click` where the session
//! did: both stay in `properties`, since as the source of every event they would count a contact many times.

use std::borrow::Cow;

use super::super::options::NumericTime;
use super::node::Node;
use super::{Field, Tool, money, text, time};

#[derive(Debug)]
pub(super) struct Ga4;

const FIELDS: [Field; 13] = [
    text("user_id", &["user_id", "user_pseudo_id"]),
    text("anonymous_id", &["user_pseudo_id"]),
    time("ts", &["event_timestamp"], NumericTime::Micros),
    text("event", &["event_name"]),
    text("source", &["collected_traffic_source.manual_source", "event_params.source"]),
    text("medium", &["collected_traffic_source.manual_medium", "event_params.medium"]),
    text("campaign", &["collected_traffic_source.manual_campaign_name", "event_params.campaign"]),
    text("page", &["event_params.page_location"]),
    text("referrer", &["event_params.page_referrer"]),
    text("device", &["device.category"]),
    text("country", &["geo.country"]),
    money("revenue", &["ecommerce.purchase_revenue", "purchase_value"]),
    text("currency", &["event_params.currency"]),
];

impl Tool for Ga4 {
    fn fields(&self) -> &'static [Field] {
        &FIELDS
    }

    fn touchpoints<'a>(&self, mut record: Node<'a>) -> Result<Vec<Node<'a>>, String> {
        for list in ["event_params", "user_properties"] {
            let flat = record.get(list).map(flatten).transpose()?.flatten();
            if let Some(flat) = flat {
                record.set(list, flat);
            }
        }
        // Only the `value` of a purchase is money that came in.
        if record.text("event_name").as_deref() == Some("purchase")
            && record.text("ecommerce.purchase_revenue").is_none()
            && let Some(value) = record.take("event_params.value")
        {
            record.set("purchase_value", value);
        }
        // Ads are tagged by an id of the click alone, unless somebody adds more.
        let is_tagged = record.text("collected_traffic_source.manual_source").is_some();
        if !is_tagged
            && record.text("collected_traffic_source.gclid").is_some()
            && let Some(mut source) = record.take("collected_traffic_source")
        {
            source.set("manual_source", Node::string("google"));
            source.set("manual_medium", Node::string("cpc"));
            record.set("collected_traffic_source", source);
        }
        Ok(vec![record])
    }
}

/// A list of `{"key": k, "value": {"string_value": v, ...}}` as the object `{k: v, ...}`; `None` if it is an object
/// already.
fn flatten(list: &Node<'_>) -> Result<Option<Node<'static>>, String> {
    if matches!(list, Node::Object(_)) {
        return Ok(None);
    }
    let mut members: Vec<(Cow<'static, str>, Node<'static>)> = Vec::new();
    for mut element in list.elements()? {
        let Some(key) = element.text("key").map(Cow::into_owned) else { continue };
        let Some(Node::Object(typed)) = element.take("value") else { continue };
        // The time at which a user property was set stands among the values.
        let value =
            typed.into_iter().find(|(name, value)| name != "set_timestamp_micros" && !value.is_empty());
        if let Some((_, value)) = value
            && !members.iter().any(|(known, _)| *known == key)
        {
            members.push((Cow::Owned(key), value));
        }
    }
    Ok(Some(Node::Object(members)))
}
