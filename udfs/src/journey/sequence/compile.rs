//! From the tree of a pattern to states and links.

use super::error::PatternError;
use super::fragment::{Ends, Fragment, Gap, add_end, add_gap};
use super::parse::{Node, Tree};
use super::pattern::{Between, Link, Pattern, Test};

/// States and links; a pattern that needs more is a mistake, and would cost its square.
const MAX_STATES: usize = 4_096;
const MAX_LINKS: usize = 65_536;
/// Ways to pass a part without a row; they multiply where parts are strung together.
const MAX_GAPS: usize = 64;

pub(super) fn compile(text: &str, tree: &Tree) -> Result<Pattern, PatternError> {
    let mut compiler = Compiler { text, tests: vec![], links: vec![], link_count: 0 };
    let whole = compiler.fragment(&tree.root, 1)?;
    let mut needed = needed(&tree.root);
    needed.sort_unstable();
    needed.dedup();
    let state_count = compiler.tests.len();
    let before = whole.firsts.iter().map(|(_, gap)| gap);
    if let Some(place) = before.chain(&whole.through).find_map(|gap| gap.gate) {
        return Err(PatternError::new(
            text,
            place,
            "a time stands between two conditions, but none comes before this one",
        ));
    }
    if let Some(place) = whole.lasts.iter().find_map(|(_, gap)| gap.gate) {
        return Err(PatternError::new(
            text,
            place,
            "a time stands between two conditions, but none comes behind this one",
        ));
    }
    let mut starts: Vec<usize> = whole.firsts.iter().map(|(state, _)| *state).collect();
    starts.sort_unstable();
    starts.dedup();
    let mut accepts = vec![false; state_count];
    for (state, _) in &whole.lasts {
        accepts[*state] = true;
    }
    let mut links = Vec::with_capacity(state_count);
    for ends in compiler.links {
        let mut ends: Vec<Link> =
            ends.into_iter().map(|(target, gap)| Link { target, between: gap.between }).collect();
        ends.sort_by_key(|link| link.target);
        links.push(ends);
    }
    let is_nullable = !whole.through.is_empty();
    let is_chain = !is_nullable
        && tree.within.is_none()
        && starts == [0]
        && links.iter().enumerate().all(|(state, links)| match links.as_slice() {
            [] => accepts[state] && state + 1 == state_count,
            [link] => link.target == state + 1 && link.between == Between::ANYTHING && !accepts[state],
            _ => false,
        });
    Ok(Pattern {
        tests: compiler.tests,
        starts,
        accepts,
        links,
        is_nullable,
        within: tree.within,
        needed,
        most_rows: most_rows(&tree.root),
        is_chain,
    })
}

/// Conditions that every match meets.
fn needed(node: &Node) -> Vec<usize> {
    match node {
        Node::Row(Test::Meets(condition)) => vec![*condition],
        Node::Row(_) | Node::AnyRows | Node::Gate { .. } => vec![],
        Node::Sequence(parts) => parts.iter().flat_map(needed).collect(),
        Node::Choice(branches) => {
            let mut all = branches.iter().map(needed);
            let first = all.next().unwrap_or_default();
            all.fold(first, |common, branch| common.into_iter().filter(|one| branch.contains(one)).collect())
        }
        Node::Repeat { min: 0, .. } => vec![],
        Node::Repeat { node, .. } => needed(node),
    }
}

/// The most rows that meet a condition; `None` without a limit.
fn most_rows(node: &Node) -> Option<usize> {
    match node {
        Node::Row(Test::Meets(_)) => Some(1),
        Node::Row(_) | Node::AnyRows | Node::Gate { .. } => Some(0),
        Node::Sequence(parts) => {
            parts.iter().map(most_rows).try_fold(0, |sum: usize, most| sum.checked_add(most?))
        }
        Node::Choice(branches) => {
            branches.iter().map(most_rows).try_fold(0, |most, other| Some(most.max(other?)))
        }
        Node::Repeat { node, max, .. } => match (most_rows(node), max) {
            (Some(0), _) => Some(0),
            (most, max) => most?.checked_mul((*max)?),
        },
    }
}

struct Compiler<'a> {
    text: &'a str,
    tests: Vec<Test>,
    links: Vec<Ends>,
    link_count: usize,
}

