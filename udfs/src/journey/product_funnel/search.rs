//! From chains to what is reported of them: the deepest one, or one for each attempt.

use super::chains::{Chains, Link};
use super::run::{Found, Pass, Scan};
use crate::journey::time::Window;

/// The deepest chain of all rows; with exclusions in effect the first clean one of at least the floor's depth.
pub(super) fn deepest<W: Window>(chains: &mut Chains, scan: &Scan<'_, W>, pass: Pass) -> Found {
    let steps = scan.rules.steps();
    chains.reset(steps);
    let mut best: Option<(usize, Link)> = None;
    // Whether the best chain came to its end before any exclusion.
    let mut settled = false;
    for rows in scan.instants() {
        let time = scan.time(rows[0]);
        // An exclusion marks a chain until its window is over, also one that strict order has ended.
        let may_be_marked = pass.exclude && best.is_some_and(|(_, link)| link.until >= time);
        if scan.entry_is_over(rows[0]) && !may_be_marked && !chains.is_open(time) {
            break;
        }
        chains.find_ending(scan, pass, rows);
        chains.advance(scan, pass, rows);
        if let Some((depth, link)) = best
            && chains.is_excluded(depth)
        {
            settled |= link.until < time;
            if !settled {
                best = None;
            }
        }
        chains.clear();
        for (step, link) in chains.fresh() {
            let depth = best.map_or(0, |(depth, _)| depth);
            if *step >= pass.floor && *step > depth {
                best = Some((*step, *link));
                settled = false;
            }
        }
        chains.install(pass);
        if best.is_some_and(|(depth, _)| depth == steps) {
            break;
        }
    }
    match best {
        None => Found::default(),
        Some((depth, link)) => {
            Found { chain: chains.chain(&link), until: if depth == steps { None } else { chains.until() } }
        }
    }
}

/// One chain for each attempt: an attempt is over when a chain is complete, when an exclusion or strict order has
/// ended all its chains, or when they are all too late.
pub(super) fn attempts<W: Window>(chains: &mut Chains, scan: &Scan<'_, W>, pass: Pass) -> Vec<Found> {
    let steps = scan.rules.steps();
    chains.reset(steps);
    let mut found = Vec::new();
    let mut attempt = Attempt::default();
    for rows in scan.instants() {
        let time = scan.time(rows[0]);
        let mut rest = rows.to_vec();
        while !rest.is_empty() {
            if attempt.deepest > 0 && !chains.is_open(time) {
                found.extend(attempt.finish(chains, None));
                chains.reset(steps);
            }
            if scan.entry_is_over(rest[0]) && chains.is_empty() {
                return found;
            }
            chains.find_ending(scan, pass, &rest);
            chains.advance(scan, pass, &rest);
            if attempt.best.is_some_and(|(depth, _)| chains.is_excluded(depth)) {
                attempt.best = None;
            }
            chains.clear();
            let goes_on = chains.fresh().iter().any(|(_, link)| link.entry < time);
            if attempt.deepest > 0 && chains.is_empty() && !goes_on {
                found.extend(attempt.finish(chains, None));
            }
            for (step, link) in chains.fresh() {
                if *step > attempt.deepest {
                    attempt.deepest = *step;
                    attempt.best = Some((*step, *link));
                } else if *step == attempt.deepest && attempt.best.is_none() {
                    attempt.best = Some((*step, *link));
                }
            }
            chains.install(pass);
            if attempt.deepest < steps {
                break;
            }
            let completed = attempt.finish(chains, None);
            if let Some(found) = &completed {
                rest.retain(|row| found.chain.iter().all(|matched| matched.row != *row));
            } else {
                rest.clear();
            }
            found.extend(completed);
            chains.reset(steps);
        }
    }
    let until = chains.until();
    found.extend(attempt.finish(chains, until));
    found
}

/// The best chain of an attempt; none if the deepest was excluded.
#[derive(Debug, Default)]
struct Attempt {
    deepest: usize,
    best: Option<(usize, Link)>,
}

impl Attempt {
    fn finish(&mut self, chains: &Chains, until: Option<i64>) -> Option<Found> {
        let Self { deepest, best } = std::mem::take(self);
        let (depth, link) = best?;
        (depth == deepest).then(|| Found { chain: chains.chain(&link), until })
    }
}
