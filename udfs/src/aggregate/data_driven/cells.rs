//! Journeys as counts, between the first step and the second.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, StringArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Decimal128Type, Field, Fields, Int64Type};
use datafusion::common::{Result, exec_err, internal_err};

use crate::aggregate::attribution::{amounts, wide};
use crate::aggregate::buffered::SortedRows;
use crate::journey::markov::Exits;

/// What is kept of a journey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Reduce {
    /// Transitions of a chain that remembers so many keys.
    Transitions(usize),
    /// Its distinct keys.
    Set,
    /// Its distinct keys in the order in which they were touched first.
    Sequence,
    /// All of it.
    Path,
}

/// Names of the fields of a cell: keys; how often the last of them followed the others; what came of the journeys that
/// ended with exactly these (with [`Reduce::Transitions`]: in this state).
pub(crate) const FIELDS: [&str; 5] = ["path", "passes", "conversions", "value", "nulls"];

/// Fields of a cell.
pub(super) fn fields(value: &DataType) -> Fields {
    let [path, passes, conversions, value_name, nulls] = FIELDS;
    Fields::from(vec![
        Field::new(path, DataType::List(item()), true),
        Field::new(passes, DataType::Int64, true),
        Field::new(conversions, DataType::Int64, true),
        Field::new(value_name, wide(value), true),
        Field::new(nulls, DataType::Int64, true),
    ])
}

fn item() -> Arc<Field> {
    Arc::new(Field::new_list_field(DataType::Utf8, true))
}

/// The counts of some keys.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    passes: u64,
    exits: Exits,
    has_value: bool,
}

/// Counts over journeys whose keys have common numbers.
#[derive(Debug)]
pub(super) struct Cells {
    function: &'static str,
    reduce: Reduce,
    collapse: bool,
    cells: HashMap<Vec<u32>, Cell>,
    scratch: Vec<u32>,
}

impl Cells {
    /// `collapse` takes repeats of a key that follow one another for one.
    pub(super) fn new(function: &'static str, reduce: Reduce, collapse: bool) -> Self {
        Self { function, reduce, collapse, cells: HashMap::new(), scratch: Vec::new() }
    }

    /// Adds journeys with these keys.
    pub(super) fn add(&mut self, keys: &[u32], exits: Exits, has_value: bool) -> Result<()> {
        let mut path = std::mem::take(&mut self.scratch);
        path.clear();
        path.extend_from_slice(keys);
        if self.collapse {
            path.dedup();
        }
        match self.reduce {
            Reduce::Path => {}
            Reduce::Set => {
                path.sort_unstable();
                path.dedup();
            }
            Reduce::Sequence => {
                let mut seen = std::collections::HashSet::new();
                path.retain(|key| seen.insert(*key));
            }
            Reduce::Transitions(order) => {
                let Some(count) = exits.conversions.checked_add(exits.nulls) else {
                    return self.too_many();
                };
                for end in 1..=path.len() {
                    self.cell(&path[end.saturating_sub(order + 1)..end], |cell| {
                        cell.passes = cell.passes.checked_add(count)?;
                        Some(())
                    })?;
                }
                path.drain(..path.len().saturating_sub(order));
            }
        }
        let outcome = self.cell(&path, |cell| {
            cell.exits.conversions = cell.exits.conversions.checked_add(exits.conversions)?;
            cell.exits.value = cell.exits.value.checked_add(exits.value)?;
            cell.exits.nulls = cell.exits.nulls.checked_add(exits.nulls)?;
            cell.has_value |= has_value;
            Some(())
        });
        self.scratch = path;
        outcome
    }

    fn cell(&mut self, path: &[u32], change: impl FnOnce(&mut Cell) -> Option<()>) -> Result<()> {
        let changed = match self.cells.get_mut(path) {
            Some(cell) => change(cell),
            None => change(self.cells.entry(path.to_vec()).or_default()),
        };
        if changed.is_none() { self.too_many() } else { Ok(()) }
    }

    fn too_many(&self) -> Result<()> {
        exec_err!("{}: there are more journeys, or there is more value, than can be counted", self.function)
    }

