//! One generated row.

use super::catalog::{COUPONS, QUERIES, SUPPORT_TOPICS, price_cents};
use crate::text::{push_number, push_padded, push_price};

/// A row of the touchpoint table; `None` is NULL. Holds no heap memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Event {
    /// Unique within the data set, except that a duplicate repeats it.
    pub event_id: ShortText,
    pub user_id: ShortText,
    /// Cookie or app installation: one for each device of a user.
    pub anonymous_id: Option<ShortText>,
    /// When it happened, microseconds since 1970-01-01T00:00:00Z.
    pub ts_us: i64,
    /// When it reached the collector, microseconds since 1970-01-01T00:00:00Z; after `ts_us`.
    pub received_at_us: i64,
    pub event: &'static str,
    pub channel: Option<&'static str>,
    pub source: Option<&'static str>,
    pub medium: Option<&'static str>,
    pub campaign: Option<&'static str>,
    pub page: Option<&'static str>,
    pub referrer: Option<&'static str>,
    pub device: Option<&'static str>,
    pub country: Option<&'static str>,
    /// In 1/10,000 of `currency`; negative for a refund.
    pub revenue_e4: Option<i64>,
    /// In 1/10,000 of `currency`.
    pub cost_e4: Option<i64>,
    /// ISO 4217; set when revenue or cost is.
    pub currency: Option<&'static str>,
    /// Survey answer: NPS 0-10, CSAT 1-5, CES 1-7.
    pub score: Option<u8>,
    pub properties: Option<Properties>,
}

/// ASCII text of at most 24 bytes, stored in place.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ShortText {
    bytes: [u8; Self::CAPACITY],
    len: u8,
}

impl ShortText {
    const CAPACITY: usize = 24;

    /// A letter and 16 hexadecimal digits. The letter keeps readers that guess types from seeing a number.
    pub(crate) fn hex(letter: u8, value: u64) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut bytes = [0; Self::CAPACITY];
        bytes[0] = letter;
        for (index, byte) in value.to_be_bytes().into_iter().enumerate() {
            bytes[1 + 2 * index] = DIGITS[usize::from(byte >> 4)];
            bytes[2 + 2 * index] = DIGITS[usize::from(byte & 15)];
        }
        Self { bytes, len: 17 }
    }

    /// A letter and decimal digits with zeros in front up to `width` digits (at most 20).
    pub(crate) fn padded(letter: u8, value: u64, width: usize) -> Self {
        let mut bytes = [0; Self::CAPACITY];
        bytes[0] = letter;
        let mut rest = value;
        for digit in bytes[1..=width].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        Self { bytes, len: width as u8 + 1 }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    pub fn as_str(&self) -> &str {
        // The constructors write ASCII only, so the fallback is never taken.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl std::fmt::Display for ShortText {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl std::fmt::Debug for ShortText {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:?}", self.as_str())
    }
}

/// Content of the `properties` column: a JSON object, kept as its few varying values until it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Properties {
    Scroll { percent: u8 },
    Search { query: u8, results: u16 },
    Product { product: u16 },
    CartChange { product: u16, items: u8 },
    Cart { items: u8 },
    Coupon { coupon: u8 },
    Order { number: u32, items: u8, coupon: Option<u8> },
    Support { topic: u8, minutes: u8 },
    App { release: u8 },
    Ad { query: u8, slot: u8 },
}

impl Properties {
    /// Appends the JSON object without white space. Every output format carries exactly these bytes.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match *self {
            Self::Scroll { percent } => number_member(out, b"{\"scroll_percent\":", percent),
            Self::Search { query, results } => {
                text_member(out, b"{\"query\":\"", QUERIES[usize::from(query)]);
                number_member(out, b",\"results\":", results);
            }
            Self::Product { product } => {
                product_member(out, product);
                out.extend_from_slice(b",\"price\":");
                push_price(out, price_cents(product));
            }
            Self::CartChange { product, items } => {
                product_member(out, product);
                number_member(out, b",\"quantity\":1,\"cart_items\":", items);
            }
            Self::Cart { items } => number_member(out, b"{\"cart_items\":", items),
            Self::Coupon { coupon } => text_member(out, b"{\"coupon\":\"", COUPONS[usize::from(coupon)]),
            Self::Order { number, items, coupon } => {
                out.extend_from_slice(b"{\"order_id\":\"o");
                push_padded(out, u64::from(number), 10);
                number_member(out, b"\",\"cart_items\":", items);
                match coupon {
                    Some(coupon) => text_member(out, b",\"coupon\":\"", COUPONS[usize::from(coupon)]),
                    None => out.extend_from_slice(b",\"coupon\":null"),
                }
            }
            Self::Support { topic, minutes } => {
                text_member(out, b"{\"topic\":\"", SUPPORT_TOPICS[usize::from(topic)]);
                number_member(out, b",\"minutes\":", minutes);
                out.extend_from_slice(if minutes < 8 { b",\"solved\":true" } else { b",\"solved\":false" });
            }
            Self::App { release } => {
                number_member(out, b"{\"app_version\":\"5.", release);
                out.push(b'"');
            }
            Self::Ad { query, slot } => {
                text_member(out, b"{\"utm\":{\"term\":\"", QUERIES[usize::from(query)]);
                number_member(out, b"},\"slot\":", slot);
            }
        }
        out.push(b'}');
    }
}

fn product_member(out: &mut Vec<u8>, product: u16) {
    out.extend_from_slice(b"{\"product_id\":\"p");
    push_padded(out, u64::from(product), 4);
    out.push(b'"');
}

fn number_member(out: &mut Vec<u8>, lead: &[u8], value: impl Into<u64>) {
    out.extend_from_slice(lead);
    push_number(out, value.into());
}

fn text_member(out: &mut Vec<u8>, lead: &[u8], value: &str) {
    out.extend_from_slice(lead);
    out.extend_from_slice(value.as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(properties: Properties) -> String {
        let mut out = Vec::new();
        properties.write_json(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_texts() {
        assert_eq!(json(Properties::Cart { items: 3 }), r#"{"cart_items":3}"#);
        assert_eq!(
            json(Properties::Search { query: 4, results: 12 }),
            r#"{"query":"27\" monitor","results":12}"#
        );
        assert_eq!(
            json(Properties::Order { number: 7, items: 1, coupon: None }),
            r#"{"order_id":"o0000000007","cart_items":1,"coupon":null}"#
        );
        assert_eq!(
            json(Properties::Ad { query: 0, slot: 2 }),
            r#"{"utm":{"term":"running shoes"},"slot":2}"#
        );
        assert_eq!(json(Properties::App { release: 2 }), r#"{"app_version":"5.2"}"#);
        assert_eq!(
            json(Properties::Support { topic: 0, minutes: 9 }),
            r#"{"topic":"delivery","minutes":9,"solved":false}"#
        );
    }

    #[test]
    fn ids() {
        assert_eq!(ShortText::padded(b'u', 123, 7).as_str(), "u0000123");
        assert_eq!(ShortText::hex(b'e', 0xABC).as_str(), "e0000000000000abc");
    }
}
