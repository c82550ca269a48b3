//! Sub-queries that give one value, and arrays of sub-queries.
//!
//! The engine plans a correlated sub-query in an expression only if it is an aggregate, because only then it is sure to
//! give one row. `(SELECT a FROM d WHERE d.id = t.id)` is `(SELECT single_value(a) ...)`: NULL for no row, an error for
//! more than one, as PostgreSQL has it. With `LIMIT 1` it is `first_value`; `ARRAY(SELECT ...)` is `array_agg`.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, Function, FunctionArgumentClause, FunctionArguments, GroupByExpr, Ident,
    LimitClause, OrderByExpr, OrderByKind, Query, Select, SelectItem, SetExpr, Statement, TableFactor, Value,
    ValueWithSpan, Visit, VisitMut, Visitor, VisitorMut,
};

use super::casts::call;
use super::empty_catalogs::{has_no_rows, no_texts, null_text};
use super::outer_columns::{inner_columns, outer_conditions, outside, selected_outer, selecting, truth};
use super::recursion;

/// The aggregate that is an error for more than one row.
pub(crate) const SINGLE_VALUE: &str = "single_value";

/// Rewrites sub-queries.
#[derive(Debug)]
pub(super) struct SubQueries {
    // A sub-query that calls any other function may be an aggregate already, and stays as it is.
    scalar_functions: HashSet<String>,
}

impl SubQueries {
    pub(super) fn new() -> Self {
        let functions = datafusion::functions::all_default_functions();
        let nested = datafusion::functions_nested::all_default_nested_functions();
        let scalar_functions = functions.iter().chain(&nested).flat_map(|function| {
            std::iter::once(function.name().to_owned()).chain(function.aliases().iter().cloned())
        });
        let ours = crate::postgres::scalar_names();
        Self { scalar_functions: scalar_functions.chain(ours).collect() }
    }

    /// The functions that give one value for each row.
    pub(super) fn scalar_functions(&self) -> &HashSet<String> {
        &self.scalar_functions
    }

    /// Rewrites those of `statement`.
    pub(super) fn rewrite(&self, statement: &mut Statement) {
        let _ = VisitMut::visit(statement, &mut SubQueryVisitor(self));
    }

    /// Makes `query` an aggregate; returns those of its conditions that are about the outer row alone.
    fn one_value(&self, query: &mut Query) -> Vec<Expr> {
        let limit = limit_of(query);
        if query.fetch.is_some() || limit == Limit::Other {
            return Vec::new();
        }
        let order = order_of(query);
        let SetExpr::Select(select) = query.body.as_ref() else { return Vec::new() };
        if !self.is_plain(select) || !is_correlated(query, select) {
            return Vec::new();
        }
        let known = relations(select);
        let (name, order) = match (limit, order) {
            (Limit::None, _) => (SINGLE_VALUE, Vec::new()),
            (Limit::One, Some(order)) => ("first_value", order),
            _ => return Vec::new(),
        };
        query.order_by = None;
        query.limit_clause = None;
        aggregate(query, name, &order);
        let SetExpr::Select(select) = query.body.as_mut() else { return Vec::new() };
        outer_conditions(select, &known)
    }

    /// `query`, which gives one value, as the engine can plan it.
    fn scalar(&self, mut query: Query) -> Expr {
        inner_columns(&mut query);
        let outer = self.one_value(&mut query).into_iter().reduce(and);
        let value = Expr::Subquery(Box::new(query));
        match outer {
            Some(condition) => case(condition, value),
            None => value,
        }
    }

    /// `query` if its value is one of the outer query's columns, or made of one: that value outside, where the query has a
    /// row.
    fn with_outer_value(&self, query: &Query) -> Option<Expr> {
        let SetExpr::Select(select) = query.body.as_ref() else { return None };
        let is_one = limit_of(query) == Limit::None && query.order_by.is_none() && query.fetch.is_none();
        if !is_one || query.with.is_some() || select.from.is_empty() || !self.is_plain(select) {
            return None;
        }
        let expr = selected_outer(query)?;
        let has_a_row = self.scalar(selecting(query, truth()));
        Some(case(has_a_row, outside(query, expr, &|query| self.scalar(query))))
    }

