//! Conversations that go wrong somewhere.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, RngCore};

use super::client::{message, scram_first, start_up};

/// What clients say before they are logged in.
pub fn before_login(random: &mut StdRng) -> Vec<u8> {
    let request = |code: u32| [8_u32.to_be_bytes(), code.to_be_bytes()].concat();
    let messages = [
        request(80_877_103),
        request(80_877_104),
        [&16_u32.to_be_bytes()[..], &80_877_102_u32.to_be_bytes(), &random.next_u32().to_be_bytes(), &[0; 4]]
            .concat(),
        start_up("reader"),
        start_up("nobody"),
        scram_first("abcdefghijklmnop"),
        message(b'p', b"c=biws,r=abcdefghijklmnop,p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        message(b'p', b"password\0"),
        message(b'Q', b"SELECT 1\0"),
        message(b'X', b""),
    ];
    let start = *[3, 3, 3, 0, 4, 2].choose(random).unwrap();
    mutate(random, &messages, Some(start))
}

/// What clients say after it.
pub fn after_login(random: &mut StdRng) -> Vec<u8> {
    let parse =
        |name: &str, sql: &str| message(b'P', format!("{name}\0{sql}\0\0\u{1}\0\0\0\u{17}").as_bytes());
    let messages = [
        message(b'Q', b"SELECT 1; SELECT 'two' AS b\0"),
        message(b'Q', b"BEGIN; SELECT nope\0"),
        message(b'Q', b"\0"),
        parse("", "SELECT $1 + 1"),
        parse("s1", "SELECT * FROM generate_series(1, $1)"),
        message(b'B', b"\0\0\0\x01\0\0\0\x01\0\0\0\x011\0\0"),
        message(b'B', b"p1\0s1\0\0\x01\0\x01\0\x01\0\0\0\x04\0\0\0\x05\0\x01\0\x01"),
        message(b'D', b"P\0"),
        message(b'D', b"Ss1\0"),
        message(b'E', b"\0\0\0\0\0"),
        message(b'E', b"p1\0\0\0\0\x02"),
        message(b'C', b"Ss1\0"),
        message(b'C', b"Pp1\0"),
        message(b'H', b""),
        message(b'S', b""),
        message(b'd', b"1\t2\n"),
        message(b'c', b""),
        message(b'f', b"no\0"),
        message(b'F', b"\0\0\0\0\0\0\0\0\0\0\0\0"),
        message(b'p', b"password\0"),
    ];
    mutate(random, &messages, None)
}

/// Some of `messages`, `first` before the others, with up to four mistakes.
fn mutate(random: &mut StdRng, messages: &[Vec<u8>], first: Option<usize>) -> Vec<u8> {
    let mut conversation: Vec<Vec<u8>> = first.iter().map(|first| messages[*first].clone()).collect();
    for _ in 0..random.random_range(1..6) {
        conversation.push(messages.choose(random).unwrap().clone());
    }
    let mut bytes = conversation.concat();
    for _ in 0..random.random_range(0..5) {
        if bytes.is_empty() {
            break;
        }
        let at = random.random_range(0..bytes.len());
        match random.random_range(0..7) {
            0 => bytes[at] = random.random(),
            1 => bytes[at] ^= 1 << random.random_range(0..8),
            2 => bytes.truncate(at),
            3 => bytes.insert(at, random.random()),
            4 => drop(bytes.drain(at..(at + random.random_range(1..9)).min(bytes.len()))),
            5 => {
                // A length that is not true.
                let lie = *[0_u32, 1, 3, 4, 5, 0xff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]
                    .choose(random)
                    .unwrap();
                let end = (at + 4).min(bytes.len());
                bytes[at..end].copy_from_slice(&lie.to_be_bytes()[..end - at]);
            }
            _ => {
                let end = (at + random.random_range(1..200)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
        }
    }
    bytes
}
