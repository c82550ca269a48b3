//! Functions of PostgreSQL's that the engine has under another name, or that other functions make up.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, Ident, ObjectName, Statement, Value, VisitMut, VisitorMut,
};

use super::casts::call;
use super::small_integers::is_small_integer;
use crate::postgres::{intervals, json, misc};

/// Functions of the same meaning.
const SAME: [(&str, &str); 3] = [("sign", "signum"), ("every", "bool_and"), ("variance", "var_samp")];

/// Rewrites the calls of `statement`.
pub(super) fn rewrite(statement: &mut Statement) {
    let _ = VisitMut::visit(statement, &mut Calls);
}

struct Calls;

impl VisitorMut for Calls {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && let Some(rewritten) = rewritten(function)
        {
            *expr = rewritten;
        }
        ControlFlow::Continue(())
    }
}

fn rewritten(function: &mut Function) -> Option<Expr> {
    let [part] = function.name.0.as_slice() else { return None };
    let ident = part.as_ident().filter(|ident| ident.quote_style.is_none())?;
    let name = ident.value.to_ascii_lowercase();
    if let Some((_, same)) = SAME.iter().find(|(known, _)| *known == name) {
        function.name = ObjectName::from(vec![Ident::new(*same)]);
        return None;
    }
    match name.as_str() {
        // The word, not a call: `user` is a keyword of the parser, and so no column.
        "user" | "current_role" if matches!(function.args, FunctionArguments::None) => {
            Some(call("session_user", Vec::new()))
        }
        "pg_typeof" => {
            let [value] = <[Expr; 1]>::try_from(plain(function)?).ok()?;
            is_small_integer(&value).then(|| call("pg_typeof", vec![call("int4", vec![value])]))
        }
        "mod" => {
            let [left, right] = <[Expr; 2]>::try_from(plain(function)?).ok()?;
            let (left, right) =
                (Box::new(Expr::Nested(Box::new(left))), Box::new(Expr::Nested(Box::new(right))));
            Some(Expr::Nested(Box::new(Expr::BinaryOp { left, op: BinaryOperator::Modulo, right })))
        }
        "date_trunc" => truncated(function),
        "make_interval" => interval(function),
        "percentile_disc" => ordered(function, misc::DISCRETE),
        "mode" => ordered(function, misc::MODE),
        "json_agg" => array(function, json::ARRAY_OF),
        "jsonb_agg" => array(function, json::JSONB_ARRAY_OF),
        "json_object_agg" => object(function, json::OBJECT_OF),
        "jsonb_object_agg" => object(function, json::JSONB_OBJECT_OF),
        _ => None,
    }
}

fn plain(function: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(list) = &function.args else { return None };
    list.args
        .iter()
        .map(|argument| match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        })
        .collect()
}

/// `date_trunc(unit, time, zone)`: the local time is cut.
fn truncated(function: &Function) -> Option<Expr> {
    let [unit, time, zone] = <[Expr; 3]>::try_from(plain(function)?).ok()?;
    let local = call("timezone", vec![zone.clone(), time]);
    Some(call("timezone", vec![zone, call("date_trunc", vec![unit, local])]))
}

/// `make_interval(days => 3)`: names become places.
fn interval(function: &Function) -> Option<Expr> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let zero = || Expr::Value(Value::Number("0".to_owned(), false).with_empty_span());
    let mut values: Vec<Expr> = intervals::MAKE_INTERVAL.iter().map(|_| zero()).collect();
    let mut named = false;
    for (index, argument) in list.args.iter().enumerate() {
        let (place, value) = match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) if !named => (index, value),
            FunctionArg::Named { name, arg: FunctionArgExpr::Expr(value), .. }
            | FunctionArg::ExprNamed {
                name: Expr::Identifier(name),
                arg: FunctionArgExpr::Expr(value),
                ..
            } => {
                named = true;
                let known = |known: &&str| name.value.eq_ignore_ascii_case(known);
                (intervals::MAKE_INTERVAL.iter().position(known)?, value)
            }
            _ => return None,
        };
        *values.get_mut(place)? = value.clone();
    }
    named.then(|| call("make_interval", values))
}

/// `mode() WITHIN GROUP (ORDER BY x)`: a function of the list of the values in order.
fn ordered(function: &Function, name: &str) -> Option<Expr> {
    let [key] = function.within_group.as_slice() else { return None };
    let mut list = collected(function, key.expr.clone(), Vec::new())?;
    if let Expr::Function(list) = &mut list
        && let FunctionArguments::List(arguments) = &mut list.args
    {
        arguments.clauses.push(FunctionArgumentClause::OrderBy(vec![key.clone()]));
    }
    let mut arguments = vec![list];
    arguments.extend(plain(function)?);
    Some(call(name, arguments))
}

fn array(function: &Function, name: &str) -> Option<Expr> {
    let [value] = <[Expr; 1]>::try_from(plain(function)?).ok()?;
    Some(call(name, vec![collected(function, call(json::ELEMENT, vec![value]), clauses(function))?]))
}

fn object(function: &Function, name: &str) -> Option<Expr> {
    let pair = plain(function)?;
    if pair.len() != 2 {
        return None;
    }
    Some(call(name, vec![collected(function, call(json::MEMBER, pair), clauses(function))?]))
}

fn clauses(function: &Function) -> Vec<FunctionArgumentClause> {
    match &function.args {
        FunctionArguments::List(list) => list.clauses.clone(),
        _ => Vec::new(),
    }
}

/// `array_agg(value)` over what `function` aggregates.
fn collected(function: &Function, value: Expr, clauses: Vec<FunctionArgumentClause>) -> Option<Expr> {
    let duplicates = match &function.args {
        FunctionArguments::List(list) => list.duplicate_treatment,
        _ => None,
    };
    if matches!(duplicates, Some(DuplicateTreatment::Distinct)) && !clauses.is_empty() {
        return None;
    }
    Some(Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new("array_agg")]),
        args: FunctionArguments::List(FunctionArgumentList {
            args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(value))],
            duplicate_treatment: duplicates,
            clauses,
        }),
        within_group: Vec::new(),
        ..function.clone()
    }))
}
