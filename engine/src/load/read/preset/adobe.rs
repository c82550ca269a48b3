//! Adobe Analytics: the `hit_data.tsv` of a data feed, with its `column_headers.tsv` and look-up files beside it.
//!
//! Values after processing (`post_...`) come before those that were collected, except for the tracking code: after
//! processing it is repeated on every hit until it expires, and would count a contact many times.

use std::collections::HashMap;
use std::sync::Arc;

use object_store::ObjectStoreExt;
use tokio::runtime::Handle;

use super::super::number::parse_decimal;
use super::super::options::NumericTime;
use super::super::source::{Compression, Origin, SourceFile};
use super::super::stream::{ByteStream, open_stream, stream_error};
use super::node::Node;
use super::tsv::{Form, TsvRecords};
use super::{Field, NO_CHANNEL, Tool, money, text, time};
use crate::load::error::LoadError;
use crate::schema::{MONEY_PRECISION, MONEY_SCALE};

const HEADERS: &str = "column_headers.tsv";
/// The files of a feed that hold no hits.
const LOOKUPS: [&str; 14] = [
    HEADERS,
    "browser.tsv",
    "browser_type.tsv",
    "color_depth.tsv",
    "connection_type.tsv",
    "country.tsv",
    "event.tsv",
    "javascript_version.tsv",
    "languages.tsv",
    "operating_systems.tsv",
    "plugins.tsv",
    "referrer_type.tsv",
    "resolution.tsv",
    "search_engines.tsv",
];
/// Bytes of a look-up file, at most; browsers are the longest with some MB.
const MAX_LOOKUP_BYTES: u64 = 64 << 20;

const FORM: Form = Form { escapes: true, json_columns: &[] };

const FIELDS: [Field; 13] = [
    text("event_id", &["touchpoint_id"]),
    text("user_id", &["post_cust_visid", "cust_visid", "mcvisid", "touchpoint_visitor"]),
    text("anonymous_id", &["mcvisid", "touchpoint_visitor"]),
    time("ts", &["touchpoint_time", "hit_time_gmt"], NumericTime::Seconds),
    text("event", &["touchpoint"]),
    text("channel", &["touchpoint_channel"]),
    text("campaign", &["campaign"]),
    text("page", &["post_page_url", "page_url", "post_pagename", "pagename"]),
    text("referrer", &["post_referrer", "referrer"]),
    text("device", &["mobile_type"]),
    text("country", &["touchpoint_country", "geo_country"]),
    money("revenue", &["touchpoint_revenue"]),
    text("currency", &["post_currency", "currency"]),
];

/// Events of the shop, the one that says most first, by their numbers in `event_list`.
const SHOP_EVENTS: [(&str, &str); 7] = [
    ("1", "purchase"),
    ("11", "begin_checkout"),
    ("12", "add_to_cart"),
    ("13", "remove_from_cart"),
    ("14", "view_cart"),
    ("10", "open_cart"),
    ("2", "view_item"),
];

/// The hits of a feed.
#[derive(Debug, Default)]
pub(super) struct Adobe {
    events: HashMap<String, String>,
    countries: HashMap<String, String>,
}

/// Whether `name` is a file beside the hits.
pub(super) fn is_lookup(name: &str) -> bool {
    LOOKUPS.contains(&name) || name.ends_with(".txt")
}

/// Opens `hit_data.tsv`, reading what stands beside it.
pub(super) fn open(
    file: &SourceFile,
    stream: ByteStream,
    max_record_bytes: usize,
) -> Result<(TsvRecords, Adobe), LoadError> {
    let headers = beside(file, HEADERS)?;
    let columns = match headers.as_deref().map(str::trim_end) {
        Some(line) if !line.is_empty() => line.split('\t').map(str::to_owned).collect(),
        _ => {
            let problem = format!("{HEADERS} of the feed is needed beside it, with the names of its columns");
            return Err(LoadError::input(&file.display, problem));
        }
    };
    let table = |name: &str| -> Result<HashMap<String, String>, LoadError> {
        let text = beside(file, name)?.unwrap_or_default();
        let pairs = text.lines().filter_map(|line| line.split_once('\t'));
        Ok(pairs.map(|(key, value)| (key.to_owned(), value.trim().to_owned())).collect())
    };
    let tool = Adobe { events: table("event.tsv")?, countries: table("country.tsv")? };
    Ok((TsvRecords::open(stream, columns, FORM, max_record_bytes)?, tool))
}

