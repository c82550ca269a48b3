//! Data-driven attribution as SQL sees it: journeys of rows, any order and partitions, wrong arguments.

use datafusion::prelude::SessionContext;
use proptest::prelude::*;

use super::people::{Row, batch, rows};
use super::properties::{context as with_partitions, shuffled};
use super::{lines, texts};
use crate::sql::{context, error, register};

#[tokio::test]
async fn journeys_end_with_conversions() {
    let data = "(SELECT * FROM (VALUES \
        ('u', 1, 'touch', 'a'), ('u', 2, 'touch', 'b'), ('u', 3, 'purchase', NULL), ('u', 4, 'touch', 'c'), \
        ('u', 5, 'purchase', NULL), ('u', 6, 'touch', 'a'), ('v', 1, 'purchase', NULL), ('w', 9, 'touch', 'b')) \
        AS t (user_id, ts, event, channel))";
    let all = [
        "(start)|a|2",
        "(start)|b|1",
        "(start)|c|1",
        "a|(null)|1",
        "a|b|1",
        "b|(conversion)|1",
        "b|(null)|1",
        "c|(conversion)|1",
    ];
    let of = |more: &str| {
        format!("SELECT source, target, count FROM markov_transitions({data}{more}) ORDER BY source, target")
    };
    assert_eq!(lines(&context(), &of("")).await, all);
    let first = ["(start)|a|1", "(start)|b|1", "a|b|1", "b|(conversion)|1", "b|(null)|1"];
    assert_eq!(lines(&context(), &of(", first_conversion => true")).await, first);
    let recent = [
        "(start)|a|1",
        "(start)|b|2",
        "(start)|c|1",
        "a|(null)|1",
        "b|(conversion)|1",
        "b|(null)|1",
        "c|(conversion)|1",
    ];
    assert_eq!(lines(&context(), &of(", lookback => 1")).await, recent);
    let second = [
        "(start)|a|2",
        "(start)|b|1",
        "(start)|c|1",
        "a > b|(conversion)|1",
        "a|(null)|1",
        "a|a > b|1",
        "b|(null)|1",
        "c|(conversion)|1",
    ];
    let mut found = lines(&context(), &of(", order => 2")).await;
    found.sort();
    let mut expected = second.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(found, expected);
    // A conversion without a touch is nobody's, and counts.
    for function in ["markov_attribution", "shapley_attribution", "counterfactual_attribution"] {
        let sql = format!("SELECT sum(conversions), sum(share) FROM {function}({data})");
        for (found, expected) in texts(&context(), &sql).await[0].iter().zip([3.0, 1.0]) {
            assert!((found.parse::<f64>().unwrap() - expected).abs() < 1e-12, "{function}: {found}");
        }
        let sql = format!("SELECT conversions, share FROM {function}({data}) WHERE touch_key = '(none)'");
        assert_eq!(lines(&context(), &sql).await, ["1.0|0.3333333333333333"], "{function}");
    }
}

#[tokio::test]
async fn nothing_comes_of_no_rows() {
    let people =
        "(SELECT * FROM (VALUES ('u', 1, 'touch', 'a')) AS t (user_id, ts, event, channel) WHERE false)";
    let paths = "(SELECT * FROM (VALUES ('a', 1)) AS t (path, n) WHERE false)";
    for function in
        ["markov_attribution", "markov_transitions", "shapley_attribution", "counterfactual_attribution"]
    {
        assert!(lines(&context(), &format!("SELECT * FROM {function}({people})")).await.is_empty());
        let sql = format!("SELECT * FROM {function}({paths}, path => path, conversions => n)");
        assert!(lines(&context(), &sql).await.is_empty());
    }
    // Only conversions without a touch.
    let alone = "(SELECT * FROM (VALUES ('u', 1, 'purchase', CAST(NULL AS VARCHAR))) AS t (user_id, ts, event, channel))";
    for function in ["markov_attribution", "shapley_attribution", "counterfactual_attribution"] {
        let sql = format!("SELECT touch_key, conversions, value, share FROM {function}({alone})");
        assert_eq!(lines(&context(), &sql).await, ["(none)|1.0|-|1.0"], "{function}");
    }
}

