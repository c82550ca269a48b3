//! The sequence functions in SQL: names of conditions, arguments, types, errors.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array};

use crate::sql::{context, error, explained_error, lists, number, numbers, table, texts};

/// A visit: user 1 looks, puts into the cart, pays, looks again; user 2 looks and pays later.
const DATA: &str = "(VALUES
    (1, TIMESTAMP '2024-01-01 00:00:00', 'view'), (1, TIMESTAMP '2024-01-01 00:05:00', 'add to cart'),
    (1, TIMESTAMP '2024-01-01 00:06:00', 'pay'), (1, TIMESTAMP '2024-01-01 00:07:00', 'view'),
    (2, TIMESTAMP '2024-01-01 00:00:00', 'view'), (2, TIMESTAMP '2024-01-01 01:00:00', 'pay'),
    (2, NULL, 'add to cart')) AS t (u, ts, event)";

async fn by_user(call: &str) -> Vec<Option<i64>> {
    let rows = numbers(&context(), &format!("SELECT {call} FROM {DATA} GROUP BY u ORDER BY u")).await;
    rows.into_iter().map(|row| row[0]).collect()
}

#[tokio::test]
async fn conditions_have_names() {
    let yes_no = [Some(1), Some(0)];
    let conditions = "event = 'view', event = 'add to cart', event = 'pay'";
    for call in [
        format!("sequence_match('(?1).*(?2).*(?3)', ts, {conditions})"),
        format!("sequence_match('(?view).*(?add to cart).*(?pay)', ts, {conditions})"),
        format!("sequence_match('(?view)(?!pay)(?pay)', ts, {conditions})"),
        format!("sequence_match('(?view).*(?pay)(?T<=6m)', ts, [{conditions}])"),
        "sequence_match('(?look)(?t<=6m)(?buy)', ts, named_struct('look', event = 'view', 'buy', event = 'pay'))"
            .to_owned(),
        "sequence_match('(?look)(?t<=6m)(?buy)', ts, named_struct('buy', event LIKE 'p%', 'look', event = 'view'))"
            .to_owned(),
        format!("sequencematch(pattern => '(?view).*(?pay).*(?view)', ts => ts, cond1 => [{conditions}])"),
        format!("sequence_match(ts => ts, keep_unmatched => true, pattern => '(?1)(?2)', {conditions})"),
    ] {
        assert_eq!(by_user(&call).await, yes_no, "{call}");
    }
    // The name of a condition that is turned round or cast.
    assert_eq!(
        by_user("sequence_count('(?view)', ts, 'view' = event, event::text = 'pay')").await,
        [Some(2), Some(1)]
    );
}

#[tokio::test]
async fn unmatched_rows_are_kept_on_demand() {
    let count =
        |keep: &str| format!("sequence_count('(?view)(?pay)', {keep}ts, event = 'view', event = 'pay')");
    assert_eq!(by_user(&count("")).await, [Some(1), Some(1)]);
    assert_eq!(by_user(&count("false, ")).await, [Some(1), Some(1)]);
    assert_eq!(by_user(&count("NULL, ")).await, [Some(1), Some(1)]);
    // The cart lies between; the row without a time never does.
    assert_eq!(by_user(&count("true, ")).await, [Some(0), Some(1)]);
}

