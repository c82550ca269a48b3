//! Ten thousand marketing paths of twelve channels, with figures of another package: heuristics, chains, transitions,
//! Shapley values. The data are under the GPL and stay outside the repository.

use serde_json::Value;

use super::texts;
use crate::channel_paths::{ChannelPaths, close, compare, load};
use crate::sql::tell;

const GIVEN: &str = "path => path, conversions => total_conversions, nulls => total_null, \
                     value => total_conversion_value::decimal(18, 9)";

/// Each path as a person: touches at 1, 2, ..., and a conversion worth `value`.
fn people(value: &str) -> String {
    format!(
        "(WITH numbered AS (SELECT row_number() OVER () AS user_id, path, {value}::decimal(28, 9) AS worth FROM t \
           WHERE total_conversions > 0), \
         split AS (SELECT user_id, string_to_array(path, ' > ') AS keys FROM numbered) \
         SELECT user_id, n AS ts, 'touch' AS event, channel, NULL::decimal(28, 9) AS worth FROM \
           (SELECT user_id, unnest(keys) AS channel, unnest(range(1, cardinality(keys)::bigint + 1)) AS n FROM split) \
         UNION ALL SELECT user_id, 1000000, 'purchase', NULL, worth FROM numbered)"
    )
}

#[tokio::test]
async fn heuristics() {
    let Some(ChannelPaths { context, answers }) = load().await else {
        return;
    };
    let models = [
        ("first", "first_touch"),
        ("last", "last_touch"),
        ("linear", "linear"),
        ("position_40_20_40", "position_based"),
        ("step_decay_half_per_step", "time_decay"),
    ];
    for (key, value) in
        [("heuristic_conversions", "total_conversions"), ("heuristic_value", "total_conversion_value")]
    {
        let names: Vec<String> = models.iter().map(|(_, model)| format!("'{model}'")).collect();
        // Money is divided in units of 10^-9, so that the sums of ten thousand shares can be compared.
        let sql = format!(
            "SELECT model, touch_key, value FROM attribution_summary({}, models => [{}], lookback => 'person', \
             half_life => 1, value => worth)",
            people(value),
            names.join(", ")
        );
        let rows = texts(&context, &sql).await;
        let expected = answers[key].as_object().unwrap();
        let mut compared = 0;
        for (name, model) in models {
            let Some(expected) = expected.get(name) else {
                continue;
            };
            let of_model: Vec<Vec<String>> =
                rows.iter().filter(|row| row[0] == model).map(|row| row[1..].to_vec()).collect();
            compare(&of_model, expected.as_object().unwrap(), 2e-6, name);
            compared += 1;
        }
        assert_eq!(compared, expected.len(), "{key}");
        let third_party = answers["third_party"]["heuristic_models"].as_object().unwrap();
        let suffix = if value == "total_conversions" { "conversions" } else { "value" };
        for (name, model) in [("first", "first_touch"), ("last", "last_touch"), ("linear", "linear")] {
            let expected = third_party[&format!("{name}_touch_{suffix}")].as_object().unwrap();
            let of_model: Vec<Vec<String>> =
                rows.iter().filter(|row| row[0] == model).map(|row| row[1..].to_vec()).collect();
            compare(&of_model, expected, 2e-6, name);
        }
    }
    // The same figures as known answers typed from the package, rounded to whole conversions or six decimals.
    let vectors: Value = serde_json::from_str(include_str!("../../vectors/attribution_markov.json")).unwrap();
    let [large] = vectors["large"].as_array().unwrap().as_slice() else { panic!("one case is expected") };
    let sql = format!(
        "SELECT model, touch_key, value FROM attribution_summary({}, models => ['first_touch', 'last_touch', 'linear'], \
         lookback => 'person', value => worth)",
        people("total_conversions")
    );
    let rows = texts(&context, &sql).await;
    for (name, model) in [("first", "first_touch"), ("last", "last_touch"), ("linear", "linear")] {
        let of_model: Vec<Vec<String>> =
            rows.iter().filter(|row| row[0] == model).map(|row| row[1..].to_vec()).collect();
        compare(&of_model, large[name].as_object().unwrap(), 2e-6, name);
    }
    tell("channel_paths: 5 models for conversions, 4 for value, 6 of the package");
}

