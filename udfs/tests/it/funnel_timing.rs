//! One person with a million rows, in every mode. Run by hand:
//! `cargo nextest run -p wayfare-udfs --run-ignored only funnel_timing --no-capture`.

use std::time::Instant;

use wayfare_udfs::journey::event::{insert_step, words_for};
use wayfare_udfs::journey::funnel::{
    FunnelModes, FunnelState, SessionWindow, chain_of_sorted, count_of_sorted, depth_of_sorted,
};
use wayfare_udfs::journey::time::FixedWindow;

use crate::sql::tell;

const ROWS: usize = 1_000_000;
const MODES: [&str; 9] = [
    "default",
    "strict_order, allow_reentry",
    "strict_increase",
    "strict_deduplication",
    "strict_once",
    "strict_once, strict_order",
    "strict_rows",
    "strict_steps",
    "strict_no_repeat",
];

/// Rows of one person: `per_instant` of them share each time, `met` tells the steps that a row meets.
fn rows(steps: usize, per_instant: usize, met: impl Fn(usize) -> Vec<usize>) -> (Vec<i64>, Vec<u64>) {
    let words = words_for(steps);
    let times = (0..ROWS).map(|row| i64::try_from(row / per_instant).unwrap()).collect();
    let mut sets = vec![0; ROWS * words];
    for (row, set) in sets.chunks_exact_mut(words).enumerate() {
        for step in met(row) {
            insert_step(set, step);
        }
    }
    (times, sets)
}

/// Numbers without a pattern, the same each time.
fn mixed(row: usize) -> usize {
    let mixed = (row as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 33) as usize
}

#[test]
#[ignore = "measures, and takes its time"]
fn one_person_with_a_million_rows() {
    let short = FixedWindow::new(50).unwrap();
    let open = FixedWindow::new(i64::MAX).unwrap();
    let session = SessionWindow { gap: FixedWindow::new(0).unwrap() };
    // The last step never happens, so that no search ends early; five of six steps else.
    let five = |row: usize| vec![mixed(row) % 6 + 1].into_iter().filter(|step| *step < 5).collect();
    let many = |row: usize| vec![mixed(row) % 199 + 1];
    let dense = |row: usize| (1..200).filter(|step| mixed(row * 200 + step) % 2 == 0).collect();
    let inputs: [(&str, usize, (Vec<i64>, Vec<u64>)); 5] = [
        ("5 steps, times differ", 5, rows(5, 1, five)),
        ("200 steps, times differ", 200, rows(200, 1, many)),
        ("200 steps, 100 met by each row, times differ", 200, rows(200, 1, dense)),
        ("200 steps, 100 met by each row, 100 rows an instant", 200, rows(200, 100, dense)),
        ("200 steps, 100 met by each row, one instant", 200, rows(200, ROWS, dense)),
    ];
    for (input, steps, (times, sets)) in &inputs {
        for modes in MODES {
            let parsed = FunnelModes::parse(modes).unwrap();
            let mut took = Vec::new();
            let mut state = FunnelState::new(*steps);
            for _ in 0..1 {
                let start = Instant::now();
                let depth = depth_of_sorted(&mut state, parsed, &short, times, sets);
                took.push(format!("depth {depth} {:.1} s", start.elapsed().as_secs_f64()));
                let start = Instant::now();
                let depth = depth_of_sorted(&mut state, parsed, &open, times, sets);
                took.push(format!("no limit {depth} {:.1} s", start.elapsed().as_secs_f64()));
                let start = Instant::now();
                let depth = depth_of_sorted(&mut state, parsed, &session, times, sets);
                took.push(format!("session {depth} {:.1} s", start.elapsed().as_secs_f64()));
                let start = Instant::now();
                let chain = chain_of_sorted(&mut state, parsed, &short, times, sets).len();
                took.push(format!("chain {chain} {:.1} s", start.elapsed().as_secs_f64()));
                let mut counting = FunnelState::counting(2);
                let start = Instant::now();
                if *steps <= 64 {
                    let count = count_of_sorted(&mut counting, parsed, &short, times, sets, 2);
                    took.push(format!("count {count} {:.1} s", start.elapsed().as_secs_f64()));
                }
            }
            tell(format!("{input}, {modes}: {}", took.join(", ")));
        }
    }
}
