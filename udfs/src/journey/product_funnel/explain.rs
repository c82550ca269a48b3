//! Why each row of one person counts or does not.

use std::fmt;

use super::chains::Chains;
use super::person::Evaluator;
use super::run::{Pass, Scan};
use super::{Entry, Order, PersonRows, Rules};
use crate::journey::event::steps_of;
use crate::journey::time::Window;

/// What one row does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Deepest step with an open chain before the row's instant, 0 for none.
    pub before: usize,
    /// The same after it.
    pub after: usize,
    /// The step that the row stands for in the reported chain.
    pub counted: Option<usize>,
    /// Why.
    pub reason: Reason,
}

/// Why a row counts or does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It starts a chain.
    Enters,
    /// It extends a chain to this step.
    Reaches(usize),
    /// It would start a chain, but the time of entry is restricted.
    EntryOutOfRange,
    /// It would start a chain, but one is open and only the first entry counts.
    AttemptIsOpen,
    /// The chain has this step already, by an earlier row.
    Repeats(usize),
    /// The steps before this one are not reached.
    TooEarly(usize),
    /// The chain that it would extend to this step was open only up to a time before.
    TooLate(usize),
    /// An exclusion (from 1) that ends chains.
    Excludes(usize),
    /// An exclusion that meets no chain in its range.
    ExcludesNothing(usize),
    /// It meets no step and ends the chains of a strict funnel.
    Breaks,
    /// It meets no step and changes nothing.
    Unmatched,
    /// In an unordered funnel: it meets a step; `before` and `after` tell what it adds.
    Meets,
    /// The last step was reached before: the search is over.
    Finished,
    /// It has no value of the held property or no session.
    NoPart,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enters => f.write_str("enters: the window starts here"),
            Self::Reaches(step) => write!(f, "reaches step {step}"),
            Self::EntryOutOfRange => f.write_str("meets step 1 outside the time range of entry"),
            Self::AttemptIsOpen => f.write_str("meets step 1 while the attempt of the first entry is open"),
            Self::Repeats(step) => write!(f, "step {step} is reached already since this entry"),
            Self::TooEarly(step) => write!(f, "meets step {step}, but the steps before it are not reached"),
            Self::TooLate(step) => write!(f, "meets step {step} after the time for it was over"),
            Self::Excludes(exclusion) => write!(f, "exclusion {exclusion} marks the open chain"),
            Self::ExcludesNothing(exclusion) => {
                write!(f, "exclusion {exclusion} finds no open chain between its steps")
            }
            Self::Breaks => f.write_str("meets no step: strict order ends the open chain"),
            Self::Unmatched => f.write_str("meets no step"),
            Self::Meets => f.write_str("meets a step"),
            Self::Finished => f.write_str("comes after the last step was reached"),
            Self::NoPart => f.write_str("has no session or no value of the held property"),
        }
    }
}

/// Returns for each row of one person what it does, by the rules of the first outcome that [`Evaluator::outcomes`]
/// gives: the rows of other sessions and other held values than the reported chain's are explained on their own.
pub fn explain<W: Window>(rules: &Rules<W>, data: &PersonRows) -> Vec<Explained> {
    let mut evaluator = Evaluator::default();
    let mut counted = vec![None; data.times.len()];
    for outcome in evaluator.outcomes(rules, data) {
        for matched in outcome.chain {
            counted[matched.row] = Some(matched.step);
        }
    }
    let unknown = Explained { before: 0, after: 0, counted: None, reason: Reason::NoPart };
    let mut explained = vec![unknown; data.times.len()];
    for rows in evaluator.parts(rules, data) {
        let scan = Scan { rules, data, rows: &rows, only: None, period: None };
        if rules.order == Order::Unordered {
            unordered(&scan, &mut explained);
        } else {
            ordered(&scan, &mut explained);
        }
    }
    for (explained, counted) in explained.iter_mut().zip(counted) {
        explained.counted = counted;
    }
    explained
}

