//! `to_char(number, template)` with PostgreSQL's templates: `FM9,999.00`, `S999`, `RN`.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type};
use datafusion::common::Result;

use crate::error::{SqlError, sqlstate};

/// Width of a Roman numeral that is filled up.
const ROMAN_WIDTH: usize = 15;

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// `9`, or `0` which is filled with zeros.
    Digit {
        zero: bool,
    },
    Point,
    Group,
    /// `S`: the sign where it stands, next to the number in front of it.
    Sign,
    /// `MI`
    Minus,
    /// `PL`
    Plus,
    /// `SG`
    Either,
    /// `PR`
    Brackets,
    Literal(String),
}

/// A template, read once for many numbers.
#[derive(Debug, Clone)]
pub(super) struct NumberTemplate {
    pieces: Vec<Piece>,
    /// `FM`: no blanks and no zeros at the end.
    fill: bool,
    roman: Option<bool>,
    whole: usize,
    fraction: usize,
}

/// A number in digits.
struct Digits {
    negative: bool,
    /// Without leading zeros.
    whole: String,
    fraction: String,
}

impl Digits {
    fn is_zero(&self) -> bool {
        self.whole.is_empty() && self.fraction.bytes().all(|digit| digit == b'0')
    }
}

impl NumberTemplate {
    /// Reads a template.
    ///
    /// # Errors
    /// 42601 for one that cannot be, 0A000 for patterns that are not supported: `EEEE`, `V`, `TH`, `L`.
    pub(super) fn new(text: &str) -> Result<Self> {
        let mut template = Self { pieces: Vec::new(), fill: false, roman: None, whole: 0, fraction: 0 };
        let mut rest = text;
        let mut behind_point = false;
        while !rest.is_empty() {
            let (piece, length) = template.next(rest)?;
            match &piece {
                Some(Piece::Digit { .. }) if behind_point => template.fraction += 1,
                Some(Piece::Digit { .. }) => template.whole += 1,
                Some(Piece::Point) if behind_point => {
                    return Err(SqlError::new(sqlstate::SYNTAX_ERROR, "multiple decimal points").into());
                }
                Some(Piece::Point) => behind_point = true,
                _ => {}
            }
            template.pieces.extend(piece);
            rest = &rest[length..];
        }
        Ok(template)
    }

    /// The piece at the start of `rest`, if it is none for the whole template, and its length.
    fn next(&mut self, rest: &str) -> Result<(Option<Piece>, usize)> {
        let upper: String = rest.chars().take(4).collect::<String>().to_ascii_uppercase();
        for refused in ["EEEE", "TH", "V", "L"] {
            if upper.starts_with(refused) {
                let message = format!("to_char: the pattern \"{refused}\" is not supported");
                return Err(SqlError::new(sqlstate::FEATURE_NOT_SUPPORTED, message).into());
            }
        }
        let long =
            [("MI", Piece::Minus), ("PL", Piece::Plus), ("SG", Piece::Either), ("PR", Piece::Brackets)];
        if let Some((_, piece)) = long.into_iter().find(|(name, _)| upper.starts_with(name)) {
            return Ok((Some(piece), 2));
        }
        if upper.starts_with("FM") {
            self.fill = true;
            return Ok((None, 2));
        }
        if upper.starts_with("RN") {
            self.roman = Some(rest.starts_with('R'));
            return Ok((None, 2));
        }
        let first = rest.chars().next().unwrap_or_default();
        Ok(match first {
            '9' => (Some(Piece::Digit { zero: false }), 1),
            '0' => (Some(Piece::Digit { zero: true }), 1),
            '.' | 'D' | 'd' => (Some(Piece::Point), 1),
            ',' | 'G' | 'g' => (Some(Piece::Group), 1),
            'S' | 's' => (Some(Piece::Sign), 1),
            '"' => {
                let inner = &rest[1..];
                let end = inner.find('"').unwrap_or(inner.len());
                let length = (end + 2).min(rest.len());
                (Some(Piece::Literal(inner[..end].to_owned())), length)
            }
            other => (Some(Piece::Literal(other.to_string())), other.len_utf8()),
        })
    }

