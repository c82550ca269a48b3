//! Rules in small cases: rows are (time, steps met, exclusions met).

use super::*;
use crate::journey::event::insert_step;
use crate::journey::time::FixedWindow;

const NOBODY: [Vec<(usize, i64)>; 0] = [];

type Row = (i64, &'static [usize]);

fn rules(steps: usize, window: i64) -> Rules<FixedWindow> {
    Rules {
        optional: vec![false; steps],
        exclusions: vec![],
        order: Order::Ordered,
        ties: Ties::SameInstant,
        entry: Entry::Latest,
        count: Count::Persons,
        by_value: ByValue::First,
        window: FixedWindow::new(window),
        step_within: None,
        entered_from: None,
        entered_to: None,
        session_gap: None,
    }
}

/// Outcomes as times of the chain's steps; steps behind the last are exclusions.
fn found(rules: &Rules<FixedWindow>, rows: &[Row]) -> Vec<Vec<(usize, i64)>> {
    let times: Vec<i64> = rows.iter().map(|row| row.0).collect();
    let mut sets = Vec::new();
    for (_, met) in rows {
        let mut set = vec![0; rules.words()];
        met.iter().for_each(|step| insert_step(&mut set, *step));
        sets.extend(set);
    }
    let data = PersonRows { times: &times, sets: &sets, hold: None, session: None, by: None, period: None };
    let outcomes = Evaluator::default().outcomes(rules, &data);
    let chain = |outcome: &Outcome| {
        outcome.chain.iter().map(|matched| (matched.step, times[matched.row])).collect::<Vec<_>>()
    };
    outcomes.iter().map(chain).collect()
}

#[test]
fn latest_entry_takes_over_or_first_stays() {
    let rows: [Row; 4] = [(46_800, &[1]), (48_600, &[1]), (49_500, &[2]), (51_300, &[3])];
    let latest = rules(3, 3_600);
    assert_eq!(found(&latest, &rows), [[(1, 48_600), (2, 49_500), (3, 51_300)]]);
    let first = Rules { entry: Entry::First, ..latest };
    assert_eq!(found(&first, &rows), [[(1, 46_800), (2, 49_500)]]);
}

#[test]
fn equal_steps_advance_with_rows_of_one_instant() {
    let all: Row = (7, &[1, 2, 3]);
    assert_eq!(found(&rules(3, 10), &[all])[0].len(), 1);
    assert_eq!(found(&rules(3, 10), &[all, all])[0].len(), 2);
    assert_eq!(found(&rules(3, 10), &[all, all, all])[0].len(), 3);
    let strict = Rules { ties: Ties::Strict, ..rules(3, 10) };
    assert_eq!(found(&strict, &[all, all, all])[0].len(), 1);
}

#[test]
fn rows_of_one_instant_are_shared_out_so_that_the_chain_is_longest() {
    assert_eq!(found(&rules(2, 10), &[(7, &[1, 2]), (7, &[1])])[0].len(), 2);
    let order = Rules { ties: Ties::Order, ..rules(2, 10) };
    assert_eq!(found(&order, &[(7, &[2]), (7, &[1])])[0].len(), 1);
    assert_eq!(found(&order, &[(7, &[1]), (7, &[2])])[0].len(), 2);
}

#[test]
fn an_exclusion_leaves_out_unless_a_clean_chain_is_as_deep() {
    let excluding = Rules { exclusions: vec![Exclusion { from: 1, to: 2 }], ..rules(2, 50) };
    assert_eq!(found(&excluding, &[(0, &[1]), (1, &[3]), (2, &[2])]), NOBODY);
    assert_eq!(found(&excluding, &[(0, &[1]), (1, &[3])]), NOBODY);
    let again: [Row; 5] = [(0, &[1]), (1, &[3]), (2, &[2]), (3, &[1]), (4, &[2])];
    assert_eq!(found(&excluding, &again), [[(1, 3), (2, 4)]]);
    // After its window a chain cannot be marked any more.
    assert_eq!(found(&excluding, &[(0, &[1]), (51, &[3])]), [[(1, 0)]]);
    // At the instant of a step nobody knows which came first.
    assert_eq!(found(&excluding, &[(0, &[1]), (2, &[2]), (2, &[3])]), [[(1, 0), (2, 2)]]);
    // Twice at one instant is an exclusion all the same.
    assert_eq!(found(&excluding, &[(0, &[1]), (1, &[3]), (1, &[3]), (2, &[2])]), NOBODY);
}

#[test]
fn an_exclusion_between_other_steps_does_not_matter() {
    let excluding = Rules { exclusions: vec![Exclusion { from: 1, to: 2 }], ..rules(3, 50) };
    // The second entry is marked; the first had gone on before.
    let rows: [Row; 6] = [(0, &[1]), (1, &[2]), (2, &[1]), (3, &[4]), (4, &[2]), (5, &[3])];
    assert_eq!(found(&excluding, &rows), [[(1, 0), (2, 1), (3, 5)]]);
}

#[test]
fn strict_allows_repeats_of_the_step_reached() {
    let strict = Rules { order: Order::Strict, ..rules(3, 50) };
    assert_eq!(found(&strict, &[(0, &[1]), (1, &[2]), (2, &[2]), (3, &[3])])[0].len(), 3);
    assert_eq!(found(&strict, &[(0, &[1]), (1, &[2]), (2, &[]), (3, &[3])])[0].len(), 2);
    assert_eq!(found(&strict, &[(0, &[1]), (1, &[]), (1, &[2]), (3, &[3])])[0].len(), 3);
}

#[test]
fn optional_steps_may_be_missing() {
    let optional = Rules { optional: vec![false, true, false], ..rules(3, 50) };
    assert_eq!(found(&optional, &[(0, &[1]), (5, &[3])]), [[(1, 0), (3, 5)]]);
    assert_eq!(found(&optional, &[(0, &[1]), (3, &[2]), (4, &[1]), (5, &[3])]), [[(1, 0), (2, 3), (3, 5)]]);
    // The chain with the optional step is over, the other is not.
    assert_eq!(found(&optional, &[(0, &[1]), (3, &[2]), (40, &[1]), (60, &[3])]), [[(1, 40), (3, 60)]]);
}

#[test]
fn time_between_steps_counts_from_any_repeat() {
    let within = Rules { step_within: FixedWindow::new(10), ..rules(3, 50) };
    assert_eq!(found(&within, &[(0, &[1]), (1, &[2]), (10, &[2]), (15, &[3])]), [[(1, 0), (2, 10), (3, 15)]]);
    assert_eq!(found(&within, &[(0, &[1]), (1, &[2]), (4, &[2]), (8, &[3])]), [[(1, 0), (2, 1), (3, 8)]]);
}

#[test]
fn attempts_start_anew_after_completion_and_time_out() {
    let totals = Rules { count: Count::Totals, ..rules(2, 10) };
    let rows: [Row; 5] = [(0, &[1]), (1, &[2]), (2, &[2]), (3, &[1]), (20, &[1])];
    assert_eq!(found(&totals, &rows), [vec![(1, 0), (2, 1)], vec![(1, 3)], vec![(1, 20)]]);
    let at_once: [Row; 4] = [(0, &[1]), (0, &[2]), (0, &[1]), (0, &[2])];
    assert_eq!(found(&totals, &at_once), [[(1, 0), (2, 0)], [(1, 0), (2, 0)]]);
    let mixed: [Row; 4] = [(0, &[1]), (1, &[1]), (2, &[1]), (3, &[2])];
    assert_eq!(found(&totals, &mixed), [[(1, 2), (2, 3)]]);
}

#[test]
fn unordered_steps_need_rows_of_their_own() {
    let unordered = Rules { order: Order::Unordered, ..rules(2, 10) };
    assert_eq!(found(&unordered, &[(0, &[2]), (10, &[1])]), [[(1, 0), (2, 10)]]);
    assert_eq!(found(&unordered, &[(0, &[2]), (11, &[1])])[0].len(), 1);
    assert_eq!(found(&unordered, &[(0, &[1, 2])])[0].len(), 1);
    assert_eq!(found(&unordered, &[(0, &[1, 2]), (1, &[1])])[0].len(), 2);
    let sliding: [Row; 3] = [(0, &[1]), (8, &[1]), (15, &[2])];
    assert_eq!(found(&unordered, &sliding), [[(1, 8), (2, 15)]]);
}

#[test]
fn entries_outside_the_range_do_not_count() {
    let ranged = Rules { entered_from: Some(5), entered_to: Some(8), ..rules(2, 10) };
    assert_eq!(found(&ranged, &[(0, &[1]), (6, &[2])]).len(), 0);
    assert_eq!(found(&ranged, &[(5, &[1]), (9, &[2])]), [[(1, 5), (2, 9)]]);
    assert_eq!(found(&ranged, &[(8, &[1]), (9, &[2])]).len(), 0);
    assert_eq!(found(&ranged, &[(7, &[1]), (8, &[1]), (9, &[2])]), [[(1, 7), (2, 9)]]);
}

#[test]
fn sessions_bound_chains() {
    let sessions =
        Rules { window: None, session_gap: FixedWindow::new(5), count: Count::Sessions, ..rules(2, 10) };
    let rows: [Row; 4] = [(0, &[1]), (5, &[2]), (11, &[1]), (17, &[2])];
    assert_eq!(found(&sessions, &rows), [vec![(1, 0), (2, 5)], vec![(1, 11)]]);
}
