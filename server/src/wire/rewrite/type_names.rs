//! Types that the engine has no name for: `"char"`, bit strings on their way to `bigint`, and `date(x)` as a call.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType as SqlType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    ObjectName, Statement, Value, VisitMut, VisitorMut,
};

use super::casts::call;
use crate::catalog::{TO_BITS, TO_CHAR_TYPE};

/// Rewrites the casts of `statement`.
pub(super) fn rewrite(statement: &mut Statement) {
    let _ = VisitMut::visit(statement, &mut Casts);
}

struct Casts;

impl VisitorMut for Casts {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let replacement = match expr {
            Expr::Cast { expr: operand, data_type: SqlType::Custom(name, _), .. } if is_char(name) => {
                Some(call(TO_CHAR_TYPE, vec![operand.as_ref().clone()]))
            }
            Expr::Cast { expr: bits, data_type: SqlType::BigInt(_) | SqlType::Int8(_), .. } => {
                to_bigint(bits)
            }
            Expr::Function(function) => as_date(function),
            _ => None,
        };
        if let Some(replacement) = replacement {
            *expr = replacement;
        }
        ControlFlow::Continue(())
    }
}

/// Whether this is `"char"`, in quotes, which is another type than `char`.
fn is_char(name: &ObjectName) -> bool {
    name.0
        .last()
        .and_then(|part| part.as_ident())
        .is_some_and(|ident| ident.quote_style.is_some() && ident.value == "char")
}

/// `x::bit(64)::bigint`: the bits as a signed number.
fn to_bigint(bits: &Expr) -> Option<Expr> {
    let Expr::Cast { expr: operand, data_type: SqlType::Bit(length), .. } = bits else { return None };
    let length = Value::Number(length.unwrap_or(1).to_string(), false).with_empty_span();
    Some(call(TO_BITS, vec![operand.as_ref().clone(), Expr::Value(length)]))
}

/// `date(x)` as `x::date`.
fn as_date(function: &Function) -> Option<Expr> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let ([FunctionArg::Unnamed(FunctionArgExpr::Expr(operand))], "date") =
        (list.args.as_slice(), function.name.to_string().to_lowercase().as_str())
    else {
        return None;
    };
    Some(Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(operand.clone()),
        data_type: SqlType::Date,
        array: false,
        format: None,
    })
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    #[test]
    fn casts_become_what_the_engine_has() {
        let mut statement = Parser::parse_sql(
            &PostgreSqlDialect {},
            "SELECT 'f'::\"char\", 'xff'::bit(8)::bigint, date(a), a::char FROM t",
        )
        .unwrap()
        .remove(0);
        rewrite(&mut statement);
        assert_eq!(
            statement.to_string(),
            "SELECT pg_to_char_type('f'), pg_bits_to_int8('xff', 8), CAST(a AS DATE), a::CHAR FROM t"
        );
    }
}
