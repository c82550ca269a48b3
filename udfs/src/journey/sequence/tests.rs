//! Against a slow matcher that tries everything, and against answers that can be checked by hand.

use std::cell::Cell;
use std::collections::BTreeSet;

use super::parse::{Node, Tree, parse};
use super::pattern::Test;
use super::time::{Elapsed, elapsed};
use super::{Base, Conditions, Direction, NextNode, Pattern, Search};
use crate::journey::time::TickUnit;

const COUNT: usize = 4;

fn conditions(names: &[(String, usize)]) -> Conditions<'_> {
    Conditions { count: COUNT, names }
}

fn pattern(text: &str) -> Pattern {
    Pattern::parse(text, conditions(&[]), None).unwrap_or_else(|error| panic!("{error}"))
}

/// Rows of one letter each; a is condition 1, b is 2, ...; time is the place.
fn rows(letters: &str) -> (Vec<i64>, Vec<u64>) {
    let sets = letters.bytes().map(|letter| if letter == b'-' { 0 } else { 1 << (letter - b'a') }).collect();
    ((0..letters.len() as i64).collect(), sets)
}

fn matches(text: &str, times: &[i64], sets: &[u64]) -> Vec<Vec<usize>> {
    let pattern = pattern(text);
    let mut search = Search::new(&pattern, 1);
    let mut all = Vec::new();
    search.begin(times, sets);
    let mut rows = Vec::new();
    while search.next_match(times, sets, &mut rows).is_some() {
        all.push(rows.clone());
    }
    assert_eq!(search.count(times, sets), all.len());
    assert_eq!(search.is_match(times, sets), !all.is_empty());
    all
}

fn found(text: &str, letters: &str) -> Vec<Vec<usize>> {
    let (times, sets) = rows(letters);
    matches(text, &times, &sets)
}

#[test]
fn rows_of_a_match_at_most() {
    let most = |text| pattern(text).most_rows();
    assert_eq!(most("(?1).*(?2)"), Some(2));
    assert_eq!(most("(?1)(?!2).(?3)?"), Some(2));
    assert_eq!(most("((?1)|(?2)(?3)){2,4}"), Some(8));
    assert_eq!(most("(?1)+(?2)"), None);
    assert_eq!(most("(?1)(.*(?!2))*"), Some(1));
    assert_eq!(most(".(?!1)"), Some(0));
    assert_eq!(most(".*"), Some(0));
}

#[test]
fn names_in_a_pattern() {
    assert_eq!(
        Pattern::names("(?view).*(?!b uy)(?t<=5)(?2)|((? view ))(?T<9)").unwrap(),
        ["view", "b uy", "2"]
    );
    assert!(Pattern::names(".*").unwrap().is_empty());
    assert_eq!(Pattern::names("(?a)(?b").unwrap_err().position(), 5);
}

#[test]
fn matches_of_plain_patterns() {
    assert_eq!(found("(?1).*(?2)", "acbab"), [[0, 2], [3, 4]]);
    assert_eq!(found("(?1)(?2)", "acbab"), [[3, 4]]);
    assert_eq!(found("(?1)(?1)", "aaaaa"), [[0, 1], [2, 3]]);
    assert_eq!(found("(?1).(?2)", "abbab"), [[0, 2]]);
    assert_eq!(found("(?1){2,3}(?2)", "aaaab"), [[1, 2, 3, 4]]);
    assert_eq!(found("(?1)((?2)|(?3)){2}(?4)", "abcd"), [[0, 1, 2, 3]]);
    assert_eq!(found("(?1)(?!2)*(?3)", "abcaac"), [[3, 5]]);
    assert_eq!(found("(?1).+(?2)", "abab"), [[0, 3]]);
    assert_eq!(found("(?1) (?2)? (?3)", "acabc"), [vec![0, 1], vec![2, 3, 4]]);
    assert!(found("(?1)", "").is_empty());
    assert!(found(".*", "").is_empty());
    assert_eq!(found(".*", "ab").len(), 2);
    assert_eq!(found("(?1)*", "ab"), [[]; 2] as [[usize; 0]; 2]);
}

