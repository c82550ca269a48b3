//! Casts to types that the engine has no type for become calls of functions of the same name.
//!
//! `'t'::regclass` is `regclass('t')`, `x::uuid` is `uuid(x)`: the function checks the value, writes it in the type's own
//! form and marks its result with the type, which a cast could not.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType as SqlType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, Statement, TypedString, VisitMut, VisitorMut,
};

use crate::catalog::reg::REG_TYPES;

/// Makes the casts of `statement` into calls.
pub(super) fn to_functions(statement: &mut Statement) {
    let _ = VisitMut::visit(statement, &mut Casts);
}

struct Casts;

impl VisitorMut for Casts {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr: operand, data_type, .. } => {
                if let Some(name) = function_of(data_type) {
                    *expr = call(name, vec![operand.as_ref().clone()]);
                } else if matches!(data_type, SqlType::Text | SqlType::Varchar(None))
                    && gives_marked_text(operand)
                {
                    *expr = call("text", vec![operand.as_ref().clone()]);
                }
            }
            Expr::TypedString(TypedString { data_type, value, .. }) => {
                if let Some(name) = function_of(data_type) {
                    *expr = call(name, vec![Expr::Value(value.clone())]);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Whether `expr` is a call whose result is text with the mark of a type, which a cast to text would keep.
fn gives_marked_text(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => gives_marked_text(inner),
        Expr::Function(function) => {
            let name = function.name.to_string().to_ascii_lowercase();
            name.starts_with("json")
                || name.starts_with("to_json")
                || name == "uuid"
                || name == "gen_random_uuid"
        }
        _ => false,
    }
}

/// The function that casts to `data_type`; `None` if the engine has the type.
fn function_of(data_type: &SqlType) -> Option<&'static str> {
    match data_type {
        SqlType::Regclass => Some("regclass"),
        SqlType::Uuid => Some("uuid"),
        SqlType::JSON => Some("json"),
        SqlType::JSONB => Some("jsonb"),
        SqlType::Custom(name, modifiers) if modifiers.is_empty() => {
            let parts: Vec<String> = name
                .0
                .iter()
                .filter_map(|part| part.as_ident())
                .map(|ident| ident.value.to_ascii_lowercase())
                .collect();
            let name = match parts.as_slice() {
                [name] => name,
                [schema, name] if schema == "pg_catalog" => name,
                _ => return None,
            };
            let casts = REG_TYPES.iter().chain(&["json", "jsonb", "uuid", "name"]);
            casts.copied().find(|known| known == name)
        }
        _ => None,
    }
}

/// A call of the function `name`.
pub(super) fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        args: FunctionArguments::List(FunctionArgumentList {
            args: args.collect(),
            duplicate_treatment: None,
            clauses: Vec::new(),
        }),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
