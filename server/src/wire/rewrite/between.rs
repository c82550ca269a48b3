//! `BETWEEN SYMMETRIC`, whose bounds may come in any order.
//!
//! The parser does not know the word. Before it, the word becomes a prefix operator that PostgreSQL no longer has, `!!`,
//! with blanks in the place of its other letters, so that places in error messages stay right
//! ([`StatementText::symmetric_marked`](crate::wire::split::StatementText::symmetric_marked)). Behind it, the comparison of
//! a bound that has that operator becomes one with the lesser and the greater of both.

use datafusion::sql::sqlparser::ast::{Expr, UnaryOperator};

use super::casts::call;

/// What stands for the word `SYMMETRIC`.
pub(crate) const SYMMETRIC: &str = "!!       ";

/// Rewrites the comparison `expr`, if it has the mark.
pub(super) fn rewrite(expr: &mut Expr) {
    let Expr::Between { low, high, .. } = expr else { return };
    if !take_mark(low) {
        return;
    }
    let bounds = vec![low.as_ref().clone(), high.as_ref().clone()];
    **low = call("least", bounds.clone());
    **high = call("greatest", bounds);
}

/// Takes the mark from the first operand of `expr`; whether there was one.
fn take_mark(expr: &mut Expr) -> bool {
    match expr {
        Expr::UnaryOp { op: UnaryOperator::PGPrefixFactorial, expr: inner } => {
            *expr = inner.as_ref().clone();
            true
        }
        Expr::BinaryOp { left, .. } => take_mark(left),
        Expr::Cast { expr: inner, .. } => take_mark(inner),
        Expr::AtTimeZone { timestamp, .. } => take_mark(timestamp),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    #[test]
    fn bounds_come_in_any_order() {
        for (sql, expected) in [
            ("a BETWEEN !!        3 AND 1", "a BETWEEN least(3, 1) AND greatest(3, 1)"),
            ("a NOT BETWEEN !!        b + 1 AND c", "a NOT BETWEEN least(b + 1, c) AND greatest(b + 1, c)"),
            ("a BETWEEN 3 AND 1", "a BETWEEN 3 AND 1"),
        ] {
            let mut expr =
                Parser::new(&PostgreSqlDialect {}).try_with_sql(sql).unwrap().parse_expr().unwrap();
            rewrite(&mut expr);
            assert_eq!(expr.to_string(), expected);
        }
    }
}
