//! Paths that can be checked by hand, and random ones against the obvious way.

use std::collections::{BTreeMap, BTreeSet};

use super::node::{CONVERSION, ELLIPSIS, END, NONE, NULL, START};
use super::{
    Cutter, Direction, EdgeKey, Edges, Frequent, FunnelPart, Path, PathRow, Rules, Steps, Transform, median,
};
use crate::journey::funnel::FunnelState;
use crate::journey::session::Limit;
use crate::journey::time::FixedWindow;

pub(super) fn rules() -> Rules<FixedWindow> {
    Rules {
        gap: None,
        collapse: false,
        from_start: false,
        to_end: false,
        depth: None,
        direction: Direction::Forward,
    }
}

fn session(ticks: i64) -> Rules<FixedWindow> {
    Rules { gap: FixedWindow::new(ticks).map(Limit::through), ..rules() }
}

/// One row for each letter; `$` converts, `-` is no node, a space breaks.
pub(super) fn rows(letters: &str, starts: char, ends: char) -> Vec<PathRow> {
    let mut rows = Vec::new();
    let mut is_break = false;
    for (time, letter) in (0..).zip(letters.chars()) {
        if letter == ' ' {
            is_break = true;
            continue;
        }
        rows.push(PathRow {
            time,
            node: if letter.is_ascii_alphabetic() { u32::from(letter) } else { NONE },
            is_break,
            starts: letter == starts,
            ends: letter == ends,
            converts: letter == '$',
            is_centre: false,
            value: i128::from(letter == '$'),
            weight: 1,
            segment: 0,
        });
        is_break = false;
    }
    rows
}

fn text(path: &Path<'_>) -> String {
    let letter = |node: &u32| if *node == ELLIPSIS { '.' } else { char::from_u32(*node).unwrap() };
    let mut text: String = path.nodes.iter().map(letter).collect();
    if path.converted.is_some() {
        text.push('$');
    }
    text
}

fn paths(rules: &Rules<FixedWindow>, rows: &[PathRow]) -> Vec<String> {
    let mut paths = Vec::new();
    Cutter::default().person(rules, rows.iter().copied(), |path| paths.push(text(path)));
    paths
}

#[test]
fn rows_become_paths() {
    let of = |rules: &Rules<FixedWindow>, letters| paths(rules, &rows(letters, 'S', 'E'));
    assert_eq!(of(&rules(), "ABAB"), ["ABAB"]);
    assert_eq!(of(&rules(), "AB A"), ["AB", "A"]);
    assert_eq!(of(&rules(), "A-$B$$-"), ["A$", "B$", "$"]);
    assert_eq!(of(&rules(), "---"), [""; 0]);
    let collapsed = Rules { collapse: true, ..rules() };
    assert_eq!(of(&collapsed, "AABBBC"), ["ABC"]);
    assert_eq!(of(&collapsed, "AA-A A$A"), ["A", "A$", "A"]);
    // A gap of exactly the limit stays; rows without a node keep the session alive.
    let mut apart = rows("AB-C", ' ', ' ');
    apart[1].time = 10;
    apart[2].time = 20;
    apart[3].time = 31;
    assert_eq!(paths(&session(10), &apart), ["AB", "C"]);
    assert_eq!(paths(&session(9), &apart), ["A", "B", "C"]);
}

#[test]
fn starts_ends_and_depth() {
    let of = |rules: &Rules<FixedWindow>, letters| paths(rules, &rows(letters, 'S', 'E'));
    let from = Rules { from_start: true, ..rules() };
    let to = Rules { to_end: true, ..rules() };
    let both = Rules { to_end: true, ..from.clone() };
    assert_eq!(of(&from, "ASBSC AB S"), ["SBSC", "S"]);
    assert_eq!(of(&to, "AEBE AB E"), ["AE", "E"]);
    assert_eq!(of(&both, "ESAEB SA EE"), ["SAE"]);
    assert_eq!(of(&from, "A$SA$"), ["SA$"]);
    let short = |rules: &Rules<FixedWindow>, direction| Rules { depth: Some(2), direction, ..rules.clone() };
    assert_eq!(of(&short(&rules(), Direction::Forward), "ABC"), ["AB"]);
    assert_eq!(of(&short(&to, Direction::Backward), "ABCE"), ["CE"]);
    assert_eq!(of(&Rules { depth: Some(4), ..both }, "SABCDE"), ["SA.DE"]);
    let mut cut = Vec::new();
    let backward = short(&rules(), Direction::Backward);
    Cutter::default().person(&backward, rows("ABC A", ' ', ' ').into_iter(), |path| {
        cut.push((path.cut_before, path.cut_behind, path.duration));
    });
    assert_eq!(cut, [(true, false, 2), (false, false, 0)]);
}

