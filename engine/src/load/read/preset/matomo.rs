//! Matomo: visits as its API gives them (`Live.getLastVisitsDetails`, JSON). Each action is a touchpoint.
//!
//! Where the visit came from stands on its first action only, with all that is known of the visit: that is the
//! contact. The others have the visit's id, person, device and country.

use super::super::options::NumericTime;
use super::node::Node;
use super::{Field, Tool, money, text, time};

#[derive(Debug)]
pub(super) struct Matomo;

const FIELDS: [Field; 15] = [
    text("event_id", &["touchpoint_id"]),
    text("user_id", &["visit.userId", "visit.visitorId"]),
    text("anonymous_id", &["visit.visitorId"]),
    time("ts", &["timestamp"], NumericTime::Seconds),
    text("event", &["touchpoint"]),
    text("channel", &["touchpoint_channel"]),
    text("source", &["visit.campaignSource", "visit.source"]),
    text("medium", &["visit.campaignMedium"]),
    text("campaign", &["visit.campaignName", "visit.campaign"]),
    text("page", &["url"]),
    text("referrer", &["visit.referrerUrl"]),
    text("device", &["visit.deviceType"]),
    text("country", &["visit.countryCode"]),
    money("revenue", &["touchpoint_revenue"]),
    text("currency", &["touchpoint_currency"]),
];

/// What every action keeps of its visit.
const OF_EVERY_ACTION: [&str; 6] = ["idSite", "idVisit", "userId", "visitorId", "deviceType", "countryCode"];

impl Tool for Matomo {
    fn fields(&self) -> &'static [Field] {
        &FIELDS
    }

    fn touchpoints<'a>(&self, mut record: Node<'a>) -> Result<Vec<Node<'a>>, String> {
        let actions = record.take("actionDetails").ok_or("a visit without actionDetails")?;
        let (channel, source_key) = match record.text("referrerType").as_deref() {
            Some("direct") => (Some("direct"), None),
            Some("search") => (Some("organic_search"), Some("source")),
            Some("social") => (Some("organic_social"), Some("source")),
            Some("website") => (Some("referral"), Some("source")),
            // Without the plugin that keeps the medium nothing more is known.
            Some("campaign") if record.text("campaignMedium").is_none() => {
                (Some("campaign"), Some("campaign"))
            }
            _ => (None, None),
        };
        if let Some(key) = source_key
            && let Some(name) = record.take("referrerName")
        {
            record.set(key, name);
        }
        let currency = record.get("siteCurrency").cloned();
        let mut later = Node::Object(Vec::new());
        for key in OF_EVERY_ACTION {
            if let Some(value) = record.get(key) {
                later.set(key, value.clone());
            }
        }
        let mut touchpoints = Vec::new();
        for (index, mut action) in actions.elements()?.into_iter().enumerate() {
            let name = name(&action);
            let id = id(&record, &action, index);
            if index == 0
                && let Some(channel) = channel
            {
                action.set("touchpoint_channel", Node::string(channel));
            }
            if matches!(name.as_str(), "purchase" | "goal")
                && let Some(revenue) =
                    action.take("revenue").filter(|revenue| revenue.as_text().is_some_and(|r| r != "0"))
            {
                action.set("touchpoint_revenue", revenue);
                if let Some(currency) = &currency {
                    action.set("touchpoint_currency", currency.clone().into_owned());
                }
            }
            action.set("touchpoint", Node::string(&name));
            action.set("touchpoint_id", Node::string(&id));
            let visit = if index == 0 { record.clone() } else { later.clone() };
            action.set("visit", visit.into_owned());
            touchpoints.push(action);
        }
        Ok(touchpoints)
    }
}

fn name(action: &Node<'_>) -> String {
    let kind = action.text("type").unwrap_or_default();
    match kind.as_ref() {
        "action" => "page_view".to_owned(),
        "ecommerceOrder" => "purchase".to_owned(),
        "ecommerceAbandonedCart" => "abandoned_cart".to_owned(),
        "search" => "site_search".to_owned(),
        "event" => action.text("eventAction").unwrap_or(kind).into_owned(),
        other => other.to_owned(),
    }
}

/// Stays the same when the visit is exported again with more actions. Goals and orders have no id of their own.
fn id(visit: &Node<'_>, action: &Node<'_>, index: usize) -> String {
    let visit = visit.text("idVisit").unwrap_or_default();
    let part = |path: &str| action.text(path).unwrap_or_default();
    let kind = part("type");
    match (kind.as_ref(), part("pageId"), part("orderId")) {
        ("ecommerceOrder", _, order) if !order.is_empty() => format!("{visit}:order:{order}"),
        ("goal", _, _) => format!("{visit}:goal:{}:{}", part("goalId"), part("timestamp")),
        (_, page, _) if !page.is_empty() => format!("{visit}:{page}"),
        _ => format!("{visit}:{kind}:{}:{index}", part("timestamp")),
    }
}