#[tokio::test]
async fn events_of_one_match_or_of_all() {
    let sql = |call: &str| {
        format!("SELECT {call} FROM (VALUES (1, 'a'), (2, 'b'), (3, 'b'), (4, 'a'), (5, 'b')) AS t (ts, e)")
    };
    let conditions = "ts, e = 'a', e = 'b'";
    for (call, expected) in [
        (format!("sequence_match_events('(?a).*(?b)', {conditions})"), vec![1, 2]),
        (format!("sequence_match_events('(?a).*(?b)', 'first', {conditions})"), vec![1, 2]),
        (format!("sequence_match_events('(?a).*(?b)', 'LAST', {conditions})"), vec![4, 5]),
        (format!("sequence_match_events('(?a).*(?b)', 'last', true, {conditions})"), vec![4, 5]),
        (format!("sequence_match_events('(?a).*(?b)', NULL, NULL, {conditions})"), vec![1, 2]),
        (format!("sequence_match_events('(?a).(?b)', {conditions})"), vec![1, 3]),
        (format!("sequence_match_events('(?b)(?b)(?b)', {conditions})"), vec![]),
        (
            format!(
                "array_concat(sequence_match_all('(?a).*(?b)', {conditions})[1], sequence_match_all('(?a).*(?b)', {conditions})[2])"
            ),
            vec![1, 2, 4, 5],
        ),
    ] {
        assert_eq!(lists(&context(), &sql(&call)).await, [expected], "{call}");
    }
    let count = sql(&format!("cardinality(sequence_match_all('(?a).*(?b)', {conditions})) / 2"));
    assert_eq!(number(&context(), &count).await, Some(2));
    let types = "SELECT arrow_typeof(sequence_match('(?1)', ts, true)), arrow_typeof(sequence_count('(?1)', ts, true)), \
         arrow_typeof(sequence_match_events('(?1)', ts, true)), arrow_typeof(sequence_match_all('(?1)', ts, true)) \
         FROM (VALUES (to_timestamp_millis(1))) AS t (ts)";
    let types: Vec<String> = texts(&context(), types).await.remove(0).into_iter().flatten().collect();
    assert_eq!(types[..2], ["Boolean", "Int64"]);
    assert!(types[2].starts_with("List(") && types[2].contains("Timestamp(ms)"), "{types:?}");
    assert!(types[3].starts_with("List(") && types[3].contains("List("), "{types:?}");
}

#[tokio::test]
async fn no_rows() {
    let context = context();
    let of = |call: &str| format!("SELECT {call} FROM (VALUES (1, true)) AS t (ts, a) WHERE ts > 1");
    assert_eq!(number(&context, &of("sequence_match('(?1)', ts, a)")).await, Some(0));
    assert_eq!(number(&context, &of("sequence_count('.', ts, a)")).await, Some(0));
    assert_eq!(number(&context, &of("cardinality(sequence_match_all('(?1)', ts, a))")).await, Some(0));
    assert_eq!(number(&context, &of("sequence_next_node('forward', 'head', ts, ts, a)")).await, None);
    // Rows, but none with a time.
    let of = |call: &str| format!("SELECT {call} FROM (VALUES (NULL::bigint, true)) AS t (ts, a)");
    assert_eq!(number(&context, &of("sequence_match('.', ts, a)")).await, Some(0));
}

#[tokio::test]
async fn rows_of_one_instant() {
    let sql = |call: &str| {
        format!("SELECT {call} FROM (VALUES (1, 2, 'a'), (1, 1, 'b'), (1, 3, 'c')) AS t (ts, id, e)")
    };
    for (call, expected) in [
        ("sequence_match('(?1)(?2)(?3)', ts, e = 'a', e = 'b', e = 'c')", 1),
        ("sequence_match('(?2)(?1)(?3)', ts, e = 'a', e = 'b', e = 'c')", 0),
        ("sequence_match('(?1)(?2)(?3)', ts, id, e = 'a', e = 'b', e = 'c')", 0),
        ("sequence_match('(?2)(?1)(?3)', ts, id, e = 'a', e = 'b', e = 'c')", 1),
        (
            "sequence_match('(?2)(?1)(?3)', ts => ts, sequence => id, cond1 => e = 'a', cond2 => e = 'b', cond3 => e = 'c')",
            1,
        ),
    ] {
        assert_eq!(number(&context(), &sql(call)).await, Some(expected), "{call}");
    }
}

