//! What the keys of JSON objects fill, looked up once per distinct key.

use std::collections::HashMap;

use super::json_text::append_string;
use super::targets::{KeyUse, Targets};
use crate::load::error::LoadError;

/// Distinct keys remembered; files whose keys are identifiers start anew after so many.
const REMEMBERED_KEYS: usize = 10_000;
/// Keys whose order is remembered.
const ORDERED_KEYS: usize = 256;
/// Keys in that order that are compared with the text before one is looked up by its name: objects leave out what is NULL.
const KEYS_AHEAD: usize = 12;

/// One distinct key.
#[derive(Debug)]
pub(super) struct KeyEntry {
    pub(super) name: String,
    /// `"name":`
    pub(super) json: Vec<u8>,
    pub(super) usage: KeyUse,
    /// The mark of the object that had it last; 0 if none.
    pub(super) last_mark: u64,
    /// Its place in the order of keys.
    place: Option<usize>,
}

/// The keys seen so far. Objects of a file tend to have their keys in one order, though not each has all of them.
#[derive(Debug, Default)]
pub(super) struct KeyTable {
    entries: Vec<KeyEntry>,
    by_name: HashMap<String, usize>,
    /// Keys in the order in which objects have them, as far as that is known.
    order: Vec<LikelyKey>,
}

/// A key as it is written, `"name":`, for comparison with text in words of eight bytes.
#[derive(Debug)]
struct LikelyKey {
    number: usize,
    length: usize,
    /// The first eight bytes, fewer with zeros behind, and where they are not zero.
    head: u64,
    mask: u64,
    /// The last eight bytes; 0 of fewer.
    tail: u64,
}

impl LikelyKey {
    fn new(number: usize, json: &[u8]) -> Self {
        let mut head = [0; 8];
        let mut mask = [0; 8];
        for ((head, mask), byte) in head.iter_mut().zip(&mut mask).zip(json) {
            (*head, *mask) = (*byte, u8::MAX);
        }
        let tail = json.last_chunk().map_or(0, |tail| u64::from_le_bytes(*tail));
        let [head, mask] = [head, mask].map(u64::from_le_bytes);
        Self { number, length: json.len(), head, mask, tail }
    }

    /// Whether `text`, which begins with `head`, begins with the key, `json`.
    fn begins(&self, text: &[u8], head: u64, json: &[u8]) -> bool {
        if (head ^ self.head) & self.mask != 0 {
            return false;
        }
        let tail = || text.get(..self.length).and_then(|key| key.last_chunk::<8>());
        match self.length {
            0..=8 => true,
            9..=16 => tail().is_some_and(|tail| u64::from_le_bytes(*tail) == self.tail),
            _ => text.starts_with(json),
        }
    }
}

impl KeyTable {
    /// The number of a key that `text` begins with, written as `"key":`, and the length of that, if it is among the next
    /// keys of the order from place `at` on, which is moved behind it. `None` where it is to be looked up by its name.
    pub(super) fn likely(&self, at: &mut usize, text: &[u8]) -> Option<(usize, usize)> {
        let head = u64::from_le_bytes(*text.first_chunk()?);
        let mut ahead = self.order.get(*at..)?.iter().take(KEYS_AHEAD);
        let skipped = ahead.position(|key| key.begins(text, head, &self.entries[key.number].json))?;
        let key = &self.order[*at + skipped];
        *at += skipped + 1;
        Some((key.number, key.length))
    }

    /// The place in the order behind a key; `None` if it has none.
    pub(super) fn behind(&self, number: usize) -> Option<usize> {
        self.entries[number].place.map(|place| place + 1)
    }