#[tokio::test]
async fn each_wrong_argument_is_named() {
    let paths = "(SELECT * FROM (VALUES ('a > b', 1, 0.5::double, -1)) AS t (path, n, f, minus))";
    for (function, arguments, expected) in [
        ("markov_attribution", "path => path", "argument conversions is missing"),
        ("markov_attribution", "path => n, conversions => n", "argument path must be text such as"),
        (
            "markov_attribution",
            "path => path, conversions => f",
            "argument conversions must be a count, an integer",
        ),
        (
            "markov_attribution",
            "path => path, conversions => n, nulls => path",
            "argument nulls must be a count",
        ),
        (
            "markov_attribution",
            "path => path, conversions => minus",
            "argument conversions must not be negative, got -1",
        ),
        (
            "markov_attribution",
            "path => path, conversions => n, value => f",
            "argument value must be a DECIMAL",
        ),
        (
            "markov_attribution",
            "path => path, conversions => n, separator => ''",
            "argument separator must not be empty",
        ),
        (
            "markov_attribution",
            "path => [path], conversions => n, separator => ','",
            "argument separator is for paths that are text",
        ),
        (
            "markov_attribution",
            "path => ['a', NULL], conversions => n",
            "argument path has a NULL among its keys",
        ),
        (
            "markov_attribution",
            "path => path, conversions => n, by => path",
            "argument by is about rows of people",
        ),
        ("markov_attribution", "conversions => n", "argument path is missing"),
        ("markov_attribution", "lookback => 'session'", "for sessions as journeys give them as persons"),
        (
            "markov_attribution",
            "path => path, conversions => n, order => 0",
            "argument order must be a whole number from 1 to 5",
        ),
        (
            "markov_attribution",
            "path => path, conversions => n, order => 'best'",
            "argument order must be a whole number",
        ),
        (
            "markov_attribution",
            "path => path, conversions => n, smoothing => -1",
            "argument smoothing must be a number from 0",
        ),
        (
            "markov_attribution",
            "path => path, conversions => n, bootstrap => 0",
            "argument bootstrap must be a whole number from 1",
        ),
        ("markov_attribution", "path => path, conversions => n, seed => 3", "argument seed is for bootstrap"),
        (
            "markov_attribution",
            "path => path, conversions => n, collapse_repeats => 1",
            "argument collapse_repeats must be true or false",
        ),
        (
            "markov_transitions",
            "path => path, conversions => n, order => 6",
            "argument order must be a whole number from 1 to 5",
        ),
        (
            "markov_transitions",
            "path => path, conversions => n, order => 'auto'",
            "argument order must be a whole number",
        ),
        (
            "shapley_attribution",
            "path => path, conversions => n, worth => 'rate'",
            "argument worth must be one of 'volume', 'rate_exact', 'rate_within'",
        ),
        (
            "shapley_attribution",
            "path => path, conversions => n, samples => 1",
            "argument samples must be a whole number from 2",
        ),
        (
            "shapley_attribution",
            "path => path, conversions => n, ordered => 'yes'",
            "argument ordered must be true or false",
        ),
        ("counterfactual_attribution", "path => path, conversions => n, order => 1", "has no argument order"),
    ] {
        let found = error(&context(), &format!("SELECT * FROM {function}({paths}, {arguments})")).await;
        assert!(found.contains(expected), "{arguments}: {found}");
        assert!(found.contains(function), "{arguments}: {found}");
    }
}

