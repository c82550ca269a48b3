//! Sums that know how often they have left the range of their numbers.
//!
//! A number is added to the low digits, which wrap; `carry` counts how often they did, and in which direction. The sum is
//! `low + carry * 2^bits`, whatever the order in which its parts come together; it is in range if `carry` is 0 at the end.
//! So a group takes eight bytes for whole numbers, and an addition costs one branch more than one that wraps.

use std::fmt::Debug;
use std::hash::Hash;

use arrow::array::ArrowNumericType;
use arrow::datatypes::{DataType, i256};
use arrow::error::ArrowError;
use datafusion::common::Result;

/// A number that can be added up.
pub(super) trait Number: Copy + Debug + Default + Eq + Hash + Send + Sync + 'static {
    /// The sum, and whether it has wrapped.
    fn plus(self, other: Self) -> (Self, bool);
    /// The difference, and whether it has wrapped.
    fn minus(self, other: Self) -> (Self, bool);
    fn is_below_zero(self) -> bool;
    /// The smallest power of ten that is too large for `data_type`, a decimal; `None` for other types.
    fn limit(data_type: &DataType) -> Option<Self>;
    /// Whether this is between `-limit` and `limit`.
    fn is_within(self, limit: Self) -> bool;
}

/// An Arrow type of such numbers.
pub(super) trait NumberType: ArrowNumericType<Native: Number> + Debug + Send + Sync {}

impl<T: ArrowNumericType<Native: Number> + Debug + Send + Sync> NumberType for T {}

macro_rules! signed {
    ($type:ty, $ten:expr, $decimal:ident) => {
        impl Number for $type {
            fn plus(self, other: Self) -> (Self, bool) {
                self.overflowing_add(other)
            }

            fn minus(self, other: Self) -> (Self, bool) {
                self.overflowing_sub(other)
            }

            fn is_below_zero(self) -> bool {
                self.is_negative()
            }

            fn limit(data_type: &DataType) -> Option<Self> {
                match data_type {
                    DataType::$decimal(digits, _) => $ten.checked_pow(u32::from(*digits)),
                    _ => None,
                }
            }

            fn is_within(self, limit: Self) -> bool {
                self < limit && limit.wrapping_neg() < self
            }
        }
    };
}

signed!(i32, 10_i32, Decimal32);
signed!(i64, 10_i64, Decimal64);
signed!(i128, 10_i128, Decimal128);
signed!(i256, i256::from_i128(10), Decimal256);

impl Number for u64 {
    fn plus(self, other: Self) -> (Self, bool) {
        self.overflowing_add(other)
    }

    fn minus(self, other: Self) -> (Self, bool) {
        self.overflowing_sub(other)
    }

    fn is_below_zero(self) -> bool {
        false
    }

    fn limit(_data_type: &DataType) -> Option<Self> {
        None
    }

    fn is_within(self, _limit: Self) -> bool {
        true
    }
}

/// What the carry changes by when adding `value` has wrapped.
pub(super) fn carried<N: Number>(value: N) -> i64 {
    if value.is_below_zero() { -1 } else { 1 }
}

/// A sum.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Total<N> {
    pub(super) low: N,
    pub(super) carry: i64,
}

impl<N: Number> Total<N> {
    pub(super) fn add(&mut self, value: N) {
        let (low, wrapped) = self.low.plus(value);
        self.low = low;
        if wrapped {
            self.carry += carried(value);
        }
    }

    pub(super) fn subtract(&mut self, value: N) {
        let (low, wrapped) = self.low.minus(value);
        self.low = low;
        if wrapped {
            self.carry -= carried(value);
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.add(other.low);
        self.carry += other.carry;
    }

    /// The sum as a value of `data_type`.
    ///
    /// # Errors
    /// It is out of that type's range.
    pub(super) fn exact(self, data_type: &DataType) -> Result<N> {
        let is_within = N::limit(data_type).is_none_or(|limit| self.low.is_within(limit));
        if self.carry == 0 && is_within { Ok(self.low) } else { Err(out_of_range(data_type).into()) }
    }
}

/// The error of a sum that `data_type` does not hold.
pub(super) fn out_of_range(data_type: &DataType) -> ArrowError {
    ArrowError::ArithmeticOverflow(match data_type {
        DataType::Int64 => "bigint out of range".to_owned(),
        DataType::Duration(_) | DataType::Interval(_) => "interval out of range".to_owned(),
        DataType::Decimal32(digits, _)
        | DataType::Decimal64(digits, _)
        | DataType::Decimal128(digits, _)
        | DataType::Decimal256(digits, _) => {
            format!(
                "a sum has more than {digits} digits: round the numbers, or cast them to double precision"
            )
        }
        other => format!("a sum is out of the range of {other}"),
    })
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn total<N: Number>(values: impl IntoIterator<Item = N>) -> Total<N> {
        let mut total = Total::default();
        values.into_iter().for_each(|value| total.add(value));
        total
    }

    #[test]
    fn what_leaves_the_range_and_comes_back_is_exact() {
        let type_ = DataType::Int64;
        assert_eq!(total([i64::MAX, i64::MAX, i64::MIN, i64::MIN, 5]).exact(&type_).unwrap(), 3);
        assert_eq!(total([i64::MIN, -1, 1]).exact(&type_).unwrap(), i64::MIN);
        let error = total([i64::MAX, 1]).exact(&type_).unwrap_err();
        assert!(error.to_string().contains("bigint out of range"), "{error}");
        assert!(total([u64::MAX, 1]).exact(&DataType::UInt64).is_err());
    }

    #[test]
    fn decimals_have_as_many_digits_as_their_type() {
        let most = 10_i128.pow(38) - 1;
        let type_ = DataType::Decimal128(38, 2);
        assert_eq!(total([most, -most, most]).exact(&type_).unwrap(), most);
        // Beyond 38 digits, though not yet beyond 128 bits.
        assert!(total([most, 1]).exact(&type_).is_err());
        assert!(total([-most, -1]).exact(&type_).is_err());
        assert!(total([most, most]).exact(&type_).is_err());
        assert_eq!(total([99_i128, 1]).exact(&DataType::Decimal128(3, 0)).unwrap(), 100);
        assert!(total([999_i128, 1]).exact(&DataType::Decimal128(3, 0)).is_err());
        let most = i256::from_i128(10).checked_pow(76).unwrap().wrapping_sub(i256::ONE);
        assert_eq!(
            total([most, most, most.wrapping_neg()]).exact(&DataType::Decimal256(76, 0)).unwrap(),
            most
        );
        assert!(total([most; 6]).exact(&DataType::Decimal256(76, 0)).is_err());
    }

    proptest! {
        #[test]
        fn totals_are_those_of_wider_numbers(
            values in vec(prop_oneof![any::<i64>(), Just(i64::MAX), Just(i64::MIN), -3..3_i64], 0..60),
            cut in 0..60_usize,
            gone in 0..60_usize,
        ) {
            let (left, right) = values.split_at(cut.min(values.len()));
            let mut merged = total(left.iter().copied());
            merged.merge(total(right.iter().copied()));
            prop_assert_eq!(merged, total(values.iter().rev().copied()));
            let gone = &values[..gone.min(values.len())];
            gone.iter().for_each(|value| merged.subtract(*value));
            let wide: i128 = values[gone.len()..].iter().map(|value| i128::from(*value)).sum();
            prop_assert_eq!(merged.exact(&DataType::Int64).ok(), i64::try_from(wide).ok());
        }
    }
}
