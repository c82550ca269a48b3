//! Random rows through SQL against plain loops, in any partitioning, batching and order of arrival.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use datafusion::prelude::SessionContext;
use proptest::prelude::*;

use crate::sql::{context_with, register, table, texts};

/// User, time, node.
type Row = (i64, Option<i64>, Option<&'static str>);

/// Rows of a user with a time: time, whether it converts, node.
type Timed = Vec<(i64, bool, Option<&'static str>)>;

const GAP: i64 = 3;
const CONVERSION: &str = "$";

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let node = prop::option::weighted(
        0.9,
        prop::sample::select(vec!["a", "b", "c", "a node with a long name", CONVERSION]),
    );
    prop::collection::vec((0_i64..4, prop::option::weighted(0.95, 0_i64..16), node), 0..60)
}

/// The paths of each user: nodes, and whether converted. Ties: conversions last, then by name.
fn paths(rows: &[Row], collapse: bool) -> BTreeMap<i64, Vec<(Vec<&'static str>, bool)>> {
    let mut users: BTreeMap<i64, Timed> = BTreeMap::new();
    for (user, time, node) in rows {
        if let Some(time) = time {
            users.entry(*user).or_default().push((*time, *node == Some(CONVERSION), *node));
        }
    }
    users
        .into_iter()
        .map(|(user, mut rows)| {
            rows.sort();
            let mut paths: Vec<(Vec<&'static str>, bool)> = Vec::new();
            let mut open: Vec<&'static str> = Vec::new();
            let mut last = None;
            for (time, converts, node) in rows {
                if last.is_some_and(|last| time - last > GAP) {
                    paths.push((std::mem::take(&mut open), false));
                }
                last = Some(time);
                match node {
                    _ if converts => paths.push((std::mem::take(&mut open), true)),
                    Some(node) if !(collapse && open.last() == Some(&node)) => open.push(node),
                    _ => {}
                }
            }
            paths.push((open, false));
            paths.retain(|(nodes, converted)| *converted || !nodes.is_empty());
            (user, paths)
        })
        .collect()
}

type Counts<K> = BTreeMap<K, (i64, BTreeSet<i64>)>;

fn transitions(rows: &[Row]) -> Vec<Vec<Option<String>>> {
    let mut counts: Counts<(&str, &str)> = BTreeMap::new();
    for (user, paths) in paths(rows, false) {
        for (nodes, converted) in paths {
            let end = if converted { "(conversion)" } else { "(null)" };
            let all = [&["(start)"], nodes.as_slice(), &[end]].concat();
            for pair in all.windows(2) {
                let (count, users) = counts.entry((pair[0], pair[1])).or_default();
                *count += 1;
                users.insert(user);
            }
        }
    }
    let cell = |text: &dyn ToString| Some(text.to_string());
    let cells = |((source, target), (count, users)): (&(&str, &str), &(i64, BTreeSet<i64>))| {
        vec![cell(source), cell(target), cell(count), cell(&users.len())]
    };
    counts.iter().map(cells).collect()
}

fn top_paths(rows: &[Row], top: usize) -> Vec<Vec<Option<String>>> {
    let mut counts: Counts<String> = BTreeMap::new();
    for (user, paths) in paths(rows, true) {
        for (nodes, _) in paths {
            let path = nodes[..nodes.len().min(3)].join(">");
            let (count, users) = counts.entry(path).or_default();
            *count += 1;
            users.insert(user);
        }
    }
    let mut rows: Vec<(i64, String, usize)> =
        counts.into_iter().map(|(path, (count, users))| (-count, path, users.len())).collect();
    rows.sort();
    rows.truncate(top);
    rows.into_iter()
        .map(|(count, path, users)| vec![Some(path), Some((-count).to_string()), Some(users.to_string())])
        .collect()
}

/// Steps around the last b that comes somewhere behind an a, neighbours being one.
fn steps(rows: &[Row]) -> Vec<Vec<Option<String>>> {
    let mut counts: BTreeMap<(i64, &str), i64> = BTreeMap::new();
    for (nodes, converted) in paths(rows, false).into_values().flatten() {
        let mut centre = None;
        let mut after_a = false;
        for (place, node) in nodes.iter().enumerate() {
            if after_a && *node == "b" {
                (centre, after_a) = (Some(place), false);
            }
            after_a |= *node == "a";
        }
        let Some(centre) = centre else { continue };
        let collapsed = |nodes: &[&'static str]| {
            let mut nodes = nodes.to_vec();
            nodes.dedup();
            nodes
        };
        let all = collapsed(&nodes);
        let zero = collapsed(&nodes[..=centre]).len() as i64 - 1;
        let end = if converted { "(conversion)" } else { "(null)" };
        for step in -2..=2 {
            let node = match zero + step {
                before if before < 0 => "(start)",
                place => all.get(place as usize).copied().unwrap_or(end),
            };
            *counts.entry((step, node)).or_default() += 1;
        }
    }
    let cell = |text: &dyn ToString| Some(text.to_string());
    counts.iter().map(|((step, node), count)| vec![cell(step), cell(node), cell(count)]).collect()
}

const FUNNEL: &str = "steps => ['a', 'b'], within => 5, what => 'instead'";

/// Two segments side by side, and the same from the answers for each segment by itself.
async fn compared(rows: &[Row]) -> [Vec<Vec<Option<String>>>; 2] {
    let context = context_of(rows, 1, 8192);
    let sql = format!(
        "SELECT path, persons_a::text, persons_b::text, round(difference, 9)::text
         FROM funnel_paths(t, {FUNNEL}, compare_by => user_id % 2) ORDER BY path"
    );
    let found = texts(&context, &sql).await;
    let mut segments: Vec<BTreeMap<String, (i64, f64)>> = Vec::new();
    for segment in 0..2 {
        let sql = format!(
            "SELECT path, persons, share FROM funnel_paths((SELECT * FROM t WHERE user_id % 2 = {segment}), {FUNNEL})"
        );
        let rows = texts(&context, &sql).await.into_iter().map(|row| {
            let mut cells = row.into_iter().map(Option::unwrap);
            let path = cells.next().unwrap();
            (path, (cells.next().unwrap().parse().unwrap(), cells.next().unwrap().parse().unwrap()))
        });
        segments.push(rows.collect());
    }
    segments.retain(|segment| !segment.is_empty());
    let paths: BTreeSet<&String> = segments.iter().flat_map(BTreeMap::keys).collect();
    let expected = paths.into_iter().map(|path| {
        let of =
            |segment: usize| segments.get(segment).map(|rows| rows.get(path).copied().unwrap_or_default());
        let (a, b) = (of(0).unwrap_or_default(), of(1));
        let difference = b.map(|b| ((a.1 - b.1) * 1e9).round() / 1e9);
        let difference = difference.map(|difference| if difference == 0.0 { 0.0 } else { difference });
        vec![
            Some(path.clone()),
            Some(a.0.to_string()),
            Some(b.unwrap_or_default().0.to_string()),
            difference.map(|difference| format!("{difference:?}")),
        ]
    });
    [found, expected.collect()]
}

fn context_of(rows: &[Row], partitions: usize, batch_rows: usize) -> SessionContext {
    let context = context_with(partitions, batch_rows);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("user_id", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.0)))),
        ("ts", Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.1)))),
        ("event", Arc::new(StringArray::from_iter(rows.iter().map(|row| row.2)))),
    ];
    register(&context, "t", &table(columns), partitions);
    context
}

