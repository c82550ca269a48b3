//! What is known about one person's chains while that person's rows come by.

use super::adjacent::Adjacent;
use super::level::{Chain, Level};
use super::no_repeat::Unrepeated;
use super::{Follow, FunnelModes, FunnelWindow};
use crate::journey::event::{order_of_sets, steps_of, steps_of_descending, words_for};
use crate::journey::session::Sessions;

/// What is known about one person's chains: O(steps) memory, however many rows.
///
/// Feed it with the rows in time order, all rows of one instant at once, then read
/// [`depth`](Self::depth). The funnel's modes and window are not kept here, because one query has
/// millions of these and one of those.
#[derive(Debug, Clone)]
pub struct FunnelState {
    /// Per step, the chains that have reached it, where any rows may stand between steps.
    pub(super) levels: Vec<Level>,
    pub(super) adjacent: Adjacent,
    pub(super) unrepeated: Unrepeated,
    pub(super) progress: Progress,
    /// Working memory of the search in the default mode.
    pub(super) ends: Vec<i64>,
    sessions: Sessions,
    /// Rows taken so far.
    rows: usize,
    /// Conditions met at the current instant, kept for its allocation.
    scratch: Union,
}

/// How far the search has come, the same for every way of searching.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    steps: usize,
    pub(super) depth: usize,
    pub(super) ended: bool,
    /// First row of the chain that was the first to reach `depth`.
    pub(super) start: usize,
    /// Whether the search starts anew behind a chain that reached all steps.
    repeats: bool,
    completions: usize,
}

impl Progress {
    fn new(steps: usize, repeats: bool) -> Self {
        Self { steps, depth: 0, ended: steps == 0, start: 0, repeats, completions: 0 }
    }

    /// Notes that `chain` reached `step`. Returns whether that was the last one.
    pub(super) fn reach(&mut self, step: usize, chain: Chain) -> bool {
        if step > self.depth {
            self.depth = step;
            self.start = chain.start;
        }
        let completed = step == self.steps;
        if completed {
            self.completions += 1;
            if self.repeats {
                self.depth = 0;
            } else {
                self.ended = true;
            }
        }
        completed
    }
}

/// One instant, and what holds for all rows of it.
pub(super) struct Instant<'a, W> {
    pub(super) modes: FunnelModes,
    pub(super) time: i64,
    pub(super) position: i64,
    /// Number of its first row.
    pub(super) row: usize,
    window: &'a W,
}

impl<W: FunnelWindow> Instant<'_, W> {
    /// The chain that begins here, with the row of number `start`.
    pub(super) fn entry(&self, start: usize) -> Chain {
        Chain { end: self.window.chain_end(self.time, self.position), start }
    }

    /// Whether `chain` may go on here.
    pub(super) fn is_open(&self, chain: &Chain) -> bool {
        self.position <= chain.end
    }
}

/// Which conditions the rows of one instant meet.
#[derive(Debug, Clone, Default)]
pub(super) struct Union {
    /// Conditions that a row meets.
    pub(super) any: Vec<u64>,
    /// Conditions that two rows or more meet.
    pub(super) twice: Vec<u64>,
    /// Whether a row meets no condition.
    pub(super) has_unmatched: bool,
    /// Whether a row meets two conditions or more.
    pub(super) has_several: bool,
}

impl Union {
    fn fill(&mut self, sets: &[u64], words: usize) {
        self.any.clear();
        self.any.resize(words, 0);
        self.twice.clear();
        self.twice.resize(words, 0);
        self.has_unmatched = false;
        self.has_several = false;
        for set in sets.chunks_exact(words) {
            let mut met = 0;
            for (index, word) in set.iter().enumerate() {
                self.twice[index] |= self.any[index] & word;
                self.any[index] |= word;
                met += word.count_ones();
            }
            self.has_unmatched |= met == 0;
            self.has_several |= met > 1;
        }
    }

    pub(super) fn is_twice(&self, step: usize) -> bool {
        crate::journey::event::contains_step(&self.twice, step)
    }
}

impl FunnelState {
    /// Returns the state of a person without rows, for a funnel of `steps` steps.
    pub fn new(steps: usize) -> Self {
        Self::with_progress(Progress::new(steps, false))
    }

    /// Returns a state that starts anew behind every chain that reaches all steps, and counts them.
    pub fn counting(steps: usize) -> Self {
        Self::with_progress(Progress::new(steps, true))
    }

    fn with_progress(progress: Progress) -> Self {
        Self {
            levels: vec![Level::default(); progress.steps],
            adjacent: Adjacent::default(),
            unrepeated: Unrepeated::default(),
            progress,
            ends: Vec::new(),
            sessions: Sessions::default(),
            rows: 0,
            scratch: Union::default(),
        }
    }

    /// How many steps the funnel has.
    pub(super) fn steps(&self) -> usize {
        self.progress.steps
    }

    /// Words of a set.
    pub(super) fn words(&self) -> usize {
        words_for(self.progress.steps)
    }

    /// Forgets all rows, keeping the allocation.
    pub fn clear(&mut self) {
        self.forget_chains();
        self.progress = Progress::new(self.progress.steps, self.progress.repeats);
        self.sessions = Sessions::default();
        self.rows = 0;
    }

    /// The deepest step reached so far, 0 if step 1 never happened.
    pub fn depth(&self) -> usize {
        self.progress.depth
    }

    /// How many chains have reached all steps, one after the other; at most 1 unless the state is
    /// a [`counting`](Self::counting) one.
    pub fn completions(&self) -> usize {
        self.progress.completions
    }

