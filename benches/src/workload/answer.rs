//! Answers of different engines to one question, and whether they are the same.

use std::cmp::Ordering;
use std::fmt::Write as _;

use serde_json::Value;

/// Sums of floating-point numbers may differ by this much: engines add in different orders.
const ABSOLUTE_TOLERANCE: f64 = 0.02;
/// And by this share of the value.
const RELATIVE_TOLERANCE: f64 = 1e-7;

/// One value of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// NULL.
    Null,
    /// A text, a day, a truth value.
    Text(String),
    /// A count.
    Integer(i64),
    /// Money, weights.
    Float(f64),
}

/// The rows of an answer, in an order that does not depend on the engine.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    rows: Vec<Vec<Cell>>,
}

impl Answer {
    /// Sorts `rows`: first by what compares exactly.
    pub fn new(mut rows: Vec<Vec<Cell>>) -> Self {
        rows.sort_by(|a, b| compare(a, b));
        Self { rows }
    }

    /// From rows as measuring processes print them.
    pub fn from_json(rows: &[Vec<Value>]) -> Self {
        Self::new(rows.iter().map(|row| row.iter().map(Cell::from_json).collect()).collect())
    }

    /// From a file of known answers: a header line, then values without quotes.
    pub fn from_csv(text: &str) -> Self {
        let rows = text.lines().skip(1).filter(|line| !line.is_empty());
        Self::new(rows.map(|line| line.split(',').map(Cell::from_text).collect()).collect())
    }

    /// The first difference from `other` in words; `None` if the two are the same: counts exactly, sums of money
    /// within the tolerance.
    pub fn difference(&self, other: &Self) -> Option<String> {
        if self.rows.len() != other.rows.len() {
            return Some(format!("{} rows, not {}", self.rows.len(), other.rows.len()));
        }
        let differs = |(a, b): &(&Vec<Cell>, &Vec<Cell>)| {
            a.len() != b.len() || a.iter().zip(b.iter()).any(|(a, b)| !a.same(b))
        };
        let (found, wanted) = self.rows.iter().zip(&other.rows).find(differs)?;
        Some(format!("{}, not {}", text(found), text(wanted)))
    }
}

impl Cell {
    fn from_json(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::String(text) => Self::Text(text.clone()),
            Value::Number(number) => match (number.as_i64(), number.as_f64()) {
                (Some(integer), _) => Self::Integer(integer),
                (None, Some(float)) => Self::Float(float),
                (None, None) => Self::Text(number.to_string()),
            },
            other => Self::Text(other.to_string()),
        }
    }

    fn from_text(text: &str) -> Self {
        if let Ok(integer) = text.parse() {
            return Self::Integer(integer);
        }
        match text.parse::<f64>() {
            Ok(float) if float.is_finite() => Self::Float(float),
            _ => Self::Text(text.to_owned()),
        }
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Integer(integer) => Some(*integer as f64),
            Self::Float(float) => Some(*float),
            Self::Null | Self::Text(_) => None,
        }
    }

    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a == b,
            (Self::Float(_), _) | (_, Self::Float(_)) => match (self.number(), other.number()) {
                (Some(a), Some(b)) => (a - b).abs() <= ABSOLUTE_TOLERANCE + RELATIVE_TOLERANCE * b.abs(),
                _ => false,
            },
            _ => self == other,
        }
    }
}

/// By the texts of a row, then by its numbers: a sum that differs a little must not change the order.
fn compare(a: &[Cell], b: &[Cell]) -> Ordering {
    let texts = |row: &[Cell]| -> Vec<Option<String>> {
        row.iter()
            .map(|cell| match cell {
                Cell::Text(text) => Some(text.clone()),
                _ => None,
            })
            .collect()
    };
    let numbers = |row: &[Cell]| -> Vec<f64> { row.iter().filter_map(Cell::number).collect() };
    texts(a).cmp(&texts(b)).then_with(|| {
        let (a, b) = (numbers(a), numbers(b));
        a.iter()
            .zip(&b)
            .map(|(a, b)| a.total_cmp(b))
            .find(|order| order.is_ne())
            .unwrap_or_else(|| a.len().cmp(&b.len()))
    })
}

fn text(row: &[Cell]) -> String {
    let mut text = String::from("(");
    for (index, cell) in row.iter().enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = match cell {
            Cell::Null => write!(text, "{separator}NULL"),
            Cell::Text(value) => write!(text, "{separator}{value}"),
            Cell::Integer(value) => write!(text, "{separator}{value}"),
            Cell::Float(value) => write!(text, "{separator}{value}"),
        };
    }
    text + ")"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(rows: &[Value]) -> Answer {
        Answer::from_json(&rows.iter().map(|row| row.as_array().unwrap().clone()).collect::<Vec<_>>())
    }

    #[test]
    fn the_order_of_rows_does_not_matter() {
        let a = answer(&[json!(["b", 2]), json!(["a", 10]), json!(["a", 9])]);
        let b = answer(&[json!(["a", 9]), json!(["a", 10]), json!(["b", 2])]);
        assert_eq!(a.difference(&b), None);
    }

    #[test]
    fn counts_are_exact_and_money_is_not() {
        let money = |value: f64| answer(&[json!(["email", value])]);
        assert_eq!(money(10.0).difference(&money(10.02)), None);
        assert!(money(10.0).difference(&money(10.03)).is_some());
        assert_eq!(money(1e9).difference(&money(1e9 + 99.0)), None);
        let counts = answer(&[json!([1, 100_000_000])]);
        let text = counts.difference(&answer(&[json!([1, 100_000_001])])).unwrap();
        assert_eq!(text, "(1, 100000000), not (1, 100000001)");
    }

    #[test]
    fn a_whole_sum_of_money_may_come_as_an_integer() {
        assert_eq!(answer(&[json!(["a", 3])]).difference(&answer(&[json!(["a", 3.01])])), None);
    }

    #[test]
    fn rows_that_are_missing_or_longer_differ() {
        let one = answer(&[json!(["a"])]);
        assert_eq!(one.difference(&answer(&[])), Some("1 rows, not 0".to_owned()));
        assert!(one.difference(&answer(&[json!(["a", 1])])).is_some());
        assert!(one.difference(&answer(&[json!([null])])).is_some());
        assert!(answer(&[json!([1.0])]).difference(&answer(&[json!([null])])).is_some());
    }

    #[test]
    fn known_answers_are_read() {
        let known = Answer::from_csv("channel,revenue,orders\n(none),786542.94,12\nemail,3.1,0\n");
        assert_eq!(
            known.difference(&answer(&[json!(["email", 3.1, 0]), json!(["(none)", 786_542.95, 12])])),
            None
        );
        // A person without events has neither a first nor a last one.
        assert_eq!(
            Answer::from_csv("user,n,min\nu1,0,\n").difference(&answer(&[json!(["u1", 0, ""])])),
            None
        );
    }
}
