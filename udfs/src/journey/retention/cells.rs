//! Counts and sums of a report while it is made: they merge in any order to the same result.

use std::collections::HashMap;

use crate::journey::exact_sum::ExactSum;

/// Place of a number in a report; what the parts mean is the report's business.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// Usually a period.
    pub row: i64,
    /// Usually a distance from it.
    pub column: i64,
    /// What else tells places apart; 0 where nothing does.
    pub detail: i64,
}

/// What is known about one place.
#[derive(Debug, Clone, Default)]
pub struct Cell {
    /// People.
    pub people: i64,
    /// Values that `sum` holds.
    pub values: i64,
    /// Sum of a property.
    pub sum: ExactSum,
}

/// What one person adds to one place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contribution {
    /// Where.
    pub place: Place,
    /// Usually 1 or 0; below 0 where people end.
    pub people: i64,
    /// Values in `sum`.
    pub values: i64,
    /// Sum of the person's values; 0.0 without any.
    pub sum: f64,
    /// Which of the person's rows decides the group that this counts for.
    pub decided_by: usize,
}

/// All places of one group.
#[derive(Debug, Clone, Default)]
pub struct Cells {
    cells: HashMap<Place, Cell>,
}

impl Cells {
    /// Adds people and values to a place.
    pub fn add(&mut self, place: Place, people: i64, values: i64, sum: f64) {
        let cell = self.cells.entry(place).or_default();
        cell.people += people;
        cell.values += values;
        if sum != 0.0 {
            cell.sum.add(sum);
        }
    }

    /// The cell at a place, if anything was added there.
    pub fn get(&self, place: Place) -> Option<&Cell> {
        self.cells.get(&place)
    }

    /// People at a place.
    pub fn people(&self, row: i64, column: i64) -> i64 {
        self.get(Place { row, column, detail: 0 }).map_or(0, |cell| cell.people)
    }

    /// All places, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Place, &Cell)> {
        self.cells.iter()
    }

    /// First and last row with a place.
    pub fn row_range(&self) -> Option<(i64, i64)> {
        let first = self.cells.keys().map(|place| place.row).min()?;
        let last = self.cells.keys().map(|place| place.row).max()?;
        Some((first, last))
    }

    /// Bytes on the heap, about.
    pub fn allocated_bytes(&self) -> usize {
        self.cells.capacity() * (size_of::<Place>() + size_of::<Cell>() + 1)
    }
}
