//! The furthest step of a funnel that one person reached inside a window.
//!
//! A *chain* is an event of step 1, a later one of step 2, and so on, all of them inside the
//! window that the event of step 1 opens. The answer is the length of the longest chain.
//! The rules and their names are those of ClickHouse's `windowFunnel`; where its `strict_increase`
//! loses chains by keeping one candidate per step, this one keeps every candidate that can matter.
//!
//! Events of one instant count in the order of their steps, whatever order they arrive in: that
//! makes the answer independent of partitions, batches and merges.

mod modes;

pub use modes::{FunnelModes, ModeError};

use super::event::steps_of;
use super::time::Window;

/// What is known about one person's chains: O(steps) memory, however many events.
///
/// Feed it with (time, step) in ascending order, then read [`depth`](Self::depth). The funnel's
/// modes and window are not kept here, because one query has millions of these and one of those.
#[derive(Debug, Clone)]
pub struct FunnelState {
    /// Per step, the chains that have reached it.
    levels: Vec<Level>,
    depth: usize,
    ended: bool,
}

impl FunnelState {
    /// Returns the state of a person without events, for a funnel of `steps` steps.
    pub fn new(steps: usize) -> Self {
        Self { levels: vec![Level::default(); steps], depth: 0, ended: steps == 0 }
    }

    /// Forgets all events, keeping the allocation.
    pub fn clear(&mut self) {
        self.levels.fill(Level::default());
        self.depth = 0;
        self.ended = self.levels.is_empty();
    }

    /// The deepest step reached so far, 0 if step 1 never happened.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Whether no further event can change the depth: the last step is reached, or a strict mode
    /// has ended the search.
    pub fn is_final(&self) -> bool {
        self.ended
    }

    /// Takes one event: `step` counts from 1; 0 stands for a row that meets no condition.
    ///
    /// `(time, step)` must not be smaller than the one before. A row that meets several conditions
    /// is one event for each of them. `modes` and `window` must be the same for all events. O(1).
    pub fn push<W: Window>(&mut self, modes: FunnelModes, window: &W, time: i64, step: usize) {
        if self.ended {
            return;
        }
        let begun = self.depth > 0;
        let Some(index) = step.checked_sub(1) else {
            self.ended = modes.strict_order && begun;
            return;
        };
        let Some(before) = index.checked_sub(1) else {
            self.enter(modes, window, time);
            return;
        };
        let repeated = self.levels[index].is_reached();
        let too_early = begun && !self.levels[before].is_reached();
        if (modes.strict_deduplication && repeated) || (modes.strict_order && too_early) {
            self.ended = true;
            return;
        }
        match self.levels[before].window_end(modes, time) {
            Some(end) if time <= end => self.reach(modes, index, time, end),
            _ => {}
        }
    }

    /// Bytes allocated on the heap.
    pub fn allocated_bytes(&self) -> usize {
        self.levels.capacity() * size_of::<Level>()
    }

    fn enter<W: Window>(&mut self, modes: FunnelModes, window: &W, time: i64) {
        if modes.strict_order && self.depth > 1 {
            self.ended = !modes.allow_reentry;
            return;
        }
        self.reach(modes, 0, time, window.end(time));
    }

    fn reach(&mut self, modes: FunnelModes, index: usize, time: i64, end: i64) {
        self.levels[index].record(modes, time, end);
        self.depth = self.depth.max(index + 1);
        self.ended = self.depth == self.levels.len();
    }
}

/// Chains that have reached one step, reduced to those that a later event may extend.
///
/// Of a chain only two things matter: the end of its window (the later the better) and the time of
/// its latest event, which `strict_increase` compares with the next one. Events come in time order,
/// so a chain whose latest event lies before the current instant can always be extended; of those
/// only the one with the latest end is kept (`settled`). A chain that got its latest event at the
/// current instant cannot be extended at that instant, and must not hide one that can (`fresh`).
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    settled: Option<i64>,
    fresh: Option<Fresh>,
}

#[derive(Debug, Clone, Copy)]
struct Fresh {
    time: i64,
    end: i64,
}

impl Level {
    fn is_reached(&self) -> bool {
        self.settled.is_some() || self.fresh.is_some()
    }

    /// The latest window end among the chains that an event at `time` may extend.
    fn window_end(&self, modes: FunnelModes, time: i64) -> Option<i64> {
        match self.fresh {
            // Only strict_increase fills `fresh`.
            Some(fresh) if modes.strict_increase && fresh.time < time => self.settled.max(Some(fresh.end)),
            _ => self.settled,
        }
    }

    /// Notes that a chain whose window closes at `end` reached this step at `time`.
    fn record(&mut self, modes: FunnelModes, time: i64, end: i64) {
        if !modes.strict_increase {
            self.settled = self.settled.max(Some(end));
            return;
        }
        match &mut self.fresh {
            Some(fresh) if fresh.time == time => fresh.end = fresh.end.max(end),
            fresh => {
                if let Some(old) = fresh.replace(Fresh { time, end }) {
                    self.settled = self.settled.max(Some(old.end));
                }
            }
        }
    }
}

/// Returns the deepest step that one person's rows reach.
///
/// `times` ascend, in the unit of `window`; `sets` holds for each time the set of conditions that
/// the row meets (layout in [`event`](super::event)). `state` is cleared first, only its allocation
/// is used. Result in `0..=steps`. O(n * conditions met) time; rows of one instant are sorted by
/// step in a small buffer.
pub fn depth_of_sorted<W: Window>(
    state: &mut FunnelState,
    modes: FunnelModes,
    window: &W,
    times: &[i64],
    sets: &[u64],
) -> usize {
    debug_assert!(times.is_sorted());
    state.clear();
    let words = sets.len().checked_div(times.len()).unwrap_or(1);
    let mut first = 0;
    while first < times.len() && !state.is_final() {
        let time = times[first];
        let rows = times[first..].iter().take_while(|other| **other == time).count();
        let next = first + rows;
        push_instant(state, modes, window, time, &sets[first * words..next * words], words);
        first = next;
    }
    state.depth()
}

/// Feeds all rows of one instant, in the order of their steps.
fn push_instant<W: Window>(
    state: &mut FunnelState,
    modes: FunnelModes,
    window: &W,
    time: i64,
    sets: &[u64],
    words: usize,
) {
    if sets.len() == words {
        push_row(state, modes, window, time, sets);
        return;
    }
    let mut steps = Vec::new();
    for set in sets.chunks_exact(words) {
        let met_before = steps.len();
        steps.extend(steps_of(set));
        if steps.len() == met_before {
            steps.push(0);
        }
    }
    steps.sort_unstable();
    for step in steps {
        state.push(modes, window, time, step);
    }
}

fn push_row<W: Window>(state: &mut FunnelState, modes: FunnelModes, window: &W, time: i64, set: &[u64]) {
    let mut met_any = false;
    for step in steps_of(set) {
        met_any = true;
        state.push(modes, window, time, step);
    }
    if !met_any {
        state.push(modes, window, time, 0);
    }
}

#[cfg(test)]
mod tests;
