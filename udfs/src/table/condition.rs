//! A condition on rows, as written in a table function's argument.

use datafusion::logical_expr::Expr;

/// A condition on the rows of the data and its name.
#[derive(Debug, Clone)]
pub struct Condition {
    /// Boolean over the columns of the data; NULL is not met.
    pub expr: Expr,
    /// The event's name where only that was given, else the condition as written.
    pub name: String,
}
