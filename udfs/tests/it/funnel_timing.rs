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

/// Times and sets of conditions.
type Rows = (Vec<i64>, Vec<u64>);

/// Rows of one person: `per_instant` of them share each time, `met` gives the words of the steps that a row meets.
fn rows<const WORDS: usize>(per_instant: usize, met: impl Fn(usize) -> [u64; WORDS]) -> Rows {
    let times = (0..ROWS).map(|row| i64::try_from(row / per_instant).unwrap()).collect();
    (times, (0..ROWS).flat_map(met).collect())
}

/// Numbers without a pattern, the same each time (splitmix64).
fn mixed(row: usize) -> u64 {
    let mut mixed = (row as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[test]
#[ignore = "measures, and takes its time"]
fn one_person_with_a_million_rows() {
    let short = FixedWindow::new(50).unwrap();
    let open = FixedWindow::new(i64::MAX).unwrap();
    let session = SessionWindow::new(FixedWindow::new(0).unwrap());
    // The last step never happens, so that no search ends early.
    let five = |row: usize| [(1_u64 << (mixed(row) % 6)) & 0b1111];
    let many = |row: usize| {
        let mut set = [0; 4];
        insert_step(&mut set, usize::try_from(mixed(row) % 199).unwrap() + 1);
        set
    };
    let dense = |row: usize| {
        let word = |index: usize| mixed(row * 4 + index);
        [word(0), word(1), word(2), word(3) & 0b111_1111]
    };
    let inputs: [(&str, usize, Rows); 5] = [
        ("5 steps, times differ", 5, rows(1, five)),
        ("200 steps, times differ", 200, rows(1, many)),
        ("200 steps, 100 met by each row, times differ", 200, rows(1, dense)),
        ("200 steps, 100 met by each row, 100 rows an instant", 200, rows(100, dense)),
        ("200 steps, 100 met by each row, one instant", 200, rows(ROWS, dense)),
    ];
    for (input, steps, (times, sets)) in &inputs {
        for modes in MODES {
            let parsed = FunnelModes::parse(modes).unwrap();
            let mut state = FunnelState::new(*steps);
            let start = Instant::now();
            let depth = depth_of_sorted(&mut state, parsed, &open, times, sets);
            let mut took = vec![format!("depth {depth} {:.1} s", start.elapsed().as_secs_f64())];
            if per_row(sets) < 2 {
                let start = Instant::now();
                let depth = depth_of_sorted(&mut state, parsed, &short, times, sets);
                took.push(format!("in a window {depth} {:.1} s", start.elapsed().as_secs_f64()));
                let start = Instant::now();
                let depth = depth_of_sorted(&mut state, parsed, &session, times, sets);
                took.push(format!("in a session {depth} {:.1} s", start.elapsed().as_secs_f64()));
                let start = Instant::now();
                let chain = chain_of_sorted(&mut state, parsed, &open, times, sets).len();
                took.push(format!("chain {chain} {:.1} s", start.elapsed().as_secs_f64()));
                let first_two: Vec<u64> =
                    sets.chunks_exact(words_for(*steps)).map(|set| set[0] & 0b11).collect();
                let mut counting = FunnelState::counting(2);
                let start = Instant::now();
                let count = count_of_sorted(&mut counting, parsed, &short, times, &first_two, 2);
                took.push(format!("count {count} {:.1} s", start.elapsed().as_secs_f64()));
            }
            tell(format!("{input}, {modes}: {}", took.join(", ")));
        }
    }
}

/// Conditions that a row meets on average.
fn per_row(sets: &[u64]) -> u64 {
    sets.iter().map(|word| u64::from(word.count_ones())).sum::<u64>() / ROWS as u64
}
