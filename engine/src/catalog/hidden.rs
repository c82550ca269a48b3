//! Physical columns: hidden from `SELECT *`, selectable by name.
//!
//! A statement is planned without them first, so that `day` can be anybody's alias. Only if it then names one
//! that does not exist is it planned again with them, and its wildcards over touchpoint tables leave them out.

use std::ops::ControlFlow;

use datafusion::common::{DataFusionError, SchemaError};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, Query, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, TableFactor, TableWithJoins, VisitMut, VisitorMut,
    WildcardAdditionalOptions,
};

use crate::schema;

/// Whether `error` says that a physical column does not exist.
pub fn misses_physical_column(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::SchemaError(inner, _) => match inner.as_ref() {
            SchemaError::FieldNotFound { field, .. } => schema::is_physical(&field.name),
            _ => false,
        },
        DataFusionError::Diagnostic(_, inner) => misses_physical_column(inner),
        DataFusionError::Collection(errors) => errors.iter().any(misses_physical_column),
        _ => false,
    }
}

/// Makes the wildcards of `statement` leave out the physical columns of the touchpoint tables in `tables`.
///
/// Covers `*` over one such table and `t.*`; over joins, `*` then shows them. The data of a table function is no
/// output: `*` in `(SELECT * FROM touchpoints)` keeps the columns there, so that arguments can name them.
pub fn exclude_from_wildcards(statement: &mut Statement, tables: &[String]) {
    let mut visitor = Wildcards { tables };
    if let Statement::Statement(inner) = statement {
        let _ = inner.visit(&mut visitor);
        let _ = inner.visit(&mut TableFunctionData);
    } else if let Statement::Explain(explain) = statement {
        exclude_from_wildcards(&mut explain.statement, tables);
    }
}

struct Wildcards<'a> {
    tables: &'a [String],
}

impl VisitorMut for Wildcards<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.set_expression(&mut query.body);
        ControlFlow::Continue(())
    }
}

/// Takes back what [`Wildcards`] did to the data of table functions.
struct TableFunctionData;

impl VisitorMut for TableFunctionData {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        let TableFactor::Table { args: Some(args), .. } = factor else {
            return ControlFlow::Continue(());
        };
        for arg in &mut args.args {
            let (FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Subquery(query)))
            | FunctionArg::Named { arg: FunctionArgExpr::Expr(Expr::Subquery(query)), .. }
            | FunctionArg::ExprNamed { arg: FunctionArgExpr::Expr(Expr::Subquery(query)), .. }) = arg
            else {
                continue;
            };
            if let SetExpr::Select(select) = query.body.as_mut()
                && let [SelectItem::Wildcard(options)] = select.projection.as_mut_slice()
                && options.opt_exclude == Some(physical_columns())
            {
                options.opt_exclude = None;
            }
        }
        ControlFlow::Continue(())
    }
}

impl Wildcards<'_> {
    fn set_expression(&self, body: &mut SetExpr) {
        match body {
            SetExpr::Select(select) => {
                let relations = self.touchpoint_relations(&select.from);
                let only_one =
                    matches!(select.from.as_slice(), [one] if one.joins.is_empty()) && relations.len() == 1;
                for item in &mut select.projection {
                    match item {
                        SelectItem::Wildcard(options) if only_one => exclude(options),
                        SelectItem::QualifiedWildcard(
                            SelectItemQualifiedWildcardKind::ObjectName(name),
                            options,
                        ) if relations.contains(&last_part(name)) => exclude(options),
                        _ => {}
                    }
                }
            }
            SetExpr::SetOperation { left, right, .. } => {
                self.set_expression(left);
                self.set_expression(right);
            }
            // Nested queries are visited on their own.
            _ => {}
        }
    }

    /// Names under which touchpoint tables stand in a FROM clause.
    fn touchpoint_relations(&self, from: &[TableWithJoins]) -> Vec<String> {
        let factors =
            from.iter().flat_map(|t| std::iter::once(&t.relation).chain(t.joins.iter().map(|j| &j.relation)));
        factors
            .filter_map(|factor| match factor {
                TableFactor::Table { name, alias, .. } if self.tables.contains(&last_part(name)) => {
                    Some(alias.as_ref().map_or_else(|| last_part(name), |a| folded(&a.name)))
                }
                _ => None,
            })
            .collect()
    }
}

fn last_part(name: &ObjectName) -> String {
    name.0.last().and_then(|part| part.as_ident()).map(folded).unwrap_or_default()
}

fn folded(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

fn exclude(options: &mut WildcardAdditionalOptions) {
    if options.opt_exclude.is_none() && options.opt_except.is_none() {
        options.opt_exclude = Some(physical_columns());
    }
}

fn physical_columns() -> ExcludeSelectItem {
    let names = [schema::USER_KEY, schema::DAY].map(|name| ObjectName::from(vec![Ident::new(name)]));
    ExcludeSelectItem::Multiple(names.to_vec())
}
