//! From the rows of a person to outcomes: parts by session, held property and group, each scanned, then combined.

use std::borrow::Cow;
use std::collections::HashSet;

use super::chains::Chains;
use super::parts::{Part, by_session, divided, held};
use super::run::{Found, Pass, Scan};
use super::search::{attempts, deepest};
use super::unordered::scan_unordered;
use super::{ByValue, Count, Order, Outcome, PersonRows, Rules};
use crate::journey::time::Window;

/// Computes outcomes, person after person, reusing memory.
#[derive(Debug, Default)]
pub struct Evaluator {
    chains: Chains,
}

/// What one part of a person's rows gives.
#[derive(Debug)]
enum Verdict {
    Reached(Found),
    /// The deepest chains, of this depth, are all marked by an exclusion.
    Excluded(usize),
}

impl Verdict {
    fn depth(&self) -> usize {
        match self {
            Self::Reached(found) => found.depth(),
            Self::Excluded(depth) => *depth,
        }
    }
}

impl Evaluator {
    /// Returns the outcomes of one person; none if no chain starts, or if all are excluded.
    ///
    /// With groups by [`ByValue::First`], [`ByValue::Last`] and [`ByValue::All`] each outcome tells a row with the
    /// value of its group; by [`ByValue::Step`] too, and then one person has one outcome for each value.
    pub fn outcomes<W: Window>(&mut self, rules: &Rules<W>, data: &PersonRows) -> Vec<Outcome> {
        let rows: Vec<usize> = (0..data.times.len()).collect();
        let all = Part { rows: Cow::from(rows), session_until: None };
        let units = match rules.count {
            Count::Sessions => by_session(rules, data, &all),
            Count::Persons | Count::Totals => vec![all.borrowed(0)],
        };
        let mut outcomes = Vec::new();
        for unit in &units {
            self.unit(rules, data, unit, &mut outcomes);
        }
        outcomes
    }

    /// One person or session: by group.
    fn unit<W: Window>(
        &mut self,
        rules: &Rules<W>,
        data: &PersonRows,
        unit: &Part<'_>,
        outcomes: &mut Vec<Outcome>,
    ) {
        let Some(by) = data.by else {
            return self.intervals(rules, data, unit, None, |_, found| outcomes.extend(plain(found, None)));
        };
        let meets_step = |row: &usize| {
            let words = rules.words();
            let set = &data.sets[row * words..(row + 1) * words];
            crate::journey::event::steps_of(set).next().is_some_and(|step| step <= rules.steps())
        };
        match rules.by_value {
            ByValue::First | ByValue::Last => {
                let mut valued =
                    unit.rows.iter().copied().filter(|row| by[*row].is_some() && meets_step(row));
                let row = if rules.by_value == ByValue::First { valued.next() } else { valued.next_back() };
                self.intervals(rules, data, unit, None, |_, found| outcomes.extend(plain(found, row)));
            }
            ByValue::All => {
                for rows in divided(&unit.rows, |row| Some(by[row])) {
                    let row = rows.first().copied().filter(|row| by[*row].is_some());
                    let part = Part { rows: Cow::from(rows), session_until: unit.session_until };
                    self.intervals(rules, data, &part, None, |_, found| outcomes.extend(plain(found, row)));
                }
            }
            ByValue::Step(step) => self.by_step(rules, data, unit, step, outcomes),
        }
    }

    /// Groups by the value of the row at one step.
    fn by_step<W: Window>(
        &mut self,
        rules: &Rules<W>,
        data: &PersonRows,
        unit: &Part<'_>,
        step: usize,
        outcomes: &mut Vec<Outcome>,
    ) {
        let Some(by) = data.by else {
            return;
        };
        let row_at = |found: &Found| {
            let matched = found.chain.iter().find(|matched| matched.condition == step);
            matched.map(|matched| matched.row)
        };
        if rules.count == Count::Totals {
            return self.intervals(rules, data, unit, None, |_, found| {
                outcomes.extend(found.into_iter().map(|found| {
                    let by_row = row_at(&found).filter(|row| by[*row].is_some());
                    outcome(found, by_row)
                }));
            });
        }
        let words = rules.words();
        let meets = |row: usize| data.sets[row * words + (step - 1) / 64] & (1 << ((step - 1) % 64)) != 0;
        let mut seen = HashSet::new();
        let values: Vec<u32> =
            unit.rows.iter().filter(|row| meets(**row)).filter_map(|row| by[*row]).collect();
        // Intervals of entry that have a group; without intervals there is one.
        let mut grouped = HashSet::new();
        for value in values.into_iter().filter(|value| seen.insert(*value)) {
            self.intervals(rules, data, unit, Some((step, Some(value))), |period, found| {
                for found in found {
                    if let Some(row) = row_at(&found) {
                        grouped.insert(period);
                        outcomes.push(outcome(found, Some(row)));
                    }
                }
            });
        }
        self.intervals(rules, data, unit, None, |period, found| {
            if !grouped.contains(&period) {
                outcomes.extend(plain(found, None));
            }
        });
    }

