//! Limits that no session can raise, checked before a statement is planned.
//!
//! DataFusion plans recursively: depth costs stack, and time grows with the square of it. The CPU threads have large
//! stacks (see [`crate::cpu`]); these limits keep every accepted statement well inside them.

/// Longest text of one query message or prepared statement.
pub const MAX_STATEMENT_BYTES: usize = 1 << 20;
/// Most operators (arithmetic, comparison, `AND`, `OR`, `||` ...) in one statement.
pub const MAX_STATEMENT_OPERATORS: usize = 2_000;
/// Most keywords `JOIN`, `UNION`, `INTERSECT` and `EXCEPT` in one statement.
pub const MAX_STATEMENT_JOINS: usize = 200;
/// Most columns of a result, as in PostgreSQL.
pub const MAX_RESULT_COLUMNS: usize = 1_664;