#[tokio::test]
async fn many_conditions() {
    let count = 130;
    let rows: Vec<String> = (1..=count).map(|row| format!("({row})")).collect();
    let conditions: Vec<String> = (1..=count).map(|row| format!("ts = {row}")).collect();
    let sql = |ts: &str| {
        format!(
            "SELECT sequence_count('(?1).*(?64)(?65).*(?128)(?129)(?130)', {ts}, {}) FROM (VALUES {}) AS t (ts)",
            conditions.join(", "),
            rows.join(", ")
        )
    };
    assert_eq!(number(&context(), &sql("ts")).await, Some(1));
    // All at one instant: in the order of the conditions.
    assert_eq!(number(&context(), &sql("0 * ts")).await, Some(1));
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    let context = context();
    for (call, message) in [
        (
            "sequence_match('(?0)', ts, a)",
            "sequence_match: pattern '(?0)', at character 1: there is no condition 0",
        ),
        ("sequence_match('(?1', ts, a)", "at character 1: this '(' has no matching ')'"),
        (
            "sequence_count('(?1)(?2)', ts, a)",
            "sequence_count: pattern '(?1)(?2)', at character 5: there is no condition 2",
        ),
        (
            "sequence_match('(?x)', ts, a)",
            "there is no condition named 'x'; none of the 1 conditions has a name",
        ),
        ("sequence_match('(?x)', ts, e = 'y', a)", "there is no condition named 'x'; there are 'y'"),
        (
            "sequence_match('(?x)', ts, named_struct('y', a))",
            "there is no condition named 'x'; there are 'y'",
        ),
        ("sequence_match('(?1)(?t<5x)(?1)', to_timestamp(ts), a)", "'x' is no unit of time"),
        ("sequence_match('(?1)(?t<5s)(?1)', ts, a)", "times are integers here"),
        ("sequence_match('', ts, a)", "sequence_match: pattern '', at character 1: the pattern is empty"),
        ("sequence_count('  ', ts, a)", "at character 1: the pattern is empty"),
        ("sequence_match(NULL, ts, a)", "sequence_match: pattern must not be NULL"),
        ("sequence_match(e, ts, a)", "sequence_match: pattern must be a constant"),
        ("sequence_match(1, ts, a)", "sequence_match: pattern must be text such as '(?1).*(?2)', got Int64"),
        ("sequence_match('(?1)', ts)", "needs a pattern, a time and at least one condition"),
        ("sequence_match('(?1)', e, a)", "ts must be a timestamp, a date or an integer, got Utf8"),
        ("sequence_match('(?1)', ts, a, e)", "condition 2 must be a boolean, got Utf8"),
        ("sequence_match('(?1)', ts, l)", "must be written out in the call"),
        ("sequence_match_events('(?1)', 'best', ts, a)", "which must be 'first' or 'last', got 'best'"),
        ("sequence_match('(?1)', a, ts, a)", "keep_unmatched must be a constant"),
        ("sequence_match(DISTINCT '(?1)', ts, a)", "sequence_match does not take DISTINCT"),
        (
            "sequence_next_node('up', 'head', ts, e, a)",
            "direction must be one of 'forward', 'backward', got up",
        ),
        (
            "sequence_next_node('forward', 'foot', ts, e, a)",
            "base must be one of 'head', 'tail', 'first_match', 'last_match'",
        ),
        ("sequence_next_node('forward', 'tail', ts, e, a)", "nothing comes after the last row"),
        (
            "sequence_next_node('forward', 'head', ts, e)",
            "needs a direction, a base, a time, a value and a base condition",
        ),
        (
            "sequence_next_node('forward', 'head', ts, e, a, e)",
            "event1 must be a condition (BOOLEAN), got Utf8",
        ),
    ] {
        let sql = format!("SELECT {call} FROM (VALUES (1, 'x', true, [true])) AS t (ts, e, a, l)");
        let found = error(&context, &sql).await;
        assert!(found.contains(message), "{call}: {found}");
        let explained = explained_error(&context, &sql).await;
        assert!(explained.contains(message), "{call}: {explained}");
    }
}

#[tokio::test]
async fn as_a_window_function() {
    let sql = "SELECT ts, sequence_count('(?1)(?2)', ts, e = 'a', e = 'b') OVER (ORDER BY ts) \
               FROM (VALUES (1, 'a'), (2, 'b'), (3, 'a'), (4, 'b')) AS t (ts, e) ORDER BY ts";
    let rows = numbers(&context(), sql).await;
    let counts: Vec<Option<i64>> = rows.iter().map(|row| row[1]).collect();
    assert_eq!(counts, [Some(0), Some(1), Some(1), Some(2)]);
}

/// One person with a million rows.
#[tokio::test]
async fn a_long_stream() {
    let count = 1_000_000;
    let context = context();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("ts", Arc::new(Int64Array::from_iter_values(0..count))),
        ("a", Arc::new(BooleanArray::from_iter((0..count).map(|row| Some(row % 2 == 0))))),
    ];
    let batch = table(columns);
    let memory = datafusion::datasource::MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap();
    context.register_table("long", Arc::new(memory)).unwrap();
    let started = std::time::Instant::now();
    let sql = "SELECT sequence_count('(?1).*((?2).*(.*(?1))*)*.*(?3)', ts, a, NOT a, ts < 0) FROM long";
    assert_eq!(number(&context, sql).await, Some(0));
    assert!(started.elapsed().as_secs() < 60, "{:?}", started.elapsed());
}