fn edges(people: &[&str], ends: bool, may_convert: bool) -> BTreeMap<(char, char), (i128, u64)> {
    let mut edges = Edges::new(None, ends, may_convert);
    for letters in people {
        edges.next_person();
        Cutter::default().person(&rules(), rows(letters, ' ', ' ').into_iter(), |path| edges.add(path));
    }
    let name = |node| match node {
        START => '<',
        END => '>',
        NULL => '0',
        CONVERSION => '$',
        other => char::from_u32(other).unwrap(),
    };
    let edges = edges.sorted().into_iter();
    edges.map(|(key, edge)| ((name(key.source), name(key.target)), (edge.count, edge.persons))).collect()
}

/// The transition matrix of retentioneering's tests.
#[test]
fn edges_of_known_paths() {
    let found = edges(&["ABCABCBBB", "ABABCC", "BBB"], true, false);
    let count = |source, target| found.get(&(source, target)).map_or(0, |edge| edge.0);
    for (source, counts) in
        [('<', [2, 1, 0, 0]), ('A', [0, 4, 0, 0]), ('B', [1, 4, 3, 2]), ('C', [1, 1, 1, 1])]
    {
        assert_eq!(['A', 'B', 'C', '>'].map(|target| count(source, target)), counts, "{source}");
    }
    assert_eq!(found[&('B', 'B')], (4, 2));
    let journeys = edges(&["AB$C", "$", "A$"], true, true);
    let expected = [
        ('<', 'A', 2),
        ('<', 'C', 1),
        ('<', '$', 1),
        ('A', 'B', 1),
        ('A', '$', 1),
        ('B', '$', 1),
        ('C', '0', 1),
    ];
    assert_eq!(
        journeys,
        expected.map(|(source, target, count)| ((source, target), (count, 1 + u64::from(count == 2)))).into()
    );
    assert_eq!(edges(&["AB"], false, false).len(), 1);
}

#[test]
fn edges_by_step() {
    let mut forward = Edges::new(Some(Direction::Forward), false, false);
    let mut backward = Edges::new(Some(Direction::Backward), true, true);
    let mut cutter = Cutter::default();
    for letters in ["ABA$", "AB"] {
        forward.next_person();
        backward.next_person();
        cutter.person(&rules(), rows(letters, ' ', ' ').into_iter(), |path| {
            forward.add(path);
            backward.add(path);
        });
    }
    let key = |step, source, target| EdgeKey { segment: 0, step, source, target };
    let [a, b] = ['A', 'B'].map(u32::from);
    let found = forward.sorted();
    let shown: Vec<_> =
        found.iter().map(|(key, edge)| (*key, edge.count, edge.conversions, edge.value)).collect();
    assert_eq!(shown, [(key(1, a, b), 2, 1, 1), (key(2, b, a), 1, 1, 1)]);
    assert_eq!((found[0].1.ticks, found[0].1.timed), (2, 2));
    let found: Vec<EdgeKey> = backward.sorted().into_iter().map(|(key, _)| key).collect();
    assert_eq!(
        found,
        [
            key(0, a, CONVERSION),
            key(0, b, NULL),
            key(1, a, b),
            key(1, b, a),
            key(2, a, b),
            key(2, START, a),
            key(3, START, a)
        ]
    );
    assert_eq!(forward.paths(), [(0, 2)]);
}

#[test]
fn weights_and_segments() {
    let mut weighted = rows("AB AC", ' ', ' ');
    for (row, weight) in weighted.iter_mut().zip([3, 9, 5, 9]) {
        row.weight = weight;
    }
    weighted[2].segment = 1;
    let mut edges = Edges::new(None, false, false);
    let mut frequent = Frequent::new(true);
    edges.next_person();
    frequent.next_person();
    Cutter::default().person(&rules(), weighted.into_iter(), |path| {
        edges.add(path);
        frequent.add(path);
    });
    let counts: Vec<_> = edges.sorted().iter().map(|(key, edge)| (key.segment, edge.count)).collect();
    assert_eq!(counts, [(0, 3), (1, 5)]);
    let paths = frequent.finish();
    let counts: Vec<_> = paths.paths().map(|(segment, _, path)| (segment, path.count)).collect();
    assert_eq!(counts, [(0, 3), (1, 5)]);
    assert_eq!((paths.durations, paths.lengths), (vec![(1, 3), (1, 5)], vec![1, 1]));
}

