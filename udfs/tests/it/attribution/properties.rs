//! Any order of rows, any partitions and batches, the same answer to the last bit; sums that add up.

use std::collections::BTreeMap;

use datafusion::execution::SessionStateBuilder;
use datafusion::optimizer::{Analyzer, Optimizer};
use datafusion::prelude::{SessionConfig, SessionContext};
use proptest::prelude::*;
use wayfare_udfs::interval::with_interval_rules;
use wayfare_udfs::table::{relation_planner, with_table_rules};
use wayfare_udfs::unnest::with_unnest_rule;

use super::people::{Row, batch, rows};
use super::{lines, texts};
use crate::sql::register;

const MODELS: &str = "['first_touch', 'last_touch', 'last_non_direct', 'linear', 'u_shaped', 'j_shaped', 'inverse_j', \
                      'time_decay', 'participation', 'custom', 'segment_rows']";

pub(super) fn context(partitions: usize, batch_size: usize) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(batch_size);
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .with_analyzer_rules(with_unnest_rule(with_interval_rules(Analyzer::new().rules)))
        .with_optimizer_rules(with_table_rules(Optimizer::new().rules))
        .with_relation_planners(vec![relation_planner()])
        .build();
    let mut context = SessionContext::new_with_state(state);
    wayfare_udfs::register_all(&mut context).unwrap();
    context
}

/// Numbers from 0 in an order that looks random.
pub(super) fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    let mut state = seed;
    for index in (1..count).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        order.swap(index, (state >> 33) as usize % (index + 1));
    }
    order
}

fn arguments() -> impl Strategy<Value = String> {
    let lookback = prop::sample::select(vec![
        "INTERVAL '10 hours'",
        "'person'",
        "'session', session_gap => INTERVAL '5 hours'",
        "3",
        "INTERVAL '1 day', lookback_touches => 2",
    ]);
    let ties = prop::sample::select(vec!["same_instant", "order", "strict"]);
    let more = prop::sample::select(vec![
        "",
        ", cut_at_conversion => true",
        ", expire_if => marked",
        ", require => [marked]",
        ", exclude => marked",
        ", optional_touch => marked",
        ", container => marked",
        ", count => 'distinct'",
    ]);
    (lookback, ties, more).prop_map(|(lookback, ties, more)| {
        format!(
            "conversion => converts, models => {MODELS}, weights => [1, 0, 2.5], segments => ['2:0.7:linear', \
             '1:0.3:last_touch'], half_life => INTERVAL '7 hours', lookback => {lookback}, ties => '{ties}'{more}"
        )
    })
}

async fn answers(context: &SessionContext, arguments: &str) -> [Vec<String>; 2] {
    let detail = format!(
        "SELECT * FROM attribution(t, {arguments}) ORDER BY model, conversion_id, position NULLS LAST"
    );
    let summary =
        format!("SELECT * FROM attribution_summary(t, {arguments}, cost => cost) ORDER BY model, touch_key");
    [lines(context, &detail).await, lines(context, &summary).await]
}

async fn check(rows: &[Row], shuffled: &[usize], arguments: &str) {
    let in_order: Vec<usize> = (0..rows.len()).collect();
    let first = context(1, 8192);
    register(&first, "t", &batch(rows, &in_order), 1);
    let expected = answers(&first, arguments).await;
    for (partitions, batch_size) in [(2, 3), (8, 5)] {
        let other = context(partitions, batch_size);
        register(&other, "t", &batch(rows, shuffled), partitions);
        assert_eq!(answers(&other, arguments).await, expected, "{arguments}");
    }
    adds_up(&first, arguments).await;
}

/// The summary is the sum of the single rows, and every conversion is divided without a rest.
async fn adds_up(context: &SessionContext, arguments: &str) {
    let whole = format!(
        "SELECT model, conversion_id, sum(value), max(conversion_value), sum(credit), count(*) \
         FROM attribution(t, {arguments}) WHERE model <> 'participation' GROUP BY model, conversion_id"
    );
    for row in texts(context, &whole).await {
        assert_eq!(row[2], row[3], "{row:?}");
        let credit: f64 = row[4].parse().unwrap();
        assert!((credit - 1.0).abs() < 1e-12, "{row:?}");
    }
    let by_key = format!(
        "SELECT model, touch_key, sum(credit), sum(value) FROM attribution(t, {arguments}) GROUP BY model, touch_key"
    );
    let rows = texts(context, &by_key).await.into_iter();
    let mut sums: BTreeMap<(String, String), (f64, String)> = rows
        .map(|row| ((row[0].clone(), row[1].clone()), (row[2].parse().unwrap(), row[3].clone())))
        .collect();
    let summary = format!(
        "SELECT model, touch_key, conversions, value, conversions_low, conversions_high \
         FROM attribution_summary(t, {arguments})"
    );
    for row in texts(context, &summary).await {
        let (credit, value) =
            sums.remove(&(row[0].clone(), row[1].clone())).unwrap_or((0.0, "0.00".to_owned()));
        let found: f64 = row[2].parse().unwrap();
        assert!((found - credit).abs() < 1e-9, "{row:?} is not {credit}");
        if value != "-" && row[3] != "-" {
            assert_eq!(row[3].parse::<f64>().unwrap(), value.parse::<f64>().unwrap(), "{row:?}");
        }
        if let (Ok(low), Ok(high)) = (row[4].parse::<f64>(), row[5].parse::<f64>()) {
            // Segments may leave out touches, and so give a conversion to one key.
            let is_bounded = row[0] == "participation" || row[0] == "segment_rows" || found >= low - 1e-9;
            assert!(is_bounded && found <= high + 1e-9, "{row:?}");
        }
    }
    assert!(sums.is_empty(), "{sums:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_answer_depends_on_rows_alone(
        rows in rows(),
        seed in any::<u64>(),
        arguments in arguments(),
    ) {
        let shuffled = shuffled(rows.len(), seed);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(check(&rows, &shuffled, &arguments));
    }
}
