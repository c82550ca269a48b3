//! The accumulator: people, each once, with the values that they have.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt64Array};
use arrow::buffer::{BooleanBuffer, OffsetBuffer};
use arrow::compute::kernels::cmp::eq;
use arrow::datatypes::{DataType, Field, UInt64Type};
use arrow::row::{OwnedRow, RowConverter, SortField};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::Accumulator;

use super::NAME;
use crate::arguments::true_rows;
use crate::journey::event::{insert_step, steps_of, words_for};

/// People of one group.
#[derive(Debug)]
pub(super) struct IntersectAccumulator {
    values: usize,
    person: DataType,
    converter: RowConverter,
    /// Position of a person in `sets`.
    people: HashMap<OwnedRow, usize>,
    people_bytes: usize,
    /// For each person `words` words: the values that the person has.
    sets: Vec<u64>,
    words: usize,
}

impl IntersectAccumulator {
    pub(super) fn try_new(person: DataType, values: usize) -> Result<Self> {
        let converter = RowConverter::new(vec![SortField::new(person.clone())])?;
        Ok(Self {
            values,
            person,
            converter,
            people: HashMap::new(),
            people_bytes: 0,
            sets: Vec::new(),
            words: words_for(values),
        })
    }

    /// Adds to the person of each of `rows` what `insert` puts into their set.
    fn add(
        &mut self,
        people: &ArrayRef,
        rows: impl Iterator<Item = usize>,
        mut insert: impl FnMut(usize, &mut [u64]),
    ) -> Result<()> {
        let keys = self.converter.convert_columns(&[Arc::clone(people)])?;
        for row in rows {
            let next = self.people.len();
            let key = keys.row(row);
            let bytes = key.as_ref().len();
            let person = *self.people.entry(key.owned()).or_insert(next);
            if person == next {
                self.people_bytes += bytes;
                self.sets.resize(self.sets.len() + self.words, 0);
            }
            insert(row, &mut self.sets[person * self.words..(person + 1) * self.words]);
        }
        Ok(())
    }
}

impl Accumulator for IntersectAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [people, dim, values @ ..] = values else {
            return internal_err!("{NAME} was called with {} columns", values.len());
        };
        let mut has: Vec<BooleanBuffer> = Vec::with_capacity(values.len());
        for value in values {
            has.push(true_rows(&eq(dim, value)?));
        }
        let Some(any) = has.iter().cloned().reduce(|left, right| &left | &right) else {
            return internal_err!("{NAME} was called without values");
        };
        let nulls = people.logical_nulls();
        let is_person = |row: &usize| nulls.as_ref().is_none_or(|nulls| nulls.is_valid(*row));
        let rows: Vec<usize> = any.set_indices().filter(is_person).collect();
        self.add(people, rows.into_iter(), |row, set| {
            for (value, has) in has.iter().enumerate() {
                if has.value(row) {
                    insert_step(set, value + 1);
                }
            }
        })
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [people, sets] = states else {
            return internal_err!("{NAME}: a state has two columns, got {}", states.len());
        };
        let (Some(people), Some(sets)) = (people.as_list_opt::<i32>(), sets.as_list_opt::<i32>()) else {
            return internal_err!("{NAME}: a state has no lists");
        };
        for state in 0..people.len() {
            let (people, sets) = (people.value(state), sets.value(state));
            let Some(sets) = sets.as_primitive_opt::<UInt64Type>() else {
                return internal_err!("{NAME}: a state has sets of type {}", sets.data_type());
            };
            let words = self.words;
            if sets.len() != people.len() * words {
                return internal_err!("{NAME}: a state has {} people and {} words", people.len(), sets.len());
            }
            self.add(&people, 0..people.len(), |row, set| {
                for (word, bits) in set.iter_mut().zip(&sets.values()[row * words..]) {
                    *word |= bits;
                }
            })?;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let all = self.sets.chunks_exact(self.words).filter(|set| steps_of(set).count() == self.values);
        Ok(ScalarValue::Int64(i64::try_from(all.count()).ok()))
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut people: Vec<(&OwnedRow, usize)> =
            self.people.iter().map(|(person, position)| (person, *position)).collect();
        people.sort_unstable_by_key(|(_, position)| *position);
        let people = self.converter.convert_rows(people.iter().map(|(person, _)| person.row()))?;
        let Some(people) = people.into_iter().next() else {
            return internal_err!("{NAME}: no column of people");
        };
        let list = |values: ArrayRef, item: &DataType| -> Result<ScalarValue> {
            let offsets = OffsetBuffer::from_lengths([values.len()]);
            let field = Arc::new(Field::new_list_field(item.clone(), true));
            Ok(ScalarValue::List(Arc::new(ListArray::try_new(field, offsets, values, None)?)))
        };
        let sets: ArrayRef = Arc::new(UInt64Array::from(self.sets.clone()));
        Ok(vec![list(people, &self.person)?, list(sets, &DataType::UInt64)?])
    }

    fn size(&self) -> usize {
        let entries = self.people.capacity() * (size_of::<(OwnedRow, usize)>() + 1);
        size_of_val(self) + entries + self.people_bytes + self.sets.capacity() * 8 + self.converter.size()
    }
}