#[test]
fn medians() {
    assert_eq!(median(&mut []), None);
    assert_eq!(median(&mut [(7, 0)]), None);
    assert_eq!(median(&mut [(7, 1), (1, 1), (2, 1)]), Some(2.0));
    assert_eq!(median(&mut [(1, 2), (4, 1), (3, 1)]), Some(2.0));
    assert_eq!(median(&mut [(9, 3), (1, 2)]), Some(9.0));
    assert_eq!(median(&mut [(1, 0), (5, 1)]), Some(5.0));
}

/// The step matrix of retentioneering's tests.
#[test]
fn steps_of_known_paths() {
    let mut steps = Steps::new(5, false);
    for letters in ["ABCABCBBB", "ABABCC", "BBB"] {
        Cutter::default()
            .person(&rules(), rows(letters, ' ', ' ').into_iter(), |path| steps.add(path, false));
    }
    let found: BTreeMap<(i32, u32), i128> =
        steps.sorted().into_iter().map(|(key, count)| ((key.step, key.node), count)).collect();
    for (node, counts) in [
        (START, [3, 0, 0, 0, 0, 0]),
        (u32::from('A'), [0, 2, 0, 1, 1, 0]),
        (u32::from('B'), [0, 1, 3, 1, 1, 1]),
        (u32::from('C'), [0, 0, 0, 1, 0, 1]),
        (END, [0, 0, 0, 0, 1, 1]),
    ] {
        let shown = [0, 1, 2, 3, 4, 5].map(|step| found.get(&(step, node)).copied().unwrap_or(0));
        assert_eq!(shown, counts, "{node}");
    }
}

#[test]
fn steps_around_a_centre() {
    let mut steps = Steps::new(2, true);
    for letters in ["ABC$", "CB", "AC"] {
        let mut rows = rows(letters, ' ', ' ');
        rows.iter_mut().for_each(|row| row.is_centre = row.node == u32::from('B'));
        Cutter::default().person(&rules(), rows.into_iter(), |path| steps.add(path, true));
    }
    let [a, b, c] = ['A', 'B', 'C'].map(u32::from);
    let found: Vec<_> = steps.sorted().into_iter().map(|(key, count)| (key.step, key.node, count)).collect();
    assert_eq!(
        found,
        [
            (-2, START, 2),
            (-1, a, 1),
            (-1, c, 1),
            (0, b, 2),
            (1, c, 1),
            (1, NULL, 1),
            (2, NULL, 1),
            (2, CONVERSION, 1)
        ]
    );
}

#[test]
fn transforms() {
    let apply = |transform: Transform<'_, u8>, path: &str| {
        let kept = transform.apply(path.as_bytes()).into_iter();
        kept.map(|at| char::from(path.as_bytes()[at])).collect::<String>()
    };
    assert_eq!(apply(Transform::Exposure, "AABAA"), "ABA");
    assert_eq!(apply(Transform::First, "DABBCDCC"), "DABC");
    assert_eq!(apply(Transform::Unique, "AAB"), "AAB");
    assert_eq!(apply(Transform::Last(2), "ABC"), "BC");
    assert_eq!(apply(Transform::Last(5), "ABC"), "ABC");
    assert_eq!(apply(Transform::RemoveLast(2), "ABC"), "A");
    assert_eq!(apply(Transform::RemoveLast(5), "ABC"), "");
    assert_eq!(apply(Transform::RemoveIfNotAll(&b'D'), "DADD"), "A");
    assert_eq!(apply(Transform::RemoveIfNotAll(&b'D'), "DD"), "DD");
    assert_eq!(apply(Transform::RemoveIfLastAndNotAll(&b'D'), "DADD"), "DA");
    assert_eq!(apply(Transform::RemoveIfLastAndNotAll(&b'D'), "DD"), "DD");
    assert_eq!(apply(Transform::Exposure, ""), "");
}

#[test]
fn parts_of_a_funnel() {
    let part = |from, to, instead, letters: &str| {
        let sets: Vec<u64> = letters
            .bytes()
            .map(|letter| match letter {
                b'A'..=b'C' => 1 << (letter - b'A'),
                _ => 0,
            })
            .collect();
        let times: Vec<i64> = (0..).take(letters.len()).collect();
        let window = FixedWindow::new(6).unwrap();
        FunnelPart { steps: 3, from, to, instead }
            .rows(&mut FunnelState::new(3), &window, &times, &sets)
            .map(|rows| letters[rows].to_owned())
    };
    let between = |from, to, letters| part(from, to, false, letters);
    assert_eq!(between(1, 2, "xAxyBzC").as_deref(), Some("AxyB"));
    assert_eq!(between(2, 3, "xAxyBzC").as_deref(), Some("BzC"));
    assert_eq!(between(1, 3, "xAxyBzC").as_deref(), Some("AxyBzC"));
    assert_eq!(between(2, 3, "xAxyBz"), None);
    let instead = |from, to, letters| part(from, to, true, letters);
    assert_eq!(instead(1, 2, "xAxyBzC"), None);
    assert_eq!(instead(2, 3, "xAxyBz").as_deref(), Some("Bz"));
    // The window ends before the last row.
    assert_eq!(instead(1, 2, "Axyzxyzx").as_deref(), Some("Axyzxyz"));
    assert_eq!(instead(1, 2, "xyz"), None);
}

