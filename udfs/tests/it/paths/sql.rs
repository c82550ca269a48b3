//! The functions of paths in SQL: arguments, types, errors.

use datafusion::prelude::SessionContext;

use crate::sql::{context, error, plan, texts};

/// Two people: minutes, pages, what they do.
const DATA: &str = "((SELECT u AS user_id, to_timestamp_seconds(1704067200 + m * 60) AS ts, event, page,
        m AS minute, revenue::decimal(10, 2) AS revenue, u % 2 AS odd FROM (VALUES
    (1, 0, 'view', '/', NULL), (1, 1, 'view', '/item/1', NULL), (1, 2, 'view', '/item/1/', NULL),
    (1, 3, 'view', '/cart', NULL), (1, 4, 'buy', '/cart', 9.90), (1, 5, 'view', '/help/faq', NULL),
    (1, 60, 'view', '/', NULL),
    (2, 0, 'view', '/', NULL), (2, 31, 'view', '/item/2', 0.10), (2, 32, 'ping', NULL, NULL), (2, 61, 'view', '/cart', NULL)
  ) AS t (u, m, event, page, revenue))";

async fn rows_of(context: &SessionContext, sql: &str) -> Vec<String> {
    let rows = texts(context, sql).await;
    let cell = |cell: Option<String>| cell.unwrap_or_else(|| "NULL".to_owned());
    rows.into_iter().map(|row| row.into_iter().map(cell).collect::<Vec<_>>().join(" | ")).collect()
}

/// `path` and `count` of top_paths, in order.
async fn top(arguments: &str) -> Vec<String> {
    rows_of(
        &context(),
        &format!("SELECT path, count FROM top_paths{DATA}, {arguments}) ORDER BY count DESC, path"),
    )
    .await
}

#[tokio::test]
async fn within_what_paths_are_formed() {
    // A ping has no page, but the session goes on.
    let sessions = ["/ | 2", "/ > /item/1 > /item/1/ > /cart > /cart > /help/faq | 1", "/item/2 > /cart | 1"];
    assert_eq!(top("node => page").await, sessions);
    assert_eq!(top("page, 'SESSION'").await, sessions);
    assert_eq!(top("page, gap => INTERVAL '10 hours'").await.len(), 2);
    assert_eq!(top("page, gap => INTERVAL '28 minutes'").await.len(), 4);
    assert_eq!(
        top("page, per => 'person'").await,
        ["/ > /item/1 > /item/1/ > /cart > /cart > /help/faq > / | 1", "/ > /item/2 > /cart | 1"]
    );
    assert_eq!(
        top("page, per => minute / 3").await,
        ["/ | 2", "/ > /item/1 > /item/1/ | 1", "/cart | 1", "/cart > /cart > /help/faq | 1", "/item/2 | 1"]
    );
    // Without a person the unit is one; an integer time needs a gap.
    let plain =
        "(SELECT * FROM (VALUES (1, 2, 'b'), (1, 1, 'a'), (2, 9, 'a'), (2, 9, NULL)) AS t (path, ts, node))";
    let sql = format!("SELECT path, persons, count FROM top_paths({plain}, node, per => path) ORDER BY path");
    assert_eq!(rows_of(&context(), &sql).await, ["a | 1 | 1", "a > b | 1 | 1"]);
}

#[tokio::test]
async fn names_of_nodes() {
    let clean = "clean => [('(.)/$', '\\1')], collapse => true";
    assert_eq!(
        top(&format!("page, {clean}")).await,
        ["/ | 2", "/ > /item/1 > /cart > /help/faq | 1", "/item/2 > /cart | 1"]
    );
    assert_eq!(
        top(&format!("page, {clean}, groups => ['/item/*', '/help/*'], exclude => ['/cart', minute > 59]"))
            .await,
        ["/ | 1", "/ > /item/* > /help/* | 1", "/item/* | 1"]
    );
    // What is left out is left out before neighbours are compared.
    assert_eq!(
        top("event, exclude => page = '/item/1', collapse => true, per => 'person'").await[0],
        "view > buy > view | 1"
    );
    assert_eq!(top("event, exclude => ['view', 'buy'], per => 'person'").await, ["ping | 1"]);
}

