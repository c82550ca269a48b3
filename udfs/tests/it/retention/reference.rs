//! Slow and obvious versions of the reports, on minutes counted from a Monday.

use std::collections::{BTreeMap, BTreeSet};

pub(super) const HOUR: i64 = 60;
pub(super) const DAY: i64 = 24 * HOUR;

/// One row of data.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) who: Option<u8>,
    pub(super) minute: Option<i64>,
    pub(super) start: Option<bool>,
    pub(super) back: Option<bool>,
    pub(super) by: Option<u8>,
    pub(super) value: Option<i64>,
}

/// Arguments of a matrix.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) kind: &'static str,
    pub(super) or_after: bool,
    pub(super) own_windows: bool,
    /// Days of a period.
    pub(super) days: i64,
    /// Periods after the start in which columns begin and end; the first is (0, 1).
    pub(super) columns: Vec<(i64, i64)>,
    pub(super) min_events: usize,
    /// In minutes.
    pub(super) from: Option<i64>,
    pub(super) to: Option<i64>,
    pub(super) as_of: Option<i64>,
    pub(super) has_by: bool,
}

/// A group; groups without a value come last.
pub(super) type By = (bool, Option<u8>);

pub(super) fn group(by: Option<u8>) -> By {
    (by.is_none(), by)
}

/// Size, returned, sum of values and their number.
pub(super) type Answer = (i64, Option<i64>, i64, i64);

/// A person of a cohort and the minutes of their starts in it.
type Member = (u8, Vec<i64>);

/// Rows by group, cohort and column.
pub(super) type Matrix = BTreeMap<(By, i64, usize), Answer>;

pub(super) fn visible(events: &[Event], as_of: Option<i64>) -> Vec<(i64, &Event)> {
    let known = events.iter().filter_map(|event| event.minute.map(|minute| (minute, event)));
    known.filter(|(minute, _)| as_of.is_none_or(|as_of| *minute <= as_of)).collect()
}

pub(super) fn people(events: &[Event]) -> BTreeSet<u8> {
    events.iter().filter_map(|event| event.who).collect()
}

/// For each cohort of one person: its group and the minutes of the starts in it.
fn cohorts(question: &Question, mine: &[(i64, &Event)]) -> BTreeMap<i64, (By, Vec<i64>)> {
    let in_range = |minute: i64| {
        question.from.is_none_or(|from| minute >= from) && question.to.is_none_or(|to| minute < to)
    };
    let by = |event: &Event| group(event.by.filter(|_| question.has_by));
    let mut starts: Vec<(i64, By)> = mine
        .iter()
        .filter(|(_, event)| event.start == Some(true))
        .map(|(minute, event)| (*minute, by(event)))
        .collect();
    starts.sort_unstable();
    match question.kind {
        "recurring" => starts.retain(|start| in_range(start.0)),
        "first_time" => {
            starts.retain(|start| in_range(start.0));
            starts.truncate(1);
        }
        _ => {
            starts.truncate(1);
            starts.retain(|start| in_range(start.0));
        }
    }
    let mut cohorts: BTreeMap<i64, (By, Vec<i64>)> = BTreeMap::new();
    for (minute, by) in starts {
        let cohort = minute.div_euclid(question.days * DAY);
        cohorts.entry(cohort).or_insert_with(|| (by, vec![])).1.push(minute);
    }
    cohorts
}

/// Whether a return at `minute` lies in the column, seen from a start.
fn lies_in(question: &Question, start: i64, minute: i64, column: usize) -> bool {
    let later = if question.own_windows {
        (minute.div_euclid(HOUR) - start.div_euclid(HOUR)).div_euclid(24 * question.days)
    } else {
        minute.div_euclid(question.days * DAY) - start.div_euclid(question.days * DAY)
    };
    let (from, to) = question.columns[column];
    later >= from && (later < to || (question.or_after && column > 0))
}

