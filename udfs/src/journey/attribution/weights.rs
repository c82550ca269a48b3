//! How a conversion is divided among its touches, and amounts divided so, without a rest.

/// Parts of 1 in which credit is counted: 18 decimals, so that credits add up exactly in any order.
pub const CREDIT_UNITS: i128 = 1_000_000_000_000_000_000;

/// Remainders of so many shares are put in order without memory of their own.
const FEW_SHARES: usize = 16;

/// Weights add up to less than this: then the products below fit into 128 bits.
const SUM_BITS: u32 = 62;

/// What each of a conversion's touches weighs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Weights {
    /// No touch gets credit.
    #[default]
    Nothing,
    /// One touch, by position from 0, gets everything.
    One(usize),
    /// All touches, of which there are so many, get the same.
    Equal(usize),
    /// Shares in proportion to whole numbers, one for each touch; at least one is not 0.
    Shares(Vec<u64>),
    /// Each marked touch gets everything: what is given away is more than there is.
    Each(Vec<bool>),
}

impl Weights {
    /// Shares in proportion to `weights`, which are finite and not negative.
    ///
    /// They are rounded to parts of about 2^-61 of the number of touches times the largest.
    pub fn in_proportion(weights: &[f64]) -> Self {
        let largest = weights.iter().copied().fold(0.0, f64::max);
        if largest <= 0.0 {
            return Self::Nothing;
        }
        let count_bits = usize::BITS - weights.len().leading_zeros();
        let scale = 2_f64.powi(SUM_BITS.saturating_sub(count_bits + 1) as i32);
        Self::Shares(weights.iter().map(|weight| rounded(weight / largest * scale)).collect())
    }

    /// `first`, `last`, and `middle` shared equally by the touches between them.
    ///
    /// One touch gets everything; of two, `middle` gets nothing, and if the ends have no weight either, both get the
    /// same. The weights are at most 10^8.
    pub fn by_position(count: usize, first: u64, middle: u64, last: u64) -> Self {
        match count {
            0 => Self::Nothing,
            1 => Self::One(0),
            2 if first + last == 0 => Self::Equal(2),
            2 => Self::Shares(vec![first, last]),
            count => {
                let between = (count - 2) as u64;
                let mut shares = vec![middle; count];
                shares[0] = first * between;
                shares[count - 1] = last * between;
                Self::Shares(shares)
            }
        }
    }

    /// The same among more touches: those of these weights stand at `positions` of `count`.
    pub fn at(self, positions: &[usize], count: usize) -> Self {
        if positions.len() == count {
            return self;
        }
        match self {
            Self::Nothing => Self::Nothing,
            Self::One(index) => positions.get(index).map_or(Self::Nothing, |position| Self::One(*position)),
            Self::Equal(_) => {
                let mut shares = vec![0; count];
                positions.iter().for_each(|position| shares[*position] = 1);
                Self::Shares(shares)
            }
            Self::Shares(inner) => {
                let mut shares = vec![0; count];
                positions.iter().zip(inner).for_each(|(position, share)| shares[*position] = share);
                Self::Shares(shares)
            }
            Self::Each(inner) => {
                let mut marked = vec![false; count];
                positions.iter().zip(inner).for_each(|(position, mark)| marked[*position] = mark);
                Self::Each(marked)
            }
        }
    }

    /// Whether any touch gets credit.
    pub fn has_credit(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::One(_) => true,
            Self::Equal(count) => *count > 0,
            Self::Shares(shares) => shares.iter().any(|share| *share > 0),
            Self::Each(marked) => marked.contains(&true),
        }
    }

    /// Divides `total` among `count` touches: whole units that add up to `total` exactly (with [`Self::Each`], every
    /// marked touch gets all of it).
    ///
    /// The method of largest remainders (Hare, Hamilton): each gets its share rounded toward 0, and the units left over
    /// go to the largest remainders, of equal ones to the earliest touch. Exact for every `total`; `parts` is cleared
    /// and filled. O(count).
    pub fn divide(&self, total: i128, count: usize, parts: &mut Vec<i128>) {
        parts.clear();
        parts.resize(count, 0);
        match self {
            Self::Nothing => {}
            Self::One(position) => parts[*position] = total,
            Self::Equal(_) => divide_equally(total, parts),
            Self::Shares(shares) => divide_in_proportion(total, shares, parts),
            Self::Each(marked) => {
                for (part, _) in parts.iter_mut().zip(marked).filter(|(_, mark)| **mark) {
                    *part = total;
                }
            }
        }
    }
}

/// `number`, which is not negative and in the range of u64, rounded, halves up: `f64::round` is a call on processors that
/// have no instruction for it.
fn rounded(number: f64) -> u64 {
    let whole = number as u64;
    whole + u64::from(number - whole as f64 >= 0.5)
}