    /// The text of each number of `values`.
    ///
    /// # Errors
    /// A type that is no number.
    pub(super) fn text(&self, values: &ArrayRef, row: usize) -> Result<Option<String>> {
        if values.is_null(row) {
            return Ok(None);
        }
        let digits = match values.data_type() {
            DataType::Decimal128(_, scale) => {
                of_decimal(values.as_primitive::<Decimal128Type>().value(row), *scale, self.fraction)
            }
            DataType::Float64 => {
                of_text(&format!("{:.*}", self.fraction, values.as_primitive::<Float64Type>().value(row)))
            }
            other => {
                let message = format!("to_char: {other} is no number");
                return Err(SqlError::new(sqlstate::DATATYPE_MISMATCH, message).into());
            }
        };
        Ok(Some(match self.roman {
            Some(upper) => self.roman(&digits, upper),
            None => self.written(&digits),
        }))
    }

    fn roman(&self, digits: &Digits, upper: bool) -> String {
        let number: usize = digits.whole.parse().unwrap_or(0);
        if digits.negative || !(1..4_000).contains(&number) {
            return "#".repeat(ROMAN_WIDTH);
        }
        const STEPS: [(usize, &str); 13] = [
            (1_000, "M"),
            (900, "CM"),
            (500, "D"),
            (400, "CD"),
            (100, "C"),
            (90, "XC"),
            (50, "L"),
            (40, "XL"),
            (10, "X"),
            (9, "IX"),
            (5, "V"),
            (4, "IV"),
            (1, "I"),
        ];
        let mut left = number;
        let mut text = String::new();
        for (value, letters) in STEPS {
            while left >= value {
                text.push_str(letters);
                left -= value;
            }
        }
        let text = if upper { text } else { text.to_lowercase() };
        if self.fill { text } else { format!("{text:>ROMAN_WIDTH$}") }
    }

    fn written(&self, digits: &Digits) -> String {
        let overflows = digits.whole.len() > self.whole;
        // A zero before the point shows only where nothing else would, or a `0` asks for it.
        let mut whole = digits.whole.clone();
        if whole.is_empty() && !self.pieces.contains(&Piece::Point) {
            whole.push('0');
        }
        let missing = self.whole.saturating_sub(whole.len());
        let own_sign = self.pieces.iter().any(|piece| {
            matches!(piece, Piece::Sign | Piece::Minus | Piece::Plus | Piece::Either | Piece::Brackets)
        });
        let leading_sign =
            matches!(self.pieces.iter().find(|piece| !matches!(piece, Piece::Literal(_))), Some(Piece::Sign));
        let brackets = self.pieces.contains(&Piece::Brackets);
        let sign = match (digits.negative, brackets) {
            (true, true) => "<",
            (true, false) => "-",
            (false, _) if leading_sign => "+",
            (false, _) => " ",
        };
        // The sign in front of the number, which stands next to its first digit.
        let mut front = match (own_sign, brackets || leading_sign) {
            (false, _) | (true, true) => Some(sign),
            (true, false) => None,
        };
        if self.fill && front == Some(" ") {
            front = None;
        }
        let last_zero = self.last_zero();
        let mut out = String::new();
        let (mut place, mut decimal, mut zeros, mut behind_point) = (0, 0, false, false);
        for (index, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Digit { zero } if !behind_point => {
                    zeros |= *zero;
                    let digit = if overflows {
                        Some('#')
                    } else if place >= missing {
                        whole[place - missing..].chars().next()
                    } else {
                        zeros.then_some('0')
                    };
                    place += 1;
                    match digit {
                        Some(digit) => {
                            out.push_str(front.take().unwrap_or_default());
                            out.push(digit);
                        }
                        None if !self.fill => out.push(' '),
                        None => {}
                    }
                }
                Piece::Digit { .. } => {
                    let rest = &digits.fraction[decimal.min(digits.fraction.len())..];
                    let ends = self.fill && index > last_zero && rest.bytes().all(|digit| digit == b'0');
                    if overflows {
                        out.push('#');
                    } else if !ends {
                        out.push(rest.chars().next().unwrap_or('0'));
                    }
                    decimal += 1;
                }
                Piece::Point => {
                    out.push_str(front.take().unwrap_or_default());
                    out.push('.');
                    behind_point = true;
                }
                Piece::Group => {
                    let begun = place > missing || zeros || overflows;
                    match begun {
                        true => out.push(','),
                        false if !self.fill => out.push(' '),
                        false => {}
                    }
                }
                Piece::Sign if leading_sign && index == self.first_sign() => {}
                Piece::Sign | Piece::Either => out.push(if digits.negative { '-' } else { '+' }),
                Piece::Minus if digits.negative => out.push('-'),
                Piece::Plus if !digits.negative => out.push('+'),
                Piece::Minus | Piece::Plus if !self.fill => out.push(' '),
                Piece::Minus | Piece::Plus => {}
                Piece::Brackets if digits.negative => out.push('>'),
                Piece::Brackets if !self.fill => out.push(' '),
                Piece::Brackets => {}
                Piece::Literal(text) => out.push_str(text),
            }
        }
        out
    }

    fn first_sign(&self) -> usize {
        self.pieces.iter().position(|piece| *piece == Piece::Sign).unwrap_or(0)
    }

    /// The last `0` behind the point, or the point.
    fn last_zero(&self) -> usize {
        let last =
            self.pieces.iter().rposition(|piece| matches!(piece, Piece::Point | Piece::Digit { zero: true }));
        last.unwrap_or(0)
    }
}

