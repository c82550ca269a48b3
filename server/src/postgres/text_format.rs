//! `format(template, ...)`: `%s`, `%I`, `%L`, with positions and widths.

use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ScalarUDF, Volatility};

use super::strings::{as_text, quoted};
use crate::catalog::row_function::{RowFunction, returns, text};
use crate::error::{SqlError, sqlstate};

/// Most arguments, the template among them.
const MAX_ARGUMENTS: usize = 64;
/// Widest field.
const MAX_WIDTH: usize = 10_000;

pub(super) fn all() -> Vec<ScalarUDF> {
    let counts: Vec<usize> = (1..=MAX_ARGUMENTS).collect();
    let result = returns(arrow::datatypes::DataType::Utf8);
    vec![RowFunction::udf("format", &counts, result, Volatility::Immutable, |arguments| {
        let Some((template, values)) = arguments.split_first() else { return Ok(ScalarValue::Null) };
        match as_text(template)? {
            Some(template) => Ok(text(formatted(&template, values)?)),
            None => Ok(ScalarValue::Null),
        }
    })]
}

fn formatted(template: &str, values: &[ScalarValue]) -> Result<String> {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    let mut next = 0;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('%') {
            out.push('%');
            rest = behind;
            continue;
        }
        let (number, behind) = digits(rest);
        let mut width = None;
        if let (Some(number), Some(behind)) = (number, behind.strip_prefix('$')) {
            if number == 0 {
                return Err(invalid("format specifies argument 0, but arguments are numbered from 1"));
            }
            next = number - 1;
            rest = behind;
        }
        let left = rest.starts_with('-');
        rest = rest.strip_prefix('-').unwrap_or(rest);
        let (number, behind) = digits(rest);
        if number.is_some() {
            width = number;
            rest = behind;
        } else if let Some(behind) = rest.strip_prefix('*') {
            let value = values.get(next).ok_or_else(too_few)?;
            width = as_text(value)?.and_then(|width| width.parse().ok());
            next += 1;
            rest = behind;
        }
        let Some(kind) = rest.chars().next() else {
            return Err(invalid("unterminated format() type specifier"));
        };
        rest = &rest[kind.len_utf8()..];
        if !matches!(kind, 's' | 'I' | 'L') {
            return Err(invalid(&format!("unrecognized format() type specifier \"{kind}\"")));
        }
        let value = as_text(values.get(next).ok_or_else(too_few)?)?;
        next += 1;
        let shown = match (kind, value) {
            ('s', value) => value.unwrap_or_default(),
            ('L', Some(value)) => quoted(&value),
            ('L', None) => "NULL".to_owned(),
            (_, Some(value)) => identifier(&value),
            (_, None) => {
                let message = "null values cannot be formatted as an SQL identifier";
                return Err(SqlError::new("22004", message).into());
            }
        };
        let width = width.unwrap_or(0);
        if width > MAX_WIDTH {
            return Err(invalid(&format!("a field of format() has at most {MAX_WIDTH} characters")));
        }
        match left {
            true => out.push_str(&format!("{shown:<width$}")),
            false => out.push_str(&format!("{shown:>width$}")),
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// The number at the start of `text`, and what is behind it.
fn digits(text: &str) -> (Option<usize>, &str) {
    let end = text.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    (text[..end].parse().ok(), &text[end..])
}

/// `name` as an identifier, in quotes where it needs them.
fn identifier(name: &str) -> String {
    let is_plain = name.chars().enumerate().all(|(index, c)| {
        c.is_ascii_lowercase() || c == '_' || (index > 0 && (c.is_ascii_digit() || c == '$'))
    });
    let is_word = datafusion::sql::sqlparser::keywords::ALL_KEYWORDS
        .binary_search(&name.to_ascii_uppercase().as_str())
        .is_ok();
    if is_plain && !name.is_empty() && !is_word {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

fn too_few() -> datafusion::common::DataFusionError {
    invalid("too few arguments for format()")
}

fn invalid(message: &str) -> datafusion::common::DataFusionError {
    SqlError::new(sqlstate::INVALID_PARAMETER_VALUE, message).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    // What PostgreSQL 15 answers.
    #[test]
    fn templates_are_filled() {
        let values = [text("1"), text("A b"), text("it's"), ScalarValue::Utf8(None)];
        for (template, expected) in [
            ("%s-%I-%L", "1-\"A b\"-'it''s'"),
            ("%2$s %1$s %%", "A b 1 %"),
            ("%5s|%-5s|", "    1|A b  |"),
            ("%4$L %4$s.", "NULL ."),
            ("none", "none"),
        ] {
            assert_eq!(formatted(template, &values).unwrap(), expected, "{template}");
        }
        for wrong in ["%", "%x", "%5$s", "%0$s", "%4$I"] {
            assert!(formatted(wrong, &values).is_err(), "{wrong}");
        }
    }
}
