//! Messages of the planner, in PostgreSQL's words.
//!
//! DataFusion says most of what is wrong with a statement as text only. Each pattern here is provoked by a statement of
//! `tests/it/wire/errors_of_postgres.tsv`; a text that no longer matches degrades to a more general SQLSTATE.

use pgwire::error::ErrorInfo;

use super::{between, error_info, sqlstate};
use crate::catalog::reg::sql_type_name;

/// What PostgreSQL says where an operator has no such types.
pub(crate) const OPERATOR_HINT: &str =
    "No operator matches the given name and argument types. You might need to add explicit type casts.";
/// The same of a function.
pub(crate) const FUNCTION_HINT: &str =
    "No function matches the given name and argument types. You might need to add explicit type casts.";

/// A type of the engine by its PostgreSQL name: `Utf8View` is `text`.
pub(super) fn type_name(arrow_type: &str) -> String {
    let arrow_type = arrow_type.trim();
    if let Some(element) = arrow_type.strip_prefix("List(").and_then(|rest| rest.strip_suffix(')')) {
        return format!("{}[]", type_name(element));
    }
    let name = match arrow_type {
        "Boolean" => "bool",
        "Int8" | "Int16" | "UInt8" => "int2",
        "Int32" | "UInt16" => "int4",
        "Int64" | "UInt32" => "int8",
        "UInt64" => "numeric",
        "Float16" | "Float32" => "float4",
        "Float64" => "float8",
        "Date32" | "Date64" => "date",
        "Utf8" | "LargeUtf8" | "Utf8View" => "text",
        "Null" => "unknown",
        "Binary" | "LargeBinary" | "BinaryView" => "bytea",
        other if other.starts_with("Decimal") => "numeric",
        other if other.starts_with("Timestamp") => {
            let has_zone = other.contains('"') || other.contains("Some(");
            if has_zone { "timestamptz" } else { "timestamp" }
        }
        other if other.starts_with("Time") => "time",
        other if other.starts_with("Interval") || other.starts_with("Duration") => "interval",
        other => other,
    };
    sql_type_name(name)
}

fn no_operator(left: &str, operator: &str, right: &str) -> ErrorInfo {
    let (left, right) = (type_name(left), type_name(right));
    let mut info = error_info(
        sqlstate::UNDEFINED_FUNCTION,
        format!("operator does not exist: {left} {operator} {right}"),
    );
    info.hint = Some(OPERATOR_HINT.to_owned());
    info
}

/// `Int64 + Utf8` cut at its operator, which stands between the only spaces outside of brackets.
fn operands(text: &str) -> Option<(&str, &str, &str)> {
    let mut depth = 0;
    let mut spaces = Vec::new();
    for (index, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ' ' if depth == 0 => spaces.push(index),
            _ => {}
        }
    }
    match spaces.as_slice() {
        [first, .., last] => Some((&text[..*first], text[first + 1..*last].trim(), &text[last + 1..])),
        _ => None,
    }
}

/// Maps the text of a plan error; `None` if it is none of those known.
pub(super) fn known(text: &str) -> Option<ErrorInfo> {
    operators(text).or_else(|| functions(text)).or_else(|| clauses(text)).or_else(|| grouping(text))
}

fn operators(text: &str) -> Option<ErrorInfo> {
    for (start, end) in [
        ("Cannot coerce arithmetic expression ", " to valid types"),
        ("Cannot infer common argument type for comparison operation ", ""),
        ("Cannot infer common string type for string concat operation ", ""),
        ("Cannot infer common argument type for regex operation ", ""),
    ] {
        if let Some(rest) = text.split_once(start).map(|(_, rest)| rest) {
            let rest =
                if end.is_empty() { rest } else { rest.split_once(end).map_or(rest, |(inner, _)| inner) };
            let (left, operator, right) = operands(rest.trim())?;
            return Some(no_operator(left, operator, right));
        }
    }
    if let Some(rest) = text.strip_prefix("Cannot infer common argument type for logical boolean operation ")
    {
        let (left, operator, right) = operands(rest)?;
        let wrong = if left == "Boolean" { right } else { left };
        return Some(not_boolean(operator, wrong));
    }
    if let Some(rest) = text.strip_prefix("Unary operator 'NOT' requires a boolean expression, got ") {
        return Some(not_boolean("NOT", rest));
    }
    if text.starts_with("Unary operator '-'") {
        return Some(error_info(sqlstate::UNDEFINED_FUNCTION, text));
    }
    if let Some(types) = between(text, "There isn't a common type to coerce ", " in LIKE expression") {
        let (left, right) = types.split_once(" and ")?;
        return Some(no_operator(left, "~~", right));
    }
    None
}

fn not_boolean(what: &str, arrow_type: &str) -> ErrorInfo {
    error_info(
        sqlstate::DATATYPE_MISMATCH,
        format!("argument of {what} must be type boolean, not type {}", type_name(arrow_type)),
    )
}

