//! Long chains of `AND` and `OR` as balanced trees: a list of a thousand conditions is ten operators deep then, and not
//! a thousand. Their values stay, since both operators are associative.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Value, VisitMut, VisitorMut};

/// Shorter chains stay as they are written.
const SHORTEST: usize = 32;

/// Balances the chains of `statement`. Needs a large stack, see [`crate::deep`]. O(n).
pub(crate) fn chains(statement: &mut Statement) {
    match statement {
        Statement::Statement(statement) => {
            let _ = VisitMut::visit(statement.as_mut(), &mut Chains);
        }
        Statement::Explain(explain) => chains(&mut explain.statement),
        _ => {}
    }
}

struct Chains;

impl VisitorMut for Chains {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let Expr::BinaryOp { op: op @ (BinaryOperator::And | BinaryOperator::Or), .. } = expr else {
            return ControlFlow::Continue(());
        };
        let op = op.clone();
        if length(expr, &op) < SHORTEST {
            return ControlFlow::Continue(());
        }
        let nothing = Expr::Value(Value::Null.with_empty_span());
        let mut rest = std::mem::replace(expr, nothing);
        let mut operands = Vec::new();
        loop {
            match rest {
                Expr::BinaryOp { left, op: found, right } if found == op => {
                    operands.push(*right);
                    rest = *left;
                }
                first => {
                    operands.push(first);
                    break;
                }
            }
        }
        operands.reverse();
        *expr = balanced(operands, &op);
        ControlFlow::Continue(())
    }
}

/// Operands of the chain of `op` that leans to the left from `expr`.
fn length(mut expr: &Expr, op: &BinaryOperator) -> usize {
    let mut length = 1;
    while let Expr::BinaryOp { left, op: found, .. } = expr
        && found == op
    {
        length += 1;
        expr = left;
    }
    length
}

fn balanced(operands: Vec<Expr>, op: &BinaryOperator) -> Expr {
    let mut level = operands;
    while level.len() > 1 {
        let mut pairs = Vec::with_capacity(level.len().div_ceil(2));
        let mut rest = level.into_iter();
        while let Some(left) = rest.next() {
            pairs.push(match rest.next() {
                Some(right) => {
                    Expr::BinaryOp { left: Box::new(left), op: op.clone(), right: Box::new(right) }
                }
                None => left,
            });
        }
        level = pairs;
    }
    level.pop().unwrap_or_else(|| Expr::Value(Value::Null.with_empty_span()))
}

#[cfg(test)]
mod tests {
    use datafusion::sql::parser::DFParser;

    use super::*;

    fn depth(expr: &Expr) -> usize {
        match expr {
            Expr::BinaryOp { left, right, .. } => 1 + depth(left).max(depth(right)),
            _ => 0,
        }
    }

    #[test]
    fn long_chains_are_shallow_and_keep_their_order() {
        let terms: Vec<String> = (0..100).map(|number| format!("a = {number}")).collect();
        let sql = format!("SELECT a FROM t WHERE {}", terms.join(" OR "));
        let mut statement = DFParser::parse_sql(&sql).unwrap().pop_front().unwrap();
        chains(&mut statement);
        assert_eq!(statement.to_string(), sql);
        struct Deepest(usize);
        impl VisitorMut for Deepest {
            type Break = ();

            fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
                self.0 = self.0.max(depth(expr));
                ControlFlow::Continue(())
            }
        }
        let mut deepest = Deepest(0);
        if let Statement::Statement(statement) = &mut statement {
            let _ = VisitMut::visit(statement.as_mut(), &mut deepest);
        }
        assert_eq!(deepest.0, 8);
    }

    #[test]
    fn short_and_mixed_chains_stay() {
        let sql = "SELECT a FROM t WHERE a = 1 OR b = 2 AND c = 3 OR d = 4";
        let mut statement = DFParser::parse_sql(sql).unwrap().pop_front().unwrap();
        let before = statement.clone();
        chains(&mut statement);
        assert_eq!(statement, before);
    }
}
