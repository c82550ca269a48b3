//! From the rows of one person to paths.

use super::node;
use crate::journey::session::Limit;
use crate::journey::time::Window;

/// One row of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathRow {
    /// When.
    pub time: i64,
    /// Where; [`node::NONE`] for a row that is no node of a path.
    pub node: u32,
    /// The row belongs to another unit than the one before it.
    pub is_break: bool,
    /// Paths begin at the row, where that is asked for.
    pub starts: bool,
    /// Paths end at the row, where that is asked for.
    pub ends: bool,
    /// The row is a conversion: it ends the path and is no node of it.
    pub converts: bool,
    /// The centre of a path is the first such row that is a node.
    pub is_centre: bool,
    /// What the row is worth.
    pub value: i128,
    /// How many paths the row's path stands for; that of the first row counts.
    pub weight: i64,
    /// The segment; that of the first row counts.
    pub segment: u32,
}

/// Which end of a path is kept if it has more nodes than asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The beginning.
    #[default]
    Forward,
    /// The end.
    Backward,
}

impl Direction {
    /// Names in SQL.
    pub const NAMES: [(&'static str, Self); 2] = [("forward", Self::Forward), ("backward", Self::Backward)];
}

/// How rows become paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules<W> {
    /// A row that comes later than this after the one before it begins a new path.
    pub gap: Option<Limit<W>>,
    /// Neighbouring equal nodes are one.
    pub collapse: bool,
    /// Paths begin at the first row that starts one; what has none is no path.
    pub from_start: bool,
    /// Paths end at the first row that ends one; what has none is no path.
    pub to_end: bool,
    /// The most nodes of a path. Where both ends are given the middle is left out: half of them from either side.
    pub depth: Option<usize>,
    /// Which nodes are kept.
    pub direction: Direction,
}

impl<W> Rules<W> {
    /// Whether a node is one with the node before it.
    pub(super) fn is_repeated(&self, before: Option<u32>, node: u32) -> bool {
        self.collapse && before == Some(node)
    }
}

/// One path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path<'a> {
    /// The nodes in order of time; none for a conversion without anything before it.
    pub nodes: &'a [u32],
    /// The time of each node; of neighbours that are one, the first.
    pub times: &'a [i64],
    /// Position of the centre among the nodes; their number stands for what comes behind the last one.
    pub centre: Option<usize>,
    /// Nodes before the first were left out.
    pub cut_before: bool,
    /// Nodes behind the last were left out.
    pub cut_behind: bool,
    /// Time of the conversion that ended the path.
    pub converted: Option<i64>,
    /// Ticks from the first node to the last or to the conversion, of the whole path.
    pub duration: i128,
    /// Sum over all rows of the path, with the conversion.
    pub value: i128,
    /// How many paths this one stands for.
    pub weight: i64,
    /// The segment.
    pub segment: u32,
    /// Numbers of its first row and of its last one, with the conversion, among those of the person.
    pub rows: (usize, usize),
}

/// Cuts the rows of one person after the other; keeps its memory.
#[derive(Debug, Clone, Default)]
pub struct Cutter {
    nodes: Vec<u32>,
    times: Vec<i64>,
    state: State,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// Weight, segment and number of the first row.
    first: Option<(i64, u32, usize)>,
    last_row: usize,
    started: bool,
    ended: bool,
    centre: Option<usize>,
    value: i128,
    last_node_time: i64,
}

impl Cutter {
    /// Gives every path of a person to `each`, whose rows are `rows` in order. O(rows).
    pub fn person<W: Window>(
        &mut self,
        rules: &Rules<W>,
        rows: impl Iterator<Item = PathRow>,
        mut each: impl FnMut(&Path<'_>),
    ) {
        let mut previous: Option<i64> = None;
        for (number, row) in rows.enumerate() {
            let is_apart = |gap: &Limit<W>| previous.is_some_and(|previous| !gap.reaches(previous, row.time));
            if row.is_break || rules.gap.as_ref().is_some_and(is_apart) {
                self.finish(rules, None, &mut each);
            }
            previous = Some(row.time);
            let state = &mut self.state;
            // What follows the end is left out, up to the next cut.
            if state.ended {
                continue;
            }
            if rules.from_start && !state.started {
                if !row.starts {
                    continue;
                }
                state.started = true;
            }
            state.first.get_or_insert((row.weight, row.segment, number));
            state.last_row = number;
            state.value = state.value.saturating_add(row.value);
            if row.converts {
                self.finish(rules, Some(row.time), &mut each);
                continue;
            }
            if row.node != node::NONE {
                state.last_node_time = row.time;
                if !rules.is_repeated(self.nodes.last().copied(), row.node) {
                    self.nodes.push(row.node);
                    self.times.push(row.time);
                }
                if row.is_centre && state.centre.is_none() {
                    state.centre = Some(self.nodes.len() - 1);
                }
            }
            state.ended = rules.to_end && row.ends;
        }
        self.finish(rules, None, &mut each);
    }

    fn finish<W: Window>(
        &mut self,
        rules: &Rules<W>,
        converted: Option<i64>,
        each: &mut impl FnMut(&Path<'_>),
    ) {
        let state = std::mem::take(&mut self.state);
        let is_whole = (state.started || !rules.from_start) && (state.ended || !rules.to_end);
        if let Some((weight, segment, first_row)) = state.first
            && is_whole
            && (!self.nodes.is_empty() || converted.is_some())
        {
            let end = converted.unwrap_or(state.last_node_time);
            let duration = self.times.first().map_or(0, |start| i128::from(end) - i128::from(*start));
            let count = self.nodes.len();
            let (cut_before, cut_behind) = self.shorten(rules);
            let left_out = if cut_before { count - self.nodes.len() } else { 0 };
            let centre = state.centre.and_then(|centre| centre.checked_sub(left_out));
            each(&Path {
                nodes: &self.nodes,
                times: &self.times,
                centre: centre.filter(|centre| *centre < self.nodes.len()),
                cut_before,
                cut_behind,
                converted,
                duration,
                value: state.value,
                weight,
                segment,
                rows: (first_row, state.last_row),
            });
        }
        self.nodes.clear();
        self.times.clear();
    }

    /// Leaves out nodes beyond the depth; returns whether any before and behind the rest.
    fn shorten<W>(&mut self, rules: &Rules<W>) -> (bool, bool) {
        let count = self.nodes.len();
        let Some(depth) = rules.depth.filter(|depth| count > *depth) else {
            return (false, false);
        };
        if rules.from_start && rules.to_end {
            let half = (depth / 2).max(1);
            self.nodes.splice(half..count - half, [node::ELLIPSIS]);
            let time = self.times[half - 1];
            self.times.splice(half..count - half, [time]);
            return (false, false);
        }
        match rules.direction {
            Direction::Forward => {
                self.nodes.truncate(depth);
                self.times.truncate(depth);
                (false, true)
            }
            Direction::Backward => {
                self.nodes.drain(..count - depth);
                self.times.drain(..count - depth);
                (true, false)
            }
        }
    }
}