#[tokio::test]
async fn starts_ends_and_depth() {
    assert_eq!(top("page, start => '/item/1'").await, ["/item/1 > /item/1/ > /cart > /cart > /help/faq | 1"]);
    assert_eq!(
        top("page, start => ['/item/1', '/item/2'], end => '/cart'").await,
        ["/item/1 > /item/1/ > /cart | 1", "/item/2 > /cart | 1"]
    );
    assert_eq!(
        top("page, end => event = 'buy', depth => 2, direction => 'backward'").await,
        ["/cart > /cart | 1"]
    );
    assert_eq!(
        top("page, start => '/', end => '/help/faq', depth => 4").await,
        ["/ > /item/1 > ... > /cart > /help/faq | 1"]
    );
    assert_eq!(top("page, depth => 1, top => 1").await, ["/ | 3"]);
    assert_eq!(
        top("page, depth => 1, separator => '', min_weight => 1, max_weight => 2").await,
        ["/item/2 | 1"]
    );
}

#[tokio::test]
async fn figures_of_paths() {
    let sql = format!(
        "SELECT path, persons, count, conversions, value, median_seconds FROM top_paths{DATA}, page, per => 'person',
         conversion => 'buy', value => revenue, depth => 2) ORDER BY path"
    );
    assert_eq!(
        rows_of(&context(), &sql).await,
        [
            "/ > /item/1 | 1 | 1 | 1 | 9.90 | 240.0",
            "/ > /item/2 | 1 | 1 | 0 | 0.10 | 3660.0",
            "/help/faq > / | 1 | 1 | 0 | 0.00 | 3300.0"
        ]
    );
    let sql = format!("SELECT conversions, value FROM top_paths{DATA}, page, top => 1)");
    assert_eq!(rows_of(&context(), &sql).await, ["NULL | NULL"]);
    let sql = format!(
        "SELECT step, source, target, persons, weight, mean_seconds, conversions, value FROM paths{DATA}, page,
         per => 'person', conversion => 'buy', value => revenue, depth => 2, ends => true) ORDER BY step, source, target"
    );
    assert_eq!(
        rows_of(&context(), &sql).await,
        [
            "0 | (start) | / | 2 | 2 | NULL | 1 | 10.00",
            "0 | (start) | /help/faq | 1 | 1 | NULL | 0 | 0.00",
            "1 | / | /item/1 | 1 | 1 | 60.0 | 1 | 9.90",
            "1 | / | /item/2 | 1 | 1 | 1860.0 | 0 | 0.10",
            "1 | /help/faq | / | 1 | 1 | 3300.0 | 0 | 0.00",
            "2 | / | (null) | 1 | 1 | NULL | 0 | 0.00",
        ]
    );
    // By group, in the type of the group.
    let sql = format!(
        "SELECT by, arrow_typeof(by), path FROM top_paths{DATA}, page, depth => 1, by => odd, top => 2) ORDER BY count DESC"
    );
    assert_eq!(rows_of(&context(), &sql).await, ["1 | Int64 | /", "0 | Int64 | /"]);
}

/// What a benchmark of customer journeys asks: edges between channels, paths in sessions.
#[tokio::test]
async fn journeys_between_channels() {
    let data = "(SELECT * FROM (VALUES
        ('a', 1, 'ad_click', 'search'), ('a', 2, 'email_open', 'email'), ('a', 3, 'purchase', 'shop'),
        ('a', 4, 'ad_view', 'search'), ('b', 1, 'purchase', 'shop'), ('b', 2, 'push_open', 'push'), ('b', 3, 'page_view', 'x')
      ) AS t (user_id, ts, event, channel))";
    let sql = format!(
        "SELECT source AS \"from\", target AS \"to\", count AS transitions, persons, probability
         FROM transitions((SELECT * FROM {data} AS t WHERE event IN ('ad_view', 'ad_click', 'email_open', 'push_open', 'purchase')),
                          node => channel, per => 'person', conversion => 'purchase')
         ORDER BY 1, 2"
    );
    assert_eq!(
        rows_of(&context(), &sql).await,
        [
            "(start) | (conversion) | 1 | 1 | 0.25",
            "(start) | push | 1 | 1 | 0.25",
            "(start) | search | 2 | 1 | 0.5",
            "email | (conversion) | 1 | 1 | 1.0",
            "push | (null) | 1 | 1 | 1.0",
            "search | (null) | 1 | 1 | 0.5",
            "search | email | 1 | 1 | 0.5",
        ]
    );
    let sql = format!(
        "SELECT path, count AS sessions
         FROM top_paths({data}, collapse => true, depth => 5, separator => '>', gap => 1800, top => 20)
         ORDER BY sessions DESC, path"
    );
    assert_eq!(
        rows_of(&context(), &sql).await,
        ["ad_click>email_open>purchase>ad_view | 1", "purchase>push_open>page_view | 1"]
    );
}