#[test]
fn times_between_rows_and_over_all() {
    let times = [0, 5, 100, 101];
    let sets = [1, 2, 2, 4];
    assert!(matches("(?1)(?t<=10)(?2)(?3)", &times, &sets).is_empty());
    assert_eq!(matches("(?1)(?t>10)(?2)(?3)", &times, &sets), [[0, 2, 3]]);
    assert_eq!(matches("(?1)(?t==5)(?2)", &times, &sets), [[0, 1]]);
    assert_eq!(matches("(?1)(?t!=5)(?2)", &times, &sets), [[0, 2]]);
    assert_eq!(matches("(?1)(?t>=5)(?t<6)(?2)", &times, &sets), [[0, 1]]);
    assert!(matches("(?1)(?t>5)(?t<6)(?2)", &times, &sets).is_empty());
    assert_eq!(matches("(?1).*(?2)(?T<=5)", &times, &sets), [[0, 1]]);
    assert!(matches("(?1).*(?2)(?T<5)", &times, &sets).is_empty());
    // The first begin is too early for the whole, the second is not.
    assert_eq!(matches("(?1).*(?2).*(?3)(?T<=10)", &[0, 1, 2, 3, 11], &[1, 1, 2, 2, 4]), [[1, 2, 4]]);
    let extremes = [i64::MIN, i64::MAX];
    assert_eq!(matches("(?1)(?t>=18446744073709551615)(?2)", &extremes, &[1, 2]), [[0, 1]]);
    assert!(matches("(?1)(?t<18446744073709551615)(?2)", &extremes, &[1, 2]).is_empty());
}

#[test]
fn units_of_time() {
    let of = |text: &str, unit| {
        let pattern = Pattern::parse(text, conditions(&[]), Some(unit)).unwrap();
        pattern.links[0]
            .iter()
            .map(|link| (link.between.elapsed.min, link.between.elapsed.max))
            .collect::<Vec<_>>()
    };
    let max = u64::MAX;
    assert_eq!(of("(?1)(?t<=2)(?2)", TickUnit::Microsecond), [(0, 2_000_000)]);
    assert_eq!(of("(?1)(?t<=2h)(?2)", TickUnit::Second), [(0, 7_200)]);
    assert_eq!(of("(?1)(?t<1d)(?2)", TickUnit::Millisecond), [(0, 86_399_999)]);
    // 1500 ms are no whole number of seconds.
    assert_eq!(of("(?1)(?t<1500ms)(?2)", TickUnit::Second), [(0, 1)]);
    assert_eq!(of("(?1)(?t>=1500ms)(?2)", TickUnit::Second), [(2, max)]);
    assert_eq!(of("(?1)(?t!=1500ms)(?2)", TickUnit::Second), [(0, max)]);
    assert_eq!(of("(?1)(?t!=2s)(?2)", TickUnit::Second), [(0, 1), (3, max)]);
}

#[test]
fn names() {
    let names =
        [("add to cart".to_owned(), 2), ("t".to_owned(), 1), ("x".to_owned(), 3), ("x".to_owned(), 4)];
    let parse = |text| Pattern::parse(text, conditions(&names), None);
    let named = parse("(?t).*(?add to cart)").unwrap();
    assert_eq!(named.tests, [Test::Meets(1), Test::Meets(2)]);
    assert!(named.is_chain);
    assert!(parse("(?x)").unwrap_err().to_string().contains("'x' is the name of conditions 3 and 4"));
    assert!(
        parse("(?y)")
            .unwrap_err()
            .to_string()
            .contains("no condition named 'y'; there are 'add to cart', 't'")
    );
}

#[test]
fn names_become_numbers() {
    let names = [("view".to_owned(), 1), ("add to cart".to_owned(), 2)];
    let numbered = |text| Pattern::numbered(text, conditions(&names));
    assert_eq!(
        numbered("(?view).*((?! add to cart ){2}|(?2))(?t<=5 min)(?3)(?T<1d)").unwrap(),
        "(?1).*((?!2){2}|(?2))(?t<=5 min)(?3)(?T<1d)"
    );
    assert_eq!(numbered("a(?").unwrap_err().position(), 2);
    assert_eq!(numbered("(?1)(?cart)").unwrap_err().position(), 5);
}

