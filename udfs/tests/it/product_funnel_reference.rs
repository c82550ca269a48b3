//! The slow and obvious product funnel: every chain there is, then the rules applied to each.

use std::cmp::Ordering;

use wayfare_udfs::journey::ties::Ties;

/// One row: time, position among rows of one instant, steps met (from 1), exclusions met (from 0), held value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) time: i64,
    pub(crate) sequence: i64,
    pub(crate) steps: Vec<usize>,
    pub(crate) exclusions: Vec<usize>,
    pub(crate) hold: Option<i64>,
}

#[derive(Debug, Clone)]
pub(crate) struct Funnel {
    pub(crate) optional: Vec<bool>,
    pub(crate) exclusions: Vec<(usize, usize)>,
    pub(crate) order: &'static str,
    pub(crate) ties: Ties,
    pub(crate) window: i64,
    pub(crate) step_within: Option<i64>,
    pub(crate) entered: Option<(i64, i64)>,
    pub(crate) holds: bool,
}

/// A chain: pairs of (step, row); in an unordered funnel of (condition, row), ascending by row.
pub(crate) type Chain = Vec<(usize, usize)>;

/// What is expected of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) depth: usize,
    /// Time of the last step.
    pub(crate) last: i64,
    /// Time of the entry, if it is one and the same for all chains that may be reported.
    pub(crate) entry: Option<i64>,
    /// All chains that may be reported.
    pub(crate) chains: Vec<Chain>,
    /// Latest instant, not before the last row, at which a chain can go on.
    pub(crate) until: Option<i64>,
}

/// `None`: nobody to count.
pub(crate) fn expected(funnel: &Funnel, rows: &[Row]) -> Option<Expected> {
    let mut parts: Vec<Vec<usize>> = Vec::new();
    if funnel.holds {
        for value in [0, 1, 2] {
            parts.push((0..rows.len()).filter(|row| rows[*row].hold == Some(value)).collect());
        }
        // Of equally good parts the one that begins first counts.
        parts.sort();
    } else {
        parts.push((0..rows.len()).collect());
    }
    let mut best: Option<(usize, Option<Expected>)> = None;
    let mut until = None;
    for part in parts {
        let (depth, found) = one_part(funnel, rows, &part);
        until = until.max(found.as_ref().and_then(|found| found.until));
        let rank = |depth: usize, found: &Option<Expected>| {
            let last = found.as_ref().map_or(0, |found| -found.last);
            let entry = found.as_ref().and_then(|found| found.entry).map_or(0, |entry| -entry);
            (depth, found.is_some(), last, entry)
        };
        let order = match &best {
            None if depth == 0 => continue,
            None => Ordering::Greater,
            Some((other, other_found)) => rank(depth, &found).cmp(&rank(*other, other_found)),
        };
        match (order, &mut best, found) {
            (Ordering::Greater, _, found) => best = Some((depth, found)),
            // With optional steps several entries may be reported, so either part may be the one.
            (Ordering::Equal, Some((_, Some(best))), Some(found)) if best.entry.is_none() => {
                best.chains.extend(found.chains);
            }
            _ => {}
        }
    }
    let mut best = best?.1?;
    let last_row = rows.iter().map(|row| row.time).max()?;
    best.until =
        if best.depth == funnel.optional.len() { None } else { until.filter(|until| *until >= last_row) };
    Some(best)
}