/// The whole matrix.
pub(super) fn matrix(question: &Question, events: &[Event]) -> Matrix {
    let seen = visible(events, question.as_of);
    let Some(latest) = seen.iter().map(|(minute, _)| *minute).max() else {
        return Matrix::new();
    };
    // As of a later time than the data has, nothing happened since.
    let horizon = question.as_of.unwrap_or(latest);
    let mut members: BTreeMap<(By, i64), Vec<Member>> = BTreeMap::new();
    for who in people(events) {
        let mine: Vec<(i64, &Event)> =
            seen.iter().copied().filter(|(_, event)| event.who == Some(who)).collect();
        for (cohort, (by, starts)) in cohorts(question, &mine) {
            members.entry((by, cohort)).or_default().push((who, starts));
        }
    }
    let period = |minute: i64| minute.div_euclid(question.days * DAY);
    let first = question.from.map(period).or_else(|| members.keys().map(|key| key.1).min());
    let last = period(horizon).min(question.to.map_or(i64::MAX, |to| period(to - 1)));
    let groups: BTreeSet<By> = members.keys().map(|key| key.0).collect();
    let mut matrix = Matrix::new();
    for by in groups {
        for cohort in first.unwrap()..=last {
            let people = members.get(&(by, cohort)).map_or(&[][..], Vec::as_slice);
            for column in 0..question.columns.len() {
                matrix.insert((by, cohort, column), cell(question, &seen, horizon, cohort, people, column));
            }
        }
    }
    matrix
}

fn cell(
    question: &Question,
    seen: &[(i64, &Event)],
    horizon: i64,
    cohort: i64,
    people: &[Member],
    column: usize,
) -> Answer {
    let from = question.columns[column].0;
    let begun: Vec<&Member> = people
        .iter()
        .filter(|(_, starts)| {
            let first = starts.iter().min().unwrap();
            !question.own_windows
                || first.div_euclid(HOUR) + from * 24 * question.days <= horizon.div_euclid(HOUR)
        })
        .collect();
    let everybody = i64::try_from(people.len()).unwrap();
    let is_known = if question.own_windows && !people.is_empty() {
        !begun.is_empty()
    } else {
        cohort + from <= horizon.div_euclid(question.days * DAY)
    };
    if !is_known {
        return (everybody, None, 0, 0);
    }
    let (mut returned, mut sum, mut values) = (0, 0, 0);
    for (who, starts) in people {
        let back: Vec<(i64, &Event)> = seen
            .iter()
            .copied()
            .filter(|(_, event)| event.who == Some(*who) && event.back == Some(true))
            .collect();
        let least = if column == 0 { 1 } else { question.min_events };
        let enough: Vec<&i64> = starts
            .iter()
            .filter(|start| {
                let inside = back.iter().filter(|(minute, _)| lies_in(question, **start, *minute, column));
                inside.count() >= least
            })
            .collect();
        returned += i64::from(column == 0 || !enough.is_empty());
        for (minute, event) in &back {
            let counts = enough.iter().any(|start| lies_in(question, **start, *minute, column));
            if let Some(value) = event.value.filter(|_| counts) {
                sum += value;
                values += 1;
            }
        }
    }
    (i64::try_from(begun.len()).unwrap(), Some(returned), sum, values)
}

/// Days on which each person was active, for each group in which they were.
pub(super) fn active_days(
    events: &[(i64, &Event)],
    has_by: bool,
) -> BTreeMap<By, BTreeMap<u8, BTreeSet<i64>>> {
    let mut active: BTreeMap<By, BTreeMap<u8, BTreeSet<i64>>> = BTreeMap::new();
    for (minute, event) in events {
        if let (Some(who), Some(true)) = (event.who, event.start) {
            let by = group(event.by.filter(|_| has_by));
            active.entry(by).or_default().entry(who).or_default().insert(minute.div_euclid(DAY));
        }
    }
    active
}

/// New, returning, resurrecting and dormant people of a day; `created` has the days on which people came into being.
pub(super) fn lifecycle(
    people: &BTreeMap<u8, BTreeSet<i64>>,
    created: &BTreeMap<u8, i64>,
    day: i64,
) -> [i64; 4] {
    let mut counts = [0; 4];
    for (who, days) in people {
        let before = days.contains(&(day - 1));
        let first = created.get(who).or(days.first());
        match (days.contains(&day), before) {
            (true, _) if first == Some(&day) => counts[0] += 1,
            (true, true) => counts[1] += 1,
            (true, false) => counts[2] += 1,
            (false, true) => counts[3] -= 1,
            (false, false) => {}
        }
    }
    counts
}

/// Which of three conditions a person has seen, given the first.
pub(super) fn retention(mine: &[&Event], conditions: [fn(&Event) -> bool; 3]) -> [bool; 3] {
    let saw = |condition: fn(&Event) -> bool| mine.iter().any(|event| condition(event));
    conditions.map(|condition| saw(conditions[0]) && saw(condition))
}

/// People active in the `length` days that end with `day`.
pub(super) fn active_in(people: &BTreeMap<u8, BTreeSet<i64>>, day: i64, length: i64) -> i64 {
    let is_active =
        |days: &&BTreeSet<i64>| days.iter().any(|active| (day - length + 1..=day).contains(active));
    i64::try_from(people.values().filter(is_active).count()).unwrap()
}
