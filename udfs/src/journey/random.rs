//! Random numbers from a seed: the same everywhere, for what is drawn and not for secrets.

/// SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Debug, Clone)]
pub struct Random {
    state: u64,
}

impl Random {
    /// Starts anew with a seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A whole number below `limit`, each with the same probability; 0 if `limit` is 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        if limit == 0 {
            return 0;
        }
        // Without the last, incomplete run of `limit` numbers.
        let most = u64::MAX - u64::MAX % limit;
        loop {
            let bits = self.bits();
            if bits < most {
                return bits % limit;
            }
        }
    }

    /// A number between 0 and 1, neither of them.
    pub fn unit(&mut self) -> f64 {
        ((self.bits() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// A number of the normal distribution (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// A number of the Gamma distribution with this shape; 0 for 0 (Marsaglia and Tsang 2000).
    pub fn gamma(&mut self, shape: u64) -> f64 {
        if shape == 0 {
            return 0.0;
        }
        let main = shape as f64 - 1.0 / 3.0;
        let spread = 1.0 / (9.0 * main).sqrt();
        loop {
            let normal = self.normal();
            let cube = (1.0 + spread * normal).powi(3);
            if cube > 0.0 && self.unit().ln() < 0.5 * normal * normal + main - main * cube + main * cube.ln()
            {
                return main * cube;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published results of the generator for seed 1234567.
    #[test]
    fn numbers_are_those_of_the_definition() {
        let mut random = Random::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(expected.map(|_| random.bits()), expected);
    }

    #[test]
    fn distributions_have_their_mean_and_variance() {
        let mut random = Random::new(1);
        let mut check = |draw: &mut dyn FnMut(&mut Random) -> f64, mean: f64, variance: f64| {
            let count = 40_000;
            let drawn: Vec<f64> = (0..count).map(|_| draw(&mut random)).collect();
            let found = drawn.iter().sum::<f64>() / f64::from(count);
            let spread = drawn.iter().map(|one| (one - found).powi(2)).sum::<f64>() / f64::from(count);
            assert!(
                (found - mean).abs() < 5.0 * (variance / f64::from(count)).sqrt(),
                "{found} is not {mean}"
            );
            assert!((spread / variance - 1.0).abs() < 0.1, "{spread} is not {variance}");
        };
        check(&mut Random::unit, 0.5, 1.0 / 12.0);
        check(&mut Random::normal, 0.0, 1.0);
        check(&mut |random| random.gamma(1), 1.0, 1.0);
        check(&mut |random| random.gamma(40), 40.0, 40.0);
        check(&mut |random| random.below(6) as f64, 2.5, 35.0 / 12.0);
        assert_eq!(random.gamma(0), 0.0);
        assert_eq!(random.below(0), 0);
    }
}
