//! `EXPLAIN` in PostgreSQL's shape: one column `QUERY PLAN`, a line of the plan in each row, or one JSON document.
//!
//! Operators are those of the engine, with what it says about them; there are no costs, because the engine has none.

use datafusion::sql::sqlparser::tokenizer::Token;
use pgwire::error::PgWireResult;
use serde_json::{Map, Value, json};

use crate::error::{error, sqlstate};

/// Name of the column.
pub(crate) const COLUMN: &str = "QUERY PLAN";

/// What an `EXPLAIN` asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ExplainOptions {
    pub analyze: bool,
    pub verbose: bool,
    pub json: bool,
}

impl ExplainOptions {
    /// Reads the head of a statement; how many tokens it has, or `None` if the statement is no `EXPLAIN`.
    ///
    /// # Errors
    /// 22023 for a format that there is not, 42601 for an option that there is not.
    pub(crate) fn parse(tokens: &[Token]) -> PgWireResult<Option<(Self, usize)>> {
        let is = |index: usize, keyword: &str| matches!(tokens.get(index), Some(Token::Word(word)) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(keyword));
        if !is(0, "EXPLAIN") {
            return Ok(None);
        }
        let mut options = Self::default();
        let mut index = 1;
        let is_list = matches!(tokens.get(1), Some(Token::LParen))
            && !["SELECT", "WITH", "VALUES", "TABLE"].iter().any(|keyword| is(2, keyword))
            && !matches!(tokens.get(2), Some(Token::LParen));
        if !is_list {
            if is(index, "ANALYZE") {
                options.analyze = true;
                index += 1;
            }
            if is(index, "VERBOSE") {
                options.verbose = true;
                index += 1;
            }
            return Ok(Some((options, index)));
        }
        index += 1;
        loop {
            let Some(Token::Word(name)) = tokens.get(index) else {
                return Err(error(sqlstate::SYNTAX_ERROR, "syntax error in the options of EXPLAIN"));
            };
            index += 1;
            let value = match tokens.get(index) {
                Some(Token::Word(value)) => Some(value.value.to_ascii_lowercase()),
                Some(Token::Number(value, _) | Token::SingleQuotedString(value)) => {
                    Some(value.to_ascii_lowercase())
                }
                _ => None,
            };
            index += usize::from(value.is_some());
            let value = value.as_deref();
            let on = matches!(value, None | Some("true" | "on" | "1"));
            match name.value.to_ascii_lowercase().as_str() {
                "analyze" => options.analyze = on,
                "verbose" => options.verbose = on,
                "format" => match value {
                    Some("json") => options.json = true,
                    Some("text") => options.json = false,
                    other => {
                        let other = other.unwrap_or_default();
                        return Err(error(
                            sqlstate::INVALID_PARAMETER_VALUE,
                            format!("unrecognized value for EXPLAIN option \"format\": \"{other}\""),
                        ));
                    }
                },
                // About what the engine does not measure or always tells.
                "costs" | "buffers" | "timing" | "summary" | "settings" | "wal" | "generic_plan" => {}
                other => {
                    return Err(error(
                        sqlstate::SYNTAX_ERROR,
                        format!("unrecognized EXPLAIN option \"{other}\""),
                    ));
                }
            }
            match tokens.get(index) {
                Some(Token::Comma) => index += 1,
                Some(Token::RParen) => return Ok(Some((options, index + 1))),
                _ => return Err(error(sqlstate::SYNTAX_ERROR, "syntax error in the options of EXPLAIN")),
            }
        }
    }

