//! Random numbers that are the same on every platform: integers only, no global state.
//!
//! [`Rng`] is SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014):
//! a counter with an odd step and a mixing function with the constants of D. Stafford's variant 13. Each user
//! has an own generator seeded from (seed, purpose, user), so users can be produced in any order.

const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

/// Mixes 64 bits. A bijection: different inputs give different outputs.
pub(crate) fn mix64(value: u64) -> u64 {
    let mut bits = value;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// Derives the seed of an independent stream.
pub(crate) fn derive(seed: u64, purpose: u64, index: u64) -> u64 {
    let purpose_key = mix64(seed.wrapping_add(purpose.wrapping_mul(STEP)));
    mix64(purpose_key ^ mix64(index.wrapping_add(STEP)))
}

/// A stream of random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Rng {
    state: u64,
}

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix64(self.state)
    }

    pub(crate) fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    /// Returns an index into a table of 256 slots.
    pub(crate) fn slot(&mut self) -> usize {
        (self.next_u64() >> 56) as usize
    }

    /// Returns a number in `0..bound`; 0 for a bound of 0. The bias is below `bound / 2^32`.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    /// Returns true in `numerator` of 256 cases.
    pub(crate) fn chance(&mut self, numerator: u64) -> bool {
        self.next_u64() >> 56 < numerator
    }

    /// Returns `scale * u / (1 - u)` for a uniform u, cut smoothly at `scale * cap`.
    ///
    /// A log-logistic variate of shape 1: its median is about `scale`, its tail falls like 1/x. It needs one integer
    /// division and no logarithm, whose last bit differs between platforms. `scale` is below 2^31, `cap` above 0.
    pub(crate) fn heavy_tail(&mut self, scale: u64, cap: u64) -> u64 {
        let uniform = u64::from(self.next_u32());
        let rest = (1_u64 << 32) - uniform;
        scale * uniform / (rest + (1_u64 << 32) / cap)
    }
}

/// A seeded permutation of `0..size` that needs no table: a Feistel network over the next power of four, walked
/// until the value falls into the range (Black, Rogaway: Ciphers with arbitrary finite domains, CT-RSA 2002).
#[derive(Debug, Clone)]
pub(crate) struct Permutation {
    size: u64,
    half_bits: u32,
    keys: [u64; 4],
}

impl Permutation {
    pub(crate) fn new(size: u64, seed: u64) -> Self {
        let bits = u64::BITS - size.saturating_sub(1).leading_zeros();
        let mut rng = Rng::new(seed);
        Self { size, half_bits: bits.div_ceil(2).max(1), keys: [(); 4].map(|()| rng.next_u64()) }
    }

    /// Maps an index below the size; O(1) expected, at most four rounds of the network on average.
    pub(crate) fn apply(&self, index: u64) -> u64 {
        let mut value = self.encrypt(index);
        while value >= self.size {
            value = self.encrypt(value);
        }
        value
    }

    fn encrypt(&self, value: u64) -> u64 {
        let mask = (1_u64 << self.half_bits) - 1;
        let mut left = value >> self.half_bits;
        let mut right = value & mask;
        for key in self.keys {
            let next = left ^ (mix64(right ^ key) & mask);
            left = right;
            right = next;
        }
        (left << self.half_bits) | right
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// First outputs of SplitMix64 for the seed 1234567, as other implementations publish them.
    #[test]
    fn agrees_with_other_splitmix64() {
        let mut rng = Rng::new(1_234_567);
        assert_eq!(rng.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(rng.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn permutation_hits_every_value_once() {
        for size in [1_u64, 2, 3, 5, 16, 17, 1000, 4097] {
            let permutation = Permutation::new(size, 7);
            let mut seen: Vec<u64> = (0..size).map(|index| permutation.apply(index)).collect();
            seen.sort_unstable();
            assert_eq!(seen, (0..size).collect::<Vec<u64>>());
        }
    }

    #[test]
    fn heavy_tail_has_its_median_and_its_limit() {
        let mut rng = Rng::new(3);
        let mut values: Vec<u64> = (0..10_001).map(|_| rng.heavy_tail(1000, 64)).collect();
        values.sort_unstable();
        assert!((900..1100).contains(&values[5000]), "{}", values[5000]);
        assert!(values[10_000] <= 64_000);
    }
}
