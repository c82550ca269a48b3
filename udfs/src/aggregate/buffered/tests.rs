//! An aggregate that lists its rows: any split, any merge, any emission gives the rows in order.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray, StringArray, StringViewArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use proptest::prelude::*;

use super::accumulator::{BufferedGroups, BufferedOne};

use super::{Call, ConsecutiveGroups, Kept, SortedRows, condition_columns, kept_column};

/// Keeps (time, text) where the time is present; gives "time text, ..." of each group.
#[derive(Debug)]
struct Listing;

impl Call for Listing {
    fn name(&self) -> &'static str {
        "listing"
    }

    fn keep(&self, arguments: &[ArrayRef]) -> Result<Kept> {
        let times = arguments[0].as_primitive::<arrow::datatypes::Int64Type>();
        let present = times.nulls().map(|nulls| nulls.inner().clone());
        let times = Int64Array::new(times.values().clone(), None);
        Ok(Kept { columns: vec![Arc::new(times), kept_column(&arguments[1])?], rows: present })
    }

    fn evaluate(&self, rows: &SortedRows) -> Result<ArrayRef> {
        let times = rows.integers(0)?;
        let texts = rows.column(1).as_string_view();
        let lists = rows.groups().map(|group| {
            let mut list = String::new();
            for row in group {
                let text = if texts.is_null(row) { "NULL" } else { texts.value(row) };
                write!(list, "{} {text}, ", times[row]).unwrap();
            }
            list
        });
        Ok(Arc::new(StringArray::from_iter_values(lists)))
    }
}

/// Group, time, text.
type Row = (usize, Option<i64>, Option<String>);

fn listing() -> BufferedGroups {
    BufferedGroups::new(Arc::new(Listing), vec![DataType::Int64, DataType::Utf8View])
}

fn arguments(rows: &[Row]) -> Vec<ArrayRef> {
    let times: Int64Array = rows.iter().map(|row| row.1).collect();
    let texts: StringArray = rows.iter().map(|row| row.2.as_deref()).collect();
    vec![Arc::new(times), Arc::new(texts)]
}

fn groups_of(rows: &[Row]) -> Vec<usize> {
    rows.iter().map(|row| row.0).collect()
}

fn strings(array: &ArrayRef) -> Vec<String> {
    array.as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect()
}

/// The obvious way.
fn expected(rows: &[Row], group_count: usize) -> Vec<String> {
    let mut lists = Vec::new();
    for group in 0..group_count {
        let mut mine: Vec<(i64, bool, String)> = rows
            .iter()
            .filter(|row| row.0 == group)
            .filter_map(|row| {
                Some((row.1?, row.2.is_none(), row.2.clone().unwrap_or_else(|| "NULL".to_owned())))
            })
            .collect();
        mine.sort();
        lists.push(mine.iter().map(|(time, _, text)| format!("{time} {text}, ")).collect());
    }
    lists
}