/// The text of the file `name` in the directory of `file`; `None` if there is none.
fn beside(file: &SourceFile, name: &str) -> Result<Option<String>, LoadError> {
    let (origin, size) = match &file.origin {
        Origin::Local(path) => {
            let path = path.with_file_name(name);
            match std::fs::metadata(&path) {
                Ok(metadata) => (Origin::Local(path), metadata.len()),
                Err(_) => return Ok(None),
            }
        }
        Origin::Object { store, location } => {
            let mut parts: Vec<_> = location.parts().collect();
            parts.pop();
            let place: object_store::path::Path =
                parts.into_iter().chain(std::iter::once(name.into())).collect();
            let failed = |error| LoadError::read(name, "at its start", std::io::Error::other(error));
            let handle = Handle::try_current()
                .map_err(|error| LoadError::read(name, "at its start", std::io::Error::other(error)))?;
            match handle.block_on(store.head(&place)) {
                Ok(meta) => (Origin::Object { store: Arc::clone(store), location: place }, meta.size),
                Err(object_store::Error::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(failed(error)),
            }
        }
    };
    let display = format!("{} beside {}", name, file.display);
    if size > MAX_LOOKUP_BYTES {
        let problem =
            format!("it has {size} bytes, more than the limit of {MAX_LOOKUP_BYTES} for a look-up file");
        return Err(LoadError::input(display, problem));
    }
    let source = SourceFile {
        display,
        origin,
        size,
        last_modified: None,
        e_tag: None,
        format: None,
        compression: Compression::None,
    };
    let ByteStream { file, mut reader, .. } = open_stream(&source)?;
    let mut bytes = Vec::new();
    let limited = &mut std::io::Read::take(&mut reader, MAX_LOOKUP_BYTES);
    std::io::Read::read_to_end(limited, &mut bytes)
        .map_err(|error| stream_error(&file, "at its start", error))?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(LoadError::input(file.display, "it is not valid UTF-8; convert it to UTF-8")),
    }
}

impl Tool for Adobe {
    fn fields(&self) -> &'static [Field] {
        &FIELDS
    }

    fn touchpoints<'a>(&self, mut record: Node<'a>) -> Result<Vec<Node<'a>>, String> {
        let is_set = |path: &str| record.text(path).is_some_and(|value| value != "0");
        // Hits that Adobe leaves out of its own reports, and rows that come from data sources instead of people.
        let uploaded = matches!(record.text("hit_source").as_deref(), Some("5" | "7" | "8" | "9"));
        if is_set("exclude_hit") || uploaded {
            return Ok(Vec::new());
        }
        let channel = if record.text("paid_search").as_deref() == Some("1") {
            Some("paid_search")
        } else if record.text("campaign").is_some() {
            Some("campaign")
        } else {
            match record.text("ref_type").as_deref() {
                Some("2") => Some("referral"),
                Some("3") => Some("organic_search"),
                Some("6") => Some("direct"),
                Some("7") => Some("email"),
                Some("9") => Some("organic_social"),
                Some(_) => Some(NO_CHANNEL),
                None => None,
            }
        };
        let ids = event_ids(&record);
        let repeated = is_set("duplicate_purchase");
        let shop = SHOP_EVENTS
            .iter()
            .find(|(id, name)| ids.iter().any(|i| i == id) && !(repeated && *name == "purchase"));
        let name = match shop {
            Some((_, name)) => *name,
            None => page_event(&record),
        };
        let revenue = if name == "purchase" { revenue(&record)? } else { None };
        let names: Vec<&str> =
            ids.iter().map(|id| self.events.get(id).map_or(id.as_str(), String::as_str)).collect();
        let names = serde_json::to_string(&names).map_err(|error| error.to_string())?;
        let country = record.text("country").and_then(|id| self.countries.get(id.as_ref()));
        let pair = |high: &str, low: &str| {
            let (high, low) = (record.text(high)?, record.text(low)?);
            Some(Node::string(&format!("{high}_{low}")))
        };
        let computed = [
            ("touchpoint", Some(Node::string(name))),
            ("touchpoint_id", pair("hitid_high", "hitid_low")),
            (
                "touchpoint_visitor",
                pair("post_visid_high", "post_visid_low").or(pair("visid_high", "visid_low")),
            ),
            ("touchpoint_channel", channel.map(Node::string)),
            ("touchpoint_country", country.map(|name| Node::string(name.as_str()))),
            ("touchpoint_revenue", revenue.map(|revenue| Node::string(&revenue))),
            (
                "touchpoint_time",
                ["post_cust_hit_time_gmt", "cust_hit_time_gmt"]
                    .iter()
                    .find_map(|path| record.text(path).filter(|time| time != "0"))
                    .map(|time| Node::string(&time)),
            ),
            ("events", (!ids.is_empty()).then(|| Node::Raw(names.into()))),
        ];
        for (key, value) in computed {
            if let Some(value) = value {
                record.set(key, value);
            }
        }
        Ok(vec![record])
    }
}

