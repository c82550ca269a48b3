//! The entry of every statement: from text to a syntax tree that is safe to plan.
//!
//! Text is measured before it is parsed and the tree before it is planned, see [`limits`](crate::limits). In between
//! run the passes of [`wayfare_udfs::statement`].

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use wayfare_udfs::{statement, table};

use crate::error::Result;
use crate::{balance, limits};

pub use wayfare_udfs::statement::Positions;

/// Parses `sql` into its statements; empty text gives none. Needs a large stack, see [`crate::deep`].
///
/// # Errors
/// Those of the parser, [`Error::Limit`](crate::Error::Limit), and plan errors about named arguments.
pub(crate) fn parse(sql: &str, recursion_limit: usize) -> Result<Vec<Statement>> {
    let dialect = PostgreSqlDialect {};
    limits::check_text(sql, &dialect)?;
    let mut statements = statement::parse(sql, &dialect, recursion_limit, &table::is_table_function)?;
    for statement in &mut statements {
        balance::chains(statement);
        limits::check_statement(statement)?;
    }
    Ok(statements)
}