    /// The rows of the answer, from the engine's rows of kind of plan and plan.
    pub(crate) fn rows(self, plans: &[(String, String)]) -> Vec<String> {
        let is_physical = |kind: &str| kind.starts_with("physical_plan") || kind.starts_with("Plan with");
        let physical = plans.iter().find(|(kind, _)| is_physical(kind)).or_else(|| plans.last());
        if self.json {
            let plan = physical.map(|(_, text)| tree(text)).unwrap_or(Value::Null);
            let document = json!([{ "Plan": plan }]);
            return vec![serde_json::to_string_pretty(&document).unwrap_or_else(|_| document.to_string())];
        }
        if self.verbose {
            let all = plans.iter().flat_map(|(kind, text)| {
                std::iter::once(format!("{kind}:")).chain(text.lines().map(|line| format!("  {line}")))
            });
            return all.collect();
        }
        physical.map(|(_, text)| text.lines().map(str::to_owned).collect()).unwrap_or_default()
    }
}

/// Operators by indentation, two blanks for each level.
fn tree(text: &str) -> Value {
    let lines: Vec<(usize, &str)> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| (line.len() - line.trim_start().len(), line.trim()))
        .collect();
    let mut next = 0;
    node(&lines, &mut next)
}

fn node(lines: &[(usize, &str)], next: &mut usize) -> Value {
    let Some((depth, line)) = lines.get(*next) else { return Value::Null };
    *next += 1;
    let (name, details) = line.split_once(": ").unwrap_or((line, ""));
    let mut map = Map::new();
    map.insert("Node Type".to_owned(), Value::from(name.trim_end_matches(':')));
    let (details, metrics) = match details.split_once("metrics=[") {
        Some((details, metrics)) => (details.trim_end_matches(", "), Some(metrics)),
        None => (details, None),
    };
    if !details.is_empty() {
        map.insert("Details".to_owned(), Value::from(details));
    }
    if let Some(metrics) = metrics {
        let rows = metrics.split(", ").find_map(|metric| metric.strip_prefix("output_rows="));
        let rows = rows.and_then(|rows| rows.trim_end_matches(']').parse::<f64>().ok());
        map.extend(rows.map(|rows| ("Actual Rows".to_owned(), Value::from(rows))));
        map.insert("Metrics".to_owned(), Value::from(metrics.trim_end_matches(']')));
    }
    let mut children = Vec::new();
    while lines.get(*next).is_some_and(|(inner, _)| inner > depth) {
        children.push(node(lines, next));
    }
    if !children.is_empty() {
        map.insert("Plans".to_owned(), Value::from(children));
    }
    Value::Object(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::split::split;

    fn parse(sql: &str) -> PgWireResult<Option<(ExplainOptions, usize)>> {
        ExplainOptions::parse(&split(sql).unwrap()[0].tokens)
    }

    #[test]
    fn options_in_both_forms() {
        let all = ExplainOptions { analyze: true, verbose: true, json: false };
        assert_eq!(parse("EXPLAIN ANALYZE VERBOSE SELECT 1").unwrap(), Some((all, 3)));
        let (options, tokens) = parse("EXPLAIN (ANALYZE, COSTS off, FORMAT JSON) SELECT 1").unwrap().unwrap();
        assert_eq!((options.analyze, options.json, tokens), (true, true, 10));
        assert_eq!(parse("EXPLAIN (SELECT 1)").unwrap(), Some((ExplainOptions::default(), 1)));
        assert_eq!(parse("SELECT 1").unwrap(), None);
        assert!(parse("EXPLAIN (FORMAT NOPE) SELECT 1").unwrap_err().to_string().contains("22023"));
    }

    #[test]
    fn plans_become_trees() {
        let plan = "ProjectionExec: expr=[a], metrics=[output_rows=3, elapsed=1ms]\n  FilterExec: a > 1\n";
        let tree = tree(plan);
        assert_eq!(tree["Node Type"], "ProjectionExec");
        assert_eq!(tree["Actual Rows"], 3.0);
        assert_eq!(tree["Plans"][0]["Node Type"], "FilterExec");
        let rows = ExplainOptions::default().rows(&[
            ("logical_plan".to_owned(), "x".to_owned()),
            ("physical_plan".to_owned(), plan.to_owned()),
        ]);
        assert_eq!(rows.len(), 2);
    }
}