    /// Whether the query gives no row because it asks about what this server does not have, and asks it of an outer row.
    fn is_never_a_row(&self, query: &Query) -> bool {
        match query.body.as_ref() {
            SetExpr::Select(select) => {
                query.with.is_none()
                    && has_no_rows(select)
                    && !self.may_aggregate(select)
                    && is_correlated(query, select)
            }
            _ => false,
        }
    }

    /// Whether `select` may give a row of no input.
    fn may_aggregate(&self, select: &Select) -> bool {
        let gives_names = |item: &SelectItem| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => self.is_scalar(expr),
            _ => false,
        };
        select.having.is_some() || !select.projection.iter().all(gives_names)
    }

    fn array(&self, query: &mut Query) {
        let order = order_of(query);
        let SetExpr::Select(select) = query.body.as_ref() else { return };
        if query.with.is_some()
            || query.limit_clause.is_some()
            || query.fetch.is_some()
            || !self.is_plain(select)
        {
            return;
        }
        let Some(order) = order else { return };
        query.order_by = None;
        aggregate(query, "array_agg", &order);
    }

    /// Whether `select` gives one column by scalar expressions, a row for each of its input.
    fn is_plain(&self, select: &Select) -> bool {
        let no_groups = matches!(&select.group_by, GroupByExpr::Expressions(groups, _) if groups.is_empty());
        if !no_groups || select.having.is_some() || select.distinct.is_some() || select.qualify.is_some() {
            return false;
        }
        match select.projection.as_slice() {
            [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] => self.is_scalar(expr),
            _ => false,
        }
    }

    fn is_scalar(&self, expr: &Expr) -> bool {
        // What a sub-query inside calls is its own.
        struct Functions<'a>(&'a HashSet<String>, usize);
        impl Visitor for Functions<'_> {
            type Break = ();

            fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
                self.1 += 1;
                ControlFlow::Continue(())
            }

            fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
                self.1 -= 1;
                ControlFlow::Continue(())
            }

            fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
                let Expr::Function(function) = expr else { return ControlFlow::Continue(()) };
                if self.1 > 0 {
                    return ControlFlow::Continue(());
                }
                let name = function.name.to_string().to_ascii_lowercase();
                let is_scalar = self.0.contains(&name)
                    || name.starts_with("pg_")
                    || name.starts_with("has_")
                    || name.starts_with("reg")
                    || name == "json_build_object"
                    || matches!(
                        name.as_str(),
                        "obj_description"
                            | "col_description"
                            | "format_type"
                            | "oid"
                            | "quote_ident"
                            | "name"
                    );
                if is_scalar && function.over.is_none() {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            }
        }
        Visit::visit(expr, &mut Functions(&self.scalar_functions, 0)).is_continue()
    }
}

struct SubQueryVisitor<'a>(&'a SubQueries);

impl VisitorMut for SubQueryVisitor<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let SetExpr::Select(select) = query.body.as_mut() {
            select.projection.iter_mut().for_each(name_outer_value);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Subquery(query) if self.0.is_never_a_row(query) => *expr = null_text(),
            Expr::Subquery(query) => {
                recursion::take_out_key(query);
                let query = query.as_ref().clone();
                *expr = match self.0.with_outer_value(&query) {
                    Some(value) => value,
                    None => self.0.scalar(query),
                };
            }
            Expr::Function(Function { name, args: FunctionArguments::Subquery(query), .. })
                if name.to_string().eq_ignore_ascii_case("array") =>
            {
                if self.0.is_never_a_row(query) {
                    *expr = no_texts();
                    return ControlFlow::Continue(());
                }
                let mut query = query.clone();
                self.0.array(&mut query);
                *expr = Expr::Subquery(query);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Names a sub-query that selects a column of the outer query after it: it will be another expression.
fn name_outer_value(item: &mut SelectItem) {
    if let SelectItem::UnnamedExpr(expr) = item
        && let Expr::Subquery(query) = expr
        && let Some(Expr::CompoundIdentifier(parts)) = selected_outer(query)
        && let Some(name) = parts.last()
    {
        *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: name.clone() };
    }
}

/// `value` where `condition` is true, and else NULL.
fn case(condition: Expr, value: Expr) -> Expr {
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition, result: value }],
        else_result: None,
    }
}

