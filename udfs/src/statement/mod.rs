//! From the text of a statement to a syntax tree that DataFusion can plan.
//!
//! DataFusion takes a table only as a relation, and takes named arguments only without gaps. Four passes close the
//! distance, each a pure function, so that a library, a server and a test can all use them:
//!
//! 1. [`rewrite_text`] on the text: `funnel(TABLE t, ...)` does not parse, `funnel(t, ...)` does; `name := value` is
//!    taken for a comparison, `name => value` is not. Positions in error messages stay right.
//! 2. [`bind_signs`] on the tree: `-2 ^ 2` and `-INTERVAL '1 day 2 hours'` mean what they mean in PostgreSQL.
//! 3. [`name_tables`] on the tree: the first argument of a table function becomes a sub-query, which is where
//!    DataFusion looks for tables; `f(..)`, `TABLE(f(..))` and `LATERAL f(..)` become one form.
//! 4. [`resolve_names`] on the tree: named arguments of this crate's functions are put in order, and those left out
//!    become NULL.
//!
//! All four may run twice: their own output passes through unchanged.

mod named_arguments;
mod positions;
mod signs;
mod table_arguments;
mod text;

use datafusion::common::Result;
use datafusion::sql::parser::{DFParserBuilder, Statement};
use datafusion::sql::sqlparser::ast::Statement as SqlStatement;
use datafusion::sql::sqlparser::dialect::Dialect;

pub use named_arguments::{Parameters, resolve_names};
pub use positions::Positions;
pub use signs::bind_signs;
pub use table_arguments::name_tables;
pub use text::rewrite_text;

/// Whether a word, in any case, is the name of a table function.
pub type IsTableFunction<'a> = &'a dyn Fn(&str) -> bool;

/// Parses `sql` into its statements and runs all passes over them.
///
/// # Errors
/// Those of the parser, and plan errors about named arguments.
pub fn parse(
    sql: &str,
    dialect: &dyn Dialect,
    recursion_limit: usize,
    is_table_function: IsTableFunction<'_>,
) -> Result<Vec<Statement>> {
    let text = rewrite_text(sql, dialect, is_table_function);
    let mut parser = DFParserBuilder::new(text.as_ref())
        .with_dialect(dialect)
        .with_recursion_limit(recursion_limit)
        .build()?;
    let mut statements: Vec<Statement> = parser.parse_statements()?.into_iter().collect();
    for statement in &mut statements {
        if let Some(statement) = sql_of(statement) {
            bind_signs(statement);
            name_tables(statement, dialect, is_table_function)?;
            resolve_names(statement, Parameters::of_this_crate())?;
        }
    }
    Ok(statements)
}

/// The SQL inside a statement of DataFusion's parser; `None` for its own commands.
fn sql_of(statement: &mut Statement) -> Option<&mut SqlStatement> {
    match statement {
        Statement::Statement(statement) => Some(statement),
        Statement::Explain(explain) => sql_of(&mut explain.statement),
        _ => None,
    }
}