/// The numbers of the events of a hit, without their values and serial numbers.
fn event_ids(record: &Node<'_>) -> Vec<String> {
    let list = record.text("post_event_list").or(record.text("event_list")).unwrap_or_default();
    let ids = list.split(',').filter_map(|event| event.split(['=', ':']).next()).map(str::trim);
    ids.filter(|id| !id.is_empty()).map(str::to_owned).collect()
}

fn page_event(record: &Node<'_>) -> &'static str {
    match record.text("post_page_event").or(record.text("page_event")).as_deref() {
        None | Some("0") => "page_view",
        Some("10") => "link_click",
        Some("11") => "download",
        Some("12") => "exit_link",
        Some(_) => "hit",
    }
}

/// The sum of the lines of `product_list`: `category;product;quantity;total;events;eVars`, separated by commas.
fn revenue(record: &Node<'_>) -> Result<Option<String>, String> {
    let Some(list) = record.text("post_product_list").or(record.text("product_list")) else {
        return Ok(None);
    };
    let mut sum = 0_i128;
    for product in split_outside_carets(&list, ',') {
        let Some(total) =
            split_outside_carets(product, ';').into_iter().nth(3).filter(|total| !total.is_empty())
        else {
            continue;
        };
        let total = parse_decimal(total, MONEY_PRECISION, MONEY_SCALE)
            .map_err(|error| format!("the product list has the total {total:?}: {error}"))?;
        sum += total;
    }
    let (whole, fraction) = (sum / 10_000, (sum % 10_000).abs());
    let sign = if sum < 0 && whole == 0 { "-" } else { "" };
    Ok(Some(format!("{sign}{whole}.{fraction:04}")))
}

/// The parts of a list; a separator behind a caret is text.
fn split_outside_carets(list: &str, separator: char) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (at, char) in list.char_indices() {
        if char == separator && !escaped {
            parts.push(&list[start..at]);
            start = at + char.len_utf8();
        }
        escaped = char == '^' && !escaped;
    }
    parts.push(&list[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_of_products_are_added_exactly() {
        let record =
            |list: &str| Node::Object(vec![("post_product_list".into(), Node::string(list).into_owned())]);
        let sum = |list: &str| revenue(&record(list)).map(Option::unwrap_or_default);
        assert_eq!(sum(";mug;2;19.98,;cap^,red;1;5.005;;eVar1=x"), Ok("24.9850".to_owned()));
        assert_eq!(sum(";mug"), Ok("0.0000".to_owned()));
        assert_eq!(sum(";mug;1;-0.5"), Ok("-0.5000".to_owned()));
        assert!(sum(";mug;1;cheap").is_err());
    }
}
