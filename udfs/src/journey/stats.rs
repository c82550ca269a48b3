//! Summary statistics of reports, exact where numbers are whole.

/// Two-sided 95 % quantile of the normal distribution.
const Z_95: f64 = 1.959_963_984_540_054;

/// Returns the 95 % Wilson score interval of `successes` out of `trials`, or `None` without trials.
///
/// Wilson 1927: the interval stays inside 0..=1 and is sensible for few trials and for shares near 0 and 1.
pub fn wilson(successes: u64, trials: u64) -> Option<(f64, f64)> {
    if trials == 0 {
        return None;
    }
    let n = trials as f64;
    let p = successes as f64 / n;
    let z2 = Z_95 * Z_95;
    let center = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z_95 / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    // The ends are exact where every or no trial succeeded; rounding must not move them.
    let low = if successes == 0 { 0.0 } else { (center - half).max(0.0) };
    let high = if successes == trials { 1.0 } else { (center + half).min(1.0) };
    Some((low, high))
}

/// Returns the mean of whole numbers, from their exact sum; `None` if there are none.
pub fn mean(values: &[i64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let sum: i128 = values.iter().copied().map(i128::from).sum();
    Some(sum as f64 / values.len() as f64)
}

/// Returns the `share` quantile (0..=1) of ascending `sorted`, linear between neighbours as SQL's
/// `percentile_cont`; `None` if it is empty.
pub fn percentile(sorted: &[i64], share: f64) -> Option<f64> {
    debug_assert!(sorted.is_sorted());
    let last = sorted.len().checked_sub(1)?;
    let position = share.clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let weight = position - below as f64;
    let low = *sorted.get(below)? as f64;
    match sorted.get(below + 1) {
        Some(high) if weight > 0.0 => Some(low + (*high as f64 - low) * weight),
        _ => Some(low),
    }
}

/// Returns the two-sided p-value of the difference between `successes` of `trials` and those of another group, by the
/// pooled z-test of two proportions; `None` if a group has no trials, 1 if all trials or none are successes in both.
///
/// Trials count as independent of one another. Source: any textbook; the normal approximation is poor where fewer than
/// about five successes or failures are expected in a group.
pub fn two_proportions(successes: [f64; 2], trials: [f64; 2]) -> Option<f64> {
    if trials.iter().any(|trials| *trials <= 0.0) {
        return None;
    }
    let pooled = (successes[0] + successes[1]) / (trials[0] + trials[1]);
    let variance = pooled * (1.0 - pooled) * (1.0 / trials[0] + 1.0 / trials[1]);
    if variance <= 0.0 {
        return Some(1.0);
    }
    let z = (successes[0] / trials[0] - successes[1] / trials[1]).abs() / variance.sqrt();
    Some(erfc(z / std::f64::consts::SQRT_2))
}

/// Complementary error function of `x >= 0`, to about 15 digits: the Taylor series of erf below 2, the continued
/// fraction above (Abramowitz and Stegun 7.1.6 and 7.1.14).
fn erfc(x: f64) -> f64 {
    let scale = (-x * x).exp() / std::f64::consts::PI.sqrt();
    if x < 2.0 {
        // 2 x exp(-x^2) / sqrt(pi) * sum of (2 x^2)^n / (1 * 3 * ... * (2n + 1))
        let mut term = 1.0;
        let mut sum = 1.0;
        for n in 1..100 {
            term *= 2.0 * x * x / f64::from(2 * n + 1);
            sum += term;
            if term < sum * 1e-17 {
                break;
            }
        }
        return 1.0 - 2.0 * x * scale * sum;
    }
    // From the inside; 60 levels are enough from 2 on.
    let fraction = (1..=60).rev().fold(x, |inner, level| x + f64::from(level) / 2.0 / inner);
    scale / fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_of_known_tables() {
        // 81 of 263, the example of Newcombe 1998: 0.2553 to 0.3662.
        let (low, high) = wilson(81, 263).unwrap();
        assert!((low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5, "{low} {high}");
        // 0 of 20 and 1 of 29, the same source.
        let (low, high) = wilson(0, 20).unwrap();
        assert_eq!(low, 0.0);
        assert!((high - 0.1611).abs() < 5e-5, "{high}");
        let (low, high) = wilson(1, 29).unwrap();
        assert!((low - 0.0061).abs() < 5e-5 && (high - 0.1718).abs() < 5e-5, "{low} {high}");
        assert_eq!(wilson(7, 7).unwrap().1, 1.0);
        assert_eq!(wilson(0, 0), None);
    }

    #[test]
    fn complementary_errors_of_the_tables() {
        // Abramowitz and Stegun, table 7.1, and 7.3 for the tail.
        for (x, expected) in [
            (0.0, 1.0),
            (0.5, 0.479_500_122_186_953_5),
            (1.0, 0.157_299_207_050_285_13),
            (1.999_999, 0.004_677_755_648_073_953),
            (2.0, 0.004_677_734_981_047_266),
            (3.0, 2.209_049_699_858_544e-5),
            (5.0, 1.537_459_794_428_035e-12),
        ] {
            let found = erfc(x);
            assert!((found - expected).abs() <= expected * 1e-9, "{x}: {found}");
        }
    }

    #[test]
    fn proportions_that_differ() {
        // 45 of 100 against 30 of 100: pooled 0.375, standard error 0.0684653, z = 2.19089.
        let p = two_proportions([45.0, 30.0], [100.0, 100.0]).unwrap();
        assert!((p - 0.028_460).abs() < 1e-6, "{p}");
        assert_eq!(two_proportions([5.0, 10.0], [10.0, 20.0]), Some(1.0));
        assert_eq!(two_proportions([0.0, 0.0], [10.0, 20.0]), Some(1.0));
        assert_eq!(two_proportions([7.0, 9.0], [7.0, 9.0]), Some(1.0));
        assert_eq!(two_proportions([0.0, 1.0], [0.0, 9.0]), None);
    }

    #[test]
    fn means_are_exact() {
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[i64::MAX, i64::MAX, -i64::MAX, -i64::MAX, 2, 3]), Some(5.0 / 6.0));
    }

    #[test]
    fn percentiles_lie_between_neighbours() {
        assert_eq!(percentile(&[], 0.5), None);
        assert_eq!(percentile(&[7], 0.9), Some(7.0));
        assert_eq!(percentile(&[1, 2, 3, 4], 0.5), Some(2.5));
        assert_eq!(percentile(&[1, 2, 3], 0.5), Some(2.0));
        assert_eq!(percentile(&[0, 10], 0.9), Some(9.0));
        assert_eq!(percentile(&[0, 10], 1.0), Some(10.0));
    }
}
