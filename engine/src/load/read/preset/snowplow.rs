//! Snowplow: enriched events, as lines of 131 values or as the JSON that its analytics SDKs make of them.

use super::super::options::NumericTime;
use super::super::stream::ByteStream;
use super::node::Node;
use super::tsv::{Form, TsvRecords};
use super::{Field, Tool, money, text, time};
use crate::load::error::LoadError;

#[derive(Debug)]
pub(super) struct Snowplow;

const FIELDS: [Field; 15] = [
    text("event_id", &["event_id"]),
    text("user_id", &["user_id", "domain_userid", "network_userid"]),
    text("anonymous_id", &["domain_userid", "network_userid"]),
    // Corrected for the clock of the device, unlike dvce_created_tstamp.
    time("ts", &["true_tstamp", "derived_tstamp", "collector_tstamp"], NumericTime::Millis),
    time("received_at", &["collector_tstamp"], NumericTime::Millis),
    text("event", &["touchpoint"]),
    text("source", &["mkt_source", "refr_source"]),
    text("medium", &["mkt_medium", "refr_medium"]),
    text("campaign", &["mkt_campaign"]),
    text("page", &["page_url"]),
    text("referrer", &["page_referrer"]),
    text("device", &["dvce_type", "platform"]),
    text("country", &["geo_country"]),
    money("revenue", &["tr_total"]),
    text("currency", &["tr_currency"]),
];

/// The columns of a line, in order.
const COLUMNS: &str = "app_id platform etl_tstamp collector_tstamp dvce_created_tstamp event event_id txn_id name_tracker \
    v_tracker v_collector v_etl user_id user_ipaddress user_fingerprint domain_userid domain_sessionidx network_userid \
    geo_country geo_region geo_city geo_zipcode geo_latitude geo_longitude geo_region_name ip_isp ip_organization \
    ip_domain ip_netspeed page_url page_title page_referrer page_urlscheme page_urlhost page_urlport page_urlpath \
    page_urlquery page_urlfragment refr_urlscheme refr_urlhost refr_urlport refr_urlpath refr_urlquery refr_urlfragment \
    refr_medium refr_source refr_term mkt_medium mkt_source mkt_term mkt_content mkt_campaign contexts se_category \
    se_action se_label se_property se_value unstruct_event tr_orderid tr_affiliation tr_total tr_tax tr_shipping tr_city \
    tr_state tr_country ti_orderid ti_sku ti_name ti_category ti_price ti_quantity pp_xoffset_min pp_xoffset_max \
    pp_yoffset_min pp_yoffset_max useragent br_name br_family br_version br_type br_renderengine br_lang br_features_pdf \
    br_features_flash br_features_java br_features_director br_features_quicktime br_features_realplayer \
    br_features_windowsmedia br_features_gears br_features_silverlight br_cookies br_colordepth br_viewwidth \
    br_viewheight os_name os_family os_manufacturer os_timezone dvce_type dvce_ismobile dvce_screenwidth \
    dvce_screenheight doc_charset doc_width doc_height tr_currency tr_total_base tr_tax_base tr_shipping_base ti_currency \
    ti_price_base base_currency geo_timezone mkt_clickid mkt_network etl_tags dvce_sent_tstamp refr_domain_userid \
    refr_device_tstamp derived_contexts domain_sessionid derived_tstamp event_vendor event_name event_format \
    event_version event_fingerprint true_tstamp";

const FORM: Form = Form { escapes: false, json_columns: &["contexts", "unstruct_event", "derived_contexts"] };

/// The lines of an enriched file.
pub(super) fn tsv(stream: ByteStream, max_record_bytes: usize) -> Result<TsvRecords, LoadError> {
    let columns = COLUMNS.split_whitespace().map(str::to_owned).collect();
    TsvRecords::open(stream, columns, FORM, max_record_bytes)
}

impl Tool for Snowplow {
    fn fields(&self) -> &'static [Field] {
        &FIELDS
    }

    fn touchpoints<'a>(&self, mut record: Node<'a>) -> Result<Vec<Node<'a>>, String> {
        let name = match record.text("event").as_deref() {
            // Structured events have their name in a column of their own.
            Some("struct") => record.get("se_action").cloned(),
            Some("transaction") => Some(Node::string("purchase")),
            _ => record.take("event_name"),
        };
        let name = name.or_else(|| record.get("event").cloned());
        if let Some(name) = name {
            record.set("touchpoint", name);
        }
        Ok(vec![record])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_131_columns() {
        let columns: Vec<&str> = COLUMNS.split_whitespace().collect();
        assert_eq!(columns.len(), 131);
        // Places as the format numbers them, from 0.
        for (at, name) in
            [(5, "event"), (29, "page_url"), (58, "unstruct_event"), (101, "dvce_type"), (130, "true_tstamp")]
        {
            assert_eq!(columns[at], name);
        }
    }
}