fn ordered<W: Window>(scan: &Scan<'_, W>, explained: &mut [Explained]) {
    let steps = scan.rules.steps();
    let pass = Pass { more_steps: true, exclude: true, floor: 1 };
    let mut chains = Chains::default();
    chains.reset(steps);
    let mut finished = false;
    for rows in scan.instants() {
        let time = scan.time(rows[0]);
        let reached_before = chains.live_steps();
        let before = chains.open_depth(time);
        if finished {
            for row in rows {
                let reason = Reason::Finished;
                explained[*row] = Explained { before, after: before, counted: None, reason };
            }
            continue;
        }
        chains.find_ending(scan, pass, rows);
        let open: Vec<bool> = (1..=steps).map(|step| chains.usable(step, time).is_some()).collect();
        let has_base: Vec<bool> =
            (1..=steps).map(|step| chains.base(scan, pass, step, time).is_some()).collect();
        let may_restart = chains.may_restart(scan, time);
        chains.advance(scan, pass, rows);
        let brought: Vec<(usize, usize)> = chains
            .fresh()
            .iter()
            .flat_map(|(_, link)| chains.chain(link))
            .map(|matched| (matched.row, matched.step))
            .collect();
        for row in rows {
            let met: Vec<usize> = scan.steps_met(*row).collect();
            let exclusion = scan.exclusions_met(*row).next();
            let step = brought.iter().filter(|(other, _)| other == row).map(|(_, step)| *step).max();
            let last = met.last().copied();
            let reason = match (step, last, exclusion) {
                (Some(1), ..) => Reason::Enters,
                (Some(step), ..) => Reason::Reaches(step),
                (None, _, Some(index)) => {
                    let ends = steps_of(&live_set(&open)).any(|step| chains.is_excluded(step));
                    if ends { Reason::Excludes(index + 1) } else { Reason::ExcludesNothing(index + 1) }
                }
                (None, None, None) if scan.rules.order == Order::Strict && before > 0 => Reason::Breaks,
                (None, None, None) => Reason::Unmatched,
                (None, Some(1), None) if scan.rules.entry == Entry::First && !may_restart => {
                    Reason::AttemptIsOpen
                }
                (None, Some(1), None) => {
                    if scan.may_enter(*row) {
                        Reason::Repeats(1)
                    } else {
                        Reason::EntryOutOfRange
                    }
                }
                (None, Some(step), None) if has_base[step - 1] || open[step - 1] => Reason::Repeats(step),
                (None, Some(step), None) if reached_before.contains(&(step - 1)) => Reason::TooLate(step),
                (None, Some(step), None) => Reason::TooEarly(step),
            };
            explained[*row] = Explained { before, after: 0, counted: None, reason };
        }
        chains.clear();
        chains.install(pass);
        let after = chains.open_depth(time);
        finished = after == steps;
        for row in rows {
            explained[*row].after = after;
        }
    }
}

fn live_set(open: &[bool]) -> Vec<u64> {
    let mut set = vec![0; crate::journey::event::words_for(open.len())];
    for (step, _) in (1..).zip(open).filter(|(_, open)| **open) {
        crate::journey::event::insert_step(&mut set, step);
    }
    set
}

fn unordered<W: Window>(scan: &Scan<'_, W>, explained: &mut [Explained]) {
    let sizes = super::unordered::open_sizes(scan);
    for (row, before, after) in sizes {
        let meets = scan.steps_met(row).next().is_some();
        let reason = match (meets, scan.exclusions_met(row).next()) {
            (true, _) => Reason::Meets,
            (false, Some(index)) if before > 0 => Reason::Excludes(index + 1),
            (false, Some(index)) => Reason::ExcludesNothing(index + 1),
            (false, None) => Reason::Unmatched,
        };
        explained[row] = Explained { before, after, counted: None, reason };
    }
}
