//! Product funnels of generated rows: the fast algorithm finds what all chains together say.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use datafusion::prelude::{SessionConfig, SessionContext};
use proptest::prelude::*;
use wayfare_udfs::journey::event::insert_step;
use wayfare_udfs::journey::product_funnel::{
    ByValue, Count, Entry, Evaluator, Exclusion, Order, Outcome, PersonRows, Rules,
};
use wayfare_udfs::journey::ties::Ties;
use wayfare_udfs::journey::time::FixedWindow;

use crate::product_funnel_reference::{
    Expected, Funnel, Row, attempts, attempts_of_latest_entries, expected,
};
use crate::sql::table;

const STEPS: usize = 3;
const EXCLUSIONS: usize = 2;

/// Few distinct times, so that ties are common; mostly one step each.
pub(crate) fn rows(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Row>> {
    let one = (1..=STEPS).prop_map(|step| vec![step]);
    let several = prop::sample::subsequence((1..=STEPS).collect::<Vec<_>>(), 0..=STEPS);
    let steps = prop_oneof![3 => one, 1 => several];
    let exclusions = prop_oneof![
        4 => Just(vec![]),
        1 => prop::sample::subsequence((0..EXCLUSIONS).collect::<Vec<_>>(), 1..=EXCLUSIONS),
    ];
    let hold = prop_oneof![1 => Just(None), 5 => (0_i64..2).prop_map(Some)];
    let row = (0_i64..12, 0_i64..1_000, steps, exclusions, hold);
    prop::collection::vec(row, count).prop_map(|rows| {
        let row = |(time, sequence, steps, exclusions, hold)| Row { time, sequence, steps, exclusions, hold };
        rows.into_iter().map(row).collect()
    })
}

pub(crate) fn funnel() -> impl Strategy<Value = Funnel> {
    let order = prop::sample::select(vec!["ordered", "ordered", "strict", "unordered"]);
    let ties = prop::sample::select(vec![Ties::SameInstant, Ties::SameInstant, Ties::Order, Ties::Strict]);
    let ranges = prop::collection::vec(prop::sample::select(vec![(1, 2), (1, 3), (2, 3)]), EXCLUSIONS);
    let step_within = prop_oneof![2 => Just(None), 1 => (0_i64..6).prop_map(Some)];
    let entered = prop_oneof![3 => Just(None), 1 => (0_i64..6, 4_i64..12).prop_map(Some)];
    (order, ties, any::<bool>(), ranges, 0_i64..14, step_within, entered, any::<bool>()).prop_map(
        |(order, ties, optional, exclusions, window, step_within, entered, holds)| {
            let unordered = order == "unordered";
            Funnel {
                optional: vec![false, optional && !unordered, false],
                exclusions,
                order,
                ties: if unordered { Ties::SameInstant } else { ties },
                window,
                step_within: step_within.filter(|_| !unordered),
                entered,
                holds,
            }
        },
    )
}

/// In the order in which the algorithm is fed.
pub(crate) fn sorted(funnel: &Funnel, mut rows: Vec<Row>) -> Vec<Row> {
    if funnel.ties != Ties::Order {
        rows.iter_mut().for_each(|row| row.sequence = 0);
    }
    rows.sort();
    rows
}

pub(crate) fn rules(funnel: &Funnel) -> Rules<FixedWindow> {
    Rules {
        optional: funnel.optional.clone(),
        exclusions: funnel.exclusions.iter().map(|(from, to)| Exclusion { from: *from, to: *to }).collect(),
        order: match funnel.order {
            "strict" => Order::Strict,
            "unordered" => Order::Unordered,
            _ => Order::Ordered,
        },
        ties: funnel.ties,
        entry: Entry::Latest,
        count: Count::Persons,
        by_value: ByValue::First,
        window: FixedWindow::new(funnel.window),
        step_within: funnel.step_within.and_then(FixedWindow::new),
        entered_from: funnel.entered.map(|(from, _)| from),
        entered_to: funnel.entered.map(|(_, to)| to),
        session_gap: None,
    }
}

fn outcomes(rules: &Rules<FixedWindow>, holds: bool, rows: &[Row]) -> Vec<Outcome> {
    let times: Vec<i64> = rows.iter().map(|row| row.time).collect();
    let mut sets = Vec::new();
    for row in rows {
        let mut set = vec![0; rules.words()];
        row.steps.iter().for_each(|step| insert_step(&mut set, *step));
        row.exclusions.iter().for_each(|index| insert_step(&mut set, rules.steps() + index + 1));
        sets.extend(set);
    }
    let hold: Vec<Option<u32>> =
        rows.iter().map(|row| row.hold.map(|value| u32::try_from(value).unwrap())).collect();
    let hold = holds.then_some(hold.as_slice());
    let data = PersonRows { times: &times, sets: &sets, hold, session: None, by: None, period: None };
    Evaluator::default().outcomes(rules, &data)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn the_deepest_chain_is_found(funnel in funnel(), rows in rows(0..9)) {
        let rows = sorted(&funnel, rows);
        let found = outcomes(&rules(&funnel), funnel.holds, &rows);
        prop_assert!(found.len() <= 1);
        let found = found.first();
        let expected = expected(&funnel, &rows);
        prop_assert_eq!(found.map(Outcome::depth), expected.as_ref().map(|expected| expected.depth));
        let (Some(found), Some(expected)) = (found, expected) else {
            return Ok(());
        };
        let Expected { last, entry, chains, until, .. } = expected;
        prop_assert_eq!(found.last_row().map(|row| rows[row].time), Some(last));
        if let Some(entry) = entry {
            prop_assert_eq!(found.entry_row().map(|row| rows[row].time), Some(entry));
        }
        let mut chain: Vec<(usize, usize)> =
            found.chain.iter().map(|matched| (matched.condition, matched.row)).collect();
        prop_assert!(found.chain.windows(2).all(|pair| pair[0].step < pair[1].step));
        if funnel.order == "unordered" {
            chain.sort_by_key(|(_, row)| *row);
        }
        prop_assert!(chains.contains(&chain), "{:?} is not among {:?}", chain, chains);
        let last_row = rows.iter().map(|row| row.time).max();
        prop_assert_eq!(found.until.filter(|until| Some(*until) >= last_row), until);
    }

    #[test]
    fn attempts_follow_one_another(rows in rows(0..14), window in 0_i64..14) {
        let funnel = Funnel {
            optional: vec![false; STEPS],
            exclusions: vec![],
            order: "ordered",
            ties: Ties::Order,
            window,
            step_within: None,
            entered: None,
            holds: false,
        };
        let mut rows = sorted(&funnel, rows);
        rows.iter_mut().for_each(|row| row.exclusions.clear());
        let rules = rules(&funnel);
        let time = |row: Option<usize>| rows[row.unwrap()].time;
        let found = |entry: Entry, count: Count| -> Vec<(i64, i64, usize)> {
            let rules = Rules { entry, count, ..rules.clone() };
            let found = outcomes(&rules, false, &rows).into_iter();
            found.map(|found| (time(found.entry_row()), time(found.last_row()), found.depth())).collect()
        };
        let first = attempts(STEPS, window, &rows);
        prop_assert_eq!(&found(Entry::First, Count::Totals), &first);
        // A person counts by the first of the deepest attempts.
        let deepest = first.iter().map(|attempt| attempt.2).max();
        let best: Vec<_> = first.iter().copied().find(|attempt| Some(attempt.2) == deepest).into_iter().collect();
        prop_assert_eq!(found(Entry::First, Count::Persons), best);
        let latest = attempts_of_latest_entries(STEPS, window, &rows);
        prop_assert_eq!(found(Entry::Latest, Count::Totals), latest);
    }
}

/// Rows of several persons as a table: person, ts, sequence, c1 to c3, x1 and x2, held value.
fn batch(rows: &[(i64, Row)]) -> RecordBatch {
    let numbers = |value: &dyn Fn(&(i64, Row)) -> Option<i64>| -> Arc<Int64Array> {
        Arc::new(rows.iter().map(value).collect())
    };
    // NULL stands for every second condition that is not met.
    let flags = |met: &dyn Fn(&Row) -> bool| -> Arc<BooleanArray> {
        let value =
            |(index, (_, row)): (usize, &(i64, Row))| (met(row) || index % 2 == 0).then_some(met(row));
        Arc::new(rows.iter().enumerate().map(value).collect())
    };
    let mut columns: Vec<(String, arrow::array::ArrayRef)> = vec![
        ("user_id".into(), numbers(&|(person, _)| Some(*person))),
        ("ts".into(), numbers(&|(_, row)| Some(row.time))),
        ("seq".into(), numbers(&|(_, row)| Some(row.sequence))),
        ("h".into(), numbers(&|(_, row)| row.hold)),
    ];
    for step in 1..=STEPS {
        columns.push((format!("c{step}"), flags(&|row| row.steps.contains(&step))));
    }
    for exclusion in 0..EXCLUSIONS {
        columns.push((format!("x{exclusion}"), flags(&|row| row.exclusions.contains(&exclusion))));
    }
    table(columns.iter().map(|(name, column)| (name.as_str(), Arc::clone(column))).collect())
}

fn call(function: &str, funnel: &Funnel) -> String {
    let mut call = format!(
        "{function}((SELECT * FROM t), steps => [c1, c2, c3], within => {}, order => '{}'",
        funnel.window, funnel.order
    );
    let Funnel { exclusions, step_within, entered, .. } = funnel;
    write!(call, ", exclude => [x0, x1]").unwrap();
    if funnel.order != "unordered" {
        let [(from0, to0), (from1, to1)] = exclusions[..] else { panic!("two exclusions") };
        write!(call, ", exclude_from => [{from0}, {from1}], exclude_to => [{to0}, {to1}]").unwrap();
        write!(call, ", ties => '{}', sequence => seq", funnel.ties).unwrap();
    }
    if funnel.optional[1] {
        write!(call, ", optional => 2").unwrap();
    }
    if let Some(within) = step_within {
        write!(call, ", step_within => {within}").unwrap();
    }
    if let Some((from, to)) = entered {
        write!(call, ", entered => [{from}, {to}]").unwrap();
    }
    if funnel.holds {
        write!(call, ", hold => h").unwrap();
    }
    call + ")"
}

/// Rows of four whole numbers.
async fn through_sql(batch: &RecordBatch, sql: &str, partitions: usize, batch_size: usize) -> Vec<[i64; 4]> {
    let config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(batch_size);
    let mut context = SessionContext::new_with_config(config);
    wayfare_udfs::register_all(&mut context).unwrap();
    context.register_relation_planner(wayfare_udfs::table::relation_planner()).unwrap();
    crate::sql::register(&context, "t", batch, partitions);
    let mut found = Vec::new();
    for batch in context.sql(sql).await.unwrap().collect().await.unwrap() {
        let column = |index: usize| batch.column(index).as_primitive::<Int64Type>().clone();
        let columns = [column(0), column(1), column(2), column(3)];
        found.extend((0..batch.num_rows()).map(|row| columns.each_ref().map(|column| column.value(row))));
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn sql_gives_the_same_for_any_partitions_and_batches(
        funnel in funnel(),
        people in prop::collection::vec(rows(0..9), 1..6),
    ) {
        let mut all = Vec::new();
        let mut wanted = Vec::new();
        let mut counts = [[0_i64; 4]; STEPS];
        for (person, rows) in (0_i64..).zip(people) {
            all.extend(rows.iter().map(|row| (person, row.clone())));
            let rows = sorted(&funnel, rows);
            if let Some(outcome) = outcomes(&rules(&funnel), funnel.holds, &rows).first() {
                let time = |row: Option<usize>| rows[row.unwrap()].time;
                let depth = i64::try_from(outcome.depth()).unwrap();
                for matched in &outcome.chain {
                    counts[matched.step - 1][1] += 1;
                }
                wanted.push([person, depth, time(outcome.entry_row()), time(outcome.last_row())]);
            }
        }
        let batch = batch(&all);
        let sql = format!(
            "SELECT user_id, step, entered_ts, last_ts FROM {} ORDER BY 1",
            call("funnel_persons", &funnel)
        );
        let report = format!(
            "SELECT step, persons, CASE WHEN step = 1 THEN dropped + open ELSE 0 END, \
             CASE WHEN dropped < 0 OR open < 0 THEN 1 ELSE 0 END FROM {} ORDER BY 1",
            call("funnel", &funnel)
        );
        for (step, row) in (1..).zip(&mut counts) {
            row[0] = step;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for (partitions, batch_size) in [(1, 8192), (2, 1), (8, 100)] {
            let found = runtime.block_on(through_sql(&batch, &sql, partitions, batch_size));
            prop_assert_eq!(&found, &wanted, "{} partitions, batches of {}: {}", partitions, batch_size, sql);
        }
        let found = runtime.block_on(through_sql(&batch, &report, 8, 2));
        prop_assert_eq!(&found, &counts, "{}", report);
    }
}
