//! Signs that belong to another operand than the parser and planner say.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Statement, UnaryOperator, VisitMut, VisitorMut};

/// Gives signs in `statement` to their operands:
///
/// * `-2 ^ 2` is `(-2) ^ 2`, as in PostgreSQL, where a sign binds closer than any other operator.
/// * `-INTERVAL '1 day 2 hours'` is the interval with each part negated. DataFusion puts the sign before the text, where it
///   is that of the first part alone.
///
/// What it gives passes through unchanged.
pub fn bind_signs(statement: &mut Statement) {
    let _ = VisitMut::visit(statement, &mut Signs);
}

struct Signs;

impl VisitorMut for Signs {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::UnaryOp { op: op @ (UnaryOperator::Minus | UnaryOperator::Plus), expr: operand } = expr
        else {
            return ControlFlow::Continue(());
        };
        match operand.as_mut() {
            // Two signs without a bracket would be a comment where the text of a view is read again.
            Expr::Interval(_) | Expr::UnaryOp { .. } => **operand = Expr::Nested(operand.clone()),
            Expr::BinaryOp { op: BinaryOperator::PGExp, .. } => {
                let mut power = operand.as_ref().clone();
                let base = base(&mut power);
                let unsigned = match &*base {
                    Expr::UnaryOp { .. } => Expr::Nested(Box::new(base.clone())),
                    other => other.clone(),
                };
                *base = Expr::UnaryOp { op: *op, expr: Box::new(unsigned) };
                *expr = power;
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// The first operand of a chain of powers, which are taken from left to right.
fn base(power: &mut Expr) -> &mut Expr {
    match power {
        Expr::BinaryOp { left, op: BinaryOperator::PGExp, .. } => base(left),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    #[test]
    fn signs_stand_before_their_operands() {
        for (written, bound) in [
            ("-2 ^ 2", "-2 ^ 2"),
            ("-a ^ 2 ^ 3 + -b", "-a ^ 2 ^ 3 + -b"),
            ("- -2 ^ 2", "-(-2) ^ 2"),
            ("- -2", "-(-2)"),
            ("-(2 ^ 2)", "-(2 ^ 2)"),
            ("-INTERVAL '1 day'", "-(INTERVAL '1 day')"),
            ("-(INTERVAL '1 day')", "-(INTERVAL '1 day')"),
        ] {
            let parsed = Parser::parse_sql(&PostgreSqlDialect {}, &format!("SELECT {written}"));
            let mut statement = parsed.unwrap().remove(0);
            bind_signs(&mut statement);
            assert_eq!(statement.to_string(), format!("SELECT {bound}"));
            let once = statement.clone();
            bind_signs(&mut statement);
            assert_eq!(statement, once, "{written}");
        }
    }

    #[test]
    fn the_base_of_a_power_has_the_sign() {
        let mut statement = Parser::parse_sql(&PostgreSqlDialect {}, "SELECT -2 ^ 3 ^ 4").unwrap().remove(0);
        bind_signs(&mut statement);
        let mut powers = Vec::new();
        let _ = datafusion::sql::sqlparser::ast::visit_expressions(&statement, |expr| {
            powers.push(match expr {
                Expr::BinaryOp { .. } => "power",
                Expr::UnaryOp { .. } => "sign",
                _ => "value",
            });
            ControlFlow::<()>::Continue(())
        });
        assert_eq!(powers, ["power", "power", "sign", "value", "value", "value"]);
    }
}