fn divide_equally(total: i128, parts: &mut [i128]) {
    let count = parts.len() as i128;
    if count == 0 {
        return;
    }
    let (each, rest) = (total / count, total % count);
    let rest_count = rest.unsigned_abs() as usize;
    for (index, part) in parts.iter_mut().enumerate() {
        *part = if index < rest_count { each + rest.signum() } else { each };
    }
}

fn divide_in_proportion(total: i128, shares: &[u64], parts: &mut [i128]) {
    let sum: u128 = shares.iter().map(|share| u128::from(*share)).sum();
    if sum == 0 {
        return;
    }
    let magnitude = total.unsigned_abs();
    let (whole, rest) = (magnitude / sum, magnitude % sum);
    // Products of what is below 2^32 fit into 64 bits, which divide much faster; all are below 2^62.
    let small = u32::try_from(sum).ok().map(|sum| (u64::from(sum), rest as u64));
    let mut left = magnitude;
    // The remainder above, the index below and turned around: the larger, the earlier a unit that is left over goes there.
    let mut few = [0; FEW_SHARES];
    let mut many = Vec::new();
    let remainders: &mut [u128] = match few.get_mut(..shares.len()) {
        Some(few) => few,
        None => {
            many.resize(shares.len(), 0);
            &mut many
        }
    };
    for (index, share) in shares.iter().enumerate() {
        let (quotient, remainder) = match small {
            Some((sum, rest)) => (u128::from(rest * share / sum), rest * share % sum),
            None => {
                let product = rest * u128::from(*share);
                (product / sum, (product % sum) as u64)
            }
        };
        let part = whole * u128::from(*share) + quotient;
        left -= part;
        // At most `magnitude`, so that only i128::MIN alone cannot be negated.
        parts[index] = if total < 0 { (part as i128).wrapping_neg() } else { part as i128 };
        remainders[index] = u128::from(remainder) << u64::BITS | u128::from(u64::MAX - index as u64);
    }
    let left = left as usize;
    if left == 0 {
        return;
    }
    remainders.select_nth_unstable_by(left - 1, |one, other| other.cmp(one));
    for remainder in &remainders[..left] {
        parts[(u64::MAX - *remainder as u64) as usize] += total.signum();
    }
}

/// Weights for [`Weights::by_position`] from numbers in any unit: `[0.3, 0.4, 0.3]` as `[30, 40, 30]`.
///
/// `None` if one is negative or not finite, or if all are 0. Exact for up to 8 decimals.
pub fn position_weights(given: [f64; 3]) -> Option<[u64; 3]> {
    const LARGEST: f64 = 1e8;
    let largest = given.into_iter().fold(0.0, f64::max);
    if given.iter().any(|weight| !weight.is_finite() || *weight < 0.0) || largest == 0.0 {
        return None;
    }
    for decimals in 0..=8 {
        let scaled = given.map(|weight| weight * 10_f64.powi(decimals));
        if largest * 10_f64.powi(decimals) > LARGEST {
            break;
        }
        if scaled.iter().all(|weight| (weight - weight.round()).abs() < 1e-6) {
            return Some(scaled.map(|weight| weight.round() as u64));
        }
    }
    Some(given.map(|weight| (weight / largest * LARGEST).round() as u64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rounding_is_that_of_the_library(number in prop_oneof![0.0..4.0, 0.0..1e6, 0.0..1e18], halves in 0_u64..100) {
            for number in [number, halves as f64 / 2.0, (halves as f64 / 2.0).next_down().max(0.0)] {
                prop_assert_eq!(rounded(number), number.round() as u64);
            }
        }

        // As many as fit into the memory at hand, one more, and far more.
        #[test]
        fn units_left_over_go_to_the_largest_remainders(
            shares in prop_oneof![
                prop::collection::vec(0_u64..9, 1..5),
                prop::collection::vec(0..1_u64 << 40, FEW_SHARES - 1..FEW_SHARES + 2),
                prop::collection::vec(0_u64..9, 1..50),
            ],
            total in -1_000_i128..1_000,
        ) {
            let sum: i128 = shares.iter().map(|share| i128::from(*share)).sum();
            prop_assume!(sum > 0);
            let mut parts = Vec::new();
            Weights::Shares(shares.clone()).divide(total, shares.len(), &mut parts);
            let mut wanted: Vec<i128> = shares.iter().map(|share| total.abs() * i128::from(*share) / sum).collect();
            let left = total.abs() - wanted.iter().sum::<i128>();
            let mut order: Vec<usize> = (0..shares.len()).collect();
            order.sort_by_key(|index| std::cmp::Reverse(total.abs() * i128::from(shares[*index]) % sum));
            order[..left as usize].iter().for_each(|index| wanted[*index] += 1);
            wanted.iter_mut().for_each(|part| *part *= total.signum());
            prop_assert_eq!(parts, wanted);
        }
    }
}