const GROUPS: usize = 4;

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let text =
        prop::option::weighted(0.8, prop::sample::select(vec!["a", "b", "a text that is no inline view"]));
    let row =
        (0..GROUPS, prop::option::weighted(0.9, 0_i64..5), text.prop_map(|text| text.map(str::to_owned)));
    prop::collection::vec(row, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn batches_states_and_emission_do_not_matter(
        rows in rows(),
        batch_rows in 1_usize..9,
        ways in prop::collection::vec(0_u8..3, 24),
        emit_first in 0..=GROUPS,
    ) {
        let mut total = listing();
        let mut partial = listing();
        for (batch, way) in rows.chunks(batch_rows).zip(&ways) {
            let groups = groups_of(batch);
            match way {
                0 => total.update_batch(&arguments(batch), &groups, None, GROUPS).unwrap(),
                1 => partial.update_batch(&arguments(batch), &groups, None, GROUPS).unwrap(),
                _ => {
                    let states = total.convert_to_state(&arguments(batch), None).unwrap();
                    total.merge_batch(&states, &groups, GROUPS).unwrap();
                }
            }
        }
        // A partial state in two parts, as when memory is short.
        let first = partial.state(EmitTo::First(emit_first.min(partial.group_count))).unwrap();
        let first_groups: Vec<usize> = (0..first[0].len()).collect();
        total.merge_batch(&first, &first_groups, GROUPS).unwrap();
        let rest = partial.state(EmitTo::All).unwrap();
        let rest_groups: Vec<usize> = (0..rest[0].len()).map(|group| group + first_groups.len()).collect();
        total.merge_batch(&rest, &rest_groups, GROUPS).unwrap();

        let mut found = strings(&total.evaluate(EmitTo::First(emit_first)).unwrap());
        found.extend(strings(&total.evaluate(EmitTo::All).unwrap()));
        prop_assert_eq!(found, expected(&rows, GROUPS));
    }

    #[test]
    fn filters_take_rows_out(rows in rows(), marks in prop::collection::vec(prop::option::of(any::<bool>()), 24)) {
        let filter: BooleanArray = marks.iter().copied().take(rows.len()).collect();
        let kept: Vec<Row> =
            rows.iter().zip(&marks).filter(|(_, mark)| **mark == Some(true)).map(|(row, _)| row.clone()).collect();
        let mut groups = listing();
        groups.update_batch(&arguments(&rows), &groups_of(&rows), Some(&filter), GROUPS).unwrap();
        prop_assert_eq!(strings(&groups.evaluate(EmitTo::All).unwrap()), expected(&kept, GROUPS));

        let states = listing().convert_to_state(&arguments(&rows), Some(&filter)).unwrap();
        let mut merged = listing();
        merged.merge_batch(&states, &groups_of(&rows), GROUPS).unwrap();
        prop_assert_eq!(strings(&merged.evaluate(EmitTo::All).unwrap()), expected(&kept, GROUPS));
    }

    #[test]
    fn consecutive_groups_are_those_of_the_accumulator(
        mut rows in rows(),
        marks in prop::option::of(prop::collection::vec(prop::option::of(any::<bool>()), 24)),
    ) {
        rows.sort_by_key(|row| row.0);
        let filter: Option<BooleanArray> =
            marks.as_ref().map(|marks| marks.iter().copied().take(rows.len()).collect());
        let is_kept = |row: usize| marks.as_ref().is_none_or(|marks| marks[row] == Some(true));
        let kept: Vec<Row> = (0..rows.len()).filter(|row| is_kept(*row)).map(|row| rows[row].clone()).collect();
        let offsets: Vec<u32> =
            (0..=GROUPS).map(|group| rows.partition_point(|row| row.0 < group) as u32).collect();
        let groups = ConsecutiveGroups::of(&listing(), &arguments(&rows), filter.as_ref(), &offsets);
        prop_assert_eq!(strings(&groups.unwrap().unwrap().evaluate().unwrap()), expected(&kept, GROUPS));
    }

    #[test]
    fn one_group_alone(rows in rows(), split in 0_usize..24) {
        let rows: Vec<Row> = rows.into_iter().map(|(_, time, text)| (0, time, text)).collect();
        let (left, right) = rows.split_at(split.min(rows.len()));
        let one = || BufferedOne::new(Arc::new(Listing), vec![DataType::Int64, DataType::Utf8View]);
        let (mut first, mut second) = (one(), one());
        first.update_batch(&arguments(left)).unwrap();
        second.update_batch(&arguments(right)).unwrap();
        let before = second.evaluate().unwrap();
        prop_assert_eq!(&before, &second.evaluate().unwrap(), "evaluating consumes nothing");
        let state: Vec<ArrayRef> =
            second.state().unwrap().iter().map(|value| value.to_array().unwrap()).collect();
        first.merge_batch(&state).unwrap();
        prop_assert_eq!(
            strings(&first.evaluate().unwrap().to_array().unwrap()),
            expected(&rows, 1)
        );
    }
}

