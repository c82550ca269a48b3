//! Wrong arguments are plan errors that name the argument and say what is allowed.

use crate::sql::{context, error};

const DATA: &str = "(SELECT 1 AS user_id, TIMESTAMP '2024-05-01 10:00:00' AS ts, 'visit' AS event, 2.5 AS v)";

/// Arguments of each function, and what the error says.
const WRONG: [(&str, &str, &str); 41] = [
    (
        "retention_matrix",
        "period => 'fortnight'",
        "argument period must be one of 'hour', 'day', 'week', 'month', 'quarter', 'year', got 'fortnight'",
    ),
    ("retention_matrix", "period => event", "argument period must be a constant"),
    ("retention_matrix", "period => 7", "argument period must be text, got 7"),
    ("retention_matrix", "periods => 0", "argument periods must be a whole number from 1 to 10000, got 0"),
    ("retention_matrix", "periods => -3", "argument periods must be a whole number from 1 to 10000, got -3"),
    ("retention_matrix", "periods => 2.5", "argument periods must be a whole number"),
    (
        "retention_matrix",
        "kind => 'rolling'",
        "argument kind must be one of 'recurring', 'first_time', 'first_ever', got 'rolling'",
    ),
    ("retention_matrix", "mode => 'after'", "argument mode must be one of 'on', 'on_or_after', got 'after'"),
    (
        "retention_matrix",
        "from => DATE '2024-05-02', to => DATE '2024-05-02'",
        "argument to must be later than from: the range is empty",
    ),
    ("retention_matrix", "windows => '25h'", "argument windows must be one of 'calendar', '24h', got '25h'"),
    (
        "retention_matrix",
        "brackets => [1, 0]",
        "argument brackets must be a list of whole numbers from 1 to 10000",
    ),
    ("retention_matrix", "brackets => []", "argument brackets must have from 1 to 1000 numbers, got 0"),
    ("retention_matrix", "brackets => [1, v]", "argument brackets must be a list of whole numbers"),
    (
        "retention_matrix",
        "brackets => [1], periods => 3",
        "give either argument periods or argument brackets",
    ),
    ("retention_matrix", "min_events => 0", "argument min_events must be a whole number from 1"),
    ("retention_matrix", "value => event", "argument value must be a number, got Utf8"),
    (
        "retention_matrix",
        "timezone => 'Mars/Phobos'",
        "argument timezone must be a time zone such as 'Europe/Berlin'",
    ),
    (
        "retention_matrix",
        "period => 'week', week_start => 'friday'",
        "argument week_start must be one of 'monday', 'sunday', got 'friday'",
    ),
    ("retention_matrix", "week_start => 'sunday'", "argument week_start is for period => 'week' only"),
    (
        "retention_matrix",
        "target => 5",
        "argument target: 5 must be a condition or the name of an event in quotes, got Int64",
    ),
    ("retention_matrix", "returning => v", "argument returning: v must be a condition"),
    (
        "retention_matrix",
        "target => count(*) > 1",
        "argument target must be computed from single rows; it holds an aggregate function",
    ),
    ("retention_matrix", "ts => v::int", "ts must be a timestamp or a date, got Int32"),
    ("retention_matrix", "ts => event", "ts must be a timestamp, a date or an integer, got Utf8"),
    ("retention_matrix", "ts => ts::date, period => 'hour'", "argument period is 'hour', but ts is a date"),
    ("retention_matrix", "from => 3", "argument from must be a timestamp or a date, got Int64"),
    ("retention_matrix", "to => ts", "argument to must be a constant"),
    (
        "retention_matrix",
        "as_of => INTERVAL '1 day'",
        "argument as_of must be a timestamp or a date, got Interval",
    ),
    (
        "retention_matrix",
        "from => 'yesterday'",
        "argument from must be a timestamp or a date, such as TIMESTAMP",
    ),
    ("retention_matrix", "cohort => true", "has no argument cohort; it has data, target, returning, period"),
    ("retention_matrix", "per => nobody", "No field named nobody"),
    ("retention_matrix", "period = 'day'", "compares; to give the argument write period => 'day'"),
    ("stickiness", "period => 'decade'", "argument period must be one of"),
    ("stickiness", "periods => 3", "has no argument periods"),
    ("stickiness", "target => v", "argument target: v must be a condition"),
    ("lifecycle", "first_seen => v", "argument first_seen must be a timestamp or a date, got Float64"),
    (
        "lifecycle",
        "period => 'day', week_start => 'monday'",
        "argument week_start is for period => 'week' only",
    ),
    ("lifecycle", "ts => 5", "ts must be a timestamp or a date, got Int64"),
    ("active_users", "period => 'week'", "has no argument period"),
    ("active_users", "timezone => 3", "argument timezone must be text, got 3"),
    ("active_users", "to => 4", "argument to must be a timestamp or a date"),
];

#[tokio::test]
async fn wrong_arguments_are_plan_errors() {
    let context = context();
    for (function, arguments, expected) in WRONG {
        // EXPLAIN plans and runs nothing.
        let text = error(&context, &format!("EXPLAIN SELECT * FROM {function}({DATA}, {arguments})")).await;
        assert!(text.contains(expected), "{function}({arguments}): {text}");
        let is_named = text.contains(function) || text.contains("No field named");
        assert!(is_named, "{function}({arguments}): {text}");
    }
}

#[tokio::test]
async fn data_without_people_or_times_is_refused() {
    let context = context();
    for function in ["retention_matrix", "stickiness", "lifecycle", "active_users"] {
        let sql = format!("SELECT * FROM {function}((SELECT DATE '2024-05-01' AS ts))");
        let text = error(&context, &sql).await;
        assert!(text.contains("the data has no column user_id"), "{text}");
        assert!(text.contains("say what to use with per => expression"), "{text}");
        let text = error(&context, &format!("SELECT * FROM {function}((SELECT 1 AS user_id))")).await;
        assert!(text.contains("say what to use with ts => expression"), "{text}");
        let text = error(&context, &format!("SELECT * FROM {function}()")).await;
        assert!(text.contains("needs data as its first argument"), "{text}");
        let sql = format!(
            "SELECT * FROM {function}((SELECT 1 AS user_id, DATE '2024-05-01' AS ts), target => 'buy')"
        );
        let text = error(&context, &sql).await;
        assert!(text.contains("the data has no column event"), "{text}");
    }
}

/// Aggregates say the same things in their way.
#[tokio::test]
async fn wrong_arguments_of_aggregates_are_plan_errors() {
    let context = context();
    for (call, expected) in [
        ("retention()", "retention needs at least one condition"),
        ("retention(v > 1, 2)", "retention: condition 2 must be a boolean, got Int64"),
        ("retention([v])", "retention: condition 1 must be a boolean"),
        ("retention([])", "retention: condition 1 must be a boolean, got List"),
        ("intersect_count(user_id)", "intersect_count needs a person and a dimension"),
        ("intersect_count(user_id, event)", "intersect_count needs at least one value"),
        ("intersect_count(user_id, event, [1])", "intersect_count: value 1 must be comparable with dim"),
    ] {
        let text = error(&context, &format!("EXPLAIN SELECT {call} FROM {DATA}")).await;
        assert!(text.contains(expected), "{call}: {text}");
    }
}
