//! Generated rows of one person, and the plain algorithms over them.

use proptest::prelude::*;
use proptest::sample::SizeRange;
use wayfare_udfs::journey::event::{insert_step, words_for};
use wayfare_udfs::journey::funnel::{
    FunnelModes, FunnelState, SessionWindow, chain_of_sorted, count_of_sorted, depth_of_sorted,
};
use wayfare_udfs::journey::time::FixedWindow;

use crate::funnel_reference::Reach;
use crate::reference::Row;

pub(crate) const MODES: [&str; 28] = [
    "default",
    "strict_order",
    "strict_increase",
    "strict_deduplication",
    "strict_once",
    "strict_order, allow_reentry",
    "strict_order, strict_increase",
    "strict_order, strict_deduplication",
    "strict_order, strict_once",
    "strict_increase, strict_deduplication",
    "strict_increase, strict_once",
    "strict_deduplication, strict_once",
    "strict_order, strict_increase, strict_deduplication",
    "strict_order, strict_deduplication, strict_once",
    "strict_order, strict_once, allow_reentry",
    "strict_order, strict_increase, strict_deduplication, allow_reentry",
    "strict_order, strict_deduplication, strict_once, allow_reentry",
    "strict_order, strict_increase, strict_deduplication, strict_once, allow_reentry",
    "strict_order, allow_restart",
    "strict_order, strict_increase, allow_restart",
    "strict_order, strict_deduplication, allow_restart",
    "strict_order, strict_once, allow_restart",
    "strict_rows",
    "strict_rows, strict_increase",
    "strict_steps",
    "strict_steps, strict_increase",
    "strict_no_repeat",
    "strict_no_repeat, strict_increase",
];

pub(crate) const STEPS: usize = 4;

pub(crate) fn modes() -> impl Strategy<Value = &'static str> {
    prop::sample::select(MODES.to_vec())
}

/// Rows with few distinct times, so that ties are common; mostly one step each.
pub(crate) fn rows(count: impl Into<SizeRange>) -> impl Strategy<Value = Vec<Row>> {
    let one = (1..=STEPS).prop_map(|step| vec![step]);
    let several = prop::sample::subsequence((1..=STEPS).collect::<Vec<_>>(), 0..=STEPS);
    let met = prop_oneof![3 => one, 1 => several];
    prop::collection::vec((0_i64..12, met), count)
}

pub(crate) fn reach() -> impl Strategy<Value = Reach> {
    prop_oneof![2 => (0_i64..14).prop_map(Reach::Ticks), 1 => (0_i64..4).prop_map(Reach::Session)]
}

/// Calls `$function(state, modes, window, times, sets, ..)` for the window of a reach.
macro_rules! with_window {
    ($reach:expr, $window:ident => $call:expr) => {
        match $reach {
            Reach::Ticks(ticks) => {
                let $window = &FixedWindow::new(ticks).unwrap();
                $call
            }
            Reach::Session(gap) => {
                let $window = &SessionWindow::new(FixedWindow::new(gap).unwrap());
                $call
            }
        }
    };
}

fn sorted(rows: &[Row]) -> (Vec<i64>, Vec<u64>) {
    let words = words_for(STEPS);
    let mut times = Vec::new();
    let mut sets = Vec::new();
    let mut rows: Vec<&Row> = rows.iter().collect();
    // Stable: rows of one instant keep the order in which they are given.
    rows.sort_by_key(|row| row.0);
    for (time, met) in rows {
        let mut set = vec![0; words];
        for step in met {
            insert_step(&mut set, *step);
        }
        times.push(*time);
        sets.extend(set);
    }
    (times, sets)
}

pub(crate) fn plain_depth_in(steps: usize, modes: &str, reach: Reach, rows: &[Row]) -> usize {
    let (times, sets) = sorted(rows);
    let modes = FunnelModes::parse(modes).unwrap();
    let state = &mut FunnelState::new(steps);
    with_window!(reach, window => depth_of_sorted(state, modes, window, &times, &sets))
}

pub(crate) fn plain_count(steps: usize, modes: &str, reach: Reach, rows: &[Row]) -> usize {
    let (times, sets) = sorted(rows);
    let modes = FunnelModes::parse(modes).unwrap();
    let state = &mut FunnelState::counting(steps);
    with_window!(reach, window => count_of_sorted(state, modes, window, &times, &sets, steps))
}

/// Rows of the chain as (time, steps met), in the order of the steps.
pub(crate) fn plain_chain(steps: usize, modes: &str, reach: Reach, rows: &[Row]) -> Vec<(usize, i64, u64)> {
    let (times, sets) = sorted(rows);
    let modes = FunnelModes::parse(modes).unwrap();
    let state = &mut FunnelState::new(steps);
    let chain = with_window!(reach, window => chain_of_sorted(state, modes, window, &times, &sets));
    chain.into_iter().map(|row| (row, times[row], sets[row])).collect()
}

/// The funnel of the first `steps` steps; rows meet no others.
pub(crate) fn cut(steps: usize, rows: &[Row]) -> Vec<Row> {
    let cut = |met: &[usize]| met.iter().copied().filter(|step| *step <= steps).collect();
    rows.iter().map(|(time, met)| (*time, cut(met))).collect()
}
