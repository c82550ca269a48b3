//! The rules one by one; the known answers of other engines are in the integration tests.

use super::*;
use crate::journey::event::{insert_step, sort_by_time, words_for};
use crate::journey::time::FixedWindow;

/// Depth for rows given as (time, steps met), in any order.
fn depth(steps: usize, modes: &str, window: i64, rows: &[(i64, &[usize])]) -> usize {
    let words = words_for(steps);
    let mut times = Vec::new();
    let mut sets = Vec::new();
    for (time, met) in rows {
        let mut set = vec![0; words];
        for step in *met {
            insert_step(&mut set, *step);
        }
        times.push(*time);
        sets.extend(set);
    }
    sort_by_time(&mut times, &mut sets);
    let mut state = FunnelState::new(steps);
    depth_of_sorted(
        &mut state,
        FunnelModes::parse(modes).unwrap(),
        &FixedWindow::new(window).unwrap(),
        &times,
        &sets,
    )
}

/// Letters a, b, c, .. at times 0, 1, 2, .. against as many steps; `-` meets no condition.
fn letters(steps: usize, modes: &str, text: &str) -> usize {
    let met: Vec<Vec<usize>> = text
        .bytes()
        .map(|letter| match letter {
            b'-' => vec![],
            _ => vec![usize::from(letter - b'a') + 1],
        })
        .collect();
    let rows: Vec<(i64, &[usize])> = (0..).zip(met.iter().map(Vec::as_slice)).collect();
    depth(steps, modes, 1_000, &rows)
}

#[test]
fn empty_and_single() {
    assert_eq!(depth(3, "default", 10, &[]), 0);
    assert_eq!(depth(1, "default", 0, &[(5, &[1])]), 1);
    assert_eq!(depth(3, "default", 10, &[(5, &[2])]), 0);
    assert_eq!(depth(0, "default", 10, &[(5, &[])]), 0);
}

#[test]
fn window_is_inclusive_and_counted_from_the_first_step() {
    let rows: &[(i64, &[usize])] = &[(0, &[1]), (6, &[2]), (10, &[3])];
    assert_eq!(depth(3, "default", 10, rows), 3);
    assert_eq!(depth(3, "default", 9, rows), 2);
    assert_eq!(depth(3, "default", 5, rows), 1);
}

#[test]
fn a_later_entry_restarts_the_window() {
    let rows: &[(i64, &[usize])] = &[(0, &[1]), (100, &[1]), (105, &[2])];
    assert_eq!(depth(2, "default", 10, rows), 2);
}

#[test]
fn zero_window_keeps_one_instant() {
    assert_eq!(depth(2, "default", 0, &[(7, &[2]), (7, &[1])]), 2);
    assert_eq!(depth(2, "default", 0, &[(7, &[1]), (8, &[2])]), 1);
}

#[test]
fn one_row_may_fill_several_steps() {
    assert_eq!(depth(3, "default", 10, &[(0, &[1, 2, 3])]), 3);
    assert_eq!(depth(3, "strict_increase", 10, &[(0, &[1, 2, 3])]), 1);
    let rows: &[(i64, &[usize])] = &[(0, &[1, 2, 3]), (1, &[1, 2, 3]), (2, &[1, 2, 3])];
    assert_eq!(depth(3, "strict_increase", 10, rows), 3);
}

#[test]
fn ties_count_in_step_order() {
    let rows: &[(i64, &[usize])] = &[(0, &[3]), (0, &[2]), (0, &[1])];
    assert_eq!(depth(3, "default", 10, rows), 3);
    assert_eq!(depth(3, "strict_order", 10, rows), 3);
    assert_eq!(depth(3, "strict_increase", 10, rows), 1);
}

#[test]
fn strict_order_ends_at_foreign_rows_gaps_and_restarts() {
    assert_eq!(letters(3, "strict_order", "abc"), 3);
    assert_eq!(letters(3, "strict_order", "a-bc"), 1);
    assert_eq!(letters(3, "strict_order", "-abc"), 3);
    assert_eq!(letters(3, "strict_order", "cbabc"), 3);
    assert_eq!(letters(3, "strict_order", "acbabc"), 1);
    assert_eq!(letters(3, "strict_order", "aabbcc"), 3);
    assert_eq!(letters(3, "strict_order", "abac"), 2);
    assert_eq!(letters(3, "strict_order, allow_reentry", "abac"), 3);
    assert_eq!(letters(3, "strict_order, allow_reentry", "ab-ac"), 2);
    assert_eq!(letters(3, "strict_order, allow_restart", "abac"), 3);
    assert_eq!(letters(3, "strict_order, allow_restart", "ab-ac"), 2);
    assert_eq!(letters(4, "strict_order, allow_restart", "abad"), 2);
}

#[test]
fn strict_order_takes_foreign_rows_of_an_instant_first() {
    let rows: &[(i64, &[usize])] = &[(0, &[1]), (0, &[]), (1, &[2])];
    assert_eq!(depth(2, "strict_order", 10, rows), 2);
    let rows: &[(i64, &[usize])] = &[(0, &[1]), (1, &[2]), (1, &[])];
    assert_eq!(depth(2, "strict_order", 10, rows), 1);
}

