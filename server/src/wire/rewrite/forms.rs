//! Forms of PostgreSQL's that say what the engine has another form for: `FETCH FIRST`, `LIKE ... ESCAPE`, `TEMP`, `|/`.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType as SqlType, Expr, LimitClause, Query, Statement, UnaryOperator, Value,
    ValueWithSpan, VisitMut, VisitorMut,
};

use super::casts::call;
use super::{between, numbers, overlaps, similar, small_integers, temporal, value_lists};
use crate::postgres::date_parts::EXTRACT;

/// Rewrites the forms of `statement`.
pub(super) fn rewrite(statement: &mut Statement) {
    // Temporary tables last as long as their session.
    if let Statement::CreateTable(create) = statement {
        create.on_commit = None;
        // `LOCAL` and `GLOBAL` say nothing of them.
        if create.temporary {
            create.global = None;
        }
    }
    value_lists::rewrite(statement);
    let _ = VisitMut::visit(statement, &mut Forms);
    small_integers::rewrite(statement);
}

struct Forms;

impl VisitorMut for Forms {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let Some(fetch) = &query.fetch
            && !fetch.with_ties
            && !fetch.percent
        {
            let one = Expr::Value(Value::Number("1".to_owned(), false).with_empty_span());
            let count = fetch.quantity.clone().unwrap_or(one);
            let (offset, is_free) = match &query.limit_clause {
                None => (None, true),
                Some(LimitClause::LimitOffset { limit: None, offset, limit_by }) if limit_by.is_empty() => {
                    (offset.clone(), true)
                }
                Some(_) => (None, false),
            };
            if is_free {
                query.limit_clause =
                    Some(LimitClause::LimitOffset { limit: Some(count), offset, limit_by: Vec::new() });
                query.fetch = None;
            }
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Like { pattern, escape_char, .. } | Expr::ILike { pattern, escape_char, .. } => {
                if let Some(escape) = escape_char.as_ref().and_then(literal).map(str::to_owned)
                    && escape != "\\"
                    && let Some(with_backslash) = with_backslash(pattern, &escape)
                {
                    **pattern = with_backslash;
                    *escape_char = None;
                }
            }
            Expr::UnaryOp { op: UnaryOperator::PGSquareRoot, expr: operand } => {
                *expr = call("sqrt", vec![operand.as_ref().clone()]);
            }
            Expr::UnaryOp { op: UnaryOperator::PGCubeRoot, expr: operand } => {
                *expr = call("cbrt", vec![operand.as_ref().clone()]);
            }
            // An array is compared with a literal by their texts: the engine would not read the literal.
            Expr::BinaryOp { left, op: BinaryOperator::Eq | BinaryOperator::NotEq, right }
                if is_braced(right) && !matches!(**left, Expr::Value(_)) =>
            {
                **left = call("pg_value_text", vec![left.as_ref().clone()]);
            }
            Expr::BinaryOp { left, op: BinaryOperator::HashArrow, right } => {
                *expr = call("jsonb_path_value", vec![left.as_ref().clone(), right.as_ref().clone()]);
            }
            Expr::BinaryOp { left, op: BinaryOperator::HashLongArrow, right } => {
                *expr = call("jsonb_path_text", vec![left.as_ref().clone(), right.as_ref().clone()]);
            }
            Expr::BinaryOp { left, op: BinaryOperator::Overlaps, right } => {
                if let Some(overlaps) = overlaps::rewritten(left, right) {
                    *expr = overlaps;
                }
            }
            Expr::Between { .. } => between::rewrite(expr),
            Expr::Extract { field, expr: of, .. } => {
                let field = text(&field.to_string().to_lowercase());
                *expr = call(EXTRACT, vec![field, of.as_ref().clone()]);
            }
            Expr::AtTimeZone { timestamp, time_zone } => {
                *expr = call("timezone", vec![time_zone.as_ref().clone(), timestamp.as_ref().clone()]);
            }
            Expr::Cast { expr: operand, data_type, .. } => {
                if let Expr::Value(value) = operand.as_mut() {
                    temporal::spell_out(value, data_type);
                }
            }
            Expr::TypedString(typed) => temporal::spell_out(&mut typed.value, &mut typed.data_type),
            Expr::Interval(interval) if interval.leading_field.is_none() => {
                if let Expr::Value(value) = interval.value.as_mut() {
                    temporal::spell_out(value, &mut SqlType::Interval { fields: None, precision: None });
                }
            }
            Expr::Value(ValueWithSpan { value: Value::Number(number, _), .. })
                if number.contains(['e', 'E']) =>
            {
                *expr = match numbers::plain(number) {
                    Some(plain) if plain.contains('.') => {
                        Expr::Value(Value::Number(plain, false).with_empty_span())
                    }
                    // Whole, and still a decimal; or beyond what one holds.
                    _ => call("float8", vec![text(number)]),
                };
            }
            Expr::Value(ValueWithSpan { value: Value::UnicodeStringLiteral(literal), .. }) => {
                *expr = text(literal);
            }
            Expr::SimilarTo { negated, expr: operand, pattern, escape_char } => {
                if let Some(rewritten) = similar::rewritten(*negated, operand, pattern, escape_char.as_ref())
                {
                    *expr = rewritten;
                }
            }
            Expr::UnaryOp { op: UnaryOperator::PGAbs, expr: operand } => {
                *expr = call("abs", vec![operand.as_ref().clone()]);
            }
            Expr::Identifier(ident) if ident.quote_style.is_none() => {
                let name = ident.value.to_ascii_lowercase();
                match name.as_str() {
                    "user" | "current_role" => *expr = call("session_user", Vec::new()),
                    "localtimestamp" => {
                        let zone = call("current_setting", vec![text("TimeZone")]);
                        *expr = call("timezone", vec![zone, call("now", Vec::new())]);
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Whether `expr` is a literal like `'{0}'`.
fn is_braced(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => literal(value).is_some_and(|text| text.starts_with('{') && text.ends_with('}')),
        _ => false,
    }
}

fn literal(value: &ValueWithSpan) -> Option<&str> {
    match &value.value {
        Value::SingleQuotedString(text) => Some(text),
        _ => None,
    }
}

fn text(value: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.to_owned()).with_empty_span())
}

/// `pattern` with a backslash where it has the character `escape`, or with none if that is empty.
fn with_backslash(pattern: &Expr, escape: &str) -> Option<Expr> {
    match pattern {
        Expr::Value(value) => {
            let escape = escape.chars().next();
            let mut out = String::new();
            let mut characters = literal(value)?.chars();
            while let Some(character) = characters.next() {
                if Some(character) == escape {
                    out.push('\\');
                    out.extend(characters.next());
                } else if character == '\\' {
                    out.push_str("\\\\");
                } else {
                    out.push(character);
                }
            }
            Some(text(&out))
        }
        Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } => Some(Expr::BinaryOp {
            left: Box::new(with_backslash(left, escape)?),
            op: BinaryOperator::StringConcat,
            right: Box::new(with_backslash(right, escape)?),
        }),
        Expr::Nested(inner) => Some(Expr::Nested(Box::new(with_backslash(inner, escape)?))),
        // A doubled escape character would need more than a replacement: those are literals in practice.
        other => {
            let doubled = call("replace", vec![other.clone(), text("\\"), text("\\\\")]);
            Some(call("replace", vec![doubled, text(escape), text("\\")]))
        }
    }
}