    /// Number of the row with which the chain begins that was the first to reach the depth,
    /// counted from 0; without meaning while the depth is 0.
    pub fn start_row(&self) -> usize {
        self.progress.start
    }

    /// Whether no further row can change the answer: the last step is reached, or a strict mode
    /// has ended the search.
    pub(super) fn is_final(&self) -> bool {
        self.progress.ended
    }

    /// Takes all rows of one instant, given by the sets of conditions that they meet (layout in
    /// [`event`](crate::journey::event)), in any order.
    ///
    /// `time` must be larger than the one before. `modes` and `window` must be the same for all
    /// instants. O(conditions met), and for several rows of one instant as
    /// [`depth_of_sorted`](super::depth_of_sorted) says.
    pub fn push_rows<W: FunnelWindow>(&mut self, modes: FunnelModes, window: &W, time: i64, sets: &[u64]) {
        if self.progress.ended {
            return;
        }
        let words = self.words();
        let position = window.position(&mut self.sessions, time);
        let instant = Instant { modes, time, position, row: self.rows, window };
        self.rows += sets.len() / words;
        match modes.follow {
            Follow::AnyRows => self.push_any_rows(&instant, sets, words),
            Follow::AdjacentRows | Follow::AdjacentSteps => {
                for (row, set) in ordered_sets(sets, words) {
                    if self.adjacent.push(&instant, instant.row + row, set, &mut self.progress) {
                        self.forget_chains();
                    }
                }
            }
            Follow::NoRepeat => {
                for (row, set) in ordered_sets(sets, words) {
                    if self.unrepeated.push(&instant, instant.row + row, set, &mut self.progress) {
                        self.forget_chains();
                    }
                }
            }
        }
    }

    /// Bytes allocated on the heap.
    pub fn allocated_bytes(&self) -> usize {
        self.levels.capacity() * size_of::<Level>()
            + self.adjacent.allocated_bytes()
            + self.unrepeated.allocated_bytes()
            + self.ends.capacity() * size_of::<i64>()
            + (self.scratch.any.capacity() + self.scratch.twice.capacity()) * size_of::<u64>()
    }

    pub(super) fn forget_chains(&mut self) {
        self.levels.fill(Level::default());
        self.adjacent.clear();
        self.unrepeated.clear();
    }

    fn push_any_rows<W: FunnelWindow>(&mut self, instant: &Instant<W>, sets: &[u64], words: usize) {
        let modes = instant.modes;
        let is_single = sets.len() == words;
        if is_single && modes.uses_rows_once() && !modes.ends_search() {
            // Descending, so that no chain that the row extends is extended by it again.
            let completions = self.progress.completions;
            for step in steps_of_descending(sets) {
                self.push_step(instant, step);
                if self.progress.completions > completions {
                    return;
                }
            }
            return;
        }
        if is_single && !modes.uses_rows_once() {
            let mut met_any = false;
            for step in steps_of(sets) {
                met_any = true;
                self.push_step(instant, step);
            }
            if !met_any {
                self.push_unmatched(modes);
            }
            return;
        }
        let mut union = std::mem::take(&mut self.scratch);
        union.fill(sets, words);
        if union.has_unmatched {
            self.push_unmatched(modes);
        }
        if modes.uses_rows_once() && union.has_several {
            self.push_steps_once(instant, &union, sets, words);
        } else {
            for step in steps_of(&union.any) {
                self.push_step(instant, step);
                // A third time changes nothing that the second has not.
                if union.is_twice(step) {
                    self.push_step(instant, step);
                }
            }
        }
        self.scratch = union;
    }

    fn push_unmatched(&mut self, modes: FunnelModes) {
        self.progress.ended |= modes.strict_order && self.progress.depth > 0;
    }

    /// Takes one condition that a row meets; they come in ascending order within an instant.
    fn push_step<W: FunnelWindow>(&mut self, instant: &Instant<W>, step: usize) {
        if self.progress.ended {
            return;
        }
        let modes = instant.modes;
        let Some(before) = (step - 1).checked_sub(1) else {
            match self.admits_entry(modes) {
                true => self.reach(instant, step, instant.entry(instant.row)),
                false => self.progress.ended = !modes.allow_reentry,
            }
            return;
        };
        let repeated = self.levels[step - 1].is_reached();
        let too_early = self.progress.depth > 0 && !self.levels[before].is_reached();
        if (modes.strict_deduplication && repeated) || (modes.strict_order && too_early) {
            self.progress.ended = true;
            return;
        }
        if let Some(chain) = self.levels[before].best(modes, instant.time)
            && instant.is_open(&chain)
        {
            self.reach(instant, step, chain);
        }
    }

    /// Whether step 1 begins a chain now.
    pub(super) fn admits_entry(&self, modes: FunnelModes) -> bool {
        !modes.strict_order || modes.allow_restart || self.progress.depth <= 1
    }

    fn reach<W: FunnelWindow>(&mut self, instant: &Instant<W>, step: usize, chain: Chain) {
        if self.progress.reach(step, chain) {
            self.forget_chains();
        } else {
            self.levels[step - 1].record(instant.modes, instant.time, chain);
        }
    }
}

/// The rows of one instant in the order of their sets, each with its place among those given.
fn ordered_sets(sets: &[u64], words: usize) -> impl Iterator<Item = (usize, &[u64])> {
    let set = move |row: usize| &sets[row * words..(row + 1) * words];
    order_of_sets(sets, words).into_iter().enumerate().map(move |(place, row)| (place, set(row)))
}