#[test]
fn errors_point_at_the_place() {
    for (text, position, message) in [
        ("(?0)", 1, "there is no condition 0; conditions are numbered from 1 to 4"),
        ("(?1)(?5)", 5, "there is no condition 5"),
        ("(?1)(?99999999999999999999)", 5, "there is no condition 99999999999999999999"),
        ("(?1)(?t>+)(?2)", 5, "a time needs a whole number, not negative, as in (?t<=60); got '+'"),
        ("(?1)(?t>-5)(?2)", 5, "a time needs a whole number"),
        ("(?1)(?t<0)(?2)", 5, "no time between two rows meets this"),
        ("(?1)(?t<=5s)(?2)", 5, "'s': times are integers here"),
        ("(?1)(?T>5)", 5, "only <= and < are possible"),
        ("(?1)(?T<5)(?2)", 11, "nothing may follow (?T...)"),
        ("((?1)(?T<5))", 6, "cannot stand in a group"),
        ("(?t<5)(?1)", 1, "none comes before this one"),
        ("(?1)(?t<5)", 5, "none comes behind this one"),
        ("(?t<5)", 1, "none comes before this one"),
        ("(?1", 1, "no matching ')'"),
        ("(?1)((?2)", 5, "no matching ')'"),
        ("(?1))", 5, "no matching '('"),
        ("(?)", 1, "needs a condition"),
        ("(?!)", 1, "needs a condition"),
        ("(?view)", 1, "none of the 4 conditions has a name"),
        ("a", 1, "'a' is not part of a pattern"),
        ("*", 1, "'*' repeats what stands before it"),
        ("(?1)|*", 6, "'*' repeats what stands before it"),
        ("(?1)+*", 6, "follows another repetition"),
        (".**", 3, "follows another repetition"),
        ("(?1){", 5, "no matching '}'"),
        ("(?1){a}", 5, "whole numbers"),
        ("(?1){3,2}", 5, "must be at least 1 and not below the first"),
        ("(?1){0}", 5, "must be at least 1"),
        ("(?1){1001}", 5, "too many"),
        ("(?1)(?t<5)*(?2)", 11, "a time cannot be repeated"),
        ("((?1){1000}){5}", 2, "too large"),
        ("((?1)?){1000}", 1, "too large"),
    ] {
        match Pattern::parse(text, conditions(&[]), None) {
            Err(error) => {
                assert_eq!(error.position(), position, "{text}: {error}");
                assert!(error.to_string().contains(message), "{text}: {error}");
            }
            Ok(_) => panic!("{text} has no error"),
        }
    }
    let deep = format!("{}(?1){}", "(".repeat(200), ")".repeat(200));
    let error = Pattern::parse(&deep, conditions(&[]), None).unwrap_err();
    assert!(error.to_string().contains("nested more than"), "{error}");
}

/// Numbers that look random and are the same each time (splitmix64).
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        mixed % limit
    }

    fn row(&mut self) -> String {
        match self.below(6) {
            0 => ".".to_owned(),
            1 => format!("(?!{})", 1 + self.below(COUNT as u64)),
            _ => format!("(?{})", 1 + self.below(COUNT as u64)),
        }
    }

    fn pattern(&mut self, depth: u32) -> String {
        let mut text = String::new();
        let parts = 1 + self.below(4);
        for part in 0..parts {
            if part > 0 {
                match self.below(4) {
                    0 => text.push_str(".*"),
                    1 => {
                        let signs = ["<", "<=", ">", ">=", "==", "!="];
                        let sign = signs[self.below(6) as usize];
                        text.push_str(&format!("(?t{sign}{})", self.below(5)));
                    }
                    _ => {}
                }
            }
            if depth > 0 && self.below(4) == 0 {
                let inner = self.pattern(depth - 1);
                let other =
                    if self.below(2) == 0 { format!("|{}", self.pattern(depth - 1)) } else { String::new() };
                text.push_str(&format!("({inner}{other})"));
            } else {
                text.push_str(&self.row());
            }
            text.push_str(["", "", "", "+", "?", "*", "{2}", "{1,2}", "{2,}"][self.below(9) as usize]);
        }
        text
    }
}

/// What is still to be matched, the next part last.
type Rest<'n> = Vec<Part<'n>>;

#[derive(Debug, Clone, Copy)]
enum Part<'n> {
    Node(&'n Node),
    Again(&'n Node, usize, Option<usize>),
}

/// A way to go on: to a row that passes the test, or to the end of the pattern.
#[derive(Debug, Clone)]
struct Step<'n> {
    test: Option<Test>,
    rest: Rest<'n>,
    rows_between: bool,
    gates: Vec<&'n [Elapsed]>,
    /// Repetitions begun since the last row: the part and what follows it. None is begun twice, as that gives nothing.
    begun: Vec<(*const Node, usize)>,
}

/// Follows the tree of the pattern and tries everything.
struct Slow<'a> {
    times: &'a [i64],
    sets: &'a [u64],
    within: Option<u64>,
    /// Steps that may still be taken: an exponential case is given up.
    budget: Cell<u32>,
}

