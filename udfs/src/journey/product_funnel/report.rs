//! From outcomes to the figures of a report.

use super::Outcome;
use crate::journey::stats::{mean, percentile, wilson};

/// One outcome as a report needs it.
#[derive(Debug, Clone, Copy)]
pub struct Reached<'a> {
    /// For each step reached or passed over, from the first to the deepest, its time.
    pub times: &'a [Option<i64>],
    /// Whether the last step can still be reached.
    pub open: bool,
}

impl Reached<'_> {
    fn time(&self, step: usize) -> Option<i64> {
        self.times.get(step - 1).copied().flatten()
    }
}

/// Returns the times of a chain's steps: index step - 1, `None` for an optional step that is missing.
pub fn step_times<'a>(outcome: &'a Outcome, times: &'a [i64]) -> impl Iterator<Item = Option<i64>> + 'a {
    let mut matched = outcome.chain.iter().peekable();
    (1..=outcome.depth())
        .map(move |step| matched.next_if(|next| next.step == step).map(|next| times[next.row]))
}

/// Mean, median and 90 % quantile of times, in ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Times {
    /// Mean.
    pub mean: Option<f64>,
    /// Median.
    pub median: Option<f64>,
    /// 90 % quantile.
    pub p90: Option<f64>,
}

impl Times {
    fn of(values: &mut [i64]) -> Self {
        values.sort_unstable();
        Self { mean: mean(values), median: percentile(values, 0.5), p90: percentile(values, 0.9) }
    }
}

/// One step of a funnel report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepFigures {
    /// How many reached the step.
    pub persons: u64,
    /// Share of those who reached the nearest earlier step that is not optional.
    pub from_previous: Option<f64>,
    /// Share of those who entered.
    pub from_first: Option<f64>,
    /// 95 % bounds of that share.
    pub bounds: Option<(f64, f64)>,
    /// Of those who reached the previous step: lost, neither this step nor a later one can be reached any more.
    pub dropped: u64,
    /// Of those who reached the previous step: neither this step nor a later one is reached yet.
    pub open: u64,
    /// Time since the step before in the chain.
    pub since_previous: Times,
    /// Time since the first step.
    pub since_first: Times,
}

/// Returns the figures of each step. `optional` tells for each step whether it is optional.
///
/// Holds the durations of one step at a time: O(n * steps + n log n for each step).
pub fn steps(optional: &[bool], outcomes: &[Reached<'_>]) -> Vec<StepFigures> {
    let mut figures: Vec<StepFigures> = Vec::with_capacity(optional.len());
    let entered = outcomes.len() as u64;
    let mut previous = 1;
    let (mut since_previous, mut since_first) = (Vec::new(), Vec::new());
    for (step, step_is_optional) in (1..).zip(optional) {
        let mut row = StepFigures::default();
        since_previous.clear();
        since_first.clear();
        for outcome in outcomes {
            if let Some(time) = outcome.time(step) {
                row.persons += 1;
                let before = (1..step).rev().find_map(|before| outcome.time(before));
                since_previous.extend(before.map(|before| time.saturating_sub(before)));
                since_first.extend(outcome.time(1).map(|first| time.saturating_sub(first)));
            } else if outcome.times.len() < step && outcome.time(previous).is_some() {
                *(if outcome.open { &mut row.open } else { &mut row.dropped }) += 1;
            }
        }
        if step > 1 {
            let base = figures.get(previous - 1).map_or(0, |figures| figures.persons);
            row.from_previous = share(row.persons, base);
            row.since_previous = Times::of(&mut since_previous);
            row.since_first = Times::of(&mut since_first);
        }
        row.from_first = share(row.persons, entered);
        row.bounds = wilson(row.persons, entered);
        figures.push(row);
        if !step_is_optional {
            previous = step;
        }
    }
    figures
}

/// How many of those who reached one step reached another.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Conversion {
    /// How many reached the first of both.
    pub entered: u64,
    /// How many of them reached the second.
    pub converted: u64,
    /// Share.
    pub rate: Option<f64>,
    /// 95 % bounds of the share.
    pub bounds: Option<(f64, f64)>,
    /// How many of the others can still reach it.
    pub open: u64,
}

