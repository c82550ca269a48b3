//! Numbers for the people of a slice, in the order in which they are met.

use arrow::array::StringViewArray;
use hashbrown::HashTable;

use super::slices::Slices;

/// Slots that are looked at before a person is sought elsewhere.
const MAX_STEPS: usize = 32;
const MIN_SLOTS: usize = 64;
const NOBODY: u32 = u32::MAX;

/// The people met so far.
///
/// One look-up for each run of a person's rows. People come in the order of their keys from each file, so slots keep
/// that order: one look-up is near the one before.
#[derive(Debug)]
pub struct Persons {
    /// Leading bits that all share of what tells them apart.
    bits: u8,
    slots: Vec<Slot>,
    /// The people for whom no slot was free near their place.
    others: HashTable<Slot>,
    /// The ids one behind the other; that of person p begins where that of the person before ends.
    text: String,
    people: Vec<Person>,
}

/// What is looked at for each run lies together.
#[derive(Debug, Clone, Copy)]
struct Person {
    /// Where the id ends in the text.
    end: usize,
    rows: u32,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Bits of `user_key`: most other people are told apart without a look at their ids.
    apart: u32,
    person: u32,
}

const FREE: Slot = Slot { apart: 0, person: NOBODY };

impl Persons {
    /// Nobody yet; people of one of these slices will come, about `expected`. They take the memory of people `before`.
    pub fn new(slices: Slices, expected: usize, before: Option<Self>) -> Self {
        let (mut slots, mut others, mut text, mut people) = match before {
            Some(Self { slots, others, text, people, .. }) => (slots, others, text, people),
            None => (Vec::new(), HashTable::new(), String::new(), Vec::new()),
        };
        slots.clear();
        slots.resize(slots_for(expected), FREE);
        others.clear();
        text.clear();
        people.clear();
        people.reserve(expected);
        Self { bits: slices.bits(), slots, others, text, people }
    }

    /// Adds so many rows of the person `id`, of whose `user_key` these bits are given: see [`Slices::apart`]. Gives the
    /// number of the person; a new one gets the next number.
    pub fn add_rows(&mut self, apart: u32, id: &str, rows: u32) -> u32 {
        let number = self.number(apart, id);
        // All rows of a slice are counted in 32 bits.
        self.people[number as usize].rows += rows;
        number
    }

    fn number(&mut self, apart: u32, id: &str) -> u32 {
        let mut place = self.place(apart);
        for _ in 0..MAX_STEPS {
            let slot = self.slots[place];
            if slot.person == NOBODY {
                return self.add(apart, id, Some(place));
            }
            if slot.apart == apart && self.id(slot.person) == id {
                return slot.person;
            }
            place = (place + 1) & (self.slots.len() - 1);
        }
        let known = self.others.find(hash(apart), |slot| slot.apart == apart && self.id(slot.person) == id);
        match known {
            Some(slot) => slot.person,
            None => self.add(apart, id, None),
        }
    }

    fn add(&mut self, apart: u32, id: &str, place: Option<usize>) -> u32 {
        // A slice holds far fewer people than rows, and its rows are counted in 32 bits.
        let slot = Slot { apart, person: self.people.len() as u32 };
        self.text.push_str(id);
        self.people.push(Person { end: self.text.len(), rows: 0 });
        match place {
            Some(place) => self.slots[place] = slot,
            None => self.put_elsewhere(slot),
        }
        if slots_for(self.people.len()) > self.slots.len() {
            self.grow();
        }
        slot.person
    }

    fn put_elsewhere(&mut self, slot: Slot) {
        self.others.insert_unique(hash(slot.apart), slot, |slot| hash(slot.apart));
    }

    fn grow(&mut self) {
        let slots = std::mem::take(&mut self.slots);
        let others = std::mem::take(&mut self.others);
        self.slots = vec![FREE; 2 * slots.len()];
        for slot in slots.into_iter().filter(|slot| slot.person != NOBODY).chain(others) {
            let first = self.place(slot.apart);
            let places = (first..first + MAX_STEPS).map(|place| place & (self.slots.len() - 1));
            match places.into_iter().find(|place| self.slots[*place].person == NOBODY) {
                Some(place) => self.slots[place] = slot,
                None => self.put_elsewhere(slot),
            }
        }
    }

    /// Where a person is looked for first.
    fn place(&self, apart: u32) -> usize {
        let apart = u64::from(apart) << (u32::BITS + u32::from(self.bits));
        // The number of slots is a power of two above one.
        (apart >> (64 - self.slots.len().trailing_zeros())) as usize
    }

    fn id(&self, person: u32) -> &str {
        let person = person as usize;
        let start = person.checked_sub(1).map_or(0, |before| self.people[before].end);
        &self.text[start..self.people[person].end]
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.people.len()
    }

    /// How many rows each has, by number.
    pub fn rows(&self) -> impl Iterator<Item = u32> {
        self.people.iter().map(|person| person.rows)
    }

    /// Their ids by number.
    pub fn ids(&self) -> StringViewArray {
        StringViewArray::from_iter_values((0..self.len() as u32).map(|person| self.id(person)))
    }
}

/// Slots for so many people: at most two of three are taken.
fn slots_for(people: usize) -> usize {
    (people + people / 2 + 1).next_power_of_two().max(MIN_SLOTS)
}

/// Both ends of a hash are looked at.
fn hash(apart: u32) -> u64 {
    u64::from(apart) << u32::BITS | u64::from(apart)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn people_of_one_key_stay_apart() {
        let mut persons = Persons::new(Slices::with_bits(0, 0), 0, None);
        assert_eq!(persons.add_rows(7, "ana", 2), 0);
        assert_eq!(persons.add_rows(7, "bo", 1), 1);
        assert_eq!(persons.add_rows(9, "", 4), 2);
        assert_eq!(persons.add_rows(7, "ana", 3), 0);
        assert_eq!(persons.len(), 3);
        assert_eq!(persons.rows().collect::<Vec<_>>(), [5, 1, 4]);
        assert_eq!(persons.ids(), StringViewArray::from(vec!["ana", "bo", ""]));
    }

    proptest! {
        // Keys in few places, so that slots run out near them, and keys anywhere.
        #[test]
        fn numbers_are_those_of_a_map(
            met in prop::collection::vec((prop_oneof![0_u32..4, any::<u32>()], 0_u8..50, 1_u32..4), 0..2000),
            bits in 0_u8..3,
            expected in 0_usize..100,
            before in prop::collection::vec((0_u32..4, 0_u8..50), 0..300),
        ) {
            let mut others = Persons::new(Slices::with_bits(0, 0), before.len(), None);
            for (key, id) in before {
                others.add_rows(key, &id.to_string(), 7);
            }
            let mut persons = Persons::new(Slices::with_bits(0, bits), expected, Some(others));
            let mut known: HashMap<(u32, String), u32> = HashMap::new();
            let mut wanted_rows = Vec::new();
            for (key, id, rows) in met {
                let id = format!("u{id}");
                let number = *known.entry((key, id.clone())).or_insert_with(|| {
                    wanted_rows.push(0);
                    wanted_rows.len() as u32 - 1
                });
                wanted_rows[number as usize] += rows;
                prop_assert_eq!(persons.add_rows(key, &id, rows), number);
            }
            prop_assert_eq!(persons.len(), known.len());
            prop_assert_eq!(persons.rows().collect::<Vec<_>>(), wanted_rows);
            for ((_, id), number) in known {
                prop_assert_eq!(persons.id(number), id);
            }
        }
    }
}
