//! Parquet's hybrid of run lengths and bit-packed groups, for definition levels and places in dictionaries.

/// Values of a bit-packed group; repeats of at least so many become a run.
const GROUP: usize = 8;

/// The bits that the numbers from 0 to `largest` need; at least one.
pub(super) fn bits_for(largest: u32) -> u8 {
    (u32::BITS - largest.leading_zeros()).max(1) as u8
}

/// Appends `values`, each of which fits into `bits` bits. The number of values is not kept. O(values).
pub(super) fn encode(values: &[u32], bits: u8, out: &mut Vec<u8>) {
    out.reserve(values.len() * usize::from(bits) / 8 + 16);
    // Where the groups begin that are not written yet.
    let mut packed = 0;
    let mut at = 0;
    while at < values.len() {
        let run = repeats(&values[at..]);
        if run < GROUP {
            at += GROUP;
            continue;
        }
        append_groups(&values[packed..at], bits, out);
        append_number((run as u64) << 1, out);
        out.extend_from_slice(&values[at].to_le_bytes()[..usize::from(bits.div_ceil(8))]);
        at += run;
        packed = at;
    }
    append_groups(&values[packed.min(values.len())..], bits, out);
}

/// How often the first value stands at the start.
fn repeats(values: &[u32]) -> usize {
    let Some(first) = values.first() else { return 0 };
    values.iter().position(|value| value != first).unwrap_or(values.len())
}

/// Appends bit-packed groups; the last one is filled up with zeros.
fn append_groups(values: &[u32], bits: u8, out: &mut Vec<u8>) {
    if values.is_empty() {
        return;
    }
    append_number((values.len().div_ceil(GROUP) as u64) << 1 | 1, out);
    let (groups, rest) = values.as_chunks::<GROUP>();
    for group in groups {
        append_group(group, bits, out);
    }
    if !rest.is_empty() {
        let mut last = [0; GROUP];
        last[..rest.len()].copy_from_slice(rest);
        append_group(&last, bits, out);
    }
}

fn append_group(group: &[u32; GROUP], bits: u8, out: &mut Vec<u8>) {
    let (mut word, mut filled) = (0_u64, 0_u32);
    for value in group {
        word |= u64::from(*value) << filled;
        filled += u32::from(bits);
        if filled >= u32::BITS {
            out.extend_from_slice(&(word as u32).to_le_bytes());
            word >>= u32::BITS;
            filled -= u32::BITS;
        }
    }
    // Eight values end at a byte.
    out.extend_from_slice(&word.to_le_bytes()[..(filled / 8) as usize]);
}

/// A number in groups of seven bits, the lowest first.
fn append_number(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The definition of the format, value by value and bit by bit.
    fn decode(mut bytes: &[u8], bits: u8, count: usize) -> Vec<u32> {
        let mut values = Vec::new();
        while values.len() < count {
            let (mut header, mut shift) = (0_u64, 0);
            loop {
                let (byte, rest) = bytes.split_first().expect("header");
                bytes = rest;
                header |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    break;
                }
            }
            if header & 1 == 0 {
                let width = usize::from(bits).div_ceil(8);
                let mut value = [0; 4];
                value[..width].copy_from_slice(&bytes[..width]);
                bytes = &bytes[width..];
                values.extend((0..header >> 1).map(|_| u32::from_le_bytes(value)));
            } else {
                let groups = (header >> 1) as usize;
                let bit = |at: usize| u32::from(bytes[at / 8] >> (at % 8) & 1);
                let width = usize::from(bits);
                for at in 0..groups * GROUP {
                    values.push((0..width).map(|b| bit(at * width + b) << b).sum());
                }
                bytes = &bytes[groups * width..];
            }
        }
        assert!(bytes.is_empty());
        values.truncate(count);
        values
    }

    #[test]
    fn known_bytes() {
        // The example of the format's description: 0 to 7 in three bits.
        let mut out = Vec::new();
        encode(&[0, 1, 2, 3, 4, 5, 6, 7], 3, &mut out);
        assert_eq!(out, [0b11, 0b1000_1000, 0b1100_0110, 0b1111_1010]);
        out.clear();
        encode(&[1; 100], 1, &mut out);
        assert_eq!(out, [200, 1, 1]);
        assert_eq!([0, 1, 2, 255, 256, u32::MAX].map(bits_for), [1, 1, 2, 8, 9, 32]);
    }

    proptest! {
        #[test]
        fn values_come_back(
            runs in prop::collection::vec((any::<u32>(), prop_oneof![1..3_usize, 1..40_usize]), 0..40),
            bits in 1_u8..=32,
        ) {
            let values: Vec<u32> = runs
                .iter()
                .flat_map(|(value, length)| std::iter::repeat_n(value >> (32 - bits), *length))
                .collect();
            let mut out = Vec::new();
            encode(&values, bits, &mut out);
            prop_assert_eq!(decode(&out, bits, values.len()), values);
        }
    }
}