/// Puts the one expression of the query into the aggregate `name`.
fn aggregate(query: &mut Query, name: &str, order: &[OrderByExpr]) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    for item in &mut select.projection {
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { return };
        let mut order = order.to_vec();
        for key in &mut order {
            // `ORDER BY 1` is the value itself.
            if matches!(&key.expr, Expr::Value(ValueWithSpan { value: Value::Number(..), .. })) {
                key.expr = expr.clone();
            }
        }
        let mut aggregate = call(name, vec![expr.clone()]);
        if let Expr::Function(function) = &mut aggregate
            && let FunctionArguments::List(list) = &mut function.args
            && !order.is_empty()
        {
            list.clauses.push(FunctionArgumentClause::OrderBy(order));
        }
        *expr = aggregate;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Limit {
    None,
    One,
    Other,
}

fn limit_of(query: &Query) -> Limit {
    match &query.limit_clause {
        None => Limit::None,
        Some(LimitClause::LimitOffset { limit: Some(limit), offset: None, limit_by })
            if limit_by.is_empty() =>
        {
            match limit {
                Expr::Value(ValueWithSpan { value: Value::Number(number, _), .. }) if number == "1" => {
                    Limit::One
                }
                _ => Limit::Other,
            }
        }
        _ => Limit::Other,
    }
}

/// The keys of ORDER BY; `None` for a form that an aggregate has not.
fn order_of(query: &Query) -> Option<Vec<OrderByExpr>> {
    match &query.order_by {
        None => Some(Vec::new()),
        Some(order) => match &order.kind {
            OrderByKind::Expressions(keys) => Some(keys.clone()),
            OrderByKind::All(_) => None,
        },
    }
}

/// Whether the query names a relation that is not in its own FROM.
fn is_correlated(query: &Query, select: &Select) -> bool {
    struct Qualifiers<'a>(&'a HashSet<String>);
    impl Visitor for Qualifiers<'_> {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::CompoundIdentifier(parts) => {
                    let qualifier = parts.len().checked_sub(2).and_then(|index| parts.get(index));
                    if qualifier.is_some_and(|qualifier| !self.0.contains(&folded(qualifier))) {
                        return ControlFlow::Break(());
                    }
                    ControlFlow::Continue(())
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    Visit::visit(query, &mut Qualifiers(&relations(select))).is_break()
}

/// The names under which the relations of FROM are known.
pub(super) fn relations(select: &Select) -> HashSet<String> {
    let mut known = HashSet::new();
    for table in &select.from {
        for factor in std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation)) {
            match factor {
                TableFactor::Table { alias: Some(alias), .. }
                | TableFactor::Derived { alias: Some(alias), .. }
                | TableFactor::Function { alias: Some(alias), .. } => {
                    known.insert(folded(&alias.name));
                }
                TableFactor::Table { name, .. } => {
                    known.extend(name.0.last().and_then(|part| part.as_ident()).map(folded));
                }
                _ => {}
            }
        }
    }
    known
}

pub(super) fn and(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::And, right: Box::new(right) }
}

pub(super) fn conjuncts(expr: Expr, out: &mut Vec<Expr>) {
    match expr {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            conjuncts(*left, out);
            conjuncts(*right, out);
        }
        Expr::Nested(inner) if matches!(*inner, Expr::BinaryOp { op: BinaryOperator::And, .. }) => {
            conjuncts(*inner, out);
        }
        other => out.push(other),
    }
}

/// Whether `expr` is a column of the sub-query (true) or of the outer query (false); `None` if it is anything else.
pub(super) fn side(expr: &Expr, known: &HashSet<String>) -> Option<bool> {
    match expr {
        Expr::CompoundIdentifier(parts) => {
            let qualifier = parts.get(parts.len().checked_sub(2)?)?;
            Some(known.contains(&folded(qualifier)))
        }
        _ => None,
    }
}

pub(super) fn folded(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}