#[test]
fn states_that_are_null_hold_no_rows() {
    let offsets = OffsetBuffer::from_lengths([1, 2]);
    let nulls = Some(NullBuffer::from(vec![true, false]));
    let list = |values: ArrayRef| -> ArrayRef {
        let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
        Arc::new(ListArray::new(field, offsets.clone(), values, nulls.clone()))
    };
    let states = [
        list(Arc::new(Int64Array::from(vec![1, 2, 3]))),
        list(Arc::new(StringViewArray::from(vec!["x", "y", "z"]))),
    ];
    let mut groups = listing();
    groups.merge_batch(&states, &[0, 1], 2).unwrap();
    assert_eq!(strings(&groups.evaluate(EmitTo::All).unwrap()), ["1 x, ", ""]);
}

#[test]
fn memory_is_counted_and_released() {
    let mut groups = listing();
    let empty = groups.size();
    let rows: Vec<Row> =
        (0..1_000).map(|time| (0, Some(time), Some("a text that is no inline view".to_owned()))).collect();
    for batch in rows.chunks(10) {
        groups.update_batch(&arguments(batch), &groups_of(batch), None, 1).unwrap();
    }
    let size = groups.size() - empty;
    // 8 bytes of time, 16 of view, 29 of text, 4 of group.
    assert!((57_000..120_000).contains(&size), "{size}");
    groups.evaluate(EmitTo::All).unwrap();
    assert!(groups.size() < empty + 1_000, "{}", groups.size());
}

#[test]
fn conditions_are_packed() {
    let mut conditions: Vec<ArrayRef> = Vec::new();
    for step in 0..70 {
        conditions.push(Arc::new(BooleanArray::from(vec![Some(step == 1), None, Some(step >= 64)])));
    }
    let words = condition_columns(&conditions).unwrap();
    let words: Vec<&[u64]> = words.iter().map(|word| word.values().as_ref()).collect();
    assert_eq!(words, [[2, 0, 0], [0, 0, 0b11_1111]]);
    let rows = SortedRows {
        offsets: vec![0, 3],
        columns: condition_columns(&conditions)
            .unwrap()
            .into_iter()
            .map(|word| Arc::new(word) as ArrayRef)
            .collect(),
    };
    assert_eq!(*rows.sets(0, 2).unwrap(), [2, 0, 0, 0, 0, 0b11_1111]);
}

/// A slice counts by itself, and so does a state that was spilled: its columns share one buffer.
#[test]
fn shared_memory_is_let_go() {
    let rows: Vec<Row> = (0..10_000).map(|time| (0, Some(time), Some("short".to_owned()))).collect();
    let slices: Vec<ArrayRef> = arguments(&rows).iter().map(|column| column.slice(5_000, 100)).collect();
    let mut groups = listing();
    groups.update_batch(&slices, &[0; 100], None, 1).unwrap();
    assert!(groups.size() < 10_000, "{}", groups.size());

    let mut partial = listing();
    partial.update_batch(&arguments(&rows), &groups_of(&rows), None, 1).unwrap();
    let states = partial.state(EmitTo::All).unwrap();
    let columns = states.into_iter().enumerate().map(|(index, state)| (index.to_string(), state));
    let batch = arrow::array::RecordBatch::try_from_iter(columns).unwrap();
    let mut spilled = Vec::new();
    let mut writer = arrow::ipc::writer::FileWriter::try_new(&mut spilled, &batch.schema()).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let mut reader = arrow::ipc::reader::FileReader::try_new(std::io::Cursor::new(spilled), None).unwrap();
    let mut merged = listing();
    merged.merge_batch(reader.next().unwrap().unwrap().columns(), &[0], 1).unwrap();
    // 8 bytes of time, 16 of view, 4 of group.
    assert!(merged.size() < 400_000, "{}", merged.size());
    assert_eq!(strings(&merged.evaluate(EmitTo::All).unwrap()), expected(&rows, 1));
}
