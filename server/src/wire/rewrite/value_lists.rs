//! `VALUES` with a cast to `double precision` in a column: all of the column is, as in PostgreSQL. The engine would make
//! decimals of it where other rows have a point, with fifteen digits behind it.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType as SqlType, Expr, Query, SetExpr, Statement, UnaryOperator, Value, ValueWithSpan,
    Values, VisitMut, VisitorMut,
};

/// Casts the numbers in such columns of `statement`. What `INSERT` lists goes to the types of the table's columns instead.
pub(super) fn rewrite(statement: &mut Statement) {
    if let Statement::Insert(insert) = statement
        && insert.source.as_ref().is_some_and(|source| matches!(*source.body, SetExpr::Values(_)))
    {
        return;
    }
    let _ = VisitMut::visit(statement, &mut Lists);
}

struct Lists;

impl VisitorMut for Lists {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        in_body(&mut query.body);
        ControlFlow::Continue(())
    }
}

fn in_body(body: &mut SetExpr) {
    match body {
        SetExpr::Values(values) => of_one_type(values),
        SetExpr::SetOperation { left, right, .. } => {
            in_body(left);
            in_body(right);
        }
        _ => {}
    }
}

fn of_one_type(values: &mut Values) {
    let columns = values.rows.iter().map(|row| row.len()).min().unwrap_or(0);
    for column in 0..columns {
        if !values.rows.iter().any(|row| is_float(&row[column])) {
            continue;
        }
        for row in &mut values.rows {
            let value = &mut row[column];
            if is_number(value) {
                *value = Expr::Cast {
                    kind: CastKind::Cast,
                    expr: Box::new(value.clone()),
                    data_type: SqlType::DoublePrecision,
                    array: false,
                    format: None,
                };
            }
        }
    }
}

fn is_float(value: &Expr) -> bool {
    match value {
        Expr::Cast { data_type, .. } => {
            matches!(data_type, SqlType::Double(_) | SqlType::DoublePrecision | SqlType::Float8)
        }
        Expr::Nested(inner)
        | Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr: inner } => is_float(inner),
        _ => false,
    }
}

/// Whether `value` is a number as it is written.
fn is_number(value: &Expr) -> bool {
    match value {
        Expr::Value(ValueWithSpan { value: Value::Number(..), .. }) => true,
        Expr::Nested(inner)
        | Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr: inner } => is_number(inner),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::rewritten;
    use super::rewrite;

    #[test]
    fn numbers_beside_a_float_are_floats() {
        assert_eq!(
            rewritten("VALUES (1e-20::float8, 1), (-0.5, 2.5), (NULL, 3)", rewrite),
            "VALUES (1e-20::FLOAT8, 1), (CAST(-0.5 AS DOUBLE PRECISION), 2.5), (NULL, 3)"
        );
        for other in ["VALUES (0.5), (1)", "INSERT INTO t VALUES (1::FLOAT8), (0.5)"] {
            assert_eq!(rewritten(other, rewrite), other);
        }
    }
}