/// Rounded to `places`, from the middle away from zero.
fn of_decimal(value: i128, scale: i8, places: usize) -> Digits {
    let scale = usize::try_from(scale).unwrap_or(0);
    let mut magnitude = value.unsigned_abs();
    let mut text_scale = scale;
    if scale > places {
        let unit =
            10_u128.checked_pow(u32::try_from(scale - places).unwrap_or(u32::MAX)).unwrap_or(u128::MAX);
        magnitude = magnitude / unit + u128::from(magnitude % unit >= unit.div_ceil(2));
        text_scale = places;
    }
    let digits = format!("{magnitude:0>width$}", width = text_scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - text_scale);
    let mut found = of_text(&format!("{whole}.{fraction}"));
    found.negative = value < 0 && !found.is_zero();
    found
}

fn of_text(text: &str) -> Digits {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut found = Digits {
        negative: false,
        whole: whole.trim_start_matches('-').trim_start_matches('0').to_owned(),
        fraction: fraction.to_owned(),
    };
    found.negative = text.starts_with('-') && !found.is_zero();
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Decimal128Array, Float64Array};

    use super::*;

    fn text(value: i128, scale: i8, template: &str) -> String {
        let values = Decimal128Array::from(vec![value]).with_precision_and_scale(38, scale).unwrap();
        let values: ArrayRef = Arc::new(values);
        NumberTemplate::new(template).unwrap().text(&values, 0).unwrap().unwrap()
    }

    // What PostgreSQL 15 answers.
    #[test]
    fn numbers_by_template() {
        for (value, scale, template, expected) in [
            (12345, 1, "FM9,999.00", "1,234.50"),
            (12, 0, "999", "  12"),
            (-123, 1, "9990.00", "  -12.30"),
            (5, 1, "0.99", " 0.50"),
            (5, 1, "9.99", "  .50"),
            (1_234_567, 0, "9G999G999", " 1,234,567"),
            (12, 0, "9,999", "    12"),
            (12, 0, "000", " 012"),
            (12_345, 3, "FM999.999", "12.345"),
            (123, 1, "FM999.999", "12.3"),
            (12, 0, "FM999.999", "12."),
            (12, 0, "FM999.990", "12.000"),
            (12, 0, "S999", " +12"),
            (-12, 0, "999S", " 12-"),
            (-12, 0, "MI999", "- 12"),
            (12, 0, "999MI", " 12 "),
            (-12, 0, "999PR", " <12>"),
            (12, 0, "999PR", "  12 "),
            (1_234, 0, "999", " ###"),
            (0, 0, "999", "   0"),
            (1_255, 1, "999", " 126"),
            (-12, 0, "0000", "-0012"),
            (-1, 2, "9.9", "  .0"),
            (12, 0, "$999", "$  12"),
            (485, 0, "RN", "        CDLXXXV"),
            (485, 0, "FMRN", "CDLXXXV"),
            (12, 0, "999\" units\"", "  12 units"),
        ] {
            assert_eq!(text(value, scale, template), expected, "{template}");
        }
        let values: ArrayRef = Arc::new(Float64Array::from(vec![-0.5]));
        let found = NumberTemplate::new("990.9").unwrap().text(&values, 0).unwrap();
        assert_eq!(found.as_deref(), Some("  -0.5"));
        assert!(NumberTemplate::new("9.9EEEE").is_err() && NumberTemplate::new("9.9.9").is_err());
    }
}
