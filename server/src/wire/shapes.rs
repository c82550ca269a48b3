//! The inside of a client's message, checked as its bytes come.
//!
//! The decoder of the library trusts the counts and lengths in a message and the zero behind a text: one that lies
//! makes it panic, or read on into the next message. Here each message is held to the parts that its type has, which
//! must end where the message ends. O(bytes) time, constant memory.

/// What stands in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// So many bytes.
    Bytes(usize),
    /// Up to a zero.
    Text,
    /// A count of two bytes, then so many entries of this many bytes.
    List(usize),
    /// A count of two bytes, then so many values, each behind its length; -1 is NULL.
    Values,
    /// The version of the protocol, then names with values up to an empty name.
    StartUp,
    /// Anything.
    Rest,
}

use Part::{Bytes, List, Rest, StartUp, Text, Values};

/// The parts of a message of `kind`; `None` for the first message, which has none.
fn parts(kind: Option<u8>) -> &'static [Part] {
    match kind {
        None => &[StartUp],
        Some(b'Q' | b'f') => &[Text],
        Some(b'P') => &[Text, Text, List(4)],
        Some(b'B') => &[Text, Text, List(2), Values, List(2)],
        Some(b'D' | b'C') => &[Bytes(1), Text],
        Some(b'E') => &[Text, Bytes(4)],
        Some(b'H' | b'S' | b'c') => &[],
        // Data of a copy and of log-ins, which are read by those who know them; what the decoder refuses by its type.
        Some(_) => &[Rest],
    }
}

/// The message does not hold what its type has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Misshapen;

/// How far the check of a message is.
#[derive(Debug)]
pub(crate) struct Shape {
    parts: std::slice::Iter<'static, Part>,
    step: Step,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    NextPart,
    Text,
    /// `begun`: whether the name or value has a byte already.
    Pairs {
        name: bool,
        begun: bool,
    },
    /// So many bytes, then so many values.
    Skip {
        bytes: usize,
        values: u32,
    },
    /// A number, of which so many bytes are missing.
    Number {
        missing: u8,
        number: u32,
        of: Number,
    },
    Rest,
}

#[derive(Debug, Clone, Copy)]
enum Number {
    /// Entries of this many bytes.
    Entries(usize),
    Values,
    /// Bytes of a value, with so many values behind it.
    Value(u32),
    Version,
}

impl Shape {
    /// The shape of a message of `kind`; `None` for the first message of a connection.
    pub(crate) fn new(kind: Option<u8>) -> Self {
        Self { parts: parts(kind).iter(), step: Step::NextPart }
    }

    /// Takes the next bytes of the message.
    ///
    /// # Errors
    /// They are not what should stand here.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) -> Result<(), Misshapen> {
        while let Some(first) = bytes.first() {
            match self.step {
                Step::NextPart => {
                    self.begin_part().ok_or(Misshapen)?;
                    continue;
                }
                Step::Rest => return Ok(()),
                Step::Text => match bytes.iter().position(|byte| *byte == 0) {
                    Some(end) => {
                        bytes = &bytes[end + 1..];
                        self.step = Step::NextPart;
                    }
                    None => return Ok(()),
                },
                Step::Pairs { name, begun } => {
                    self.step = match (*first, name, begun) {
                        (0, true, false) => Step::NextPart,
                        (0, ..) => Step::Pairs { name: !name, begun: false },
                        _ => Step::Pairs { name, begun: true },
                    };
                    bytes = &bytes[1..];
                }
                Step::Skip { bytes: 0, values } => self.step = after_value(values),
                Step::Skip { bytes: left, values } => {
                    let skipped = left.min(bytes.len());
                    bytes = &bytes[skipped..];
                    self.step = Step::Skip { bytes: left - skipped, values };
                }
                Step::Number { missing, number, of } => {
                    bytes = &bytes[1..];
                    let number = number << 8 | u32::from(*first);
                    self.step = match missing {
                        0 | 1 => counted(number, of)?,
                        _ => Step::Number { missing: missing - 1, number, of },
                    };
                }
            }
        }
        Ok(())
    }

    /// The message is over.
    ///
    /// # Errors
    /// Something is missing.
    pub(crate) fn end(mut self) -> Result<(), Misshapen> {
        loop {
            self.step = match self.step {
                Step::Rest => return Ok(()),
                Step::Skip { bytes: 0, values } => after_value(values),
                Step::NextPart => match self.parts.next() {
                    None | Some(Rest) => return Ok(()),
                    Some(_) => return Err(Misshapen),
                },
                _ => return Err(Misshapen),
            };
        }
    }

    /// `None` if there are no more parts.
    fn begin_part(&mut self) -> Option<()> {
        self.step = match *self.parts.next()? {
            Bytes(bytes) => Step::Skip { bytes, values: 0 },
            Text => Step::Text,
            List(width) => Step::Number { missing: 2, number: 0, of: Number::Entries(width) },
            Values => Step::Number { missing: 2, number: 0, of: Number::Values },
            StartUp => Step::Number { missing: 4, number: 0, of: Number::Version },
            Rest => Step::Rest,
        };
        Some(())
    }
}

