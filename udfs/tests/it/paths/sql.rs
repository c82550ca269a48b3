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

/// The centre is a row of a match: of which one, which row of it, and what the pattern sees.
#[tokio::test]
async fn steps_around_a_match() {
    let data = "(SELECT * FROM (VALUES
        ('a', 1, 'home', 1), ('a', 2, 'item', 2), ('a', 3, 'item', 3), ('a', 4, 'cart', 4), ('a', 5, 'buy', 5),
        ('b', 1, 'item', 1), ('b', 2, 'cart', 1), ('b', 3, 'item', 1), ('b', 5, 'home', 1), ('b', 6, 'cart', 9),
        ('c', 1, 'home', 1), ('c', 2, 'cart', 1)
      ) AS t (user_id, ts, event, price))";
    let steps = async |rest: &str| {
        let sql = format!(
            "SELECT step, node, paths FROM step_matrix({data}, per => 'person', steps => 1, {rest}) ORDER BY step, node"
        );
        rows_of(&context(), &sql).await
    };
    let at_cart = ["-1 | item | 2", "0 | cart | 2", "1 | buy | 1", "1 | item | 1"];
    // Names of nodes, a list, a struct; c has no match.
    assert_eq!(steps("pattern => '(?item).*(?cart)', element => 2").await, at_cart);
    assert_eq!(
        steps("pattern => '(?1).*(?cart)', element => -1, conditions => ['item', event = 'cart']").await,
        at_cart
    );
    assert_eq!(
        steps("pattern => '(?i).*(?c)', element => 2, conditions => named_struct('i', event = 'item', 'c', event = 'cart')")
            .await,
        at_cart
    );
    assert_eq!(
        steps("pattern => '(?item).*(?cart)'").await,
        ["-1 | (start) | 1", "-1 | home | 1", "0 | item | 2", "1 | cart | 1", "1 | item | 1"]
    );
    // The last match of b is that behind home.
    assert_eq!(
        steps("pattern => '(?item).*(?cart)', element => 2, which => 'last'").await,
        ["-1 | home | 1", "-1 | item | 1", "0 | cart | 2", "1 | (end) | 1", "1 | buy | 1"]
    );
    // Times; the place of neighbours that are one.
    assert_eq!(
        steps("pattern => '(?item)(?t>1)(?cart)', element => 2, collapse => true").await,
        ["-1 | home | 1", "-1 | item | 1", "0 | cart | 2", "1 | (end) | 1", "1 | buy | 1"]
    );
    // The conversion is the centre.
    assert_eq!(
        steps("pattern => '(?item).*(?buy)', element => -1, conversion => 'buy'").await,
        ["-1 | cart | 1", "0 | (conversion) | 1", "1 | (conversion) | 1"]
    );
    // Rows that meet no condition are not seen, unless they are kept; those left out are never.
    let adjacent = "pattern => '(?item)(?cart)', element => 2";
    assert_eq!(steps(&format!("{adjacent}, which => 'last'")).await.len(), 5);
    assert_eq!(steps(&format!("{adjacent}, which => 'last', keep_unmatched => true")).await, at_cart);
    assert_eq!(
        steps("pattern => '(?home).(?buy)', element => 2, keep_unmatched => true, exclude => ['item']").await,
        ["-1 | cart | 1", "0 | buy | 1", "1 | (end) | 1"]
    );
    // Two segments around a match: a difference is that of a less that of b.
    let sql = format!(
        "SELECT step, node, segment_a, segment_b, count_a, count_b, difference
         FROM step_matrix({data}, per => 'person', steps => 1, pattern => '(?item).*(?cart)', element => 2,
                          compare_by => user_id)
         WHERE step = 1 ORDER BY node"
    );
    assert_eq!(
        rows_of(&context(), &sql).await,
        ["1 | buy | a | b | 1 | 0 | 1.0", "1 | item | a | b | 0 | 1 | -1.0"]
    );
    assert_eq!(steps("pattern => '(?home).*(?help)'").await, [""; 0]);
}

