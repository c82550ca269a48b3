//! Transitions and paths of ten thousand marketing paths, which come with the number of journeys that each stands for.

use crate::attribution::texts;
use crate::channel_paths::{ChannelPaths, compare, load};
use crate::sql::tell;

/// Each path as two people, for its journeys that converted and for the others: touches at 1, 2, ..., and a conversion.
/// The value of all conversions of a path stands at the conversion.
const PEOPLE: &str = "(WITH numbered AS (SELECT row_number() OVER () AS id, * FROM t), \
       sides AS (SELECT id, 'c' || id AS user_id, path, total_conversions AS journeys, total_conversion_value AS worth FROM \
           numbered WHERE total_conversions > 0 \
         UNION ALL SELECT id, 'n' || id, path, total_null, NULL FROM numbered WHERE total_null > 0), \
       split AS (SELECT id, user_id, journeys, string_to_array(path, ' > ') AS keys FROM sides) \
     SELECT id, user_id, n AS ts, 'touch' AS event, channel, journeys, NULL::decimal(28, 9) AS worth FROM \
       (SELECT id, user_id, journeys, unnest(keys) AS channel, unnest(range(1, cardinality(keys)::bigint + 1)) AS n FROM split) \
     UNION ALL SELECT id, user_id, 1000000, 'purchase', NULL, journeys, worth::decimal(28, 9) FROM sides WHERE user_id LIKE 'c%')";

const ARGUMENTS: &str = "node => channel, per => 'person', conversion => 'purchase', weight => journeys";

#[tokio::test]
async fn transitions() {
    let Some(ChannelPaths { context, answers }) = load().await else {
        return;
    };
    let mut compared = 0;
    for (key, collapse) in [("markov_order1_keep_repeats", false), ("markov_order1_collapse_repeats", true)] {
        let expected = answers[key]["transition_probability"].as_object().expect("probabilities");
        let found = texts(
            &context,
            &format!(
                "SELECT source || ' -> ' || target, probability FROM transitions({PEOPLE}, {ARGUMENTS}, \
                 collapse => {collapse})"
            ),
        )
        .await;
        compare(&found, expected, 1e-9, key);
        compared += expected.len();
    }
    tell(format!("channel_paths: {compared} transitions"));
}

#[tokio::test]
async fn totals_and_paths_by_conversions() {
    let Some(ChannelPaths { context, answers }) = load().await else {
        return;
    };
    let paths = format!("top_paths({PEOPLE}, {ARGUMENTS}, value => worth)");
    let counts = &answers["counts"];
    let totals = texts(
        &context,
        &format!(
            "SELECT count(*), sum(count), sum(conversions), sum(count) - sum(conversions), round(sum(value), 6) FROM {paths}"
        ),
    )
    .await;
    let expected =
        ["distinct_paths", "journeys", "total_conversions", "total_null"].map(|key| counts[key].to_string());
    assert_eq!(totals[0][..4], expected);
    let value: f64 = totals[0][4].parse().expect("a sum");
    assert!((value - counts["total_conversion_value"].as_f64().expect("a sum")).abs() < 1e-6);

    // The figures are those of single rows of the file, where a path can stand in several.
    let by_row = format!("top_paths({PEOPLE}, {ARGUMENTS}, value => worth, by => id)");
    let top = answers["top_paths_by_conversions"].as_array().expect("paths");
    let found = texts(
        &context,
        &format!(
            "SELECT path, conversions, value, count - conversions FROM {by_row} ORDER BY conversions DESC, path \
             LIMIT {}",
            top.len()
        ),
    )
    .await;
    assert_eq!(found.len(), top.len());
    for (found, row) in found.iter().zip(top) {
        assert_eq!(Some(found[0].as_str()), row[0].as_str(), "{row}");
        assert_eq!((&found[1], &found[3]), (&row[1].to_string(), &row[3].to_string()), "{row}");
        let value: f64 = found[2].parse().expect("a value");
        assert!((value - row[2].as_f64().expect("a value")).abs() < 1e-6, "{row}");
    }
    tell(format!("channel_paths: {} paths by conversions", top.len()));
}
