//! One person with a million rows in a product funnel, in each order. Run by hand:
//! `cargo nextest run -p wayfare-udfs --run-ignored only product_funnel_timing --no-capture`.

use std::time::Instant;

use wayfare_udfs::journey::event::insert_step;
use wayfare_udfs::journey::product_funnel::{
    ByValue, Count, Entry, Evaluator, Exclusion, Order, PersonRows, Rules,
};
use wayfare_udfs::journey::ties::Ties;
use wayfare_udfs::journey::time::FixedWindow;

use crate::sql::tell;

const ROWS: usize = 1_000_000;

fn rules(steps: usize) -> Rules<FixedWindow> {
    Rules {
        optional: vec![false; steps],
        exclusions: vec![],
        order: Order::Ordered,
        ties: Ties::SameInstant,
        entry: Entry::Latest,
        count: Count::Persons,
        by_value: ByValue::First,
        window: FixedWindow::new(10_000),
        step_within: None,
        entered_from: None,
        entered_to: None,
        session_gap: None,
    }
}

/// Rows of which `per_instant` share each time; row r meets step r % (steps + 3), but never the last step, so that
/// no search ends early.
fn measure(what: &str, rules: &Rules<FixedWindow>, per_instant: usize) {
    let times: Vec<i64> = (0..ROWS).map(|row| i64::try_from(row / per_instant).unwrap()).collect();
    let mut sets = vec![0; ROWS * rules.words()];
    for (row, set) in sets.chunks_mut(rules.words()).enumerate() {
        let step = row % (rules.steps() + 3) + 1;
        if step < rules.steps() {
            insert_step(set, step);
        }
    }
    let values: Vec<Option<u32>> = (0_u32..20).cycle().take(ROWS).map(Some).collect();
    let by = matches!(rules.by_value, ByValue::Step(_)).then_some(values.as_slice());
    let data = PersonRows { times: &times, sets: &sets, hold: None, session: None, by, period: None };
    let start = Instant::now();
    let outcomes = Evaluator::default().outcomes(rules, &data).len();
    tell(format!(
        "{what}, {per_instant} rows an instant: {:.2} s, {outcomes} outcomes",
        start.elapsed().as_secs_f64()
    ));
}

#[test]
#[ignore = "measures, and takes its time"]
fn one_person_with_a_million_rows() {
    for per_instant in [1, 1_000] {
        for (name, order) in Order::NAMES {
            measure(name, &Rules { order, ..rules(5) }, per_instant);
        }
        let excluding = Rules { exclusions: vec![Exclusion { from: 1, to: 5 }], ..rules(5) };
        measure("an exclusion", &excluding, per_instant);
        let optional = Rules { optional: vec![false, true, false, true, false], ..rules(5) };
        measure("two optional steps", &optional, per_instant);
        measure("step_within", &Rules { step_within: FixedWindow::new(100), ..rules(5) }, per_instant);
        measure("totals", &Rules { count: Count::Totals, ..rules(5) }, per_instant);
        measure(
            "20 groups by the first step",
            &Rules { by_value: ByValue::Step(1), ..rules(5) },
            per_instant,
        );
        measure("200 steps", &rules(200), per_instant);
    }
}
