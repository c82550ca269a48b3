//! DataFusion's hook for relations in FROM.

use std::sync::Arc;

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, FunctionArg, ObjectName, TableFactor};

use super::arguments::Arguments;
use super::{TableCall, TableFunction};

/// Schema that may stand before the name of a table function.
const SCHEMA: &str = "journey";

/// Plans calls of table functions; leaves every other relation alone.
#[derive(Debug)]
pub(super) struct JourneyRelations {
    functions: Vec<Arc<dyn TableFunction>>,
}

impl JourneyRelations {
    pub(super) fn new(functions: Vec<Arc<dyn TableFunction>>) -> Self {
        Self { functions }
    }

    fn find(&self, name: &ObjectName) -> Option<&Arc<dyn TableFunction>> {
        let mut parts = name.0.iter().rev().map(|part| part.as_ident().map(|ident| ident.value.as_str()));
        let function = parts.next().flatten()?;
        if parts.any(|part| part.is_none_or(|part| !part.eq_ignore_ascii_case(SCHEMA))) {
            return None;
        }
        self.functions.iter().find(|candidate| candidate.name().eq_ignore_ascii_case(function))
    }

    /// Only these functions have named arguments: of others DataFusion says nothing but that it does not take them.
    fn refuse_misspelled(&self, relation: &TableFactor) -> Result<()> {
        let TableFactor::Table { name, args: Some(args), .. } = relation else {
            return Ok(());
        };
        if args.args.iter().all(|arg| matches!(arg, FunctionArg::Unnamed(_))) {
            return Ok(());
        }
        let names: Vec<&str> = self.functions.iter().map(|function| function.name()).collect();
        plan_err!("there is no table function {name} with named arguments; there are {}", names.join(", "))
    }
}

impl RelationPlanner for JourneyRelations {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let function = match &relation {
            TableFactor::Table { name, args: Some(_), .. } => self.find(name).map(Arc::clone),
            _ => None,
        };
        let (Some(function), TableFactor::Table { args: Some(args), alias, .. }) = (function, &relation)
        else {
            self.refuse_misspelled(&relation)?;
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let arguments = Arguments::read(function.name(), function.parameters(), args.args.clone())?;
        let (data, named) = arguments.into_parts();
        let SqlExpr::Subquery(subquery) = data else {
            return plan_err!(
                "{}: the first argument must be a table, a view or a query in parentheses, got {data}",
                function.name()
            );
        };
        let data = TableFactor::Derived { lateral: false, subquery, alias: None, sample: None };
        let input = context.plan(data)?;
        let mut call = TableCall::new(function.name(), input, named, context);
        let plan = function.plan(&mut call)?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias.clone()))))
    }
}
