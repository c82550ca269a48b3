//! `(start, end) OVERLAPS (start, end)`, where an end may be a length.

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{BinaryOperator, CaseWhen, DataType as SqlType, Expr, Value};

use super::casts::call;

/// Whether two periods have a time in common: one without length has its own, and the end of others is not in them.
/// `None` if the sides are no pairs.
pub(super) fn rewritten(left: &Expr, right: &Expr) -> Option<Expr> {
    let ((from, to), (other_from, other_to)) = (period(left)?, period(right)?);
    let compare = |left: &Expr, op, right: &Expr| Expr::BinaryOp {
        left: Box::new(left.clone()),
        op,
        right: Box::new(right.clone()),
    };
    let when = |condition, result| CaseWhen { condition, result };
    let yes = Expr::Value(Value::Boolean(true).with_empty_span());
    Some(Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![
            when(compare(&from, BinaryOperator::Eq, &other_from), yes),
            when(
                compare(&from, BinaryOperator::Gt, &other_from),
                compare(&from, BinaryOperator::Lt, &other_to),
            ),
        ],
        else_result: Some(Box::new(compare(&other_from, BinaryOperator::Lt, &to))),
    })
}

/// The start and the end of a period, in this order.
fn period(side: &Expr) -> Option<(Expr, Expr)> {
    let parts = match side {
        Expr::Tuple(parts) => parts.as_slice(),
        _ => return None,
    };
    let [start, end] = parts else { return None };
    let end = match is_length(end) {
        true => Expr::BinaryOp {
            left: Box::new(start.clone()),
            op: BinaryOperator::Plus,
            right: Box::new(end.clone()),
        },
        false => end.clone(),
    };
    let both = vec![start.clone(), end];
    Some((call("least", both.clone()), call("greatest", both)))
}

fn is_length(expr: &Expr) -> bool {
    match expr {
        Expr::Interval(_) => true,
        Expr::Cast { data_type, .. } => matches!(data_type, SqlType::Interval { .. }),
        Expr::TypedString(typed) => matches!(typed.data_type, SqlType::Interval { .. }),
        Expr::Nested(inner) => is_length(inner),
        _ => false,
    }
}