#[tokio::test]
async fn two_segments() {
    // 45 of 100 paths of a go on to x, 30 of 100 of b: the p-value is that of the pooled z-test, 0.02846.
    let data = "(SELECT unit, ts, segment, weight, CASE WHEN ts = 1 THEN 'home' WHEN unit % 2 = 0 THEN 'x' ELSE 'y' END AS event
        FROM (VALUES (0, 'b', 30), (1, 'b', 70), (2, 'a', 45), (3, 'a', 55), (4, NULL, 7)) AS u (unit, segment, weight)
        CROSS JOIN (VALUES (1), (2)) AS t (ts))";
    let rest = "per => unit, weight => weight, compare_by => segment";
    let sql = format!(
        "SELECT source, target, segment_a, segment_b, count_a, count_b, persons_a, share_a, share_b,
                round(difference, 6), round(p_value, 5)
         FROM transitions({data}, {rest}) WHERE source = 'home' ORDER BY target"
    );
    assert_eq!(
        rows_of(&context(), &sql).await,
        [
            "home | x | a | b | 45 | 30 | 1 | 0.45 | 0.3 | 0.15 | 0.02846",
            "home | y | a | b | 55 | 70 | 1 | 0.55 | 0.7 | -0.15 | 0.02846",
        ]
    );
    let sql = format!(
        "SELECT path, count_a, count_b, share_b FROM top_paths({data}, {rest}, top => 1)
         UNION ALL SELECT concat(step, source, target), count_a, count_b, share_b FROM paths({data}, {rest}, min_weight => 80)
         UNION ALL SELECT node, count_a, count_b, share_b FROM step_matrix({data}, {rest}, steps => 2) WHERE step = 2
         ORDER BY 1"
    );
    assert_eq!(
        rows_of(&context(), &sql).await,
        ["1homey | 55 | 70 | 0.7", "home > y | 55 | 70 | 0.7", "x | 45 | 30 | 0.3", "y | 55 | 70 | 0.7"]
    );
    // A path of one segment only.
    let sql = format!(
        "SELECT path, segment_a, segment_b, count_a, count_b, share_b, p_value
         FROM top_paths((SELECT * FROM {data} AS d WHERE segment = 'a'), {rest}) WHERE path LIKE '%x'"
    );
    assert_eq!(rows_of(&context(), &sql).await, ["home > x | a | NULL | 45 | 0 | NULL | NULL"]);
    let sql = format!("SELECT * FROM top_paths({data}, per => unit, compare_by => unit)");
    let found = error(&context(), &sql).await;
    assert!(found.contains("top_paths: compare_by needs two values, there are more: '0', "), "{found}");
    let sql = format!("SELECT * FROM top_paths({data}, per => unit, compare_by => segment, by => unit)");
    let found = error(&context(), &sql).await;
    assert!(found.contains("arguments by and compare_by do not go together"), "{found}");
}

#[tokio::test]
async fn no_rows() {
    for function in ["transitions", "paths", "top_paths", "step_matrix"] {
        let sql =
            format!("SELECT * FROM {function}((SELECT * FROM {} AS d WHERE minute > 99), page)", &DATA[1..]);
        assert_eq!(rows_of(&context(), &sql).await, [""; 0], "{function}");
    }
}