fn functions(text: &str) -> Option<ErrorInfo> {
    // No function matches the given name and argument types 'abs(Utf8View)'.
    let call = between(text, "No function matches the given name and argument types '", "'.")?;
    let (name, arguments) = call.split_once('(')?;
    let arguments = arguments.strip_suffix(')').unwrap_or(arguments);
    let types: Vec<String> =
        split_types(arguments).into_iter().filter(|one| !one.is_empty()).map(type_name).collect();
    let mut info = error_info(
        sqlstate::UNDEFINED_FUNCTION,
        format!("function {name}({}) does not exist", types.join(", ")),
    );
    info.hint = Some(FUNCTION_HINT.to_owned());
    Some(info)
}

/// Types at the commas outside of brackets.
fn split_types(list: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0, 0);
    for (index, character) in list.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(list[start..index].trim());
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(list[start..].trim());
    parts
}

fn clauses(text: &str) -> Option<ErrorInfo> {
    if let Some(found) = between(text, "non-boolean predicate '", "' returning ").map(|_| text) {
        let arrow_type = found.rsplit_once(" returning ").map_or("", |(_, rest)| rest);
        return Some(not_boolean("WHERE", arrow_type));
    }
    for operation in ["UNION", "INTERSECT", "EXCEPT"] {
        if text.starts_with(&format!("{operation} queries have different number of columns")) {
            return Some(error_info(
                sqlstate::SYNTAX_ERROR,
                format!("each {operation} query must have the same number of columns"),
            ));
        }
    }
    if let Some(rest) = text.strip_prefix("Incompatible inputs for Union: Previous inputs were of type ") {
        let (first, rest) = rest.split_once(", but got incompatible type ")?;
        let second = rest.split_once(" on column").map_or(rest, |(second, _)| second);
        return Some(error_info(
            sqlstate::DATATYPE_MISMATCH,
            format!("UNION types {} and {} cannot be matched", type_name(first), type_name(second)),
        ));
    }
    if text.starts_with("WITH query name ") {
        return Some(error_info("42712", text));
    }
    if let Some(name) = text.strip_prefix("Invalid qualifier ") {
        return Some(error_info(
            sqlstate::UNDEFINED_TABLE,
            format!("missing FROM-clause entry for table \"{name}\""),
        ));
    }
    if text.starts_with("LIMIT must be >= 0") {
        return Some(error_info("2201W", "LIMIT must not be negative"));
    }
    if text.starts_with("OFFSET must be >=0") {
        return Some(error_info("2201X", "OFFSET must not be negative"));
    }
    if text.starts_with("Too many columns! The subquery") {
        return Some(error_info(sqlstate::SYNTAX_ERROR, "subquery must return only one column"));
    }
    if text.starts_with("Step cannot be zero") {
        return Some(error_info(sqlstate::INVALID_PARAMETER_VALUE, "step size cannot equal zero"));
    }
    None
}

fn grouping(text: &str) -> Option<ErrorInfo> {
    const TAIL: &str = "must appear in the GROUP BY clause or be used in an aggregate function";
    if text.starts_with("Aggregate functions are not allowed in the WHERE clause") {
        return Some(error_info(sqlstate::GROUPING_ERROR, "aggregate functions are not allowed in WHERE"));
    }
    if text.starts_with("Aggregate function calls cannot be nested") {
        return Some(error_info(sqlstate::GROUPING_ERROR, "aggregate function calls cannot be nested"));
    }
    if text.contains("must appear in the GROUP BY clause") || text.contains("must appear in GROUP BY clause")
    {
        let column = between(text, "While expanding wildcard, column \"", "\"")
            .or_else(|| between(text, "HAVING clause references: ", " "));
        let Some(column) = column else {
            return Some(error_info(sqlstate::GROUPING_ERROR, text));
        };
        return Some(error_info(sqlstate::GROUPING_ERROR, format!("column \"{column}\" {TAIL}")));
    }
    let position = between(text, "Order by column out of bounds, specified: ", ",").map(|n| ("ORDER BY", n));
    let position = position.or_else(|| {
        between(text, "Cannot find column with position ", " in SELECT").map(|n| ("GROUP BY", n))
    });
    if let Some((clause, number)) = position {
        return Some(error_info("42P10", format!("{clause} position {number} is not in select list")));
    }
    if text.starts_with("For SELECT DISTINCT, ORDER BY expressions") {
        return Some(error_info(
            "42P10",
            "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_their_sql_names() {
        assert_eq!(type_name("Utf8View"), "text");
        assert_eq!(type_name("List(Int64)"), "bigint[]");
        assert_eq!(type_name("Timestamp(µs, \"UTC\")"), "timestamp with time zone");
        assert_eq!(type_name("Decimal128(18, 4)"), "numeric");
    }

    #[test]
    fn operators_name_both_sides() {
        let info = known("Cannot coerce arithmetic expression Boolean + Int64 to valid types").unwrap();
        assert_eq!(
            (info.code.as_str(), info.message.as_str()),
            ("42883", "operator does not exist: boolean + bigint")
        );
        assert!(known("something else").is_none());
    }
}