#[test]
fn reentry_does_not_move_the_window() {
    let rows: &[(i64, &[usize])] = &[(0, &[1]), (1, &[2]), (8, &[1]), (12, &[3])];
    assert_eq!(depth(3, "strict_order, allow_reentry", 10, rows), 2);
    assert_eq!(depth(3, "strict_order, allow_reentry", 12, rows), 3);
}

#[test]
fn a_restart_moves_the_window() {
    let rows: &[(i64, &[usize])] = &[(0, &[1]), (1, &[2]), (8, &[1]), (12, &[2]), (18, &[3])];
    assert_eq!(depth(3, "strict_order, allow_reentry", 10, rows), 2);
    assert_eq!(depth(3, "strict_order, allow_restart", 10, rows), 3);
    // Step 2 of the first attempt is no predecessor that a later row could lack.
    let rows: &[(i64, &[usize])] = &[(0, &[1]), (1, &[2]), (8, &[1]), (18, &[3])];
    assert_eq!(depth(4, "strict_order, allow_restart", 10, rows), 2);
}

#[test]
fn strict_deduplication_ends_at_a_repeated_step() {
    assert_eq!(letters(4, "strict_deduplication", "abcbd"), 3);
    assert_eq!(letters(4, "strict_deduplication", "abca"), 3);
    assert_eq!(letters(3, "strict_deduplication", "aabc"), 3);
    assert_eq!(letters(3, "strict_deduplication", "abbc"), 2);
    let twice_at_once: &[(i64, &[usize])] = &[(0, &[1]), (1, &[2]), (1, &[2]), (2, &[3])];
    assert_eq!(depth(3, "strict_deduplication", 10, twice_at_once), 2);
}

#[test]
fn strict_increase_keeps_every_useful_chain() {
    let rows: &[(i64, &[usize])] = &[(0, &[1]), (1, &[2]), (2, &[2]), (2, &[3])];
    assert_eq!(depth(3, "strict_increase", 10, rows), 3);
    // The older entry is in time for step 2 at the instant of the younger one.
    let rows: &[(i64, &[usize])] = &[(0, &[1]), (5, &[1]), (5, &[2]), (6, &[3])];
    assert_eq!(depth(3, "strict_increase", 10, rows), 3);
    // Only the younger entry is still open for step 3.
    let rows: &[(i64, &[usize])] = &[(0, &[1]), (5, &[1]), (6, &[2]), (15, &[3])];
    assert_eq!(depth(3, "strict_increase", 10, rows), 3);
    assert_eq!(depth(3, "strict_increase, strict_order", 10, rows), 3);
}

#[test]
fn forty_and_two_hundred_steps() {
    for steps in [40, 64, 65, 200] {
        let met: Vec<[usize; 1]> = (1..=steps).map(|step| [step]).collect();
        let rows: Vec<(i64, &[usize])> = (0..).zip(met.iter().map(<[usize; 1]>::as_slice)).collect();
        for modes in ["default", "strict_order", "strict_increase", "strict_deduplication"] {
            assert_eq!(depth(steps, modes, 1_000, &rows), steps);
            assert_eq!(depth(steps, modes, 20, &rows), 21);
        }
    }
}

#[test]
fn overflowing_window_has_no_limit() {
    let rows: &[(i64, &[usize])] = &[(i64::MAX - 1, &[1]), (i64::MAX, &[2])];
    assert_eq!(depth(2, "default", 100, rows), 2);
    assert_eq!(depth(2, "strict_increase", i64::MAX, rows), 2);
    let rows: &[(i64, &[usize])] = &[(i64::MIN, &[1]), (i64::MAX, &[2])];
    assert_eq!(depth(2, "default", i64::MAX, rows), 1);
}

#[test]
fn a_chain_begins_with_the_nearest_entry() {
    let mut state = FunnelState::new(2);
    let window = FixedWindow::new(10).unwrap();
    for modes in ["default", "strict_increase"] {
        let modes = FunnelModes::parse(modes).unwrap();
        let sets = [0b01, 0b01, 0b10];
        assert_eq!(chain_of_sorted(&mut state, modes, &window, &[0, 100, 105], &sets), [1, 2]);
        assert!(chain_of_sorted(&mut state, modes, &window, &[0], &[0b10]).is_empty());
    }
}

#[test]
fn a_state_is_reusable() {
    let mut state = FunnelState::new(2);
    let window = FixedWindow::new(10).unwrap();
    for modes in ["strict_increase", "default", "strict_increase"] {
        let modes = FunnelModes::parse(modes).unwrap();
        assert_eq!(depth_of_sorted(&mut state, modes, &window, &[0, 1], &[0b01, 0b10]), 2);
        assert_eq!(depth_of_sorted(&mut state, modes, &window, &[0], &[0b10]), 0);
    }
}