#[tokio::test]
async fn rows_of_one_instant() {
    let data = "(SELECT * FROM (VALUES (1, 1, 'b', 1), (1, 1, 'a', 2), (1, 1, 'buy', 0)) AS t (user_id, ts, event, id))";
    let of = |arguments: &str| {
        format!(
            "SELECT path, conversions FROM top_paths({data}, gap => 9, conversion => 'buy'{arguments}) ORDER BY path"
        )
    };
    // Conversions come last, other nodes by name; or in the order of a sequence.
    assert_eq!(rows_of(&context(), &of("")).await, ["a > b | 1"]);
    assert_eq!(rows_of(&context(), &of(", sequence => id")).await, [" | 1", "b > a | 0"]);
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    let context = context();
    for (function, arguments, message) in [
        ("transitions", "node => nosuch", "No field named nosuch"),
        (
            "transitions",
            "page, per => 'day'",
            "transitions: argument per must be 'session', 'person', or an expression",
        ),
        (
            "transitions",
            "page, per => 'person', gap => INTERVAL '1 hour'",
            "argument gap is for per => 'session' only",
        ),
        ("transitions", "page, gap => INTERVAL '-1 hour'", "transitions: gap must not be negative"),
        ("transitions", "page, ts => minute", "gap is missing: ts is an integer"),
        ("transitions", "page, value => 1.5::double", "argument value must be a DECIMAL or an integer"),
        ("transitions", "page, weight => 1.5", "argument weight must be an integer"),
        ("transitions", "page, weight => -1", "weight must not be negative, got -1"),
        ("paths", "page, depth => 0", "argument depth must be a whole number from 1"),
        ("paths", "page, direction => 'up'", "argument direction must be one of 'forward', 'backward'"),
        (
            "paths",
            "page, min_weight => 2, max_weight => 1",
            "argument min_weight is above max_weight: 2 and 1",
        ),
        ("paths", "page, top => 0", "argument top must be a whole number from 1"),
        ("paths", "page, clean => ['x']", "argument clean must be a list of pairs of texts"),
        ("paths", "page, clean => [('(', 'x')]", "argument clean: '(' is not a regular expression"),
        ("paths", "page, groups => ['']", "argument groups holds an empty text"),
        (
            "paths",
            "page, exclude => [minute]",
            "argument exclude: minute must be a condition or the name of a node",
        ),
        ("top_paths", "page, start => minute", "argument start"),
        ("top_paths", "page, separator => 1", "argument separator must be text"),
        ("step_matrix", "page, steps => 0", "argument steps must be a whole number from 1"),
        ("step_matrix", "page, depth => 1", "step_matrix has no argument depth"),
    ] {
        let sql = format!("SELECT * FROM {function}{DATA}, {arguments})");
        let found = error(&context, &sql).await;
        assert!(found.contains(message), "{sql}: {found}");
    }
    for (call, message) in [
        ("path_agg(ts)", "path_agg needs a time and a node"),
        ("path_agg(event, event)", "ts must be a timestamp, a date or an integer"),
        ("path_agg(ts, event, depth => 0)", "path_agg: depth must be at least 1, got 0"),
        ("path_string(ts, event, 1)", "path_string: separator must be text, got Int64"),
        ("path_string(ts, event, collapse => 'x')", "path_string: collapse must be true or false, got Utf8"),
    ] {
        let sql = format!("SELECT {call} FROM (VALUES (1, 'a')) AS t (ts, event)");
        let found = error(&context, &sql).await;
        assert!(found.contains(message), "{sql}: {found}");
    }
}

/// Columns that nothing is asked about are not in the way; the types of the others are those of BI tools.
#[tokio::test]
async fn types() {
    for (function, expected) in [
        (
            "transitions",
            "source Utf8View, target Utf8View, count Int64, persons Int64, probability Float64, probability_in Float64, share Float64, per_path Float64, mean_seconds Float64",
        ),
        (
            "paths",
            "step Int64, source Utf8View, target Utf8View, persons Int64, weight Int64, mean_seconds Float64, conversions Int64, value Decimal128(38, 0)",
        ),
        (
            "top_paths",
            "path Utf8View, persons Int64, count Int64, conversions Int64, value Decimal128(38, 0), median_seconds Float64",
        ),
        ("step_matrix", "step Int64, node Utf8View, paths Int64, share Float64"),
    ] {
        let frame = plan(&context(), &format!("SELECT * FROM {function}{DATA}, page)")).await.unwrap();
        let fields = frame.schema().fields().iter();
        let found: Vec<String> =
            fields.map(|field| format!("{} {}", field.name(), field.data_type())).collect();
        assert_eq!(found.join(", "), expected);
    }
}
