//! What the keys of JSON objects fill, looked up once per distinct key.

use std::collections::HashMap;

use super::json_text::append_string;
use super::targets::{KeyUse, Targets};
use crate::load::error::LoadError;

/// Distinct keys remembered; files whose keys are identifiers start anew after so many.
const REMEMBERED_KEYS: usize = 10_000;

/// One distinct key.
#[derive(Debug)]
pub(super) struct KeyEntry {
    name: String,
    /// `"name":`
    pub(super) json: Vec<u8>,
    pub(super) usage: KeyUse,
    /// The last record that had it; 0 if none.
    pub(super) last_record: u64,
}

/// The keys seen so far. Objects of a file tend to have the same keys in the same order, so the key at each place
/// is guessed to be the one that was there before.
#[derive(Debug, Default)]
pub(super) struct KeyTable {
    entries: Vec<KeyEntry>,
    by_name: HashMap<String, usize>,
    by_place: Vec<usize>,
}

impl KeyTable {
    /// `"name":` of the key that was last at this place, if it is written without escapes.
    pub(super) fn expected(&self, place: usize) -> Option<&[u8]> {
        let entry = &self.entries[*self.by_place.get(place)?];
        (entry.json.len() == entry.name.len() + 3).then_some(entry.json.as_slice())
    }

    /// The entry of `name`, which stands at `place` in its object. `is_expected`: it is known to be that of
    /// [`Self::expected`].
    ///
    /// # Errors
    /// What [`Targets::key_use`] says of a new key.
    pub(super) fn entry(
        &mut self,
        place: usize,
        name: &str,
        is_expected: bool,
        targets: &Targets,
        path: &str,
    ) -> Result<&mut KeyEntry, LoadError> {
        let guess = self.by_place.get(place).copied();
        if let Some(index) = guess.filter(|index| is_expected || self.entries[*index].name == name) {
            return Ok(&mut self.entries[index]);
        }
        let index = match self.by_name.get(name) {
            Some(index) => *index,
            None => self.insert(name, targets, path)?,
        };
        if place < self.by_place.len() {
            self.by_place[place] = index;
        } else if place == self.by_place.len() {
            self.by_place.push(index);
        }
        Ok(&mut self.entries[index])
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

    fn insert(&mut self, name: &str, targets: &Targets, path: &str) -> Result<usize, LoadError> {
        let usage = targets.key_use(path, name)?;
        let mut json = Vec::new();
        append_string(name, &mut json);
        json.push(b':');
        let index = self.entries.len();
        self.entries.push(KeyEntry { name: name.to_owned(), json, usage, last_record: 0 });
        self.by_name.insert(name.to_owned(), index);
        Ok(index)
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::ReadOptions;
    use super::*;

    #[test]
    fn keys_are_found_at_any_place_and_forgotten_when_too_many() {
        let targets = Targets::new(&ReadOptions::default(), &[]).expect("targets");
        let mut table = KeyTable::default();
        for (place, name) in [(0, "user_id"), (1, "x"), (0, "user_id"), (0, "x"), (5, "user_id")] {
            assert_eq!(table.entry(place, name, false, &targets, "x").expect("entry").name, name);
        }
        assert_eq!(table.names(), ["user_id", "x"]);
        assert_eq!(table.expected(0), Some(&b"\"x\":"[..]));
        assert_eq!(table.expected(5), None);
        for i in 0..REMEMBERED_KEYS {
            table.entry(2, &format!("k{i}"), false, &targets, "x").expect("entry");
        }
        table.limit();
        assert_eq!(table.names().len(), 0);
    }
}
