//! What a statement needs a role for: [`action`] is the one list of statements, [`Action`] that of what roles differ in,
//! and [`Role::may`] says which role is enough.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as EngineStatement;
use datafusion::sql::sqlparser::ast::{ObjectType, Statement, Visit, Visitor};
use pgwire::error::PgWireResult;
use wayfare_engine::{Action, Role};

use crate::error::{from_denied, user_error};

/// Refuses `statement` to a role that is not enough for it, or for a statement inside it.
///
/// # Errors
/// 42501.
pub(crate) fn check(role: Role, statement: &EngineStatement) -> PgWireResult<()> {
    match statement {
        EngineStatement::Statement(statement) => {
            let mut needs = Needs { role, refused: None };
            let _ = statement.visit(&mut needs);
            needs.refused.map_or(Ok(()), |action| require(role, action))
        }
        EngineStatement::Explain(explain) => check(role, &explain.statement),
        // These are refused to everybody.
        EngineStatement::CopyTo(_) | EngineStatement::CreateExternalTable(_) | EngineStatement::Reset(_) => {
            Ok(())
        }
    }
}

/// Refuses `action` to a role that is not enough for it.
///
/// # Errors
/// 42501.
pub(crate) fn require(role: Role, action: Action) -> PgWireResult<()> {
    role.require(action).map_err(|denied| user_error(from_denied(&denied)))
}

struct Needs {
    role: Role,
    refused: Option<Action>,
}

impl Visitor for Needs {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        let action = action(statement);
        if self.role.may(action) {
            return ControlFlow::Continue(());
        }
        self.refused = Some(action);
        ControlFlow::Break(())
    }
}

/// What the outermost part of `statement` needs.
fn action(statement: &Statement) -> Action {
    match statement {
        Statement::Query(_)
        | Statement::Explain { .. }
        | Statement::ExplainTable { .. }
        | Statement::ShowVariable { .. }
        | Statement::ShowVariables { .. }
        | Statement::ShowTables { .. }
        | Statement::ShowColumns { .. }
        | Statement::ShowFunctions { .. }
        | Statement::ShowDatabases { .. }
        | Statement::ShowSchemas { .. }
        | Statement::ShowCreate { .. }
        | Statement::ShowViews { .. }
        | Statement::Set(_)
        | Statement::Prepare { .. }
        | Statement::Execute { .. }
        | Statement::Deallocate { .. }
        | Statement::Declare { .. }
        | Statement::Fetch { .. }
        | Statement::Close { .. }
        | Statement::Discard { .. }
        | Statement::Analyze { .. }
        | Statement::Vacuum(_)
        | Statement::StartTransaction { .. }
        | Statement::Commit { .. }
        | Statement::Rollback { .. }
        | Statement::Savepoint { .. }
        | Statement::ReleaseSavepoint { .. } => Action::Read,
        Statement::Copy { to: true, .. } => Action::Read,
        Statement::Copy { .. } | Statement::Insert(_) => Action::Load,
        Statement::CreateTable(create) if create.temporary => Action::Read,
        Statement::CreateView(create) if create.temporary => Action::Read,
        // A statement drops no table of the store, only one of the session; and the engine, which knows the view that is
        // meant, asks for more if it is one of the store.
        Statement::Drop { object_type: ObjectType::Table | ObjectType::View, .. } => Action::Read,
        Statement::Update(_)
        | Statement::Delete(_)
        | Statement::Truncate { .. }
        | Statement::Merge { .. } => Action::Administer,
        _ => Action::Define,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::parser::DFParser;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;

    use super::*;

    fn allowed(role: Role, sql: &str) -> bool {
        let statement =
            DFParser::parse_sql_with_dialect(sql, &PostgreSqlDialect {}).unwrap().pop_front().unwrap();
        check(role, &statement).is_ok()
    }

    #[test]
    fn what_readers_may() {
        for sql in [
            "SELECT 1",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "EXPLAIN ANALYZE SELECT 1",
            "SHOW TABLES",
            "CREATE TEMP TABLE t AS SELECT 1",
            "DROP TABLE t",
            "CREATE TEMP VIEW v AS SELECT 1",
            "DROP VIEW v",
            "PREPARE p AS SELECT 1",
        ] {
            assert!(allowed(Role::Reader, sql), "{sql}");
        }
    }

    #[test]
    fn what_takes_more() {
        for (sql, least) in [
            ("CREATE TABLE t AS SELECT 1", Role::Loader),
            ("CREATE VIEW v AS SELECT 1", Role::Loader),
            ("CREATE OR REPLACE VIEW v AS SELECT 1", Role::Loader),
            ("CREATE SCHEMA s", Role::Loader),
            ("ALTER TABLE t ADD COLUMN x INT", Role::Loader),
            ("INSERT INTO t VALUES (1)", Role::Loader),
            ("EXPLAIN INSERT INTO t VALUES (1)", Role::Loader),
            ("PREPARE p AS INSERT INTO t VALUES (1)", Role::Loader),
            ("UPDATE t SET a = 1", Role::Admin),
            ("DELETE FROM t", Role::Admin),
            ("TRUNCATE t", Role::Admin),
        ] {
            for role in Role::ALL {
                assert_eq!(allowed(role, sql), role >= least, "{role} {sql}");
            }
        }
    }
}
