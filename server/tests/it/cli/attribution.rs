//! Attribution of bundled data sets: every model, the chain, and Shapley values against their published figures.

use serde_json::{Map, Value};

use super::answers::Answers;
use crate::support::tell;

/// What the figures are about.
pub(super) struct Question<'a> {
    /// Rows with `user_id`, `ts`, `event` and `channel`; conversions are rows whose event is `purchase`, and people have
    /// at most one.
    pub(super) data: &'a str,
    /// Views that `data` reads.
    pub(super) answers: &'a Answers,
}

const MODELS: [(&str, &str); 5] = [
    ("first", "first_touch"),
    ("last", "last_touch"),
    ("linear", "linear"),
    ("position_40_20_40", "position_based"),
    ("time_decay_half_life_7d", "time_decay"),
];

impl Question<'_> {
    fn pairs(&self, select: &str, from: &str) -> Map<String, Value> {
        self.answers.pairs(&format!("SELECT {select} FROM {from}"))
    }

    /// Compares all figures under `attribution`, and asserts that there are no others.
    pub(super) fn assert_all(&self) {
        let mut expected = self.answers.object(&["attribution"]).clone();
        for described in ["touchpoints", "conversion", "excluded_without_touch"] {
            expected.remove(described);
        }
        let data = self.data;
        let counts = self.answers.tuple(&format!(
            "SELECT count(DISTINCT user_id) FILTER (WHERE event = 'purchase') AS converted, count(DISTINCT user_id) AS journeys \
             FROM ({data})"
        ));
        assert_eq!(counts[0], expected.remove("converted").expect("a count"));
        assert_eq!(counts[1], expected.remove("journeys").expect("a count"));

        let heuristics = expected.remove("heuristics").expect("an object");
        assert_eq!(heuristics.as_object().expect("an object").len(), MODELS.len());
        for (key, model) in MODELS {
            let found = self.pairs(
                "touch_key, conversions",
                &format!("attribution_summary(({data}), models => ['{model}'], lookback => 'person')"),
            );
            assert_numbers(&without_zeros(found), &heuristics[key], 1e-9, key);
        }

        let chain = expected.remove("markov_order1").expect("an object");
        self.assert_chain(&chain);

        let shapley = expected.remove("shapley").expect("an object");
        for (key, worth) in
            [("A_conversions_subset_sum", "volume"), ("B_conversion_rate_subset", "rate_within")]
        {
            let from = format!("shapley_attribution(({data}), worth => '{worth}')");
            let found = self.pairs("touch_key, shapley_value", &from);
            assert_numbers(&found, &shapley[key], 1e-9, key);
            if worth == "rate_within" {
                let sum: f64 = found.values().filter_map(Value::as_f64).sum();
                assert_number(sum, &shapley["B_grand_coalition_rate"], 1e-11, "rate of all");
            }
        }
        assert_eq!(shapley.as_object().expect("an object").len(), 3);

        if let Some(package) = expected.remove("third_party_ChannelAttribution_2_2_5_markov") {
            self.assert_simulated(&package);
        }
        assert!(expected.is_empty(), "not looked at: {expected:?}");
        tell("attribution: every figure is compared");
    }

    fn assert_chain(&self, expected: &Value) {
        let data = self.data;
        let chain = format!("markov_attribution(({data}))");
        for (column, key) in [("removal_effect", "removal_effect"), ("conversions", "attributed_conversions")]
        {
            let found = self.pairs(&format!("touch_key, {column}"), &chain);
            assert_numbers(&found, &expected[key], 1e-9, key);
        }
        let found = self.pairs(
            "concat(source, ' -> ', target) AS name, probability",
            &format!("markov_transitions(({data}))"),
        );
        assert_numbers(&found, &expected["transition_probability"], 1e-11, "transitions");
        let total = self.answers.value(&format!("SELECT sum(conversions) AS n FROM {chain}"));
        assert_number(total.as_f64().expect("a number"), &expected["total_conversions"], 1e-9, "conversions");
        let converting = self.answers.value(&format!(
            "SELECT count(DISTINCT user_id) FILTER (WHERE event = 'purchase')::double / count(DISTINCT user_id) AS rate \
             FROM ({data})"
        ));
        let rate = converting.as_f64().expect("a number");
        assert_number(rate, &expected["conversion_probability_from_start"], 1e-11, "rate");
        assert_eq!(expected.as_object().expect("an object").len(), 5);
    }

    /// Within the noise of a simulation: 1 %.
    fn assert_simulated(&self, package: &Value) {
        let chain = format!("markov_attribution(({}))", self.data);
        for (column, key) in [("conversions", "result"), ("removal_effect", "removal_effects")] {
            let found = self.pairs(&format!("touch_key, {column}"), &chain);
            let expected = package[key].as_object().expect("an object");
            assert_eq!(found.len(), expected.len(), "{key}");
            for (name, value) in expected {
                let value = value.as_f64().expect("a number");
                assert_number(value, &found[name], 0.01 * value, name);
            }
        }
    }
}

/// The published figures leave out what gets nothing.
fn without_zeros(numbers: Map<String, Value>) -> Map<String, Value> {
    numbers.into_iter().filter(|(_, number)| number.as_f64() != Some(0.0)).collect()
}

fn assert_numbers(found: &Map<String, Value>, expected: &Value, tolerance: f64, what: &str) {
    let expected = expected.as_object().expect("an object");
    let (mut names, mut wanted): (Vec<&String>, Vec<&String>) =
        (found.keys().collect(), expected.keys().collect());
    names.sort();
    wanted.sort();
    assert_eq!(names, wanted, "{what}");
    for (name, number) in found {
        assert_number(
            number.as_f64().expect("a number"),
            &expected[name],
            tolerance,
            &format!("{what}: {name}"),
        );
    }
}

fn assert_number(found: f64, expected: &Value, tolerance: f64, what: &str) {
    let expected = expected.as_f64().expect("a number");
    assert!((found - expected).abs() <= tolerance, "{what}: {found} is not {expected}");
}