    /// The number of the key `name`, a new one if it is met for the first time. `before`: the key before it in its object.
    ///
    /// # Errors
    /// What [`Targets::key_use`] says of a new key.
    pub(super) fn number(
        &mut self,
        name: &str,
        before: Option<usize>,
        targets: &Targets,
        path: &str,
    ) -> Result<usize, LoadError> {
        if let Some(number) = self.by_name.get(name) {
            return Ok(*number);
        }
        let usage = targets.key_use(path, name)?;
        let mut json = Vec::new();
        append_string(name, &mut json);
        json.push(b':');
        let is_plain = json.len() == name.len() + "\"\":".len();
        let number = self.entries.len();
        self.entries.push(KeyEntry { name: name.to_owned(), json, usage, last_mark: 0, place: None });
        self.by_name.insert(name.to_owned(), number);
        if is_plain && self.order.len() < ORDERED_KEYS {
            let place = before.and_then(|before| self.behind(before)).unwrap_or(0);
            self.order.insert(place, LikelyKey::new(number, &self.entries[number].json));
            for (place, key) in self.order.iter().enumerate().skip(place) {
                self.entries[key.number].place = Some(place);
            }
        }
        Ok(number)
    }

    /// The key of a number that was given since keys were forgotten last.
    pub(super) fn entry(&mut self, number: usize) -> &mut KeyEntry {
        &mut self.entries[number]
    }

    /// Forgets all keys if they are too many to remember. To be called between rows.
    pub(super) fn limit(&mut self) {
        if self.entries.len() > REMEMBERED_KEYS {
            *self = Self::default();
        }
    }

    /// The distinct keys in the order in which they were met.
    pub(super) fn names(&self) -> Vec<String> {
        self.entries.iter().map(|entry| entry.name.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::options::ReadOptions;
    use super::*;

    fn targets() -> Targets {
        Targets::new(&ReadOptions::default(), &[]).expect("targets")
    }

    #[test]
    fn keys_are_numbered_once_and_forgotten_when_too_many() {
        let targets = targets();
        let mut table = KeyTable::default();
        let numbers = [("user_id", None), ("x", Some(0)), ("user_id", None), ("x", None)]
            .map(|(name, before)| table.number(name, before, &targets, "x").expect("number"));
        assert_eq!(numbers, [0, 1, 0, 1]);
        assert_eq!(table.names(), ["user_id", "x"]);
        for i in 0..REMEMBERED_KEYS {
            table.number(&format!("k{i}"), Some(1), &targets, "x").expect("number");
        }
        assert_eq!(table.order.len(), ORDERED_KEYS);
        table.limit();
        assert_eq!(table.names().len(), 0);
    }

    #[test]
    fn keys_are_met_in_their_order_though_some_are_left_out() {
        let targets = targets();
        let mut table = KeyTable::default();
        // Objects with the keys a, c and b, c: b is taken to come before a, and c behind both.
        let mut number = |name, before| table.number(name, before, &targets, "x").expect("number");
        let a = number("a", None);
        let c = number("c", Some(a));
        let b = number("b", None);
        let odd = number("q\"", Some(b));
        let mut at = 0;
        assert_eq!(table.likely(&mut at, br#""a":123,"#), Some((a, 4)));
        assert_eq!(table.likely(&mut at, br#""b":123,"#), None, "it was passed by");
        at = table.behind(b).expect("a place");
        assert_eq!(table.likely(&mut at, br#""c":123}"#), Some((c, 4)));
        assert_eq!(table.likely(&mut at, br#""c":123}"#), None);
        assert_eq!(table.behind(odd), None);
        at = 0;
        assert_eq!(table.likely(&mut at, br#""q\"":123"#), None, "escapes are not compared");
        assert_eq!(table.likely(&mut at, br#""c":123}"#), Some((c, 4)));
        at = 0;
        assert_eq!(table.likely(&mut at, br#""c":1}"#), None, "too short");
    }

    proptest! {
        #[test]
        fn keys_of_any_length_are_compared(name in "[ab]{0,20}", text in "\"[ab]{0,20}\":12345678") {
            let json = format!("\"{name}\":");
            let head = u64::from_le_bytes(*text.as_bytes().first_chunk().expect("eight bytes"));
            let key = LikelyKey::new(0, json.as_bytes());
            prop_assert_eq!(key.begins(text.as_bytes(), head, json.as_bytes()), text.starts_with(&json));
            let same = format!("{json}12345678");
            let head = u64::from_le_bytes(*same.as_bytes().first_chunk().expect("eight bytes"));
            prop_assert!(key.begins(same.as_bytes(), head, json.as_bytes()));
        }
    }
}
