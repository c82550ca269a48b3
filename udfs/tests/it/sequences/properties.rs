//! Random streams through SQL: partitions, batches and the order of arrival change nothing.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use proptest::prelude::*;

use crate::sql::{context_with, register, table, texts};

/// User, time, event.
type Row = (i64, Option<i64>, Option<&'static str>);

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let event = prop::option::weighted(0.9, prop::sample::select(vec!["a", "b", "c"]));
    prop::collection::vec((0_i64..3, prop::option::weighted(0.9, 0_i64..8), event), 0..40)
}

async fn answers(rows: &[Row], partitions: usize, batch_rows: usize) -> Vec<Vec<Option<String>>> {
    let context = context_with(partitions, batch_rows);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("u", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0)))),
        ("ts", Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.1)))),
        ("e", Arc::new(StringArray::from_iter(rows.iter().map(|row| row.2)))),
    ];
    register(&context, "t", &table(columns), partitions);
    let conditions = "ts, e = 'a', e = 'b', e IN ('b', 'c')";
    let sql = format!(
        "SELECT u, sequence_match('(?1).*(?2)(?t<=3)(?3)', {conditions}) AS m, \
         sequence_count('(?1)(?2)|(?3).(?1)', {conditions}) AS c, \
         sequence_match_events('(?2).*(?1)', 'last', true, {conditions})::text AS e, \
         sequence_match_all('(?1){{1,2}}(?3)', {conditions})::text AS a, \
         sequence_next_node('forward', 'first_match', ts, e, true, e = 'a') AS n, \
         sequence_next_node('backward', 'last_match', ts, e, ts > 2, e = 'b') AS p \
         FROM t GROUP BY u ORDER BY u"
    );
    texts(&context, &sql).await
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn nothing_depends_on_arrival(
        (ordered, shuffled) in rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let expected = runtime.block_on(answers(&ordered, 1, 8192));
        for (partitions, batch_rows) in [(1, 1), (2, 100), (8, 8192)] {
            prop_assert_eq!(&runtime.block_on(answers(&shuffled, partitions, batch_rows)), &expected);
        }
    }
}