/// 45 of 100 people of a see x before they buy, 30 of 100 of b; c is left out.
#[tokio::test]
async fn two_segments_in_a_funnel() {
    let data = "(SELECT p AS user_id, ts, CASE WHEN p < 100 THEN 'a' WHEN p < 200 THEN 'b' END AS segment,
               CASE WHEN ts = 1 THEN 'home' WHEN ts = 3 THEN 'buy' WHEN p % 100 < CASE WHEN p < 100 THEN 45 ELSE 30 END THEN 'x'
                    ELSE 'y' END AS event
        FROM (SELECT value AS p FROM generate_series(0, 210)) AS p CROSS JOIN (VALUES (1), (2), (3)) AS t (ts))";
    let sql = |rest: &str| {
        format!(
            "SELECT * FROM funnel_paths({data}, steps => ['home', 'buy'], within => 9, compare_by => segment{rest}) ORDER BY path"
        )
    };
    let figures = "SELECT path, segment_a, segment_b, persons_a, persons_b, share_a, share_b, round(difference, 6), round(p_value, 5)";
    assert_eq!(
        rows_of(&context(), &sql("").replace("SELECT *", figures)).await,
        [
            "home > x > buy | a | b | 45 | 30 | 0.45 | 0.3 | 0.15 | 0.02846",
            "home > y > buy | a | b | 55 | 70 | 0.55 | 0.7 | -0.15 | 0.02846",
        ]
    );
    // The limits go by the sum.
    let paths = async |rest: &str| rows_of(&context(), &sql(rest).replace('*', "path")).await;
    assert_eq!(paths(", min_weight => 76").await, ["home > y > buy"]);
    assert_eq!(paths(", max_weight => 75").await, ["home > x > buy"]);
    assert_eq!(paths(", top => 1").await, ["home > y > buy"]);
    // Who did something else instead; with one segment there is no b.
    let frame = plan(&context(), &sql("")).await.unwrap();
    let fields: Vec<String> = frame
        .schema()
        .fields()
        .iter()
        .map(|field| format!("{} {}", field.name(), field.data_type()))
        .collect();
    assert_eq!(
        fields.join(", "),
        "path Utf8View, segment_a Utf8View, segment_b Utf8View, persons_a Int64, persons_b Int64, share_a Float64, \
         share_b Float64, difference Float64, p_value Float64"
    );
    let instead = format!(
        "SELECT path, segment_a, segment_b, persons_a, persons_b, share_b, p_value
         FROM funnel_paths((SELECT * FROM {data} AS d WHERE segment = 'b' AND user_id < 130), ['home', 'y'], within => 9,
                           what => 'instead', compare_by => segment)"
    );
    assert_eq!(rows_of(&context(), &instead).await, ["home > x > buy | b | NULL | 30 | 0 | NULL | NULL"]);
    // The segment is that of the row of the earlier step.
    let changing =
        sql("").replace("compare_by => segment", "compare_by => CASE WHEN ts = 1 THEN segment ELSE 'z' END");
    assert_eq!(rows_of(&context(), &changing).await, rows_of(&context(), &sql("")).await);
    for (arguments, message) in [
        ("compare_by => user_id", "funnel_paths: compare_by needs two values, there are more: '0', "),
        (
            "compare_by => segment, by => segment",
            "funnel_paths: arguments by and compare_by do not go together",
        ),
        ("compare_by => nosuch", "No field named nosuch"),
        ("compare_by => count(*)", "funnel_paths: argument compare_by must be computed from single rows"),
    ] {
        let found = error(&context(), &sql("").replace("compare_by => segment", arguments)).await;
        assert!(found.contains(message), "{arguments}: {found}");
    }
}

