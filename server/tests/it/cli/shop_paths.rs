//! simple_shop, loaded as a user would, against every figure of paths, transitions and steps.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::answers::{Answers, assert_close};
use super::shop::{ANALYSIS, load, numbered};

/// The rows of the analysis as data of a table function.
fn data() -> String {
    format!("(SELECT * FROM touchpoints WHERE {ANALYSIS})")
}

/// Two names and a number as `"source -> target": number`.
fn edges(shop: &Answers, figure: &str, call: &str) -> Map<String, Value> {
    shop.pairs(&format!("SELECT concat(source, ' -> ', target) AS edge, {figure} FROM {call}"))
}

#[test]
fn transitions() {
    let shop = load();
    let of = |per: &str, top: &str| format!("transitions({}, per => {per}, ends => false{top})", data());
    assert_eq!(
        Value::Object(edges(&shop, "count", &of("'person'", ""))),
        *shop.at(&["transitions_user_path"])
    );
    let top = of("'session'", ", top => 30");
    shop.assert_tuples(
        shop.at(&["transitions_session_top30"]),
        &format!("SELECT concat(source, ' -> ', target) AS edge, count FROM {top} ORDER BY count DESC, edge"),
    );
}

#[test]
fn whole_paths() {
    let shop = load();
    for (of, per) in [("session", "'session'"), ("user", "'person'")] {
        let call = |rest: &str| format!("top_paths({}, per => {per}{rest})", data());
        shop.assert_value(
            shop.at(&[&format!("distinct_{of}_paths")]),
            &format!("SELECT count(*) FROM {}", call("")),
        );
        shop.assert_tuples(
            shop.at(&[&format!("top_{of}_paths")]),
            &format!("SELECT path, count FROM {} ORDER BY count DESC, path", call(", top => 20")),
        );
    }
    // Three events in a row are one path each.
    let three = format!(
        "SELECT concat(event, ' > ', second, ' > ', third) AS trigram, count(*) AS n FROM (
             SELECT event, lead(event) OVER w AS second, lead(event, 2) OVER w AS third FROM {}
             WINDOW w AS (PARTITION BY user_id, session ORDER BY ts))
         WHERE third IS NOT NULL GROUP BY trigram ORDER BY n DESC, trigram LIMIT 15",
        numbered("INTERVAL '30 minutes'")
    );
    shop.assert_tuples(shop.at(&["trigrams_session_top15"]), &three);
}

#[test]
fn steps() {
    let shop = load();
    let mut shares: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for row in shop.tuples(&format!(
        "SELECT step, CASE node WHEN '(end)' THEN 'ENDED' ELSE node END, share
         FROM step_matrix({}, per => 'person', steps => 10) WHERE step > 0",
        data()
    )) {
        let node = row[1].as_str().expect("a node").to_owned();
        shares.entry(row[0].to_string()).or_default().insert(node, row[2].clone());
    }
    let expected = shop.object(&["step_matrix_first_10_steps_share"]);
    assert_eq!(shares.len(), expected.len());
    for (step, expected) in expected {
        let expected = expected.as_object().expect("shares");
        let found = &shares[step];
        assert_eq!(found.len(), expected.len(), "step {step}: {found:?}");
        for (node, share) in expected {
            assert_close(&found[node], share, &format!("step {step}: {node}"));
        }
    }
    let published = shop.object(&["published", "step_matrix_first_step_share"]);
    for (node, share) in published {
        let percent = shares["1"][node].as_f64().expect("a share") * 100.0;
        assert_eq!(json!(percent.round() / 100.0), *share, "{node}");
    }
}

#[test]
fn what_comes_before_the_cart() {
    let shop = load();
    let shares = shop.pairs(&format!(
        "SELECT before, count(*) / sum(count(*)) OVER ()::double AS share FROM (
             SELECT sequence_next_node('backward', 'first_match', ts, event, event = 'cart', event = 'cart') AS before
             FROM {} GROUP BY user_id)
         WHERE before IS NOT NULL GROUP BY before",
        data()
    ));
    let expected = shop.object(&["event_before_first_cart_share"]);
    assert_eq!(shares.len(), expected.len());
    for (event, share) in expected {
        assert_close(&shares[event], share, event);
    }
    for (event, share) in shop.object(&["published", "before_first_cart_share"]) {
        let percent = shares[event].as_f64().expect("a share") * 100.0;
        assert_eq!(json!(percent.round() / 100.0), *share, "{event}");
    }
}

/// The states of the Markov model: touches before the first payment of a person.
#[test]
fn transitions_between_touches() {
    let shop = load();
    let journeys = "(SELECT t.user_id, t.ts, t.event FROM touchpoints AS t
         LEFT JOIN (SELECT user_id, min(ts) AS paid FROM touchpoints WHERE event = 'payment_done' GROUP BY user_id) AS p
           ON t.user_id = p.user_id
         WHERE t.event IN ('main', 'catalog', 'product1', 'product2', 'cart', 'payment_done') AND (paid IS NULL OR ts <= paid))";
    let found = edges(
        &shop,
        "probability",
        &format!("transitions({journeys}, per => 'person', conversion => 'payment_done')"),
    );
    let expected = shop.object(&["attribution", "markov_order1", "transition_probability"]);
    assert_eq!(found.len(), expected.len());
    for (edge, probability) in expected {
        assert_close(&found[edge], probability, edge);
    }
}

/// People between the steps of a funnel are those that the funnel counts.
#[test]
fn paths_between_steps() {
    let shop = load();
    for funnel in shop.list(&["funnels_users"]) {
        let stages = funnel["stages"].as_array().expect("stages");
        if stages.iter().any(|stage| !stage.is_string()) {
            continue;
        }
        let steps: Vec<String> =
            stages.iter().map(|stage| format!("'{}'", stage.as_str().expect("an event"))).collect();
        let reached = |step: usize| funnel["closed"][step - 1].as_i64().expect("a count");
        for from in 1..steps.len() {
            for to in from + 1..=steps.len() {
                let persons = |what: &str| {
                    shop.value(&format!(
                        "SELECT sum(persons) FROM funnel_paths({}, steps => [{}], within => INTERVAL '100000 days',
                             what => '{what}', from_step => {from}, to_step => {to})",
                        data(),
                        steps.join(", ")
                    ))
                };
                assert_eq!(persons("between"), json!(reached(to)), "{steps:?} {from} {to}");
                assert_eq!(persons("instead"), json!(reached(from) - reached(to)), "{steps:?} {from} {to}");
            }
        }
    }
}