/// Numbers that look random and are the same each time (splitmix64).
pub(super) struct Seeded(pub(super) u64);

impl Seeded {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        mixed % limit
    }
}

/// The obvious way: units, then conversions, then start and end, then repetitions, then depth.
fn slow(rules: &Rules<FixedWindow>, gap: Option<i64>, rows: &[PathRow]) -> Vec<String> {
    let mut units: Vec<Vec<PathRow>> = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let apart = at > 0 && gap.is_some_and(|gap| row.time - rows[at - 1].time > gap);
        if at == 0 || row.is_break || apart {
            units.push(vec![]);
        }
        units.last_mut().unwrap().push(*row);
    }
    let mut paths = Vec::new();
    for unit in units {
        let mut rest = unit.as_slice();
        while !rest.is_empty() {
            // A conversion counts only in a path that has begun and not ended.
            let begin = if rules.from_start { rest.iter().position(|row| row.starts) } else { Some(0) };
            let Some(begin) = begin else { break };
            let begun = &rest[begin..];
            let conversion = begun.iter().position(|row| row.converts);
            let end = begun.iter().position(|row| row.ends && !row.converts).filter(|_| rules.to_end);
            let (taken, converted, next) = match (conversion, end) {
                (Some(conversion), end) if end.is_none_or(|end| conversion < end) => {
                    (&begun[..conversion], true, &begun[conversion + 1..])
                }
                (_, Some(end)) => (&begun[..=end], false, &[][..]),
                _ => (begun, false, &[][..]),
            };
            rest = next;
            if rules.to_end && (converted || end.is_none()) {
                continue;
            }
            let mut nodes: Vec<u32> = taken.iter().map(|row| row.node).filter(|node| *node != NONE).collect();
            if rules.collapse {
                nodes.dedup();
            }
            if nodes.is_empty() && !converted {
                continue;
            }
            if let Some(depth) = rules.depth.filter(|depth| nodes.len() > *depth) {
                let half = (depth / 2).max(1);
                nodes = match (rules.from_start && rules.to_end, rules.direction) {
                    (true, _) => [&nodes[..half], &[ELLIPSIS], &nodes[nodes.len() - half..]].concat(),
                    (false, Direction::Forward) => nodes[..depth].to_vec(),
                    (false, Direction::Backward) => nodes[nodes.len() - depth..].to_vec(),
                };
            }
            let letter = |node: &u32| if *node == ELLIPSIS { '.' } else { char::from_u32(*node).unwrap() };
            let mut text: String = nodes.iter().map(letter).collect();
            if converted {
                text.push('$');
            }
            paths.push(text);
        }
    }
    paths
}

#[test]
fn random_rows_against_the_obvious_way() {
    let mut seeded = Seeded(3);
    let mut seen = BTreeSet::new();
    for _ in 0..10_000 {
        let mut time = 0;
        let rows: Vec<PathRow> = (0..seeded.below(14))
            .map(|_| {
                time += seeded.below(6) as i64;
                let node = [NONE, 65, 66, 67, 68][seeded.below(5) as usize];
                PathRow {
                    time,
                    node,
                    is_break: seeded.below(9) == 0,
                    starts: node == 65,
                    ends: node == 66,
                    converts: node != 66 && seeded.below(8) == 0,
                    is_centre: false,
                    value: 0,
                    weight: 1,
                    segment: 0,
                }
            })
            .collect();
        let gap = (seeded.below(2) == 0).then_some(4);
        let rules = Rules {
            gap: gap.and_then(FixedWindow::new).map(Limit::through),
            collapse: seeded.below(2) == 0,
            from_start: seeded.below(3) == 0,
            to_end: seeded.below(3) == 0,
            depth: [None, Some(1), Some(2), Some(3), Some(4)][seeded.below(5) as usize],
            direction: [Direction::Forward, Direction::Backward][seeded.below(2) as usize],
        };
        let found = paths(&rules, &rows);
        assert_eq!(found, slow(&rules, gap, &rows), "{rules:?} {rows:?}");
        seen.extend(found);
    }
    assert!(seen.len() > 500, "{}", seen.len());
}
