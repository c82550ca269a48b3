//! Numbers for the people of a bucket, in the order in which they are met.

use arrow::array::StringViewArray;
use hashbrown::HashTable;

/// The people met so far.
///
/// One look-up for each run of a person's rows; a bucket is small enough for the table to stay in cache.
#[derive(Debug, Default)]
pub struct Persons {
    /// Hash and number: other people are told apart without a look at their ids.
    table: HashTable<(u64, u32)>,
    /// The ids one behind the other; person p has `text[ends[p - 1]..ends[p]]`.
    text: String,
    ends: Vec<usize>,
}

impl Persons {
    /// The number of the person `id`, whose `user_key` is `hash`; a new one gets the next number.
    pub fn number(&mut self, hash: u64, id: &str) -> u32 {
        let Self { table, text, ends } = self;
        let id_of = |person: u32| {
            let person = person as usize;
            let start = person.checked_sub(1).map_or(0, |before| ends[before]);
            &text[start..ends[person]]
        };
        let entry =
            table.entry(hash, |(other, person)| *other == hash && id_of(*person) == id, |(other, _)| *other);
        match entry {
            hashbrown::hash_table::Entry::Occupied(known) => known.get().1,
            hashbrown::hash_table::Entry::Vacant(vacant) => {
                // A bucket holds far fewer people than rows, and its rows are counted in 32 bits.
                let person = ends.len() as u32;
                vacant.insert((hash, person));
                text.push_str(id);
                ends.push(text.len());
                person
            }
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Their ids by number.
    pub fn ids(&self) -> StringViewArray {
        let mut start = 0;
        let each = self.ends.iter().map(|end| {
            let id = &self.text[start..*end];
            start = *end;
            id
        });
        StringViewArray::from_iter_values(each)
    }

    /// Bytes that the table occupies.
    pub fn allocated_bytes(&self) -> usize {
        self.table.allocation_size() + self.ends.capacity() * size_of::<usize>() + self.text.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_of_one_hash_stay_apart() {
        let mut persons = Persons::default();
        assert_eq!(persons.number(7, "ana"), 0);
        assert_eq!(persons.number(7, "bo"), 1);
        assert_eq!(persons.number(9, ""), 2);
        assert_eq!(persons.number(7, "ana"), 0);
        assert_eq!(persons.len(), 3);
        assert_eq!(persons.ids(), StringViewArray::from(vec!["ana", "bo", ""]));
    }
}
