//! `SIMILAR TO` as a match of a regular expression, which the engine takes its pattern for.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Value, ValueWithSpan};

/// `expr SIMILAR TO pattern` for a literal pattern; `None` for any other, or one that is none.
pub(super) fn rewritten(
    negated: bool,
    expr: &Expr,
    pattern: &Expr,
    escape: Option<&ValueWithSpan>,
) -> Option<Expr> {
    let Expr::Value(ValueWithSpan { value: Value::SingleQuotedString(pattern), .. }) = pattern else {
        return None;
    };
    let escape = match escape.map(|escape| &escape.value) {
        None => Some('\\'),
        Some(Value::SingleQuotedString(escape)) => {
            let mut characters = escape.chars();
            let first = characters.next();
            if characters.next().is_some() {
                return None;
            }
            first
        }
        Some(_) => return None,
    };
    let regex = Value::SingleQuotedString(regex(pattern, escape)?);
    let op = if negated { BinaryOperator::PGRegexNotMatch } else { BinaryOperator::PGRegexMatch };
    Some(Expr::Nested(Box::new(Expr::BinaryOp {
        left: Box::new(expr.clone()),
        op,
        right: Box::new(Expr::Value(regex.with_empty_span())),
    })))
}

/// The regular expression of a pattern; `None` if it ends with the escape character.
fn regex(pattern: &str, escape: Option<char>) -> Option<String> {
    // A dot matches the end of a line too.
    let mut out = String::from("(?s)^(?:");
    let mut in_brackets = false;
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if Some(character) == escape {
            let next = characters.next()?;
            if !next.is_alphanumeric() && next.is_ascii() {
                out.push('\\');
            }
            out.push(next);
        } else if in_brackets {
            if character == '\\' {
                out.push('\\');
            }
            out.push(character);
            in_brackets = character != ']';
        } else {
            match character {
                '%' => out.push_str(".*"),
                '_' => out.push('.'),
                '(' => out.push_str("(?:"),
                '[' => {
                    in_brackets = true;
                    out.push('[');
                }
                '.' | '^' | '$' | '\\' => {
                    out.push('\\');
                    out.push(character);
                }
                other => out.push(other),
            }
        }
    }
    out.push_str(")$");
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::regex;

    #[test]
    fn patterns_match_whole_texts() {
        for (pattern, expected) in [
            ("(a|x)%", "(?s)^(?:(?:a|x).*)$"),
            ("a_c", "(?s)^(?:a.c)$"),
            ("a.c", "(?s)^(?:a\\.c)$"),
            ("[a-c]+", "(?s)^(?:[a-c]+)$"),
            ("a\\%", "(?s)^(?:a\\%)$"),
        ] {
            assert_eq!(regex(pattern, Some('\\')).as_deref(), Some(expected), "{pattern}");
        }
        assert_eq!(regex("a\\", Some('\\')), None);
        assert_eq!(regex("a!%", Some('!')).as_deref(), Some("(?s)^(?:a\\%)$"));
    }
}
