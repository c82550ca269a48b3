//! Rows as JSON objects, one per line. A key that would be NULL is left out; `properties` is a nested object.

use std::io::Write;

use super::FLUSH_BYTES;
use crate::error::Result;
use crate::generator::EventIter;
use crate::generator::event::{Event, ShortText};
use crate::text::{TimeFormat, push_money, push_number};

/// Writes all rows; returns their number.
pub(crate) fn write_ndjson(events: EventIter, output: &mut dyn Write) -> Result<u64> {
    let mut times = TimeFormat::new();
    let mut received_times = TimeFormat::new();
    let mut buffer = Vec::with_capacity(FLUSH_BYTES * 2);
    let mut rows = 0;
    for event in events {
        push_row(&mut buffer, &event, &mut times, &mut received_times);
        rows += 1;
        if buffer.len() >= FLUSH_BYTES {
            output.write_all(&buffer)?;
            buffer.clear();
        }
    }
    output.write_all(&buffer)?;
    Ok(rows)
}

fn push_row(out: &mut Vec<u8>, event: &Event, times: &mut TimeFormat, received_times: &mut TimeFormat) {
    out.extend_from_slice(b"{\"event_id\":");
    push_text(out, event.event_id.as_str());
    push_member(out, b",\"user_id\":", Some(event.user_id.as_str()));
    push_member(out, b",\"anonymous_id\":", event.anonymous_id.as_ref().map(ShortText::as_str));
    out.extend_from_slice(b",\"ts\":\"");
    times.push(out, event.ts_us);
    out.extend_from_slice(b"\",\"received_at\":\"");
    received_times.push(out, event.received_at_us);
    out.push(b'"');
    push_member(out, b",\"event\":", Some(event.event));
    push_member(out, b",\"channel\":", event.channel);
    push_member(out, b",\"source\":", event.source);
    push_member(out, b",\"medium\":", event.medium);
    push_member(out, b",\"campaign\":", event.campaign);
    push_member(out, b",\"page\":", event.page);
    push_member(out, b",\"referrer\":", event.referrer);
    push_member(out, b",\"device\":", event.device);
    push_member(out, b",\"country\":", event.country);
    if let Some(revenue_e4) = event.revenue_e4 {
        out.extend_from_slice(b",\"revenue\":");
        push_money(out, revenue_e4);
    }
    if let Some(cost_e4) = event.cost_e4 {
        out.extend_from_slice(b",\"cost\":");
        push_money(out, cost_e4);
    }
    push_member(out, b",\"currency\":", event.currency);
    if let Some(score) = event.score {
        out.extend_from_slice(b",\"score\":");
        push_number(out, u64::from(score));
    }
    if let Some(properties) = event.properties {
        out.extend_from_slice(b",\"properties\":");
        properties.write_json(out);
    }
    out.extend_from_slice(b"}\n");
}

fn push_member(out: &mut Vec<u8>, lead: &[u8], text: Option<&str>) {
    if let Some(text) = text {
        out.extend_from_slice(lead);
        push_text(out, text);
    }
}

/// Appends a JSON string.
fn push_text(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(DIGITS[usize::from(byte >> 4)]);
                out.push(DIGITS[usize::from(byte & 15)]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped() {
        let mut out = Vec::new();
        push_text(&mut out, "a\"b\\c\n\u{e9}");
        assert_eq!(String::from_utf8(out).unwrap(), "\"a\\\"b\\\\c\\u000a\u{e9}\"");
    }
}
