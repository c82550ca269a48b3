//! The results of the sequence functions, from the sorted rows of the groups.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, Int64Array, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::Field;
use datafusion::common::{Result, resources_err};

use super::Kind;
use super::call::SequenceCall;
use crate::aggregate::buffered::SortedRows;
use crate::journey::sequence::Search;

/// One value for each group.
pub(super) fn evaluate(call: &SequenceCall, rows: &SortedRows) -> Result<ArrayRef> {
    let words = call.words();
    let times = rows.integers(0)?;
    let sets = call.sets(rows)?;
    let mut search = Search::new(&call.pattern, words);
    let groups =
        rows.groups().map(|group| (&times[group.clone()], &sets[group.start * words..group.end * words]));
    Ok(match call.kind {
        Kind::Match => {
            let found: Vec<bool> = groups.map(|(times, sets)| search.is_match(times, sets)).collect();
            Arc::new(BooleanArray::from(found))
        }
        Kind::Count => {
            let counts =
                groups.map(|(times, sets)| i64::try_from(search.count(times, sets)).unwrap_or(i64::MAX));
            Arc::new(Int64Array::from_iter_values(counts))
        }
        Kind::Events => {
            let mut lists = Lists::default();
            let mut events = Vec::new();
            for (times, sets) in groups {
                search.find(call.which, times, sets, &mut events);
                lists.push(events.iter().map(|row| times[*row]));
            }
            lists.finish(call)?
        }
        Kind::AllEvents => {
            let mut lists = Lists::default();
            let mut lengths = Vec::with_capacity(rows.group_count());
            let mut events = Vec::new();
            for (times, sets) in groups {
                search.begin(times, sets);
                let before = lists.lengths.len();
                while search.next_match(times, sets, &mut events).is_some() {
                    lists.push(events.iter().map(|row| times[*row]));
                }
                lengths.push(lists.lengths.len() - before);
            }
            list(call, &lengths, lists.finish(call)?)?
        }
    })
}

/// Lists of times as they are built.
#[derive(Debug, Default)]
struct Lists {
    lengths: Vec<usize>,
    ticks: Vec<i64>,
}

impl Lists {
    fn push(&mut self, ticks: impl Iterator<Item = i64>) {
        let before = self.ticks.len();
        self.ticks.extend(ticks);
        self.lengths.push(self.ticks.len() - before);
    }

    fn finish(self, call: &SequenceCall) -> Result<ArrayRef> {
        let ticks: ArrayRef = Arc::new(Int64Array::from(self.ticks));
        list(call, &self.lengths, cast(&ticks, &call.ts_type)?)
    }
}

fn list(call: &SequenceCall, lengths: &[usize], values: ArrayRef) -> Result<ArrayRef> {
    if i32::try_from(values.len()).is_err() {
        return resources_err!(
            "{}: the lists of one partition hold {} values, the limit is {}; use more partitions",
            call.kind.name(),
            values.len(),
            i32::MAX
        );
    }
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths(lengths.iter().copied());
    Ok(Arc::new(ListArray::try_new(field, offsets, values, None)?))
}