/// Transitions, top paths, steps around a match, and everything else that must not depend on arrival.
async fn answers(rows: &[Row], partitions: usize, batch_rows: usize) -> [Vec<Vec<Option<String>>>; 4] {
    let context = context_of(rows, partitions, batch_rows);
    let shared = format!("gap => {GAP}, conversion => '{CONVERSION}'");
    let transitions = format!(
        "SELECT source, target, count, persons FROM transitions(t, {shared}) ORDER BY source, target"
    );
    let top = format!(
        "SELECT path, count, persons
         FROM top_paths(t, {shared}, collapse => true, depth => 3, separator => '>', top => 5)
         ORDER BY count DESC, path"
    );
    let others = format!(
        "SELECT 'flow', step::text, source, target, weight, persons, conversions, value::text, round(mean_seconds, 6)
         FROM paths(t, {shared}, value => ts, direction => 'backward', ends => true)
         UNION ALL
         SELECT 'step', step::text, node, by::text, paths, 0, 0, '', share
         FROM step_matrix(t, per => 'person', by => ts % 2, center => 'b', steps => 3)
         UNION ALL
         SELECT 'match', step::text, node, by, paths, 0, 0, '', share
         FROM step_matrix(t, {shared}, pattern => '(?1)(?t<=2)((?b)|(?3))', conditions => [ts % 3 = 1, 'b', ts % 2 = 0],
                          element => -1, keep_unmatched => true, steps => 2, by => event)
         UNION ALL
         SELECT 'funnel', path, segment_a, segment_b, persons_a, persons_b, 0, '', difference
         FROM funnel_paths(t, {FUNNEL}, compare_by => ts % 2)
         UNION ALL
         SELECT 'path', path, '', '', count, persons, conversions, value::text, median_seconds
         FROM top_paths(t, per => ts / 4, conversion => '{CONVERSION}', value => user_id, weight => ts)
         UNION ALL
         SELECT 'list', user_id::text, path_string(ts, event, collapse => true), path_agg(ts, event, depth => 4)::text,
                0, 0, 0, '', 0.0 FROM t GROUP BY user_id
         ORDER BY 1, 2, 3, 4"
    );
    let steps = format!(
        "SELECT step, node, paths
         FROM step_matrix(t, {shared}, pattern => '(?a).*(?b)', which => 'last', element => 2, collapse => true, steps => 2)
         ORDER BY step, node"
    );
    let mut answers = [const { Vec::new() }; 4];
    for (answer, sql) in answers.iter_mut().zip([transitions, top, steps, others]) {
        *answer = texts(&context, &sql).await;
    }
    answers
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn sql_equals_plain_loops(
        (ordered, shuffled) in rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let found = runtime.block_on(answers(&ordered, 1, 8192));
        prop_assert_eq!(&found[0], &transitions(&ordered));
        prop_assert_eq!(&found[1], &top_paths(&ordered, 5));
        prop_assert_eq!(&found[2], &steps(&ordered));
        let [compared, expected] = runtime.block_on(compared(&ordered));
        prop_assert_eq!(compared, expected);
        for (partitions, batch_rows) in [(1, 1), (2, 100), (8, 8192)] {
            prop_assert_eq!(&runtime.block_on(answers(&shuffled, partitions, batch_rows)), &found);
        }
    }
}
