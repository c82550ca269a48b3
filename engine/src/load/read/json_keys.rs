//! What the keys of JSON objects fill, looked up once per distinct key.

use std::collections::HashMap;

use super::json_scan::{KnownKeys, begins_with};
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
    name: String,
    /// `"name":`
    pub(super) json: Vec<u8>,
    pub(super) usage: KeyUse,
    /// The last record that had it; 0 if none.
    pub(super) last_record: u64,
    /// Its place in the order of keys.
    place: Option<usize>,
}

/// The keys seen so far. Objects of a file tend to have their keys in one order, though not each has all of them.
#[derive(Debug, Default)]
pub(super) struct KeyTable {
    entries: Vec<KeyEntry>,
    by_name: HashMap<String, usize>,
    /// Keys in the order in which objects have them, as far as that is known.
    order: Vec<usize>,
}

/// The way through the keys of one object.
#[derive(Debug)]
pub(super) struct KeyCursor<'k> {
    keys: &'k KeyTable,
    /// The place in the order behind the key that was met last.
    at: usize,
}

impl KnownKeys for KeyCursor<'_> {
    fn next(&mut self, text: &[u8]) -> Option<(usize, usize)> {
        let KeyTable { entries, order, .. } = self.keys;
        let ahead = order.get(self.at..)?.iter().take(KEYS_AHEAD).enumerate();
        for (skipped, number) in ahead {
            let json = &entries[*number].json;
            if begins_with(text, json) {
                self.at += skipped + 1;
                return Some((*number, json.len()));
            }
        }
        None
    }

    fn find(&mut self, name: &str) -> Option<usize> {
        let number = *self.keys.by_name.get(name)?;
        if let Some(place) = self.keys.entries[number].place {
            self.at = place + 1;
        }
        Some(number)
    }
}

impl KeyTable {
    /// The way through the keys of the next object.
    pub(super) fn cursor(&self) -> KeyCursor<'_> {
        KeyCursor { keys: self, at: 0 }
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
        self.entries.push(KeyEntry { name: name.to_owned(), json, usage, last_record: 0, place: None });
        self.by_name.insert(name.to_owned(), number);
        if is_plain && self.order.len() < ORDERED_KEYS {
            let before = before.and_then(|before| self.entries[before].place);
            let place = before.map_or(0, |before| before + 1);
            self.order.insert(place, number);
            for (place, number) in self.order.iter().enumerate().skip(place) {
                self.entries[*number].place = Some(place);
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
        let mut cursor = table.cursor();
        assert_eq!(cursor.next(br#""a":1,"#), Some((a, 4)));
        assert_eq!(cursor.next(br#""b":1,"#), None, "it was passed by");
        assert_eq!(cursor.find("b"), Some(b));
        assert_eq!(cursor.next(br#""c":1}"#), Some((c, 4)));
        assert_eq!(cursor.next(br#""c":1}"#), None);
        assert_eq!(cursor.find("d"), None);
        assert_eq!(cursor.find("q\""), Some(odd));
        let mut cursor = table.cursor();
        assert_eq!(cursor.next(br#""q\"":1"#), None, "escapes are not compared");
        assert_eq!(cursor.next(br#""c":1}"#), Some((c, 4)));
    }
}