/// Rows of one instant and one node: the segment does not depend on which comes in first.
#[tokio::test]
async fn segments_of_one_instant() {
    for rows in ["('u', 1, 'a', 'x'), ('u', 1, 'a', 'y')", "('u', 1, 'a', 'y'), ('u', 1, 'a', 'x')"] {
        let sql = format!(
            "SELECT by, path FROM top_paths((SELECT * FROM (VALUES {rows}) AS t (user_id, ts, event, s)), gap => 9, by => s)"
        );
        assert_eq!(rows_of(&context(), &sql).await, ["x | a > a"], "{rows}");
    }
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
        (
            "step_matrix",
            "page, pattern => '(?/)', center => '/'",
            "step_matrix: arguments center and pattern do not go together",
        ),
        ("step_matrix", "page, pattern => 5", "step_matrix: argument pattern must be text, got 5"),
        ("step_matrix", "page, pattern => event", "step_matrix: argument pattern must be a constant"),
        ("step_matrix", "page, which => 'last'", "argument which goes with argument pattern only"),
        ("step_matrix", "page, conditions => ['/']", "argument conditions goes with argument pattern only"),
        ("step_matrix", "page, element => 1", "argument element goes with argument pattern only"),
        (
            "step_matrix",
            "page, keep_unmatched => true",
            "argument keep_unmatched goes with argument pattern only",
        ),
        ("step_matrix", "page, pattern => ''", "argument pattern: '' has no condition"),
        ("step_matrix", "page, pattern => '.*'", "argument pattern: '.*' has no condition"),
        (
            "step_matrix",
            "page, pattern => '(?/)(?t<=5'",
            "step_matrix: argument pattern '(?/)(?t<=5', at character 5: this '(' has no matching ')'",
        ),
        (
            "step_matrix",
            "page, pattern => '(?/))'",
            "argument pattern '(?/))', at character 5: ')' has no matching '('",
        ),
        (
            "step_matrix",
            "page, pattern => '(?)'",
            "argument pattern '(?)', at character 1: '(?' needs a condition",
        ),
        (
            "step_matrix",
            "page, pattern => '(?1).*(?2)'",
            "argument conditions is missing: '(?1).*(?2)' has condition 1",
        ),
        (
            "step_matrix",
            "page, pattern => '(?1).*(?0)', conditions => ['/']",
            "argument pattern '(?1).*(?0)', at character 7: there is no condition 0",
        ),
        (
            "step_matrix",
            "page, pattern => '(?x)', conditions => ['/', event = 'buy']",
            "argument pattern '(?x)', at character 1: there is no condition named 'x'; there are '/', 'buy'",
        ),
        (
            "step_matrix",
            "page, pattern => '(?1)', conditions => [minute]",
            "argument conditions: minute must be a condition or the name of a node in quotes, got Int64",
        ),
        ("step_matrix", "page, pattern => '(?1)', conditions => []", "argument conditions is empty"),
        ("step_matrix", "page, pattern => '(?/)*'", "argument pattern: '(?/)*' matches without any row"),
        (
            "step_matrix",
            "page, pattern => '(?!/)'",
            "argument pattern: no row of a match of '(?!/)' meets a condition",
        ),
        (
            "step_matrix",
            "page, pattern => '(?/)', element => 0",
            "step_matrix: argument element must not be 0",
        ),
        (
            "step_matrix",
            "page, pattern => '(?/)', element => 1.5",
            "argument element must be a whole number from",
        ),
        (
            "step_matrix",
            "page, pattern => '(?/)(?/){1,2}', element => -4",
            "argument element is -4, but at most 3 rows of a match of '(?/)(?/){1,2}' meet a condition",
        ),
        (
            "step_matrix",
            "page, pattern => '(?/)', which => 'all'",
            "argument which must be one of 'first', 'last', got 'all'",
        ),
        (
            "step_matrix",
            "page, pattern => '(?/)', keep_unmatched => 1",
            "argument keep_unmatched must be true or false",
        ),
        ("top_paths", "page, pattern => '(?/)'", "top_paths has no argument pattern"),
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
