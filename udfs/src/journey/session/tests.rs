use super::*;
use crate::journey::time::FixedWindow;

type Rules = SessionRules<FixedWindow>;

fn ticks(length: i64) -> FixedWindow {
    FixedWindow::new(length).unwrap()
}

fn through(length: i64) -> Option<Limit<FixedWindow>> {
    Some(Limit::through(ticks(length)))
}

fn at(time: i64) -> SessionRow {
    SessionRow { time, ..SessionRow::default() }
}

fn places(rules: &Rules, rows: &[SessionRow]) -> Vec<Option<SessionPlace>> {
    let mut sessions = Sessions::default();
    rows.iter().map(|row| sessions.push(rules, row).unwrap()).collect()
}

fn numbers(rules: &Rules, rows: &[SessionRow]) -> Vec<i64> {
    places(rules, rows).into_iter().map(|place| place.map_or(0, |place| place.number)).collect()
}

/// Reasons of the sessions, in order.
fn reasons(rules: &Rules, rows: &[SessionRow]) -> Vec<&'static str> {
    let new = places(rules, rows).into_iter().flatten().filter(SessionPlace::is_new);
    new.map(|place| place.reason.name()).collect()
}

fn by_gap(gap: i64, times: &[i64]) -> Vec<i64> {
    let rows: Vec<SessionRow> = times.iter().map(|time| at(*time)).collect();
    numbers(&Rules { gap: through(gap), ..Rules::default() }, &rows)
}

#[test]
fn gap_equal_to_the_limit_stays_in_the_session() {
    assert_eq!(by_gap(30, &[0, 30, 61, 62]), [1, 1, 2, 2]);
}

#[test]
fn inclusive_gap_equal_to_the_limit_starts_a_session() {
    let rules = Rules { gap: Some(Limit::before(ticks(30))), ..Rules::default() };
    assert_eq!(numbers(&rules, &[at(0), at(29), at(59), at(60)]), [1, 1, 2, 2]);
    let rules = Rules { gap: Some(Limit::before(ticks(0))), ..Rules::default() };
    assert_eq!(numbers(&rules, &[at(7), at(7), at(8)]), [1, 2, 3]);
}

#[test]
fn gap_is_measured_from_the_previous_event() {
    assert_eq!(by_gap(10, &[0, 9, 18, 27]), [1, 1, 1, 1]);
}

#[test]
fn zero_gap_keeps_one_instant_together() {
    assert_eq!(by_gap(0, &[5, 5, 6, 6]), [1, 1, 2, 2]);
}

#[test]
fn no_events_and_one_event() {
    assert_eq!(by_gap(10, &[]), [0_i64; 0]);
    assert_eq!(by_gap(10, &[i64::MIN]), [1]);
}

#[test]
fn overflowing_limits_never_end() {
    assert_eq!(by_gap(i64::MAX, &[1, i64::MAX]), [1, 1]);
    assert_eq!(by_gap(10, &[i64::MAX - 3, i64::MAX]), [1, 1]);
    assert_eq!(by_gap(10, &[i64::MIN, i64::MAX]), [1, 2]);
    let rules = Rules { gap: Some(Limit::before(ticks(i64::MAX))), ..Rules::default() };
    assert_eq!(numbers(&rules, &[at(1), at(i64::MAX)]), [1, 1]);
}

#[test]
fn time_must_not_go_back() {
    let rules = Rules { gap: through(10), ..Rules::default() };
    let mut sessions = Sessions::default();
    assert!(sessions.push(&rules, &at(7)).is_ok());
    let error = sessions.push(&rules, &at(6)).unwrap_err();
    assert_eq!(error, OutOfOrder { previous: 7, time: 6 });
    assert_eq!(error.to_string(), "time goes back from 7 to 6");
    assert_eq!(sessions.push(&rules, &at(8)).unwrap().map(|place| place.number), Some(1));
}

#[test]
fn start_and_end_conditions() {
    let starts = |time| SessionRow { starts: true, ..at(time) };
    let ends = |time| SessionRow { ends: true, ..at(time) };
    let rules = Rules::default();
    // The first row has session 1 whether it starts one or not.
    assert_eq!(numbers(&rules, &[at(0), starts(1), at(2), starts(3)]), [1, 2, 2, 3]);
    assert_eq!(numbers(&rules, &[starts(0), at(1)]), [1, 1]);
    // A row that ends a session belongs to it; nothing after it, nothing started.
    assert_eq!(numbers(&rules, &[at(0), ends(1), at(2), ends(3)]), [1, 1, 2, 2]);
    assert_eq!(numbers(&rules, &[ends(0), ends(0), at(0)]), [1, 2, 3]);
    let rows = [at(0), ends(1), starts(2), starts(3)];
    assert_eq!(reasons(&rules, &rows), ["first", "end_if", "start_if"]);
}

#[test]
fn limits_of_length_and_of_events() {
    let rules = Rules { max_length: through(10), ..Rules::default() };
    assert_eq!(numbers(&rules, &[at(0), at(10), at(11), at(21), at(22)]), [1, 1, 2, 2, 3]);
    let rules = Rules { max_events: Some(2), ..Rules::default() };
    assert_eq!(numbers(&rules, &[at(0), at(0), at(0), at(1), at(2)]), [1, 1, 2, 2, 3]);
}