/// What comes behind a number.
fn counted(number: u32, of: Number) -> Result<Step, Misshapen> {
    let count = usize::try_from(number).map_err(|_| Misshapen)?;
    Ok(match of {
        Number::Entries(width) => Step::Skip { bytes: count * width, values: 0 },
        Number::Values => Step::Skip { bytes: 0, values: number },
        Number::Value(values) if number == u32::MAX => Step::Skip { bytes: 0, values },
        Number::Value(_) if number > i32::MAX.unsigned_abs() => return Err(Misshapen),
        Number::Value(values) => Step::Skip { bytes: count, values },
        // Requests to cancel, and versions that are refused.
        Number::Version if number >> 16 != 3 => Step::Rest,
        Number::Version => Step::Pairs { name: true, begun: false },
    })
}

/// What comes behind a value.
fn after_value(values: u32) -> Step {
    match values.checked_sub(1) {
        Some(left) => Step::Number { missing: 4, number: 0, of: Number::Value(left) },
        None => Step::NextPart,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Checks `body`, given in pieces of `piece` bytes.
    fn check(kind: Option<u8>, body: &[u8], piece: usize) -> Result<(), Misshapen> {
        let mut shape = Shape::new(kind);
        body.chunks(piece).try_for_each(|part| shape.take(part))?;
        shape.end()
    }

    const GOOD: [(Option<u8>, &[u8]); 14] = [
        (None, b"\0\x03\0\0user\0ana\0database\0\0\0"),
        (None, b"\0\x03\0\0\0"),
        (None, b"\x04\xd2\x16\x2e\0\0\0\x07anything"),
        (Some(b'Q'), b"SELECT 1\0"),
        (Some(b'Q'), b"\0"),
        (Some(b'P'), b"s\0SELECT $1\0\0\x01\0\0\0\x17"),
        (Some(b'P'), b"\0\0\0\0"),
        (Some(b'B'), b"p\0s\0\0\x01\0\x01\0\x03\0\0\0\x02ab\xff\xff\xff\xff\0\0\0\0\0\x02\0\0\0\x01"),
        (Some(b'B'), b"\0\0\0\0\0\0\0\0"),
        (Some(b'D'), b"Ss1\0"),
        (Some(b'E'), b"p\0\0\0\0\x02"),
        (Some(b'S'), b""),
        (Some(b'd'), b"any \0 bytes"),
        (Some(b'X'), b""),
    ];

    #[test]
    fn what_clients_send_passes_however_it_is_cut_and_not_with_an_end_missing() {
        for (kind, body) in GOOD {
            for piece in 1..=body.len().max(1) {
                assert_eq!(check(kind, body, piece), Ok(()), "{kind:?} {body:?} {piece}");
            }
            let free = matches!(kind, Some(b'd' | b'X')) || body.starts_with(b"\x04");
            for end in 0..body.len() {
                assert_eq!(check(kind, &body[..end], 3).is_ok(), free && end >= 4 || kind == Some(b'd'));
            }
            let longer = [body, b"\0"].concat();
            assert_eq!(check(kind, &longer, 5).is_ok(), free, "{kind:?} {body:?}");
        }
    }

    #[test]
    fn lies_are_refused() {
        for (kind, body) in [
            (b'Q', &b"SELECT 1"[..]),
            (b'P', b"s\0SELECT $1\0\xff\xff\0\0\0\x17"),
            (b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe\0\0"),
            (b'B', b"\0\0\0\0\0\x01\0\0\0\x09ab\0\0"),
            (b'B', b"\0\0\x80\0\0\0\0\0"),
            (b'E', b"p\0\0\0\0"),
            (b'D', b""),
            (b'S', b"x"),
        ] {
            assert_eq!(check(Some(kind), body, 4), Err(Misshapen), "{} {body:?}", char::from(kind));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_one_answer_however_they_are_cut(
            kind in proptest::sample::select(vec![None, Some(b'Q'), Some(b'P'), Some(b'B'), Some(b'D'), Some(b'E')]),
            body in proptest::collection::vec(prop_oneof![3 => 0_u8..4, 1 => any::<u8>()], 0..40),
            piece in 1_usize..9,
        ) {
            prop_assert_eq!(check(kind, &body, piece), check(kind, &body, 1_000));
        }
    }
}
