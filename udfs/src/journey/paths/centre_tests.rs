//! Centres that can be checked by hand, and random ones against trying every choice of rows.

use super::node::NONE;
use super::tests::{Seeded, rows, rules};
use super::{CentreSearch, Cutter, PathRow, PatternCentre, Rules, Steps};
use crate::journey::event::insert_step;
use crate::journey::sequence::{Conditions, Pattern, Which};
use crate::journey::time::FixedWindow;

fn centre(text: &str, conditions: usize, which: Which, element: i64) -> PatternCentre {
    let pattern = Pattern::parse(text, Conditions { count: conditions, names: &[] }, None);
    let pattern = pattern.unwrap_or_else(|error| panic!("{error}"));
    PatternCentre { pattern, conditions, which, element, keeps_unmatched: false }
}

/// The centre of each path of a person.
fn positions(
    of: &PatternCentre,
    rules: &Rules<FixedWindow>,
    rows: &[PathRow],
    sets: &[u64],
) -> Vec<Option<usize>> {
    let mut search = CentreSearch::new(of);
    let mut found = Vec::new();
    Cutter::default().person(rules, rows.iter().copied(), |path| {
        let (first, last) = path.rows;
        let sets = &sets[first * of.words()..(last + 1) * of.words()];
        found.push(search.position(rules, &rows[first..=last], sets));
    });
    found
}

/// Condition 1 is the first letter of `conditions`, and so on.
fn sets(letters: &str, conditions: &str) -> Vec<u64> {
    let number = |letter| conditions.find(letter).map_or(0, |place| 1 << place);
    letters.chars().filter(|letter| *letter != ' ').map(number).collect()
}

#[test]
fn centres_of_plain_paths() {
    let of = |text: &str, which, element, letters: &str| {
        let of = centre(text, 3, which, element);
        positions(&of, &rules(), &rows(letters, ' ', ' '), &sets(letters, "AB$"))
    };
    use Which::{First, Last};
    assert_eq!(of("(?1).*(?2)", First, 1, "CACBB"), [Some(1)]);
    assert_eq!(of("(?1).*(?2)", First, 2, "CACBB"), [Some(3)]);
    assert_eq!(of("(?1).*(?2)", First, -1, "CACBB"), [Some(3)]);
    assert_eq!(of("(?1).*(?2)", Last, 1, "ABCAB"), [Some(3)]);
    assert_eq!(of("(?1).*(?2)", Last, 1, "ABCA"), [Some(0)]);
    // A pattern does not go from one path to the next.
    assert_eq!(of("(?1).*(?2)", First, 1, "A B AB"), [None, None, Some(0)]);
    assert_eq!(of("(?1).*(?2)", First, 1, "A$BAB"), [None, Some(1)]);
    // The conversion has no node: it comes behind the last.
    assert_eq!(of("(?1).*(?3)", First, 2, "ABA$"), [Some(3)]);
    assert_eq!(of("(?3)", First, 1, "$AB$"), [Some(0), Some(2)]);
    // A match with fewer rows.
    assert_eq!(of("(?1)+(?2)", First, 3, "AB AAB"), [None, Some(2)]);
    assert_eq!(of("(?1)+(?2)", First, -3, "AB AAB"), [None, Some(0)]);
    // Times are those of the rows.
    assert_eq!(of("(?1)(?t<=2)(?2)", First, 2, "ACCBAB"), [Some(5)]);
}

#[test]
fn what_the_pattern_sees() {
    let of = |keeps_unmatched, collapse, element, letters: &str| {
        let of = PatternCentre { keeps_unmatched, ..centre("(?1)(?2)", 2, Which::First, element) };
        let rules = Rules { collapse, ..rules() };
        positions(&of, &rules, &rows(letters, ' ', ' '), &sets(letters, "AB"))
    };
    assert_eq!(of(false, false, 2, "ACB"), [Some(2)]);
    assert_eq!(of(true, false, 2, "ACB"), [None]);
    // Rows that are no nodes are not there.
    assert_eq!(of(true, false, 2, "A-B"), [Some(1)]);
    // Neighbours that are one have one place, also where the match takes the second of them.
    assert_eq!(of(false, true, 1, "CCAAB"), [Some(1)]);
    assert_eq!(of(false, true, 2, "CCAABB"), [Some(2)]);
}

#[test]
fn steps_around_a_match() {
    let of = centre("(?1).*(?3)", 3, Which::First, -1);
    let mut steps = Steps::new(1, true);
    let mut search = CentreSearch::new(&of);
    for letters in ["AB$", "BA$", "AB"] {
        let (rows, sets) = (rows(letters, ' ', ' '), sets(letters, "AB$"));
        Cutter::default().person(&rules(), rows.iter().copied(), |path| {
            let centre = search.position(&rules(), &rows, &sets);
            steps.add(&super::Path { centre, ..*path }, true);
        });
    }
    let [a, b] = ['A', 'B'].map(u32::from);
    let found: Vec<_> = steps.sorted().into_iter().map(|(key, count)| (key.step, key.node, count)).collect();
    let conversion = super::node::CONVERSION;
    assert_eq!(found, [(-1, a, 1), (-1, b, 1), (0, conversion, 2), (1, conversion, 2)]);
}

/// What stands between two conditions.
#[derive(Debug, Clone, Copy)]
enum Apart {
    Adjacent,
    Anywhere,
    Within(i64),
    NotWithin(i64),
}

/// Rows as the pattern sees them: time, set, position in the path.
type Seen = Vec<(i64, u64, usize)>;

