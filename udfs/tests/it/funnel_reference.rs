//! The funnel functions, slow and obvious: every chain is tried.

use wayfare_udfs::journey::funnel::{Follow, FunnelModes};

use crate::reference::{Row, session_numbers};

/// How far a chain may reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reach {
    /// So many ticks from its first step.
    Ticks(i64),
    /// To the end of its session, which outlives a row by so many ticks.
    Session(i64),
}

/// One funnel over the rows of one person.
pub(crate) struct Funnel<'a> {
    pub(crate) steps: usize,
    pub(crate) modes: FunnelModes,
    pub(crate) reach: Reach,
    pub(crate) rows: &'a [Row],
}

/// One condition that a row meets; step 0 for a row that meets none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    time: i64,
    step: usize,
    row: usize,
}

impl Funnel<'_> {
    /// The deepest step.
    pub(crate) fn depth(&self) -> usize {
        self.longest(&self.units()).iter().map(Vec::len).max().unwrap_or(0)
    }

    /// Times of the steps of the chain that stands for the depth: its last step is the earliest, then its first step
    /// the latest, then each step from the second on the earliest. Rows of one instant are equally early, unless the
    /// mode puts them in an order.
    pub(crate) fn chain_times(&self) -> Vec<i64> {
        let units = self.units();
        let chains = self.longest(&units);
        let depth = chains.iter().map(Vec::len).max().unwrap_or(0);
        let place = |row: &usize| match self.modes.follow {
            Follow::AnyRows => self.rows[*row].0,
            _ => units
                .iter()
                .position(|unit| unit.row == *row)
                .and_then(|place| i64::try_from(place).ok())
                .unwrap(),
        };
        let of_depth = chains.into_iter().filter(|chain| chain.len() == depth && depth > 0);
        let first = of_depth.min_by_key(|chain| {
            let places: Vec<i64> = chain.iter().map(place).collect();
            (places[places.len() - 1], std::cmp::Reverse(places[0]), places)
        });
        first.unwrap_or_default().into_iter().map(|row| self.rows[row].0).collect()
    }

    /// How often the last step is reached: the shortest beginning of the rows that reaches it, then what follows it.
    pub(crate) fn count(&self) -> usize {
        let units = self.units();
        let mut from = 0;
        let mut count = 0;
        while let Some(length) = (1..=units.len() - from).find(|length| {
            self.longest(&units[from..from + length]).iter().any(|chain| chain.len() == self.steps)
        }) {
            from += length;
            count += 1;
        }
        count
    }

    /// What the search goes through one by one: the conditions that rows meet in the order (time, step), or, where
    /// rows must follow one another, rows (as step 0) in the order (time, steps met).
    fn units(&self) -> Vec<Entry> {
        if self.modes.follow == Follow::AnyRows {
            let mut entries = Vec::new();
            for (row, (time, met)) in self.rows.iter().enumerate() {
                if met.is_empty() {
                    entries.push(Entry { time: *time, step: 0, row });
                }
                entries.extend(met.iter().map(|step| Entry { time: *time, step: *step, row }));
            }
            entries.sort();
            return entries;
        }
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by_key(|row| self.rows[*row].clone());
        order.into_iter().map(|row| Entry { time: self.rows[row].0, step: 0, row }).collect()
    }

    /// Chains as lists of rows, among them all that are longest.
    fn longest(&self, units: &[Entry]) -> Vec<Vec<usize>> {
        match self.modes.follow {
            Follow::AnyRows => self.chains(&self.admitted(units)),
            Follow::AdjacentRows => self.adjacent(&units.iter().map(|unit| unit.row).collect::<Vec<_>>()),
            Follow::AdjacentSteps => {
                let rows = units.iter().map(|unit| unit.row);
                self.adjacent(&rows.filter(|row| !self.rows[*row].1.is_empty()).collect::<Vec<_>>())
            }
            Follow::NoRepeat => self.unrepeated(&units.iter().map(|unit| unit.row).collect::<Vec<_>>()),
        }
    }

    /// The entries up to the one that ends the search. Each is judged by the depth that trying every chain finds
    /// among those before it; entries of one instant and step are judged together.
    fn admitted(&self, entries: &[Entry]) -> Vec<Entry> {
        let modes = self.modes;
        let mut admitted: Vec<Entry> = Vec::new();
        for group in entries.chunk_by(|a, b| (a.time, a.step) == (b.time, b.step)) {
            let step = group[0].step;
            let reached = self.depth_of(&admitted);
            let begun = reached > 0;
            if step == 0 {
                if modes.strict_order && begun {
                    break;
                }
                continue;
            }
            if step == 1 && modes.strict_order && reached > 1 && !modes.allow_restart {
                if modes.allow_reentry {
                    continue;
                }
                break;
            }
            if step > 1 && modes.strict_deduplication && reached >= step {
                break;
            }
            if step > 1 && modes.strict_order && begun && reached < step - 1 {
                break;
            }
            admitted.extend_from_slice(group);
            let repeated = group.len() > 1 && self.depth_of(&admitted) >= step;
            if step > 1 && modes.strict_deduplication && repeated {
                break;
            }
        }
        admitted
    }

    fn depth_of(&self, entries: &[Entry]) -> usize {
        self.chains(entries).iter().map(Vec::len).max().unwrap_or(0)
    }

    /// All chains of the entries, shorter ones too.
    fn chains(&self, entries: &[Entry]) -> Vec<Vec<usize>> {
        let mut chains = Vec::new();
        let mut open: Vec<Vec<&Entry>> = entries.iter().filter(|e| e.step == 1).map(|e| vec![e]).collect();
        while let Some(chain) = open.pop() {
            let last = chain[chain.len() - 1];
            for next in entries.iter().filter(|next| next.step == last.step + 1 && next.time >= last.time) {
                let in_reach = self.in_reach(chain[0].row, next.row);
                let late_enough = !self.modes.strict_increase || next.time > last.time;
                let used = self.modes.strict_once && chain.iter().any(|entry| entry.row == next.row);
                if in_reach && late_enough && !used {
                    open.push(chain.iter().copied().chain([next]).collect());
                }
            }
            chains.push(chain.into_iter().map(|entry| entry.row).collect());
        }
        chains
    }

    /// The rows from each row on, as long as each meets the next step.
    fn adjacent(&self, rows: &[usize]) -> Vec<Vec<usize>> {
        let from = |start: usize| {
            let mut chain: Vec<usize> = Vec::new();
            for row in &rows[start..] {
                let fits = self.extends(&chain, *row);
                if chain.len() == self.steps || !fits {
                    break;
                }
                chain.push(*row);
            }
            chain
        };
        (0..rows.len()).map(from).filter(|chain| !chain.is_empty()).collect()
    }

    /// The chain from each row on, until a row repeats a step of it.
    fn unrepeated(&self, rows: &[usize]) -> Vec<Vec<usize>> {
        let from = |start: usize| {
            let mut chain: Vec<usize> = Vec::new();
            for (place, row) in rows.iter().enumerate().skip(start) {
                if chain.len() == self.steps || (place == start && !self.rows[*row].1.contains(&1)) {
                    break;
                }
                if self.extends(&chain, *row) {
                    chain.push(*row);
                } else if self.rows[*row].1.iter().any(|step| *step <= chain.len()) {
                    break;
                }
            }
            chain
        };
        (0..rows.len()).map(from).filter(|chain| !chain.is_empty()).collect()
    }

    fn extends(&self, chain: &[usize], row: usize) -> bool {
        let meets = self.rows[row].1.contains(&(chain.len() + 1));
        let Some(last) = chain.last() else {
            return meets;
        };
        let late_enough = !self.modes.strict_increase || self.rows[row].0 > self.rows[*last].0;
        meets && late_enough && self.in_reach(chain[0], row)
    }

    fn in_reach(&self, first: usize, row: usize) -> bool {
        let (first, time) = (self.rows[first].0, self.rows[row].0);
        match self.reach {
            Reach::Ticks(ticks) => i128::from(time) - i128::from(first) <= i128::from(ticks),
            Reach::Session(gap) => {
                let mut times: Vec<i64> = self.rows.iter().map(|row| row.0).collect();
                times.sort_unstable();
                let numbers = session_numbers(gap, &times);
                let session = |time: i64| times.iter().position(|t| *t == time).map(|place| numbers[place]);
                session(first) == session(time)
            }
        }
    }
}
