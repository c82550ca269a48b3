use arrow::array::{ArrayRef, Int32Array, Int64Array, StringArray, TimestampMicrosecondArray, UInt64Array};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Schema};
use proptest::prelude::*;

use super::*;
use crate::schema;

/// Day, key, user, time, event id, channel.
type Row = (i32, i64, &'static str, i64, u8, Option<&'static str>);

fn work_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new(schema::EVENT_ID, DataType::Utf8, true),
        Field::new(schema::USER_ID, DataType::Utf8, false),
        Field::new(schema::TS, schema::timestamp_type(), false),
        Field::new("channel", DataType::Utf8, true),
        Field::new(schema::USER_KEY, DataType::Int64, false),
        Field::new(WORK_DAY, DataType::Int32, false),
        Field::new(WORK_ROW, DataType::UInt64, false),
    ]))
}

fn batch(rows: &[(u64, Row)]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(rows.iter().map(|(_, r)| format!("e{}", r.4)))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|(_, r)| r.2))),
        Arc::new(
            TimestampMicrosecondArray::from_iter_values(rows.iter().map(|(_, r)| r.3)).with_timezone("UTC"),
        ),
        Arc::new(StringArray::from_iter(rows.iter().map(|(_, r)| r.5))),
        Arc::new(Int64Array::from_iter_values(rows.iter().map(|(_, r)| r.1))),
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|(_, r)| r.0))),
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|(n, _)| *n))),
    ];
    RecordBatch::try_new(work_schema(), columns).expect("batch")
}

/// What the sorter makes of batches of `size` rows, as text again. `budget`: in batches.
fn sorted(rows: &[Row], size: usize, budget: f64) -> Result<RecordBatch, Error> {
    let numbered: Vec<(u64, Row)> = rows.iter().enumerate().map(|(n, row)| (n as u64, *row)).collect();
    let batches: Vec<RecordBatch> = numbered.chunks(size).map(batch).collect();
    let bytes = batches.iter().map(|b| b.get_array_memory_size() + b.num_rows() * ROW_BYTES).max();
    let dir = tempfile::tempdir().expect("dir");
    let settings = SortSettings {
        work_schema: work_schema(),
        codes: Arc::new(Codes::new(&work_schema())),
        budget_bytes: (bytes.unwrap_or_default() as f64 * budget) as usize,
        temp_dir: dir.path().to_owned(),
        external: Sorters::new(64 << 20, 1, dir.path()),
    };
    let codes = Arc::clone(&settings.codes);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().expect("runtime");
    let found: Result<Vec<RecordBatch>, Error> = runtime.block_on(async {
        let (sender, input) = channel(1);
        let (out, mut sorted) = channel(1);
        let sorting = tokio::task::spawn_blocking(move || run(settings, input, &out));
        for (number, batch) in batches.iter().enumerate() {
            // Some batches stay text, as those of a column that repeats too little do.
            let batch = if number % 3 == 2 { batch.clone() } else { codes.encode(batch).expect("encoded") };
            let _ = sender.send(batch).await;
        }
        drop(sender);
        let mut found = Vec::new();
        while let Some(batch) = sorted.recv().await {
            found.push(codes.decode(&batch?).expect("decoded"));
        }
        sorting.await.expect("ended");
        Ok(found)
    });
    assert_eq!(std::fs::read_dir(dir.path()).expect("dir").count(), 0, "what was spilled is removed");
    Ok(concat_batches(&work_schema(), &found?).expect("one batch"))
}

fn expected(rows: &[Row]) -> RecordBatch {
    let mut numbered: Vec<(u64, Row)> = rows.iter().enumerate().map(|(n, row)| (n as u64, *row)).collect();
    numbered.sort_by_key(|(n, (day, key, user, ts, id, _))| (*day, *key, *user, *ts, format!("e{id}"), *n));
    batch(&numbered)
}

#[test]
fn a_batch_beyond_the_memory_is_an_error() {
    let rows: Vec<Row> = vec![(0, 1, "a", 1, 1, None); 100];
    let error = sorted(&rows, 100, 0.1).expect_err("too little").to_string();
    assert!(error.contains("raise --memory-limit"), "{error}");
}

#[test]
fn many_people_of_one_day_come_in_order_from_disk() {
    let rows: Vec<Row> = (0..60_000_u64)
        .map(|n| {
            let key = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).cast_signed() >> 3 << 3;
            (0, key, "a", (n % 7) as i64, (n % 5) as u8, Some("email"))
        })
        .collect();
    assert_eq!(sorted(&rows, 4_096, 5.0).expect("sorted"), expected(&rows));
}

/// Readers of two files hand on rows of two days, now of one and now of the other.
#[test]
fn of_days_that_grow_together_the_larger_is_written() {
    let of_day = |day| {
        let keys = (0..4_096_u64).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).cast_signed());
        batch(&keys.map(|key| (0, (day, key, "a", 1, 1, None))).collect::<Vec<_>>())
    };
    let batches = [of_day(0), of_day(2)];
    let dir = tempfile::tempdir().expect("dir");
    let batch_bytes = batches[0].get_array_memory_size() + ROW_BYTES;
    let mut sorter = DaySorter::new(SortSettings {
        work_schema: work_schema(),
        codes: Arc::new(Codes::new(&work_schema())),
        budget_bytes: 24 * batch_bytes,
        temp_dir: dir.path().to_owned(),
        external: Sorters::new(64 << 20, 1, dir.path()),
    });
    let mut times = 0;
    for number in 0..200_u64 {
        let before = sorter.held_bytes;
        let day = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63;
        sorter.push(batches[day as usize].clone()).expect("held or written");
        let written = before + batch_bytes - sorter.held_bytes;
        assert!(written == 0 || written * 2 >= before, "{written} of {before} bytes");
        times += usize::from(written > 0);
    }
    assert!(times > 10, "{times}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_is_that_of_the_layout_whatever_the_memory(
        rows in prop::collection::vec(
            (
                0_i32..3,
                prop::sample::select(vec![i64::MIN, -1, 0, 1, i64::MAX]),
                prop::sample::select(vec!["a", "b", "ab"]),
                0_i64..3,
                0_u8..3,
                prop::sample::select(vec![None, Some("email"), Some("paid")]),
            ),
            1..200,
        ),
        size in 1_usize..40,
        budget in prop::sample::select(vec![1.05, 2.0, 5.0, 1000.0]),
    ) {
        let found = sorted(&rows, size, budget).expect("sorted");
        let wanted = expected(&rows);
        for (column, wanted) in found.columns().iter().zip(wanted.columns()) {
            prop_assert_eq!(&cast(column, wanted.data_type()).expect("cast"), wanted);
        }
    }
}