/// Returns the conversion between two steps, counted from 1.
pub fn conversion(from: usize, to: usize, outcomes: &[Reached<'_>]) -> Conversion {
    let mut figures = Conversion::default();
    for outcome in outcomes.iter().filter(|outcome| outcome.time(from).is_some()) {
        figures.entered += 1;
        if outcome.time(to).is_some() {
            figures.converted += 1;
        } else if outcome.open && outcome.times.len() < to {
            figures.open += 1;
        }
    }
    figures.rate = share(figures.converted, figures.entered);
    figures.bounds = wilson(figures.converted, figures.entered);
    figures
}

/// One bar of the histogram of times to convert.
#[derive(Debug, Clone, PartialEq)]
pub struct Bin {
    /// Start, inclusive, in seconds.
    pub start: f64,
    /// End, exclusive, in seconds.
    pub end: f64,
    /// How many took that long.
    pub persons: u64,
    /// Share of those who converted.
    pub share: f64,
    /// Mean of all who converted, in seconds.
    pub mean: f64,
}

/// Returns the histogram of the times between two steps; empty if nobody did both.
///
/// PostHog's rule: without `bins` as many as the cube root of the number of persons, rounded up, 1 to 60; width the
/// range divided by that, rounded up to whole seconds, at least one; one closing bin behind them, which holds the
/// largest values if the division is exact.
pub fn time_to_convert(
    from: usize,
    to: usize,
    bins: Option<usize>,
    ticks_per_second: i64,
    outcomes: &[Reached<'_>],
) -> Vec<Bin> {
    let both = |outcome: &Reached<'_>| Some(outcome.time(to)?.saturating_sub(outcome.time(from)?));
    let durations: Vec<i64> = outcomes.iter().filter_map(both).collect();
    let (Some(min), Some(max), Some(mean)) =
        (durations.iter().min(), durations.iter().max(), mean(&durations))
    else {
        return Vec::new();
    };
    let bins = bins.unwrap_or_else(|| cube_root_rounded_up(durations.len()).min(60)).max(1);
    let range = i128::from(*max) - i128::from(*min);
    let per_bin = bins as i128 * i128::from(ticks_per_second);
    // Rounded up: both are positive.
    let width_seconds = ((range + per_bin - 1) / per_bin).max(1);
    let width = width_seconds * i128::from(ticks_per_second);
    let mut counts = vec![0_u64; bins + 1];
    for duration in &durations {
        let bin = (i128::from(*duration) - i128::from(*min)) / width;
        counts[usize::try_from(bin).unwrap_or(bins).min(bins)] += 1;
    }
    let seconds = |ticks: i128| ticks as f64 / ticks_per_second as f64;
    (0_i128..)
        .zip(counts)
        .map(|(bin, persons)| Bin {
            start: seconds(i128::from(*min) + bin * width),
            end: seconds(i128::from(*min) + (bin + 1) * width),
            persons,
            share: persons as f64 / durations.len() as f64,
            mean: mean / ticks_per_second as f64,
        })
        .collect()
}

/// The smallest number whose cube is not below `n`.
fn cube_root_rounded_up(n: usize) -> usize {
    (1..).find(|root: &usize| root.saturating_pow(3) >= n).unwrap_or(1)
}

fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histogram_of_a_known_case() {
        let times = [[Some(0), Some(3_600)], [Some(0), Some(2_220)], [Some(0), Some(82_800)]];
        let outcomes: Vec<Reached<'_>> = times.iter().map(|times| Reached { times, open: false }).collect();
        let bins = time_to_convert(1, 2, None, 1, &outcomes);
        let found: Vec<(f64, u64)> = bins.iter().map(|bin| (bin.start, bin.persons)).collect();
        assert_eq!(found, [(2_220.0, 2), (42_510.0, 0), (82_800.0, 1)]);
        assert!(bins.iter().all(|bin| bin.mean == 29_540.0));
    }

    #[test]
    fn bins_of_one_and_of_nobody() {
        let times = [Some(0), Some(1_500)];
        let one = [Reached { times: &times, open: false }];
        let bins = time_to_convert(1, 2, None, 1_000, &one);
        let found: Vec<(f64, f64, u64)> = bins.iter().map(|bin| (bin.start, bin.end, bin.persons)).collect();
        assert_eq!(found, [(1.5, 2.5, 1), (2.5, 3.5, 0)]);
        assert_eq!(time_to_convert(1, 2, None, 1, &[]), []);
        assert_eq!([1, 2, 8, 9, 27, 28].map(cube_root_rounded_up), [1, 2, 2, 3, 3, 4]);
    }

    #[test]
    fn optional_steps_are_a_side_line() {
        let skipped = [Some(0), None, Some(30)];
        let all = [Some(0), Some(10), Some(20)];
        let entered = [Some(0)];
        let outcomes = [
            Reached { times: &skipped, open: false },
            Reached { times: &all, open: false },
            Reached { times: &entered, open: true },
            Reached { times: &entered, open: false },
        ];
        let figures = steps(&[false, true, false], &outcomes);
        let counts: Vec<(u64, u64, u64)> =
            figures.iter().map(|row| (row.persons, row.dropped, row.open)).collect();
        assert_eq!(counts, [(4, 0, 0), (1, 1, 1), (2, 1, 1)]);
        assert_eq!(figures[2].from_previous, Some(0.5));
        assert_eq!(figures[2].since_previous.mean, Some(20.0));
        assert_eq!(figures[2].since_first.p90, Some(29.0));
    }
}
