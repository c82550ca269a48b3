//! Rows as CSV after RFC 4180, with line feeds as line ends. An empty field is NULL.

use std::io::Write;

use super::FLUSH_BYTES;
use crate::error::Result;
use crate::generator::EventIter;
use crate::generator::event::Event;
use crate::schema::COLUMN_NAMES;
use crate::text::{TimeFormat, push_money, push_number};

/// Writes the header and all rows; returns the number of rows.
pub(crate) fn write_csv(events: EventIter, output: &mut dyn Write) -> Result<u64> {
    let mut writer =
        CsvRows { times: TimeFormat::new(), received_times: TimeFormat::new(), json: Vec::new() };
    let mut buffer = Vec::with_capacity(FLUSH_BYTES * 2);
    buffer.extend_from_slice(COLUMN_NAMES.join(",").as_bytes());
    buffer.push(b'\n');
    let mut rows = 0;
    for event in events {
        writer.push(&mut buffer, &event);
        rows += 1;
        if buffer.len() >= FLUSH_BYTES {
            output.write_all(&buffer)?;
            buffer.clear();
        }
    }
    output.write_all(&buffer)?;
    Ok(rows)
}

struct CsvRows {
    times: TimeFormat,
    received_times: TimeFormat,
    json: Vec<u8>,
}

impl CsvRows {
    fn push(&mut self, out: &mut Vec<u8>, event: &Event) {
        out.extend_from_slice(event.event_id.as_bytes());
        out.push(b',');
        out.extend_from_slice(event.user_id.as_bytes());
        out.push(b',');
        if let Some(anonymous_id) = &event.anonymous_id {
            out.extend_from_slice(anonymous_id.as_bytes());
        }
        out.push(b',');
        self.times.push(out, event.ts_us);
        out.push(b',');
        self.received_times.push(out, event.received_at_us);
        out.push(b',');
        push_field(out, event.event.as_bytes());
        for text in [
            event.channel,
            event.source,
            event.medium,
            event.campaign,
            event.page,
            event.referrer,
            event.device,
            event.country,
        ] {
            out.push(b',');
            if let Some(text) = text {
                push_field(out, text.as_bytes());
            }
        }
        for amount_e4 in [event.revenue_e4, event.cost_e4] {
            out.push(b',');
            if let Some(amount_e4) = amount_e4 {
                push_money(out, amount_e4);
            }
        }
        out.push(b',');
        if let Some(currency) = event.currency {
            push_field(out, currency.as_bytes());
        }
        out.push(b',');
        if let Some(score) = event.score {
            push_number(out, u64::from(score));
        }
        out.push(b',');
        if let Some(properties) = event.properties {
            self.json.clear();
            properties.write_json(&mut self.json);
            push_field(out, &self.json);
        }
        out.push(b'\n');
    }
}

/// Appends a field, in quotes where it needs them. An empty text would read back as NULL; the generator has none.
fn push_field(out: &mut Vec<u8>, field: &[u8]) {
    let needs_quotes = field.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r'));
    if !needs_quotes {
        out.extend_from_slice(field);
        return;
    }
    out.push(b'"');
    for byte in field {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_needed() {
        let field = |text: &str| {
            let mut out = Vec::new();
            push_field(&mut out, text.as_bytes());
            String::from_utf8(out).unwrap()
        };
        assert_eq!(field("plain text"), "plain text");
        assert_eq!(field("a,b"), "\"a,b\"");
        assert_eq!(field("say \"hi\""), "\"say \"\"hi\"\"\"");
        assert_eq!(field("two\nlines"), "\"two\nlines\"");
    }
}