impl Slow<'_> {
    fn steps<'n>(&self, mut step: Step<'n>, out: &mut Vec<Step<'n>>) {
        self.budget.set(self.budget.get().saturating_sub(1));
        if self.budget.get() == 0 {
            return;
        }
        let Some(part) = step.rest.pop() else {
            out.push(step);
            return;
        };
        match part {
            Part::Node(Node::Row(test)) => out.push(Step { test: Some(*test), ..step }),
            Part::Node(Node::AnyRows) => self.steps(Step { rows_between: true, ..step }, out),
            Part::Node(Node::Gate { ranges, .. }) => {
                step.gates.push(ranges);
                self.steps(Step { rows_between: true, ..step }, out);
            }
            Part::Node(Node::Sequence(parts)) => {
                step.rest.extend(parts.iter().rev().map(Part::Node));
                self.steps(step, out);
            }
            Part::Node(Node::Choice(branches)) => {
                for branch in branches {
                    let mut step = step.clone();
                    step.rest.push(Part::Node(branch));
                    self.steps(step, out);
                }
            }
            Part::Node(Node::Repeat { node, min, max, .. }) => {
                step.rest.push(Part::Again(node, *min, *max));
                self.steps(step, out);
            }
            Part::Again(node, min, max) => {
                if min == 0 {
                    self.steps(step.clone(), out);
                }
                let begun = (std::ptr::from_ref(node), step.rest.len());
                if max != Some(0) && (min > 0 || !step.begun.contains(&begun)) {
                    if min == 0 {
                        step.begun.push(begun);
                    }
                    step.rest.push(Part::Again(node, min.saturating_sub(1), max.map(|max| max - 1)));
                    step.rest.push(Part::Node(node));
                    self.steps(step, out);
                }
            }
        }
    }

    fn next<'n>(&self, rest: &Rest<'n>) -> Vec<Step<'n>> {
        let mut steps = Vec::new();
        let step = Step { test: None, rest: rest.clone(), rows_between: false, gates: vec![], begun: vec![] };
        self.steps(step, &mut steps);
        steps
    }

    fn passes(&self, row: usize, step: &Step<'_>) -> bool {
        step.test.is_some_and(|test| test.passes(&self.sets[row..=row]))
    }

    /// The last rows of matches that begin at `start` and have come to `row`, with `rest` still to do.
    fn ends(&self, rest: &Rest<'_>, start: usize, row: usize, ends: &mut BTreeSet<usize>) {
        if self.within.is_some_and(|within| elapsed(self.times[start], self.times[row]) > within) {
            return;
        }
        for step in self.next(rest) {
            if step.test.is_none() && step.gates.is_empty() {
                ends.insert(row);
            }
            let last = if step.rows_between { self.times.len() } else { self.times.len().min(row + 2) };
            for next in row + 1..last {
                let since = elapsed(self.times[row], self.times[next]);
                let in_time = step.gates.iter().all(|ranges| ranges.iter().any(|range| range.holds(since)));
                if in_time && self.passes(next, &step) && self.budget.get() > 0 {
                    self.ends(&step.rest, start, next, ends);
                }
            }
        }
    }

    /// The first match from row `from`: its first row and all its possible last rows.
    fn first(&self, tree: &Tree, from: usize) -> Option<(usize, BTreeSet<usize>)> {
        let steps = self.next(&vec![Part::Node(&tree.root)]);
        (from..self.times.len()).find_map(|start| {
            let mut ends = BTreeSet::new();
            for step in steps.iter().filter(|step| step.gates.is_empty() && self.passes(start, step)) {
                self.ends(&step.rest, start, start, &mut ends);
            }
            (!ends.is_empty()).then_some((start, ends))
        })
    }
}

