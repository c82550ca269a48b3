//! The product funnel for one person with a million rows: each order, exclusions, optional steps, groups, many steps.

use std::hint::black_box;

use divan::Bencher;
use divan::counter::ItemsCount;
use wayfare_udfs::journey::event::insert_step;
use wayfare_udfs::journey::product_funnel::{
    ByValue, Count, Entry, Evaluator, Exclusion, Order, PersonRows, Rules,
};
use wayfare_udfs::journey::ties::Ties;
use wayfare_udfs::journey::time::FixedWindow;

const ROWS: usize = 1_000_000;
const STEPS: usize = 5;
const MANY_STEPS: usize = 200;
/// Groups of a breakdown.
const VALUES: u32 = 20;
/// How many rows share each time.
const PER_INSTANT: [usize; 2] = [1, 1_000];

fn main() {
    divan::main();
}

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

/// Row r meets step r % (steps + 3), but never the last step, so that no search ends early.
fn measure(bencher: Bencher, rules: &Rules<FixedWindow>, per_instant: usize) {
    let times: Vec<i64> =
        (0_i64..).flat_map(|time| std::iter::repeat_n(time, per_instant)).take(ROWS).collect();
    let mut sets = vec![0; ROWS * rules.words()];
    for (row, set) in sets.chunks_mut(rules.words()).enumerate() {
        let step = row % (rules.steps() + 3) + 1;
        if step < rules.steps() {
            insert_step(set, step);
        }
    }
    let values: Vec<Option<u32>> = (0..VALUES).cycle().take(ROWS).map(Some).collect();
    let by = matches!(rules.by_value, ByValue::Step(_)).then_some(values.as_slice());
    let data = PersonRows { times: &times, sets: &sets, hold: None, session: None, by, period: None };
    bencher
        .counter(ItemsCount::new(ROWS))
        .bench_local(|| black_box(Evaluator::default().outcomes(rules, &data)));
}

#[divan::bench(args = PER_INSTANT, sample_count = 5)]
fn ordered(bencher: Bencher, per_instant: usize) {
    measure(bencher, &rules(STEPS), per_instant);
}

#[divan::bench(args = PER_INSTANT, sample_count = 5)]
fn strict(bencher: Bencher, per_instant: usize) {
    measure(bencher, &Rules { order: Order::Strict, ..rules(STEPS) }, per_instant);
}

#[divan::bench(args = PER_INSTANT, sample_count = 5)]
fn unordered(bencher: Bencher, per_instant: usize) {
    measure(bencher, &Rules { order: Order::Unordered, ..rules(STEPS) }, per_instant);
}

#[divan::bench(args = PER_INSTANT, sample_count = 5)]
fn an_exclusion(bencher: Bencher, per_instant: usize) {
    let exclusions = vec![Exclusion { from: 1, to: STEPS }];
    measure(bencher, &Rules { exclusions, ..rules(STEPS) }, per_instant);
}

#[divan::bench(args = PER_INSTANT, sample_count = 5)]
fn two_optional_steps(bencher: Bencher, per_instant: usize) {
    measure(bencher, &Rules { optional: vec![false, true, false, true, false], ..rules(STEPS) }, per_instant);
}

#[divan::bench(args = PER_INSTANT, sample_count = 5)]
fn step_within(bencher: Bencher, per_instant: usize) {
    measure(bencher, &Rules { step_within: FixedWindow::new(100), ..rules(STEPS) }, per_instant);
}

#[divan::bench(args = PER_INSTANT, sample_count = 5)]
fn attempts(bencher: Bencher, per_instant: usize) {
    measure(bencher, &Rules { count: Count::Totals, ..rules(STEPS) }, per_instant);
}

#[divan::bench(args = PER_INSTANT, sample_count = 3)]
fn groups_by_the_first_step(bencher: Bencher, per_instant: usize) {
    measure(bencher, &Rules { by_value: ByValue::Step(1), ..rules(STEPS) }, per_instant);
}

#[divan::bench(args = PER_INSTANT, sample_count = 3)]
fn two_hundred_steps(bencher: Bencher, per_instant: usize) {
    measure(bencher, &rules(MANY_STEPS), per_instant);
}