#[tokio::test]
async fn many_keys_are_sampled_with_a_bound() {
    let rows: Vec<String> =
        (0..24).map(|key| format!("('k{key:02} > k{:02}', {}, 10)", key / 2, key + 1)).collect();
    let data = format!("(SELECT * FROM (VALUES {}) AS t (path, n, lost))", rows.join(", "));
    let of = |more: &str| {
        format!(
            "SELECT touch_key, shapley_value, error_bound, method FROM shapley_attribution({data}, path => path, \
             conversions => n, nulls => lost, samples => 200{more}) ORDER BY touch_key"
        )
    };
    let found = texts(&context(), &of("")).await;
    assert_eq!(found.len(), 24);
    assert_eq!(texts(&context(), &of(", seed => 1")).await, found, "the default seed");
    assert_ne!(texts(&context(), &of(", seed => 2")).await, found);
    for row in &found {
        assert_eq!(row[3], "sampled: more than 20 keys, 200 pairs of orders");
        assert!(row[2].parse::<f64>().unwrap() > 0.0, "{row:?}");
    }
    // All keys together are worth the rate of all journeys.
    let sum: f64 = found.iter().map(|row| row[1].parse::<f64>().unwrap()).sum();
    assert!((sum - 300.0 / 540.0).abs() < 1e-12, "{sum}");
}

#[tokio::test]
async fn intervals_and_the_order_are_told() {
    let data = "(SELECT * FROM (VALUES ('a > b', 20, 30), ('a', 10, 40), ('b', 5, 60)) AS t (path, n, lost))";
    let sql = format!(
        "SELECT conversions, conversions_low, conversions_high, markov_order FROM markov_attribution({data}, \
         path => path, conversions => n, nulls => lost, order => 'auto', bootstrap => 200, seed => 4)"
    );
    let found = texts(&context(), &sql).await;
    assert_eq!(texts(&context(), &sql).await, found);
    for row in &found {
        let [conversions, low, high] = [0, 1, 2].map(|column| row[column].parse::<f64>().unwrap());
        assert!(low <= conversions && conversions <= high && low < high, "{row:?}");
        // Of 50 journeys a > b, 20 converted; of 65 that are b alone, 5: what came before b matters.
        assert_eq!(row[3], "2");
    }
}

const QUESTIONS: [&str; 7] = [
    "SELECT * FROM markov_attribution(t, conversion => converts, bootstrap => 5) ORDER BY touch_key",
    "SELECT * FROM markov_attribution(t, conversion => converts, order => 3, smoothing => 0.5) ORDER BY touch_key",
    "SELECT * FROM markov_attribution(t, conversion => converts, order => 'auto', ties => 'strict') ORDER BY touch_key",
    "SELECT * FROM markov_transitions(t, conversion => converts, order => 2) ORDER BY source, target",
    "SELECT * FROM shapley_attribution(t, conversion => converts) ORDER BY touch_key",
    "SELECT * FROM shapley_attribution(t, conversion => converts, ordered => true) ORDER BY touch_key",
    "SELECT * FROM counterfactual_attribution(t, conversion => converts, exclude => marked) ORDER BY touch_key",
];

async fn answers(context: &SessionContext) -> Vec<Vec<String>> {
    let mut answers = Vec::new();
    for question in QUESTIONS {
        answers.push(lines(context, question).await);
    }
    answers
}

async fn check(rows: &[Row], seed: u64) {
    let in_order: Vec<usize> = (0..rows.len()).collect();
    let first = with_partitions(1, 8192);
    register(&first, "t", &batch(rows, &in_order), 1);
    let expected = answers(&first).await;
    for (partitions, batch_size) in [(2, 3), (8, 5)] {
        let other = with_partitions(partitions, batch_size);
        register(&other, "t", &batch(rows, &shuffled(rows.len(), seed)), partitions);
        assert_eq!(answers(&other).await, expected);
    }
    // Conversions are given away entirely.
    let given = "SELECT sum(conversions) FROM counterfactual_attribution(t, conversion => converts)";
    let all = "SELECT count(*) FROM t WHERE converts";
    let (given, all) = (texts(&first, given).await, texts(&first, all).await);
    if all[0][0] != "0" {
        let (given, all): (f64, f64) = (given[0][0].parse().unwrap(), all[0][0].parse().unwrap());
        assert!((given - all).abs() < 1e-9, "{given} is not {all}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_answer_depends_on_rows_alone(rows in rows(), seed in any::<u64>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check(&rows, seed));
    }
}
