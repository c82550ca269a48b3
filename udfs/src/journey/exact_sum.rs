//! Sums of floating-point numbers that do not depend on their order.

/// The exact sum of the numbers added so far.
///
/// Shewchuk 1997 ("Adaptive precision floating-point arithmetic"): the sum is kept as a few numbers whose bits do not
/// overlap, and rounded once, when it is read. Exact unless a sum in between is beyond the largest number.
#[derive(Debug, Clone, Default)]
pub struct ExactSum {
    /// Ascending by magnitude, without common bits.
    parts: Vec<f64>,
    /// Sum of what is not finite; 0 if everything is.
    special: f64,
}

impl ExactSum {
    /// Adds a number.
    pub fn add(&mut self, number: f64) {
        let mut rest = number;
        let mut kept = 0;
        if number.is_finite() {
            for index in 0..self.parts.len() {
                let (large, small) = if rest.abs() < self.parts[index].abs() {
                    (self.parts[index], rest)
                } else {
                    (rest, self.parts[index])
                };
                let sum = large + small;
                if sum.is_infinite() {
                    self.special += sum;
                    return;
                }
                let lost = small - (sum - large);
                if lost != 0.0 {
                    self.parts[kept] = lost;
                    kept += 1;
                }
                rest = sum;
            }
            self.parts.truncate(kept);
            self.parts.push(rest);
        } else {
            self.special += number;
        }
    }

    /// Numbers whose exact sum is this one: what another sum adds to take it over.
    pub fn parts(&self) -> impl Iterator<Item = f64> + '_ {
        let special = (self.special != 0.0).then_some(self.special);
        self.parts.iter().copied().chain(special)
    }

    /// The sum, rounded once to the nearest number.
    pub fn value(&self) -> f64 {
        if self.special != 0.0 {
            return self.special;
        }
        let mut parts = self.parts.iter().rev().copied();
        let Some(mut sum) = parts.next() else {
            return 0.0;
        };
        let mut lost = 0.0;
        for part in parts.by_ref() {
            let before = sum;
            sum = before + part;
            lost = part - (sum - before);
            if lost != 0.0 {
                break;
            }
        }
        // A tie was rounded to even without looking at the parts below it.
        if let Some(below) = parts.next()
            && (lost < 0.0) == (below < 0.0)
        {
            let twice = lost * 2.0;
            let rounded = sum + twice;
            if rounded - sum == twice {
                sum = rounded;
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(numbers: &[f64]) -> f64 {
        let mut sum = ExactSum::default();
        for number in numbers {
            sum.add(*number);
        }
        sum.value()
    }

    #[test]
    fn order_and_merging_do_not_matter() {
        let mut numbers = vec![1e100, 1.0, -1e100, 0.1, 0.2, 0.3, -0.7, 1e-300, 3.5e17];
        let expected = sum(&numbers);
        numbers.reverse();
        assert_eq!(sum(&numbers), expected);
        let mut merged = ExactSum::default();
        for chunk in numbers.chunks(2) {
            let mut part = ExactSum::default();
            chunk.iter().for_each(|number| part.add(*number));
            part.parts().for_each(|part| merged.add(part));
        }
        assert_eq!(merged.value(), expected);
    }

    #[test]
    fn sums_are_rounded_once() {
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[1e100, 1.0, -1e100]), 1.0);
        // Half-way cases, decided by what lies below.
        assert_eq!(sum(&[1e-16, 1.0, 1e16]), 10_000_000_000_000_002.0);
        assert_eq!(sum(&[-1e-16, 1.0, 1e16]), 1e16);
    }

    #[test]
    fn what_is_not_finite_stays() {
        assert_eq!(sum(&[1.0, f64::INFINITY]), f64::INFINITY);
        assert!(sum(&[f64::NEG_INFINITY, 2.0, f64::INFINITY]).is_nan());
        assert!(sum(&[f64::NAN, 1.0]).is_nan());
    }
}
