//! Rows of a bucket, person by person: against grouping row by row.

use std::collections::BTreeMap;

use arrow::array::{Decimal128Array, DictionaryArray, Int64Array, StringViewArray};
use arrow::datatypes::{Decimal128Type, Field, Int32Type, Int64Type, Schema};
use proptest::prelude::*;

use super::*;
use crate::people::columns::without_values;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("n", DataType::Int64, true),
        Field::new("user_id", coded_type(), false),
        Field::new("event", coded_type(), true),
        Field::new("page", DataType::Utf8View, true),
        Field::new("revenue", DataType::Decimal128(18, 4), true),
        Field::new("not_read", DataType::Utf8View, true),
    ]))
}

type Row = (u8, Option<i64>, Option<u8>, Option<u8>);

/// Events as codes into a dictionary of their values, or into one of more values than a byte has, of which one is NULL.
fn events(rows: &[Row], has_many: bool) -> DictionaryArray<Int32Type> {
    if !has_many {
        let events: Vec<Option<String>> =
            rows.iter().map(|row| row.2.map(|event| format!("e{event}"))).collect();
        return events.iter().map(|event| event.as_deref()).collect();
    }
    let values: StringArray = (0..300).map(|value| (value < 299).then(|| format!("e{value}"))).collect();
    let keys = rows.iter().map(|row| match row.2 {
        None if row.0 % 2 == 0 => None,
        event => Some(event.map_or(299, i32::from)),
    });
    DictionaryArray::new(keys.collect(), Arc::new(values))
}

fn batch(rows: &[Row], has_many: bool) -> RecordBatch {
    let users: DictionaryArray<Int32Type> = rows
        .iter()
        .map(|row| format!("u{}", row.0))
        .map(Some)
        .collect::<Vec<_>>()
        .iter()
        .map(|u| u.as_deref())
        .collect();
    let pages = rows.iter().map(|row| row.3.map(|page| format!("/a/long/path/of/pages/{page}")));
    let revenue: Decimal128Array = rows.iter().map(|row| row.1.map(i128::from)).collect();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>()),
        Arc::new(users),
        Arc::new(events(rows, has_many)),
        Arc::new(pages.collect::<StringViewArray>()),
        Arc::new(revenue.with_data_type(DataType::Decimal128(18, 4))),
        Arc::new(NullArray::new(rows.len())),
    ];
    RecordBatch::try_new(without_values(&schema(), &[5]), columns).unwrap()
}

/// The rows as they are in an assembled batch, by person.
fn rows_of(assembled: &Assembled) -> BTreeMap<String, Vec<Row>> {
    let batch = &assembled.batch;
    let text = |column: usize, row: usize| {
        let codes = batch.column(column).as_dictionary::<Int32Type>();
        let values = codes.values().as_string::<i32>();
        codes.key(row).map(|key| values.value(key).to_owned())
    };
    let number = |text: String| text[1..].parse::<u8>().unwrap();
    let mut found: BTreeMap<String, Vec<Row>> = BTreeMap::new();
    for (person, id) in assembled.persons.ids().iter().enumerate() {
        let range = assembled.offsets[person] as usize..assembled.offsets[person + 1] as usize;
        let rows = range.map(|row| {
            assert_eq!(text(1, row).as_deref(), id);
            assert!(batch.column(5).as_string_view().is_null(row));
            let n = batch.column(0).as_primitive::<Int64Type>();
            let n = n.is_valid(row).then(|| n.value(row));
            let revenue = batch.column(4).as_primitive::<Decimal128Type>();
            assert_eq!(revenue.is_valid(row).then(|| revenue.value(row)), n.map(i128::from));
            let page = batch.column(3).as_string_view();
            let page =
                page.is_valid(row).then(|| page.value(row).rsplit('/').next().unwrap().parse().unwrap());
            (number(id.unwrap().to_owned()), n, text(2, row).map(number), page)
        });
        found.insert(id.unwrap().to_owned(), rows.collect());
    }
    found
}

proptest! {
    #[test]
    fn each_person_has_its_rows_in_order(
        chunks in prop::collection::vec(
            prop::collection::vec(
                (0_u8..6, prop::option::of(any::<i64>()), prop::option::of(0_u8..4), prop::option::of(any::<u8>())),
                0..30,
            ),
            0..6,
        ),
        left_out in 0_u8..6,
        are_sorted in any::<bool>(),
        many_values in any::<[bool; 2]>(),
        slice_bits in prop::array::uniform2(0_u8..5),
    ) {
        let mut gathering = Vec::new();
        let mut expected: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        for (number, mut chunk) in chunks.into_iter().enumerate() {
            if are_sorted {
                chunk.sort_by_key(|row| row.0);
            }
            for row in chunk.iter().filter(|row| row.0 != left_out) {
                expected.entry(format!("u{}", row.0)).or_default().push(*row);
            }
            let key = |id: &str| (id[1..].parse::<i64>().unwrap() / 2) << 61;
            let belongs = |id: &str| Ok((id != format!("u{left_out}")).then_some(key(id)));
            let batch = batch(&chunk, many_values[number % 2]);
            gathering.push(Chunk::new(&batch, 1, Slices::with_bits(0, slice_bits[0]), belongs).unwrap());
        }
        let is_empty = gathering.is_empty();
        let slices = Slices::with_bits(0, slice_bits[1]);
        let gathered = Gathered::new(schema(), 1, gathering, slices).unwrap();
        if are_sorted && !is_empty {
            prop_assert_eq!(gathered.slices(), 1 << slice_bits[0].min(slice_bits[1]));
        }
        let mut found = BTreeMap::new();
        let mut before = Before::default();
        for slice in 0..gathered.slices() {
            let assembled = gathered.assemble(slice, &mut before).unwrap();
            let people = rows_of(&assembled);
            prop_assert_eq!(assembled.batch.num_rows(), people.values().map(Vec::len).sum::<usize>());
            for (person, rows) in people {
                prop_assert_eq!(found.insert(person, rows), None);
            }
            before.take_back(assembled);
        }
        prop_assert_eq!(found, expected);
    }
}