/// Deepest depth of all chains, and what is reported unless all chains of that depth are marked.
fn one_part(funnel: &Funnel, rows: &[Row], part: &[usize]) -> (usize, Option<Expected>) {
    let unordered = funnel.order == "unordered";
    let mut chains = Vec::new();
    for first in part {
        if unordered {
            for step in &rows[*first].steps {
                grow_unordered(funnel, rows, part, &mut vec![(*step, *first)], &mut chains);
            }
        } else if rows[*first].steps.contains(&1) && may_enter(funnel, rows[*first].time) {
            grow(funnel, rows, part, &mut vec![(1, *first)], &mut chains);
        }
    }
    let depth_of = |chain: &Chain| if unordered { chain.len() } else { chain.last().unwrap().0 };
    let depth = chains.iter().map(depth_of).max().unwrap_or(0);
    if depth == 0 {
        return (0, None);
    }
    let steps = funnel.optional.len();
    let excluding: Vec<usize> =
        part.iter().copied().filter(|row| !rows[*row].exclusions.is_empty()).collect();
    let clean_inside = |chain: &Chain| {
        let marks = |row: &usize| marked_inside(funnel, rows, chain, *row);
        !excluding.iter().any(marks)
    };
    let marked_after =
        |chain: &Chain| excluding.iter().any(|row| marked_behind(funnel, rows, chain, depth_of(chain), *row));
    let time = |chain: &Chain| chain.iter().map(|(_, row)| rows[*row].time).max().unwrap();
    let entry = |chain: &Chain| chain.iter().map(|(_, row)| rows[*row].time).min().unwrap();
    let clean: Vec<Chain> = chains.iter().filter(|chain| clean_inside(chain)).cloned().collect();
    let until = clean
        .iter()
        .filter(|chain| depth_of(chain) < steps && !marked_after(chain) && !broken(funnel, rows, part, chain))
        .map(|chain| until(funnel, rows, chain))
        .max();
    // Of the chains that reach the depth at one instant only those with the latest entry are looked at; in an
    // unordered funnel those with the earliest.
    let deepest: Vec<&Chain> = clean.iter().filter(|chain| depth_of(chain) == depth).collect();
    // Where a sequence decides, each row is an instant of its own.
    let moment = |chain: &Chain| match funnel.ties {
        Ties::Order => (time(chain), chain.last().unwrap().1),
        Ties::SameInstant | Ties::Strict => (time(chain), 0),
    };
    let mut instants: Vec<(i64, usize)> = deepest.iter().map(|chain| moment(chain)).collect();
    instants.sort_unstable();
    instants.dedup();
    for instant in instants {
        let now: Vec<&Chain> = deepest.iter().copied().filter(|chain| moment(chain) == instant).collect();
        let entries = now.iter().map(|chain| entry(chain));
        let wanted = if unordered { entries.min() } else { entries.max() }.unwrap();
        let surviving: Vec<Chain> = now
            .iter()
            .filter(|chain| entry(chain) == wanted && (depth == steps || !marked_after(chain)))
            .map(|chain| (*chain).clone())
            .collect();
        if !surviving.is_empty() {
            let optional = funnel.optional.contains(&true);
            return (
                depth,
                Some(Expected {
                    depth,
                    last: instant.0,
                    entry: (!optional).then_some(wanted),
                    chains: if optional { now.into_iter().cloned().collect() } else { surviving },
                    until,
                }),
            );
        }
    }
    (depth, None)
}

fn may_enter(funnel: &Funnel, time: i64) -> bool {
    funnel.entered.is_none_or(|(from, to)| from <= time && time < to)
}

fn grow(funnel: &Funnel, rows: &[Row], part: &[usize], chain: &mut Chain, found: &mut Vec<Chain>) {
    found.push(chain.clone());
    let (step, last) = *chain.last().unwrap();
    let end = rows[chain[0].1].time + funnel.window;
    for next in part {
        if chain.iter().any(|(_, row)| row == next) || !follows(funnel, rows, last, *next) {
            continue;
        }
        let time = rows[*next].time;
        let in_time = time <= end && funnel.step_within.is_none_or(|within| time <= rows[last].time + within);
        let strict = funnel.order == "strict";
        let between = |row: &&usize| is_between(funnel, rows, last, **row, Some(*next));
        let broken = strict && part.iter().filter(between).any(|row| !rows[*row].steps.contains(&step));
        if !in_time || broken {
            continue;
        }
        for next_step in &rows[*next].steps {
            if *next_step > step && (step + 1..*next_step).all(|skipped| funnel.optional[skipped - 1]) {
                chain.push((*next_step, *next));
                grow(funnel, rows, part, chain, found);
                chain.pop();
            }
        }
    }
}

fn follows(funnel: &Funnel, rows: &[Row], last: usize, next: usize) -> bool {
    match funnel.ties {
        Ties::SameInstant => rows[last].time <= rows[next].time,
        Ties::Strict => rows[last].time < rows[next].time,
        Ties::Order => last < next,
    }
}

/// Whether `row` lies strictly behind `last` and strictly before `next`, if there is one.
fn is_between(funnel: &Funnel, rows: &[Row], last: usize, row: usize, next: Option<usize>) -> bool {
    if funnel.ties == Ties::Order && funnel.order != "unordered" {
        return last < row && next.is_none_or(|next| row < next);
    }
    rows[last].time < rows[row].time && next.is_none_or(|next| rows[row].time < rows[next].time)
}