    /// Gives `take` the chains for each interval of entry, or all.
    fn intervals<W: Window>(
        &mut self,
        rules: &Rules<W>,
        data: &PersonRows,
        unit: &Part<'_>,
        only: Option<(usize, Option<u32>)>,
        mut take: impl FnMut(Option<i64>, Vec<Found>),
    ) {
        let Some(periods) = data.period else {
            return take(None, self.combined(rules, data, unit, only, None));
        };
        let mut from = 0;
        while let Some(row) = unit.rows.get(from) {
            let period = periods[*row];
            let found = self.combined(rules, data, &unit.borrowed(from), only, Some(period));
            take(Some(period), found);
            from += unit.rows[from..].iter().take_while(|row| periods[**row] == period).count();
        }
    }

    /// The best chain over all parts, or all attempts.
    fn combined<W: Window>(
        &mut self,
        rules: &Rules<W>,
        data: &PersonRows,
        unit: &Part<'_>,
        only: Option<(usize, Option<u32>)>,
        period: Option<i64>,
    ) -> Vec<Found> {
        let parts = match (rules.count, rules.session_gap.is_some()) {
            (Count::Persons | Count::Totals, true) => by_session(rules, data, unit),
            _ => vec![unit.borrowed(0)],
        };
        let parts: Vec<Part<'_>> = parts.iter().flat_map(|part| held(data, part)).collect();
        let mut all = Vec::new();
        let mut best: Option<Verdict> = None;
        let mut until = None;
        for part in &parts {
            let scan = Scan { rules, data, rows: &part.rows, only, period };
            if rules.count == Count::Totals {
                all.extend(self.attempts(&scan).into_iter().map(|found| capped(found, part)));
                continue;
            }
            let verdict = match self.verdict(&scan) {
                Verdict::Reached(found) => Verdict::Reached(capped(found, part)),
                excluded => excluded,
            };
            if let Verdict::Reached(found) = &verdict {
                until = until.max(found.until);
            }
            let is_better = |best: &Verdict| rank(data, &verdict) < rank(data, best);
            if verdict.depth() > 0 && best.as_ref().is_none_or(is_better) {
                best = Some(verdict);
            }
        }
        if let Some(Verdict::Reached(mut found)) = best {
            if found.depth() < rules.steps() {
                found.until = until;
            }
            all.push(found);
        }
        all
    }

    /// The rows of each part that is a funnel of its own.
    pub(super) fn parts<W: Window>(&self, rules: &Rules<W>, data: &PersonRows) -> Vec<Vec<usize>> {
        let all = Part { rows: (0..data.times.len()).collect(), session_until: None };
        let sessions = by_session(rules, data, &all);
        let rows = sessions.iter().flat_map(|session| held(data, session));
        rows.map(|part| part.rows.into_owned()).collect()
    }

    /// The best chain of one part.
    fn verdict<W: Window>(&mut self, scan: &Scan<'_, W>) -> Verdict {
        let mut pass = Pass { more_steps: false, exclude: false, floor: 1 };
        if !scan.rules.exclusions.is_empty() {
            let depth = self.found(scan, pass).depth();
            if depth == 0 {
                return Verdict::Reached(Found::default());
            }
            pass = Pass { exclude: true, floor: depth, ..pass };
        }
        let later = self.found(scan, pass);
        let best = if scan.rules.has_optional() && scan.rules.order != Order::Unordered {
            let more = self.found(scan, Pass { more_steps: true, ..pass });
            let until = later.until.max(more.until);
            let more_is_as_deep = later.depth() > 0 && more.depth() >= later.depth();
            let mut best = if more_is_as_deep { more } else { later };
            best.until = if best.depth() == scan.rules.steps() { None } else { until };
            best
        } else {
            later
        };
        if best.depth() == 0 && pass.exclude { Verdict::Excluded(pass.floor) } else { Verdict::Reached(best) }
    }

    fn found<W: Window>(&mut self, scan: &Scan<'_, W>, pass: Pass) -> Found {
        match scan.rules.order {
            Order::Unordered => scan_unordered(scan, pass, false).pop().unwrap_or_default(),
            Order::Ordered | Order::Strict => deepest(&mut self.chains, scan, pass),
        }
    }

    fn attempts<W: Window>(&mut self, scan: &Scan<'_, W>) -> Vec<Found> {
        let pass = Pass { more_steps: true, exclude: true, floor: 1 };
        match scan.rules.order {
            Order::Unordered => scan_unordered(scan, pass, true),
            Order::Ordered | Order::Strict => attempts(&mut self.chains, scan, pass),
        }
    }
}

fn outcome(found: Found, by_row: Option<usize>) -> Outcome {
    Outcome { chain: found.chain, until: found.until, by_row }
}

fn plain(found: Vec<Found>, by_row: Option<usize>) -> impl Iterator<Item = Outcome> {
    found.into_iter().map(move |found| outcome(found, by_row))
}

/// A chain waits no longer than its session.
fn capped(mut found: Found, part: &Part<'_>) -> Found {
    if let Some(session_until) = part.session_until {
        found.until = found.until.map(|until| until.min(session_until));
    }
    found
}

/// Deepest first, then clean before marked, then by time of the last step and of the entry.
fn rank(data: &PersonRows, verdict: &Verdict) -> (std::cmp::Reverse<usize>, bool, i64, i64) {
    let depth = std::cmp::Reverse(verdict.depth());
    match verdict {
        Verdict::Excluded(_) => (depth, true, 0, 0),
        Verdict::Reached(found) => {
            let time =
                |matched: Option<&super::Matched>| matched.map_or(0, |matched| data.times[matched.row]);
            (depth, false, time(found.chain.last()), time(found.chain.first()))
        }
    }
}
