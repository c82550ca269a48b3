//! What the catalog tells about our own tables and columns: one sentence each.

use crate::store::TOUCHPOINTS;

/// What the table called `name` holds.
pub fn of_table(name: &str) -> Option<&'static str> {
    (name == TOUCHPOINTS).then_some("Touchpoints: one row for each contact or action of a person.")
}

/// What the canonical touchpoint column called `name` means.
pub fn of_touchpoint_column(name: &str) -> Option<&'static str> {
    Some(match name {
        "event_id" => "Identity of the touchpoint; loading it again changes nothing.",
        "user_id" => "The person, after identity resolution.",
        "anonymous_id" => "Device or cookie before the person was known.",
        "ts" => "When it happened.",
        "received_at" => "When it was received.",
        "event" => "What happened, such as page_view or purchase.",
        "channel" => "Marketing channel of the contact.",
        "source" => "Where the contact came from.",
        "medium" => "Kind of the source.",
        "campaign" => "Campaign of the contact.",
        "page" => "Page on which it happened.",
        "referrer" => "Page from which the person came.",
        "device" => "Kind of device.",
        "country" => "Country of the person.",
        "revenue" => "Money earned, in currency.",
        "cost" => "Money spent, in currency.",
        "currency" => "Currency of revenue and cost, ISO 4217.",
        "score" => "Answer to a survey, such as 0 to 10 for NPS.",
        "properties" => "Anything else, as JSON text.",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::load_schema;

    #[test]
    fn every_canonical_column_has_one() {
        for field in load_schema().fields() {
            assert!(of_touchpoint_column(field.name()).is_some(), "{}", field.name());
        }
    }
}