#[test]
fn another_value_splits_and_no_value_does_not() {
    let value = |time, value| SessionRow { value, ..at(time) };
    let rules = Rules { gap: through(100), ..Rules::default() };
    let rows = [
        value(0, None),
        // The session has had no value: a first one is another one.
        value(1, Some(7)),
        value(2, None),
        value(3, Some(7)),
        value(4, Some(8)),
        value(5, Some(7)),
        // The session after a gap starts without a value of its own.
        value(300, None),
        value(301, Some(7)),
    ];
    assert_eq!(numbers(&rules, &rows), [1, 2, 2, 2, 3, 4, 5, 6]);
}

#[test]
fn a_later_day_splits_and_an_earlier_one_does_not() {
    let day = |time, day| SessionRow { day: Some(day), ..at(time) };
    // Clocks that go back at midnight show a day again.
    let rows = [day(0, 1), day(1, 2), day(2, 1), day(3, 2), day(4, 3)];
    assert_eq!(numbers(&Rules::default(), &rows), [1, 2, 2, 2, 3]);
}

#[test]
fn separators_have_no_session() {
    let separator = |time| SessionRow { separator: true, ..at(time) };
    let rules = Rules { separated: true, gap: through(10), ..Rules::default() };
    let rows = [at(0), at(100), separator(101), at(102), separator(103), separator(104), at(105), at(116)];
    assert_eq!(numbers(&rules, &rows), [0, 0, 0, 1, 0, 0, 2, 3]);
    assert_eq!(reasons(&rules, &rows), ["first", "separator", "gap"]);
    // Rows without a session are rows before; separators are not.
    let previous: Vec<_> = places(&rules, &rows).into_iter().flatten().map(|place| place.previous).collect();
    assert_eq!(previous, [Some(100), Some(102), Some(105)]);
}

#[test]
fn reasons_by_precedence() {
    let everything = SessionRow { starts: true, ends: true, value: Some(1), day: Some(1), ..at(100) };
    let rules = Rules {
        gap: through(10),
        max_length: through(10),
        max_events: Some(1),
        click_lag: None,
        separated: false,
    };
    let first = SessionRow { value: Some(0), day: Some(0), ..at(0) };
    let separator = SessionRow { separator: true, ..at(50) };
    let ending = SessionRow { ends: true, ..first };
    let reason = |before: &[SessionRow], row: SessionRow, rules: &Rules| {
        let rows = [before, &[row]].concat();
        reasons(rules, &rows).pop().unwrap()
    };
    assert_eq!(reason(&[], everything, &rules), "first");
    assert_eq!(reason(&[ending, separator], everything, &rules), "separator");
    assert_eq!(reason(&[ending], everything, &rules), "end_if");
    assert_eq!(reason(&[first], everything, &rules), "start_if");
    let row = SessionRow { starts: false, ..everything };
    assert_eq!(reason(&[first], row, &rules), "gap");
    let rules = Rules { gap: None, ..rules };
    assert_eq!(reason(&[first], row, &rules), "midnight");
    let row = SessionRow { day: Some(0), ..row };
    assert_eq!(reason(&[first], row, &rules), "split_on");
    let row = SessionRow { value: None, ..row };
    assert_eq!(reason(&[first], row, &rules), "max_length");
    let rules = Rules { max_length: None, ..rules };
    assert_eq!(reason(&[first], row, &rules), "max_events");
}

#[test]
fn depth_start_and_ordinal() {
    let rules = Rules { max_events: Some(2), ..Rules::default() };
    let found = places(&rules, &[at(5), at(5), at(5), at(5), at(5), at(9), at(9)]);
    let found: Vec<_> =
        found.into_iter().flatten().map(|place| (place.depth, place.start, place.ordinal)).collect();
    assert_eq!(found, [(1, 5, 1), (2, 5, 1), (1, 5, 2), (2, 5, 2), (1, 5, 3), (2, 5, 3), (1, 9, 1)]);
}

#[test]
fn rows_faster_than_human_are_marked_within_their_session() {
    let rules = Rules { gap: through(10), click_lag: Some(Limit::before(ticks(2))), ..Rules::default() };
    let found = places(&rules, &[at(0), at(2), at(3), at(3), at(20), at(21)]);
    let robots: Vec<bool> = found.into_iter().flatten().map(|place| place.is_robot).collect();
    assert_eq!(robots, [false, false, true, true, false, true]);
}

#[test]
fn pauses_alone_cut_as_the_machine_does() {
    let mut seed = 7_u64;
    for round in 0..300 {
        let mut time = 0;
        let times: Vec<i64> = (0..round % 12)
            .map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                time += (seed >> 40) as i64 % 5;
                time
            })
            .collect();
        for gap in [Limit::through(ticks(2)), Limit::before(ticks(2)), Limit::before(ticks(0))] {
            let rules = Rules { gap: Some(gap.clone()), ..Rules::default() };
            let rows: Vec<SessionRow> = times.iter().map(|time| at(*time)).collect();
            let places = places(&rules, &rows);
            let starts =
                places.iter().enumerate().filter(|(_, place)| place.is_some_and(|place| place.is_new()));
            let starts: Vec<usize> = starts.map(|(row, _)| row).collect();
            assert_eq!(starts_after_pauses(&times, &gap).collect::<Vec<_>>(), starts, "{times:?}");
            assert_eq!(rules.only_gap(), Some(&gap));
        }
    }
    assert_eq!(Rules { gap: through(1), separated: true, ..Rules::default() }.only_gap(), None);
}