    /// The cells as structs; `names` has the key of each number.
    pub(super) fn finish(self, names: &[&str], value_type: &DataType) -> Result<StructArray> {
        let count = self.cells.len();
        let (mut lengths, mut keys) = (Vec::with_capacity(count), Vec::new());
        let (mut passes, mut conversions, mut nulls) = (Vec::new(), Vec::new(), Vec::new());
        let mut values = Vec::with_capacity(count);
        let number = |count: u64| match i64::try_from(count) {
            Ok(count) => Ok(count),
            Err(_) => exec_err!("{}: there are more journeys than can be counted", self.function),
        };
        for (path, cell) in &self.cells {
            lengths.push(path.len());
            keys.extend(path.iter().map(|key| names.get(*key as usize).copied()));
            passes.push(number(cell.passes)?);
            conversions.push(number(cell.exits.conversions)?);
            nulls.push(number(cell.exits.nulls)?);
            values.push(cell.has_value.then_some(cell.exits.value));
        }
        let paths = ListArray::try_new(
            item(),
            OffsetBuffer::from_lengths(lengths),
            Arc::new(StringArray::from(keys)),
            None,
        )?;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(paths),
            Arc::new(Int64Array::from(passes)),
            Arc::new(Int64Array::from(conversions)),
            amounts(values, &wide(value_type))?,
            Arc::new(Int64Array::from(nulls)),
        ];
        Ok(StructArray::try_new_with_length(fields(value_type), columns, None, count)?)
    }
}

/// The cells of all people, summed up. Keys are numbered in their order.
#[derive(Debug)]
pub(super) struct AllCells {
    pub(super) names: Vec<String>,
    /// Passes and ends by keys.
    pub(super) cells: BTreeMap<Vec<u32>, (u64, Exits)>,
    /// What came of journeys without keys.
    pub(super) none: Exits,
    pub(super) has_value: bool,
}

impl AllCells {
    /// Reads the rows of a group; the columns are those of [`FIELDS`].
    pub(super) fn read(function: &str, rows: &SortedRows, group: std::ops::Range<usize>) -> Result<Self> {
        let integers = |index: usize| rows.column(index).as_primitive_opt::<Int64Type>();
        let (Some(paths), Some(values)) =
            (rows.column(0).as_list_opt::<i32>(), rows.column(3).as_primitive_opt::<Decimal128Type>())
        else {
            return internal_err!("{function}: cells have no paths");
        };
        let (Some(passes), Some(conversions), Some(nulls)) = (integers(1), integers(2), integers(4)) else {
            return internal_err!("{function}: cells have no counts");
        };
        let Some(keys) = paths.values().as_string_opt::<i32>() else {
            return internal_err!("{function}: keys are no text");
        };
        let range = |row: usize| {
            let offset = |row: usize| usize::try_from(paths.value_offsets()[row]).unwrap_or(0);
            offset(row)..offset(row + 1)
        };
        let used = group.clone().flat_map(range).map(|index| keys.value(index));
        let numbers: BTreeMap<&str, u32> = used.map(|key| (key, 0)).collect();
        let names: Vec<String> = numbers.keys().map(|key| (*key).to_owned()).collect();
        let numbers: HashMap<&str, u32> = numbers.keys().copied().zip(0..).collect();
        let mut all = Self { names, cells: BTreeMap::new(), none: Exits::default(), has_value: false };
        for row in group {
            let path: Option<Vec<u32>> =
                range(row).map(|index| numbers.get(keys.value(index)).copied()).collect();
            let Some(path) = path else {
                return internal_err!("{function}: a key has no number");
            };
            let count = |array: &Int64Array| u64::try_from(array.value(row)).unwrap_or(0);
            all.has_value |= values.is_valid(row);
            let value = if values.is_valid(row) { values.value(row) } else { 0 };
            let exits = Exits { conversions: count(conversions), value, nulls: count(nulls) };
            let fits = match path.is_empty() {
                true => add_exits(&mut all.none, exits),
                false => {
                    let (known, ends) = all.cells.entry(path).or_default();
                    add_exits(ends, exits)
                        && known.checked_add(count(passes)).map(|sum| *known = sum).is_some()
                }
            };
            if !fits {
                return exec_err!(
                    "{function}: there are more journeys, or there is more value, than can be counted"
                );
            }
        }
        Ok(all)
    }

    /// The journeys, where cells are journeys.
    pub(super) fn journeys(&self) -> impl Iterator<Item = (&[u32], Exits)> + Clone {
        self.cells.iter().map(|(path, (_, exits))| (path.as_slice(), *exits))
    }
}

fn add_exits(known: &mut Exits, exits: Exits) -> bool {
    let sums = (
        known.conversions.checked_add(exits.conversions),
        known.value.checked_add(exits.value),
        known.nulls.checked_add(exits.nulls),
    );
    let (Some(conversions), Some(value), Some(nulls)) = sums else {
        return false;
    };
    *known = Exits { conversions, value, nulls };
    true
}
