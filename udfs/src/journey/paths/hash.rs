//! A fast hasher for small keys of numbers that nobody chooses to collide.

use std::hash::{BuildHasherDefault, Hasher};

/// Multiplies to twice the width and folds both halves, as wyhash does.
#[derive(Debug, Default, Clone, Copy)]
pub struct NumberHasher(u64);

/// What a map with such keys is built with.
pub type BuildNumberHasher = BuildHasherDefault<NumberHasher>;

impl NumberHasher {
    fn mix(&mut self, number: u64) {
        // Bits without a pattern: those of pi and of the golden ratio.
        let product =
            u128::from((self.0 ^ number).wrapping_add(0x243f_6a88_85a3_08d3)) * 0x9e37_79b9_7f4a_7c15;
        self.0 = product as u64 ^ (product >> 64) as u64;
    }
}

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.mix(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.mix(number);
    }

    fn write_usize(&mut self, number: usize) {
        self.mix(number as u64);
    }
}
