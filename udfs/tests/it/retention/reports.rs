//! The table functions over generated rows, for any number of partitions and any batch size.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::people::{event, question, range, session};
use super::reference::{self, DAY, Event, Matrix, Question, group, visible};
use crate::sql::numbers;

/// Partitions and rows in a batch.
const SETTINGS: [(usize, usize); 5] = [(1, 8_192), (1, 1), (2, 100), (8, 1), (8, 8_192)];

/// Runs a query in every setting and gives its rows, which must be the same in each.
async fn everywhere(events: &[Event], sql: &str) -> Vec<Vec<Option<i64>>> {
    let mut answer: Option<Vec<Vec<Option<i64>>>> = None;
    for (partitions, batch_size) in SETTINGS {
        let mut found = numbers(&session(events, partitions, batch_size), sql).await;
        found.sort();
        let expected = answer.get_or_insert_with(|| found.clone());
        assert_eq!(*expected, found, "{partitions} partitions, batches of {batch_size}: {sql}");
    }
    answer.unwrap()
}

async fn matrix(question: &Question, events: &[Event]) -> Matrix {
    let by = if question.has_by { "by" } else { "NULL" };
    let days = question.days;
    let sql = format!(
        "SELECT {by}, (cohort - DATE '2024-01-01') / {days}, period, cohort_size, returned, value_sum, \
         round(value_sum / value_mean) FROM {}",
        question.call()
    );
    let mut matrix = Matrix::new();
    for row in everywhere(events, &sql).await {
        let by = group(row[0].map(|by| u8::try_from(by).unwrap()));
        let key = (by, row[1].unwrap(), usize::try_from(row[2].unwrap()).unwrap());
        let sum = row[5].unwrap_or(0);
        matrix.insert(key, (row[3].unwrap(), row[4], sum, row[6].unwrap_or(0)));
    }
    matrix
}

/// The number of values is told by sum and mean, where the sum is not 0.
fn without_counts_of_zero(matrix: Matrix) -> Matrix {
    let seen = |(key, mut answer): ((reference::By, i64, usize), reference::Answer)| {
        if answer.2 == 0 {
            answer.3 = 0;
        }
        (key, answer)
    };
    matrix.into_iter().map(seen).collect()
}

fn run<S: Strategy>(cases: u32, strategy: S, test: &impl AsyncFn(&S::Value)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let mut runner =
        TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..Default::default() });
    let result = runner.run(&strategy, |value| {
        runtime.block_on(test(&value));
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn retention_matrix_equals_the_slow_reference() {
    let strategy = (question(), prop::collection::vec(event(), 0..60));
    run(30, strategy, &async |(question, events): &(Question, Vec<Event>)| {
        let found = without_counts_of_zero(matrix(question, events).await);
        let expected = without_counts_of_zero(reference::matrix(question, events));
        assert_eq!(found, expected, "{}", question.call());
    });
}

#[test]
fn reports_by_day_equal_the_slow_reference() {
    let strategy = (prop::collection::vec(event(), 0..60), any::<bool>(), question());
    run(12, strategy, &async |(events, has_by, question): &(Vec<Event>, bool, Question)| {
        let Question { from, to, as_of, .. } = question;
        let seen = visible(events, *as_of);
        let in_range: Vec<(i64, &Event)> = seen
            .iter()
            .copied()
            .filter(|(minute, _)| from.is_none_or(|from| *minute >= from) && to.is_none_or(|to| *minute < to))
            .collect();
        let by = |group: reference::By| group.1.map(i64::from);
        let call = |function: &str| {
            let by = if *has_by { ", by => channel" } else { "" };
            let range = range(*from, *to, *as_of);
            format!("{function}((SELECT * FROM t), target => is_start, per => who{by}{range})")
        };
        let by_column = if *has_by { "by" } else { "NULL" };

        let mut expected = vec![];
        for (group, people) in reference::active_days(&in_range, *has_by) {
            let most = people.values().map(std::collections::BTreeSet::len).max().unwrap();
            for periods in 1..=most {
                let exactly = people.values().filter(|days| days.len() == periods).count() as i64;
                let at_least = people.values().filter(|days| days.len() >= periods).count() as i64;
                expected.push(vec![by(group), Some(periods as i64), Some(exactly), Some(at_least)]);
            }
        }
        expected.sort();
        let sql = format!("SELECT {by_column}, periods, persons, at_least FROM {}", call("stickiness"));
        assert_eq!(everywhere(events, &sql).await, expected, "{sql}");

        let groups = reference::active_days(&seen, *has_by);
        let day = |minute: i64| minute.div_euclid(DAY);
        let latest = seen.iter().map(|(minute, _)| day(*minute)).max().unwrap_or(0);
        let first_active =
            groups.values().flat_map(|people| people.values().filter_map(|days| days.first())).min();
        let first = from.map(day).or(first_active.copied()).unwrap_or(0);
        let last = as_of.map_or(latest, day).min(to.map_or(i64::MAX, |to| day(to - 1)));
        let (mut lives, mut active) = (vec![], vec![]);
        for (group, people) in &groups {
            for day in first..=last {
                let key = [by(*group), Some(day)];
                let row = |counts: &[i64]| {
                    key.iter().copied().chain(counts.iter().copied().map(Some)).collect::<Vec<_>>()
                };
                lives.push(row(&reference::lifecycle(people, &BTreeMap::new(), day)));
                active.push(row(&[1, 7, 30].map(|length| reference::active_in(people, day, length))));
            }
        }
        lives.sort();
        active.sort();
        let sql = format!(
            "SELECT {by_column}, period - DATE '2024-01-01', new, \"returning\", resurrecting, dormant FROM {}",
            call("lifecycle")
        );
        assert_eq!(everywhere(events, &sql).await, lives, "{sql}");
        let sql = format!(
            "SELECT {by_column}, day - DATE '2024-01-01', dau, wau, mau FROM {}",
            call("active_users")
        );
        assert_eq!(everywhere(events, &sql).await, active, "{sql}");
    });
}

#[test]
fn aggregates_equal_the_slow_reference() {
    run(40, prop::collection::vec(event(), 0..60), &async |events: &Vec<Event>| {
        let conditions: [fn(&Event) -> bool; 3] = [
            |event| event.start == Some(true),
            |event| event.back == Some(true),
            |event| event.value.is_some_and(|value| value > 10),
        ];
        let of =
            |who: Option<u8>| -> Vec<&Event> { events.iter().filter(|event| event.who == who).collect() };
        let mut people: Vec<Option<u8>> = events.iter().map(|event| event.who).collect();
        people.sort_unstable();
        people.dedup();
        let mut expected = vec![];
        for who in people {
            let row = reference::retention(&of(who), conditions).map(|seen| Some(i64::from(seen)));
            expected.push([vec![who.map(i64::from)], row.to_vec()].concat());
        }
        let sql = "SELECT who, r[1]::int, r[2]::int, r[3]::int \
                   FROM (SELECT who, retention(is_start, is_back, amount > 10) AS r FROM t GROUP BY who)";
        assert_eq!(everywhere(events, sql).await, expected);

        let has =
            |who: u8, value: u8| events.iter().any(|event| event.who == Some(who) && event.by == Some(value));
        let both = reference::people(events).into_iter().filter(|who| has(*who, 0) && has(*who, 2)).count();
        let sql = "SELECT intersect_count(who, channel, 0, 2) FROM t";
        assert_eq!(everywhere(events, sql).await, vec![vec![i64::try_from(both).ok()]]);
    });
}