impl Compiler<'_> {
    /// `place` is that of the part, or of the nearest one around it that knows.
    fn fragment(&mut self, node: &Node, place: usize) -> Result<Fragment, PatternError> {
        match node {
            Node::Row(test) => self.row(*test, place),
            Node::AnyRows => Ok(Fragment::gaps([Gap::ANY_ROWS])),
            Node::Gate { ranges, place } => Ok(Fragment::gaps(ranges.iter().map(|elapsed| Gap {
                between: Between { rows: true, elapsed: *elapsed },
                gate: Some(*place),
            }))),
            Node::Sequence(parts) => {
                let mut whole = Fragment::empty();
                for part in parts {
                    let next = self.fragment(part, place)?;
                    whole = self.joined(whole, next, place)?;
                }
                Ok(whole)
            }
            Node::Choice(branches) => {
                let mut whole = Fragment::default();
                for branch in branches {
                    whole = whole.or(self.fragment(branch, place)?);
                }
                self.checked(whole, place)
            }
            Node::Repeat { node, min, max, place } => self.repeated(node, *min, *max, *place),
        }
    }

    fn row(&mut self, test: Test, place: usize) -> Result<Fragment, PatternError> {
        let state = self.tests.len();
        if state == MAX_STATES {
            return self.too_large(place);
        }
        self.tests.push(test);
        self.links.push(vec![]);
        Ok(Fragment::row(state))
    }

    fn repeated(
        &mut self,
        node: &Node,
        min: usize,
        max: Option<usize>,
        place: usize,
    ) -> Result<Fragment, PatternError> {
        let mut whole = Fragment::empty();
        for _ in 0..min {
            let next = self.fragment(node, place)?;
            whole = self.joined(whole, next, place)?;
        }
        match max {
            None => {
                let again = self.fragment(node, place)?;
                let again = self.looped(again, place)?;
                self.joined(whole, again, place)
            }
            Some(max) => {
                // From the inside: (x(x)?)?
                let mut optional = Fragment::empty();
                for _ in min..max {
                    let one = self.fragment(node, place)?;
                    optional = self.joined(one, optional, place)?.or(Fragment::empty());
                }
                self.joined(whole, optional, place)
            }
        }
    }

    /// Any number of times, also none.
    fn looped(&mut self, mut part: Fragment, place: usize) -> Result<Fragment, PatternError> {
        // Ways through any number of repetitions without a row.
        let mut through = vec![Gap::NOTHING];
        loop {
            let mut more = through.clone();
            for left in &through {
                for right in &part.through {
                    add_gap(&mut more, left.and(*right));
                }
            }
            if more.len() > MAX_GAPS {
                return self.too_large(place);
            }
            if more == through {
                break;
            }
            through = more;
        }
        self.link(&part.lasts, &through, &part.firsts, place)?;
        part.through.clone_from(&through);
        part.firsts = extended(&part.firsts, &through);
        part.lasts = extended(&part.lasts, &through);
        self.checked(part, place)
    }

    fn joined(&mut self, left: Fragment, right: Fragment, place: usize) -> Result<Fragment, PatternError> {
        self.link(&left.lasts, &[Gap::NOTHING], &right.firsts, place)?;
        let mut joined = Fragment { firsts: left.firsts, lasts: right.lasts, through: vec![] };
        for gap in &left.through {
            for (state, first) in &right.firsts {
                add_end(&mut joined.firsts, *state, gap.and(*first));
            }
            for other in &right.through {
                add_gap(&mut joined.through, gap.and(*other));
            }
        }
        for gap in &right.through {
            for (state, last) in &left.lasts {
                add_end(&mut joined.lasts, *state, last.and(*gap));
            }
        }
        self.checked(joined, place)
    }

    fn link(
        &mut self,
        lasts: &Ends,
        between: &[Gap],
        firsts: &Ends,
        place: usize,
    ) -> Result<(), PatternError> {
        for (source, last) in lasts {
            for gap in between {
                for (target, first) in firsts {
                    let links = &mut self.links[*source];
                    let before = links.len();
                    add_end(links, *target, last.and(*gap).and(*first));
                    self.link_count = (self.link_count + links.len()).saturating_sub(before);
                }
            }
            if self.link_count > MAX_LINKS {
                return self.too_large(place);
            }
        }
        Ok(())
    }

    fn checked(&self, fragment: Fragment, place: usize) -> Result<Fragment, PatternError> {
        if fragment.through.len() > MAX_GAPS {
            return self.too_large(place);
        }
        Ok(fragment)
    }

    fn too_large<T>(&self, place: usize) -> Result<T, PatternError> {
        Err(PatternError::new(
            self.text,
            place,
            format!(
                "the pattern becomes too large here: at most {MAX_STATES} rows and {MAX_LINKS} links between them"
            ),
        ))
    }
}

/// The ends with each of the gaps beside them.
fn extended(ends: &Ends, gaps: &[Gap]) -> Ends {
    let mut all = Ends::new();
    for (state, end) in ends {
        for gap in gaps {
            add_end(&mut all, *state, end.and(*gap));
        }
    }
    all
}