#[tokio::test]
async fn chains() {
    let Some(ChannelPaths { context, answers }) = load().await else {
        return;
    };
    for (key, collapse) in [("markov_order1_keep_repeats", false), ("markov_order1_collapse_repeats", true)] {
        let expected = &answers[key];
        let from = format!("t, {GIVEN}, collapse_repeats => {collapse}");
        for (column, figure) in
            [("removal_effect", "removal_effect"), ("conversions", "attributed_conversions")]
        {
            let found =
                texts(&context, &format!("SELECT touch_key, {column} FROM markov_attribution({from})")).await;
            compare(&found, expected[figure].as_object().unwrap(), 2e-9, figure);
        }
        let sql = format!("SELECT sum(conversions), sum(value) FROM markov_attribution({from})");
        let total = &texts(&context, &sql).await[0];
        close(&total[0], expected["total_conversions"].as_f64().unwrap(), 1e-6, "conversions");
        close(&total[1], answers["counts"]["total_conversion_value"].as_f64().unwrap(), 1e-6, "value");
        let sql =
            format!("SELECT concat(source, ' -> ', target), probability FROM markov_transitions({from})");
        let found = texts(&context, &sql).await;
        compare(&found, expected["transition_probability"].as_object().unwrap(), 1e-12, "transitions");
        if collapse {
            let package = &answers["third_party"]["markov_model_order1"]["transition_matrix"];
            compare(&found, package.as_object().unwrap(), 1e-9, "transitions of the package");
        }
    }
    let journeys = "SELECT sum(total_conversions)::double / sum(total_conversions + total_null) FROM t";
    let probability = &texts(&context, journeys).await[0][0];
    close(
        probability,
        answers["markov_order1_keep_repeats"]["conversion_probability_from_start"].as_f64().unwrap(),
        1e-12,
        "probability of a conversion",
    );
    tell("channel_paths: chains with and without repeats, all effects, credits and transitions");
}

/// Noise of an effect: three standard errors of a million walks, of which 22 % convert. The value of a walk spreads about
/// as much as its mean, which doubles the variance at least.
fn noise(effect: f64) -> f64 {
    3.0 * (effect / 220_000.0).sqrt()
}

#[tokio::test]
async fn simulations_agree_within_their_noise() {
    let Some(ChannelPaths { context, answers }) = load().await else {
        return;
    };
    let sql = format!(
        "SELECT touch_key, conversions, value, removal_effect, removal_effect_value FROM markov_attribution(t, {GIVEN})"
    );
    let found = texts(&context, &sql).await;
    let package = &answers["third_party"]["markov_model_order1"];
    let (conversions, value) = (19_785.0, 74_803.0);
    for row in &found {
        let figure = |key: &str, index: usize| package[key][&row[0]][index].as_f64().unwrap();
        for (column, index, total, spread) in [(1, 0, conversions, 1.0), (2, 1, value, 2.0)] {
            let effect = figure("removal_effects", index);
            close(&row[column + 2], effect, spread * noise(effect), &row[0]);
            // All effects add up to about 2.
            close(&row[column], figure("result", index), spread * noise(effect) * total / 2.0, &row[0]);
        }
    }
    // A tenth of the walks, for which the file itself asks for 5 %; rare channels are further off: 0.25 % of all.
    let vectors: Value = serde_json::from_str(include_str!("../../vectors/attribution_markov.json")).unwrap();
    let quick = vectors["large"][0]["markov_order1_seed0"].as_object().unwrap();
    assert_eq!(found.len(), quick.len());
    for row in &found {
        let expected = quick[&row[0]].as_f64().unwrap();
        close(&row[1], expected, (expected * 0.05).max(conversions * 2.5e-3), &row[0]);
    }
    tell("channel_paths: two simulations of the package agree within their noise");
}

#[tokio::test]
async fn shapley_values() {
    let Some(ChannelPaths { context, answers }) = load().await else {
        return;
    };
    let expected = &answers["shapley_by_channel_set"];
    for (key, worth, tolerance) in
        [("A_conversions_subset_sum", "volume", 1e-8), ("B_conversion_rate_subset", "rate_within", 1e-12)]
    {
        let sql = format!(
            "SELECT touch_key, shapley_value FROM shapley_attribution(t, {GIVEN}, worth => '{worth}')"
        );
        let found = texts(&context, &sql).await;
        compare(&found, expected[key].as_object().unwrap(), tolerance, key);
        let all =
            format!("SELECT sum(shapley_value) FROM shapley_attribution(t, {GIVEN}, worth => '{worth}')");
        let all = &texts(&context, &all).await[0][0];
        let whole = match worth {
            "volume" => answers["counts"]["total_conversions"].as_f64().unwrap(),
            _ => expected["B_grand_coalition_rate"].as_f64().unwrap(),
        };
        close(all, whole, 1e-8, "efficiency");
    }
    tell("channel_paths: both Shapley games");
}