/// Every match begins where the slow one does and ends where it may; the table and the chain say the same.
#[test]
fn random_patterns_against_a_slow_matcher() {
    let mut seeded = Seeded(17);
    let (mut compared, mut matching) = (0, 0);
    while compared < 10_000 {
        let mut text = seeded.pattern(2);
        if seeded.below(4) == 0 {
            text.push_str(&format!("(?T<={})", seeded.below(9)));
        }
        let (Ok(tree), Ok(pattern)) =
            (parse(&text, conditions(&[]), None), Pattern::parse(&text, conditions(&[]), None))
        else {
            continue;
        };
        if pattern.is_nullable {
            continue;
        }
        let count = seeded.below(9);
        let mut time = 0;
        let mut times = Vec::new();
        let mut sets = Vec::new();
        for _ in 0..count {
            time += seeded.below(4) as i64;
            times.push(time);
            sets.push(seeded.below(1 << COUNT));
        }
        let slow = Slow { times: &times, sets: &sets, within: pattern.within, budget: Cell::new(50_000) };
        let mut search = Search::new(&pattern, 1);
        search.begin(&times, &sets);
        let mut from = 0;
        let mut rows = Vec::new();
        loop {
            let found = search.next_match(&times, &sets, &mut rows);
            let expected = slow.first(&tree, from);
            if slow.budget.get() == 0 {
                break;
            }
            let case = || format!("{text} {times:?} {sets:?} from {from}: {found:?}, not {expected:?}");
            assert_eq!(
                found.map(|found| found.first),
                expected.as_ref().map(|(first, _)| *first),
                "{}",
                case()
            );
            let (Some(found), Some((_, ends))) = (found, &expected) else { break };
            assert!(ends.contains(&found.last), "{}", case());
            assert!(rows.is_sorted() && rows.iter().all(|row| (found.first..=found.last).contains(row)));
            from = found.last + 1;
            matching += 1;
        }
        compared += u32::from(slow.budget.get() > 0);
        if pattern.is_chain {
            let mut general = Search::new(&pattern, 1);
            general.begin(&times, &sets);
            let chain = general.next_match(&times, &sets, &mut rows);
            let without = Pattern { is_chain: false, ..pattern.clone() };
            let mut general = Search::new(&without, 1);
            general.begin(&times, &sets);
            assert_eq!(chain, general.next_match(&times, &sets, &mut rows), "{text}");
        }
    }
    assert!(matching > 5_000, "{matching}");
}

/// Many rows of one person: time and memory grow with the rows, not with their square.
#[test]
fn no_pattern_is_slow() {
    let count = 200_000;
    let times: Vec<i64> = (0..count).map(|row| row / 3).collect();
    let mut seeded = Seeded(5);
    let sets: Vec<u64> = (0..count).map(|_| 1 << seeded.below(3)).collect();
    for text in [
        "(?1).*(?2).*(?3).*(?4)",
        "(?1)(.*(?2).*(.*(?1).*)*)*.*(?3).*(?4)",
        "(?1).*((?2)|(?3)).*(?1)(?t>=100)(?2)(?t<=50)(?3)(?!1)(?4)",
        "((?1)(?t!=2)(?2).*)*(?4)",
        "(?1).*(?2).*(?3)(?4)(?T<=60000)",
        "(?1)(?t==60000)(?2)(?t<=60000)(?3).(?4)",
    ] {
        let pattern = pattern(text);
        let started = std::time::Instant::now();
        let mut found = Search::new(&Pattern { needed: vec![], ..pattern }, 1).count(&times, &sets);
        assert_eq!(found, 0, "{text}");
        let mut last = sets.clone();
        last[count as usize - 1] = 1 << 3;
        found = Search::new(&super::tests::pattern(text), 1).count(&times, &last);
        assert!(found <= 1, "{text}");
        assert!(started.elapsed().as_secs() < 20, "{text}: {:?}", started.elapsed());
    }
}

#[test]
fn the_row_next_to_a_sequence() {
    let next = |direction, base, events: &str, letters: &str| {
        // Every row may be the base.
        let sets: Vec<u64> = letters
            .chars()
            .map(|letter| {
                let met = (1..).zip(events.chars()).filter(|(_, event)| *event == letter);
                met.fold(1, |set, (bit, _)| set | 1 << bit)
            })
            .collect();
        let call = NextNode::new(direction, base, events.len()).unwrap();
        call.find(&sets, 1).map(|row| letters.chars().nth(row).unwrap())
    };
    use Base::{FirstMatch, Head, LastMatch, Tail};
    use Direction::{Backward, Forward};
    assert_eq!(next(Forward, FirstMatch, "BA", "ABABC"), Some('B'));
    assert_eq!(next(Forward, FirstMatch, "BA", "ABAC"), Some('C'));
    assert_eq!(next(Backward, Tail, "C", "BBDC"), Some('D'));
    assert_eq!(next(Forward, LastMatch, "AB", "ABCABD"), Some('D'));
    assert_eq!(next(Backward, LastMatch, "BA", "CABDAB"), Some('D'));
    assert_eq!(next(Forward, FirstMatch, "AB", "ACAB"), None);
    assert_eq!(next(Forward, Head, "", "ABC"), Some('A'));
    assert_eq!(next(Backward, Tail, "", "ABC"), Some('C'));
    assert_eq!(next(Forward, Head, "A", ""), None);
    assert_eq!(NextNode::new(Forward, Tail, 1), None);
    assert_eq!(NextNode::new(Backward, Head, 1), None);
}
