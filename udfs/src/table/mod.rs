//! Table functions: whole reports that stand in FROM and return flat columns.
//!
//! `SELECT * FROM funnel(touchpoints, steps => [...], within => INTERVAL '7 days')`: the first argument is the
//! data, a table, a view or a query in parentheses; the others are planned against its columns. A function builds
//! a logical plan over the data, so everything that SQL does with a relation works on its result.

mod active_users;
mod arguments;
mod attribution;
mod call;
mod condition;
mod data_driven;
mod funnel;
mod groups;
mod lifecycle;
mod paths;
mod planner;
mod report;
mod retention_matrix;
mod sessions;
mod stickiness;
mod unused;

use std::fmt::Debug;
use std::sync::{Arc, LazyLock};

use datafusion::common::Result;
use datafusion::logical_expr::planner::RelationPlanner;
use datafusion::logical_expr::{Documentation, LogicalPlan};
use datafusion::optimizer::OptimizerRule;

pub use call::TableCall;
pub use condition::Condition;
pub use groups::is_key_guard;

/// A function that stands in FROM.
pub trait TableFunction: Debug + Send + Sync {
    /// Name in SQL, lower case.
    fn name(&self) -> &'static str;

    /// Names of the arguments behind the data, in the order in which they may be given without a name.
    fn parameters(&self) -> &'static [&'static str];

    /// Builds the plan of one call.
    ///
    /// # Errors
    /// Plan errors that name the function and the argument and say what is allowed.
    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan>;

    /// Entry of the SQL reference.
    fn documentation(&self) -> &Documentation;
}

/// Returns the table functions of this crate.
pub fn all_table_functions() -> Vec<Arc<dyn TableFunction>> {
    let mut functions = funnel::functions();
    functions.extend(paths::functions());
    functions.push(Arc::new(sessions::SessionsTable));
    functions.push(Arc::new(retention_matrix::RetentionMatrix));
    functions.push(Arc::new(stickiness::Stickiness));
    functions.push(Arc::new(lifecycle::Lifecycle));
    functions.push(Arc::new(active_users::ActiveUsers));
    functions.extend(attribution::functions());
    functions.extend(data_driven::functions());
    functions
}

/// Whether `name`, in any case, is a table function of this crate.
pub fn is_table_function(name: &str) -> bool {
    static FUNCTIONS: LazyLock<Vec<Arc<dyn TableFunction>>> = LazyLock::new(all_table_functions);
    FUNCTIONS.iter().any(|function| function.name().eq_ignore_ascii_case(name))
}

/// Returns what plans the table functions; a session registers it once.
pub fn relation_planner() -> Arc<dyn RelationPlanner> {
    Arc::new(planner::JourneyRelations::new(all_table_functions()))
}

/// `rules`, which are DataFusion's own, with those that make table functions faster.
///
/// Give them to `SessionStateBuilder::with_optimizer_rules`. No answer depends on them.
pub fn with_table_rules(
    mut rules: Vec<Arc<dyn OptimizerRule + Send + Sync>>,
) -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    rules.push(Arc::new(unused::UnusedFields));
    rules
}

#[cfg(test)]
mod tests;