fn marked_inside(funnel: &Funnel, rows: &[Row], chain: &Chain, row: usize) -> bool {
    if funnel.order == "unordered" {
        let last = chain.last().unwrap().1;
        let with_last = chain.len() < funnel.optional.len() && rows[row].time == rows[last].time;
        let next = if with_last { None } else { Some(last) };
        return is_between(funnel, rows, chain[0].1, row, next);
    }
    chain.windows(2).any(|pair| {
        is_between(funnel, rows, pair[0].1, row, Some(pair[1].1)) && applies(funnel, rows, row, pair[0].0)
    })
}

fn marked_behind(funnel: &Funnel, rows: &[Row], chain: &Chain, depth: usize, row: usize) -> bool {
    let after = if funnel.order == "unordered" { chain[0].1 } else { chain.last().unwrap().1 };
    is_between(funnel, rows, after, row, None)
        && rows[row].time <= until(funnel, rows, chain)
        && (funnel.order == "unordered" || applies(funnel, rows, row, depth))
}

fn applies(funnel: &Funnel, rows: &[Row], row: usize, step: usize) -> bool {
    rows[row].exclusions.iter().any(|exclusion| {
        let (from, to) = funnel.exclusions[*exclusion];
        from <= step && step < to
    })
}

fn until(funnel: &Funnel, rows: &[Row], chain: &Chain) -> i64 {
    let end = rows[chain[0].1].time + funnel.window;
    match funnel.step_within {
        Some(within) => end.min(rows[chain.last().unwrap().1].time + within),
        None => end,
    }
}

/// Whether strict order has ended the chain after its last row.
fn broken(funnel: &Funnel, rows: &[Row], part: &[usize], chain: &Chain) -> bool {
    let (step, last) = *chain.last().unwrap();
    funnel.order == "strict"
        && part
            .iter()
            .any(|row| is_between(funnel, rows, last, *row, None) && !rows[*row].steps.contains(&step))
}

/// Rows in ascending order, each for a condition that is free.
fn grow_unordered(funnel: &Funnel, rows: &[Row], part: &[usize], chain: &mut Chain, found: &mut Vec<Chain>) {
    let start = rows[chain[0].1].time;
    if !may_enter(funnel, start) {
        return;
    }
    found.push(chain.clone());
    let last = chain.last().unwrap().1;
    for next in part.iter().filter(|next| **next > last && rows[**next].time <= start + funnel.window) {
        for condition in &rows[*next].steps {
            if chain.iter().all(|(taken, _)| taken != condition) {
                chain.push((*condition, *next));
                grow_unordered(funnel, rows, part, chain, found);
                chain.pop();
            }
        }
    }
}

/// Attempts of `count => 'totals', entry => 'first', ties => 'order'`, without anything else: times of entry and of
/// the last step, and the depth.
pub(crate) fn attempts(steps: usize, window: i64, rows: &[Row]) -> Vec<(i64, i64, usize)> {
    let mut found = Vec::new();
    let mut current: Option<(i64, i64, usize)> = None;
    for row in rows {
        if let Some((entry, _, _)) = current
            && row.time > entry + window
        {
            found.extend(current.take());
        }
        match &mut current {
            None if row.steps.contains(&1) => current = Some((row.time, row.time, 1)),
            Some((_, last, depth)) if row.steps.contains(&(*depth + 1)) => {
                *last = row.time;
                *depth += 1;
            }
            _ => {}
        }
        if current.is_some_and(|(_, _, depth)| depth == steps) {
            found.extend(current.take());
        }
    }
    found.extend(current);
    found
}

/// The same with `entry => 'latest'`: all chains of the attempt go on side by side.
pub(crate) fn attempts_of_latest_entries(steps: usize, window: i64, rows: &[Row]) -> Vec<(i64, i64, usize)> {
    let mut found = Vec::new();
    let mut best: Option<(i64, i64, usize)> = None;
    let mut chains: Vec<(i64, usize)> = Vec::new();
    for row in rows {
        chains.retain(|(entry, _)| row.time <= entry + window);
        if chains.is_empty() {
            found.extend(best.take());
        }
        let longer = chains.iter().filter(|(_, depth)| row.steps.contains(&(depth + 1)));
        let mut new: Vec<(i64, usize)> = longer.map(|(entry, depth)| (*entry, depth + 1)).collect();
        if row.steps.contains(&1) {
            new.push((row.time, 1));
        }
        let deepest = new.iter().map(|(entry, depth)| (*depth, *entry)).max();
        if let Some((depth, entry)) = deepest
            && best.is_none_or(|(_, _, before)| depth > before)
        {
            best = Some((entry, row.time, depth));
        }
        chains.extend(new);
        if best.is_some_and(|(_, _, depth)| depth == steps) {
            found.extend(best.take());
            chains.clear();
        }
    }
    found.extend(best);
    found
}
