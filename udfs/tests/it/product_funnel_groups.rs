//! Groups, intervals of entry and sessions of generated rows: each is a funnel of its own.

use proptest::prelude::*;
use wayfare_udfs::journey::event::insert_step;
use wayfare_udfs::journey::product_funnel::{ByValue, Count, Evaluator, PersonRows, Rules};
use wayfare_udfs::journey::time::FixedWindow;

use crate::product_funnel_properties::{funnel, rows, rules, sorted};
use crate::product_funnel_reference::{Expected, Funnel, Row, expected};

/// Value of the group, depth, time of the last step.
type Found = (Option<i64>, usize, i64);

/// Outcomes with the held value as group, ascending.
fn found(rules: &Rules<FixedWindow>, by: bool, period: Option<i64>, rows: &[Row]) -> Vec<Found> {
    let times: Vec<i64> = rows.iter().map(|row| row.time).collect();
    let mut sets = Vec::new();
    for row in rows {
        let mut set = vec![0; rules.words()];
        row.steps.iter().for_each(|step| insert_step(&mut set, *step));
        row.exclusions.iter().for_each(|index| insert_step(&mut set, rules.steps() + index + 1));
        sets.extend(set);
    }
    let values: Vec<Option<u32>> =
        rows.iter().map(|row| row.hold.map(|value| u32::try_from(value).unwrap())).collect();
    let periods: Option<Vec<i64>> =
        period.map(|length| times.iter().map(|time| time.div_euclid(length)).collect());
    let data = PersonRows {
        times: &times,
        sets: &sets,
        hold: None,
        session: None,
        by: by.then_some(&values),
        period: periods.as_deref(),
    };
    let mut found: Vec<Found> = Evaluator::default()
        .outcomes(rules, &data)
        .iter()
        .map(|outcome| {
            let value = outcome.by_row.and_then(|row| rows[row].hold);
            (value, outcome.depth(), times[outcome.last_row().unwrap()])
        })
        .collect();
    found.sort_unstable();
    found
}

fn as_found(value: Option<i64>, expected: Option<Expected>) -> Option<Found> {
    expected.map(|expected| (value, expected.depth, expected.last))
}

fn by_step(funnel: &Funnel, step: usize, rows: &[Row]) -> Vec<Found> {
    let mut wanted = Vec::new();
    for value in [0, 1] {
        let mut of_value = rows.to_vec();
        for row in of_value.iter_mut().filter(|row| row.hold != Some(value)) {
            row.steps.retain(|met| *met != step);
        }
        let has_value = of_value.iter().any(|row| row.steps.contains(&step));
        let reached = expected(funnel, &of_value).filter(|expected| has_value && expected.depth >= step);
        wanted.extend(as_found(Some(value), reached));
    }
    if wanted.is_empty() {
        wanted.extend(as_found(None, expected(funnel, rows)));
    }
    wanted
}

fn sessions(gap: i64, rows: &[Row]) -> Vec<Vec<Row>> {
    let sessions = rows.chunk_by(|left, right| right.time - left.time <= gap);
    sessions.map(<[Row]>::to_vec).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn groups_are_funnels_of_their_own(funnel in funnel(), rows in rows(0..9), step in 1_usize..=3) {
        let funnel = Funnel { holds: false, optional: vec![false; 3], ..funnel };
        let rows = sorted(&funnel, rows);
        let valued = rows.iter().filter(|row| !row.steps.is_empty()).filter_map(|row| row.hold);
        let whole = expected(&funnel, &rows);
        for (by_value, value) in
            [(ByValue::First, valued.clone().next()), (ByValue::Last, valued.clone().next_back())]
        {
            let rules = Rules { by_value, ..rules(&funnel) };
            let wanted: Vec<Found> = as_found(value, whole.clone()).into_iter().collect();
            prop_assert_eq!(found(&rules, true, None, &rows), wanted);
        }
        let mut wanted = Vec::new();
        for value in [None, Some(0), Some(1)] {
            let of_value: Vec<Row> = rows.iter().filter(|row| row.hold == value).cloned().collect();
            wanted.extend(as_found(value, expected(&funnel, &of_value)));
        }
        let all = Rules { by_value: ByValue::All, ..rules(&funnel) };
        prop_assert_eq!(found(&all, true, None, &rows), wanted);
        if funnel.order != "unordered" {
            let at_step = Rules { by_value: ByValue::Step(step), ..rules(&funnel) };
            prop_assert_eq!(found(&at_step, true, None, &rows), by_step(&funnel, step, &rows));
        }
    }

    #[test]
    fn intervals_and_sessions_are_funnels_of_their_own(
        funnel in funnel(),
        rows in rows(0..9),
        length in 1_i64..6,
    ) {
        let funnel = Funnel { holds: false, optional: vec![false; 3], ..funnel };
        let rows = sorted(&funnel, rows);
        let mut wanted = Vec::new();
        for period in 0..12 {
            let (from, to) = (period * length, (period + 1) * length);
            let entered = funnel.entered.map_or((from, to), |(f, t)| (from.max(f), to.min(t)));
            let of_period = Funnel { entered: Some(entered), ..funnel.clone() };
            wanted.extend(as_found(None, expected(&of_period, &rows)));
        }
        wanted.sort_unstable();
        prop_assert_eq!(found(&rules(&funnel), false, Some(length), &rows), wanted);

        let mut each: Vec<Found> = sessions(length, &rows)
            .iter()
            .filter_map(|session| as_found(None, expected(&funnel, session)))
            .collect();
        each.sort_unstable();
        let by_session = Rules {
            session_gap: FixedWindow::new(length),
            count: Count::Sessions,
            ..rules(&funnel)
        };
        prop_assert_eq!(found(&by_session, false, None, &rows), each);
    }
}