/// The first choice of rows from `from` on that fits, in the order of the rows chosen.
fn first_match(seen: &Seen, pattern: &[(Apart, usize)], from: usize, chosen: &mut Vec<usize>) -> bool {
    let Some((apart, condition)) = pattern.get(chosen.len()).copied() else {
        return true;
    };
    let start = chosen.last().map_or(from, |last| last + 1);
    for row in start..seen.len() {
        let is_apart = chosen.last().is_none_or(|last| match apart {
            Apart::Adjacent => row == last + 1,
            Apart::Anywhere => true,
            Apart::Within(ticks) => seen[row].0 - seen[*last].0 <= ticks,
            Apart::NotWithin(ticks) => seen[row].0 - seen[*last].0 > ticks,
        });
        if is_apart && seen[row].1 & (1 << (condition - 1)) != 0 {
            chosen.push(row);
            if first_match(seen, pattern, from, chosen) {
                return true;
            }
            chosen.pop();
        }
    }
    false
}

fn slow(of: &PatternCentre, pattern: &[(Apart, usize)], seen: &Seen) -> Option<usize> {
    let mut seen = seen.clone();
    seen.retain(|(_, set, _)| of.keeps_unmatched || *set != 0);
    let (mut matched, mut from) = (None, 0);
    loop {
        let mut chosen = Vec::new();
        if !first_match(&seen, pattern, from, &mut chosen) {
            break;
        }
        from = chosen.last().unwrap() + 1;
        matched = Some(chosen);
        if of.which == Which::First {
            break;
        }
    }
    let mut matched = matched?;
    if of.element < 0 {
        matched.reverse();
    }
    matched.get(of.element.unsigned_abs() as usize - 1).map(|row| seen[*row].2)
}

#[test]
fn random_rows_against_every_choice() {
    let mut seeded = Seeded(11);
    let (mut centred, mut conversions) = (0, 0);
    for _ in 0..10_000 {
        let mut pattern = Vec::new();
        let mut text = String::new();
        for place in 0..1 + seeded.below(3) {
            let ticks = seeded.below(4) as i64;
            let all = [Apart::Adjacent, Apart::Anywhere, Apart::Within(ticks), Apart::NotWithin(ticks)];
            let apart = if place == 0 { Apart::Adjacent } else { all[seeded.below(4) as usize] };
            let condition = 1 + seeded.below(3) as usize;
            text.push_str(&match apart {
                Apart::Adjacent => String::new(),
                Apart::Anywhere => ".*".to_owned(),
                Apart::Within(ticks) => format!("(?t<={ticks})"),
                Apart::NotWithin(ticks) => format!("(?t>{ticks})"),
            });
            text.push_str(&format!("(?{condition})"));
            pattern.push((apart, condition));
        }
        let which = [Which::First, Which::Last][seeded.below(2) as usize];
        let element = [1, 2, 3, -1, -2][seeded.below(5) as usize];
        // Conditions beyond the first 64 are in a second word.
        let conditions = if seeded.below(4) == 0 { 70 } else { 3 };
        let of = PatternCentre {
            keeps_unmatched: seeded.below(3) == 0,
            ..centre(&text, conditions, which, element)
        };
        let rules = Rules { collapse: seeded.below(2) == 0, ..rules() };

        let mut time = 0;
        let (mut rows, mut sets) = (Vec::new(), Vec::new());
        // What each path shows to the pattern, and its nodes.
        let mut paths: Vec<(Seen, Vec<u32>)> = vec![Default::default()];
        for _ in 0..seeded.below(12) {
            time += seeded.below(3) as i64;
            let node = [NONE, 65, 66, 67][seeded.below(4) as usize];
            let (set, converts) = (seeded.below(8), seeded.below(6) == 0);
            let row = PathRow { time, node, converts, ..super::tests::rows("A", ' ', ' ')[0] };
            rows.push(row);
            let mut words = vec![0; of.words()];
            words[0] = set;
            if conditions > 64 && set == 0 && seeded.below(2) == 0 {
                insert_step(&mut words, 70);
            }
            // A condition that the pattern does not name makes the row one that is seen.
            let shown = set | words.get(1).map_or(0, |word| word << 50);
            sets.extend(words);
            let (seen, nodes) = paths.last_mut().unwrap();
            let places = |nodes: &[u32]| {
                let mut nodes = nodes.to_vec();
                if rules.collapse {
                    nodes.dedup();
                }
                nodes.len()
            };
            if converts {
                seen.push((time, shown, places(nodes)));
                paths.push(Default::default());
            } else if node != NONE {
                nodes.push(node);
                seen.push((time, shown, places(nodes) - 1));
            }
        }
        paths.retain(|(seen, _)| !seen.is_empty());
        let expected: Vec<Option<usize>> = paths.iter().map(|(seen, _)| slow(&of, &pattern, seen)).collect();
        let found = positions(&of, &rules, &rows, &sets);
        assert_eq!(found, expected, "{text} {of:?} {rules:?} {rows:?} {sets:?}");
        centred += found.iter().flatten().count();
        let is_conversion = |(position, (_, nodes)): (&Option<usize>, &(Seen, Vec<u32>))| {
            !rules.collapse && *position == Some(nodes.len())
        };
        conversions += found.iter().zip(&paths).filter(|pair| is_conversion((pair.0, pair.1))).count();
    }
    assert!(centred > 3_000 && conversions > 300, "{centred} {conversions}");
}
