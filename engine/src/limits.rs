//! What a statement may be at most. No session can raise these limits.
//!
//! DataFusion plans by recursion: depth costs stack, and planning time grows with the square of it. Statements are
//! planned on large stacks (see [`crate::deep`]); these limits keep every accepted statement well inside them, also
//! while it runs, and with that the process alive.

use std::collections::HashMap;
use std::fmt;
use std::ops::ControlFlow;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::{CopyToSource, Statement};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArguments, GroupByExpr, GroupByWithModifier, ObjectName, Query,
    Select, SetExpr, TableFactor, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::Dialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::error::{Error, Result};

/// Longest text that is parsed at once.
pub const MAX_STATEMENT_BYTES: usize = 1 << 20;
/// Most statements that are parsed at once.
pub const MAX_STATEMENTS: usize = 1_000;
/// Longest name in bytes. PostgreSQL cuts names after 63 bytes, which can make two of them one; here they stay whole up
/// to this length, and longer ones are refused.
pub const MAX_IDENTIFIER_BYTES: usize = 1_024;
/// Most tokens that the parser may read: it reads the arguments of a function call twice or more, so that each call
/// around a token doubles it.
pub const MAX_PARSED_TOKENS: usize = 1 << 22;
/// Most operators (arithmetic, comparison, `AND`, `OR`, `||` ...) in one statement.
pub const MAX_OPERATORS: usize = 2_000;
/// Most expressions in one statement, names and literals among them: long lists can have about as many.
pub const MAX_EXPRESSIONS: usize = 50_000;
/// Most columns of one SELECT, as in PostgreSQL.
pub const MAX_SELECT_ITEMS: usize = 1_664;
/// Most arguments of one function call; PostgreSQL has 100.
pub const MAX_ARGUMENTS: usize = 1_000;
/// Most grouping sets of one SELECT, as in PostgreSQL: CUBE doubles them with each column.
pub const MAX_GROUPING_SETS: usize = 4_096;
/// Most columns of one operator of a plan, those of all tables of a join among them.
pub const MAX_PLAN_COLUMNS: usize = 16_640;
/// Most expressions one inside the other: a chain `a + b + c` is as deep as it has operators, but for long
/// ones of `AND` and `OR`, which are balanced.
pub const MAX_EXPRESSION_DEPTH: usize = 500;
/// Most JSON operators (`->`, `->>` ...) one after the other: the time to plan them doubles with each.
pub const MAX_JSON_PATH: usize = 12;
/// Most joins in one statement, commas in FROM among them.
pub const MAX_JOINS: usize = 100;
/// Most sub-queries in expressions, which are planned as joins.
pub const MAX_SUB_QUERIES: usize = 100;
/// Most sub-queries in expressions one inside the other: the time to plan them doubles with each.
pub const MAX_SUB_QUERY_DEPTH: usize = 12;
/// Most common table expressions.
pub const MAX_CTES: usize = 100;
/// Most `UNION`, `INTERSECT` and `EXCEPT`.
pub const MAX_SET_OPERATIONS: usize = 100;
/// Most views that a statement reads, by itself and through other views.
pub const MAX_VIEWS: usize = 100;
/// Most operators of a plan, with all views and common table expressions in place.
pub const MAX_PLAN_NODES: usize = 5_000;
/// Most operators of a plan one above the other.
pub const MAX_PLAN_DEPTH: usize = 1_000;

/// Most copies of values that one expression of a plan puts together, through all queries below it: `a || a` over
/// `a || a` is four.
pub const MAX_COPIES: usize = 1_000;
/// Largest result of one function call, for all rows of a batch.
pub const MAX_CALL_BYTES: usize = 128 << 20;
/// Most steps of one function call whose time is the product of two lengths.
pub const MAX_CALL_STEPS: usize = 1 << 28;

/// What there is too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// [`MAX_STATEMENT_BYTES`].
    Bytes,
    /// [`MAX_STATEMENTS`].
    Statements,
    /// [`MAX_IDENTIFIER_BYTES`].
    IdentifierBytes,
    /// [`MAX_PARSED_TOKENS`].
    ParsedTokens,
    /// [`MAX_EXPRESSIONS`].
    Expressions,
    /// [`MAX_SELECT_ITEMS`].
    SelectItems,
    /// [`MAX_ARGUMENTS`].
    Arguments,
    /// [`MAX_GROUPING_SETS`].
    GroupingSets,
    /// [`MAX_PLAN_COLUMNS`].
    PlanColumns,
    /// [`MAX_OPERATORS`].
    Operators,
    /// [`MAX_EXPRESSION_DEPTH`].
    ExpressionDepth,
    /// [`MAX_JSON_PATH`].
    JsonPath,
    /// [`MAX_JOINS`].
    Joins,
    /// [`MAX_SUB_QUERIES`].
    SubQueries,
    /// [`MAX_SUB_QUERY_DEPTH`].
    SubQueryDepth,
    /// [`MAX_CTES`].
    Ctes,
    /// [`MAX_SET_OPERATIONS`].
    SetOperations,
    /// [`MAX_VIEWS`].
    Views,
    /// [`MAX_PLAN_NODES`].
    PlanNodes,
    /// [`MAX_PLAN_DEPTH`].
    PlanDepth,
    /// [`MAX_COPIES`].
    Copies,
    /// Copies of what the round before gave in a round of a recursive query: with two, it doubles each time.
    RecursiveCopies,
    /// Rows of a result, with their largest number: see [`crate::EngineConfig::max_result_rows`].
    ResultRows(u64),
    /// Bytes that one call of the function of this name would return.
    CallBytes(&'static str),
    /// Steps that one call of the function of this name would take.
    CallSteps(&'static str),
}

impl Limit {
    /// The largest number that is accepted.
    pub fn allowed(self) -> usize {
        match self {
            Self::Bytes => MAX_STATEMENT_BYTES,
            Self::Statements => MAX_STATEMENTS,
            Self::IdentifierBytes => MAX_IDENTIFIER_BYTES,
            Self::ParsedTokens => MAX_PARSED_TOKENS,
            Self::Expressions => MAX_EXPRESSIONS,
            Self::SelectItems => MAX_SELECT_ITEMS,
            Self::Arguments => MAX_ARGUMENTS,
            Self::GroupingSets => MAX_GROUPING_SETS,
            Self::PlanColumns => MAX_PLAN_COLUMNS,
            Self::Operators => MAX_OPERATORS,
            Self::ExpressionDepth => MAX_EXPRESSION_DEPTH,
            Self::JsonPath => MAX_JSON_PATH,
            Self::Joins => MAX_JOINS,
            Self::SubQueries => MAX_SUB_QUERIES,
            Self::SubQueryDepth => MAX_SUB_QUERY_DEPTH,
            Self::Ctes => MAX_CTES,
            Self::SetOperations => MAX_SET_OPERATIONS,
            Self::Views => MAX_VIEWS,
            Self::PlanNodes => MAX_PLAN_NODES,
            Self::PlanDepth => MAX_PLAN_DEPTH,
            Self::Copies => MAX_COPIES,
            Self::RecursiveCopies => 1,
            Self::ResultRows(most) => usize::try_from(most).unwrap_or(usize::MAX),
            Self::CallBytes(_) => MAX_CALL_BYTES,
            Self::CallSteps(_) => MAX_CALL_STEPS,
        }
    }

    /// Refuses more than the limit allows.
    ///
    /// # Errors
    /// [`Error::Limit`].
    pub fn check(self, found: usize) -> Result<()> {
        if found > self.allowed() { Err(Error::Limit(LimitExceeded { limit: self, found })) } else { Ok(()) }
    }
}

/// A statement that has too much of something. `found` may stop counting soon after the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct LimitExceeded {
    /// Of what.
    pub limit: Limit,
    /// How much.
    pub found: usize,
}

impl fmt::Display for LimitExceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, advice) = match self.limit {
            Limit::Bytes => ("bytes", "load long lists into a table and join it"),
            Limit::Statements => ("statements", "send them in several messages"),
            Limit::IdentifierBytes => {
                return write!(
                    f,
                    "identifier too long: {} bytes, at most {MAX_IDENTIFIER_BYTES} are accepted",
                    self.found
                );
            }
            Limit::Expressions => {
                ("names, values and expressions", "load long lists into a table and join it")
            }
            Limit::SelectItems => {
                return write!(
                    f,
                    "target lists can have at most {MAX_SELECT_ITEMS} entries, not {}",
                    self.found
                );
            }
            Limit::Arguments => {
                return write!(
                    f,
                    "cannot pass more than {MAX_ARGUMENTS} arguments to a function; {} were given",
                    self.found
                );
            }
            Limit::GroupingSets => ("grouping sets", "name those that are needed with GROUPING SETS"),
            Limit::PlanColumns => {
                ("columns in one operator of its plan", "select fewer columns of each table")
            }
            Limit::CallBytes(name) => {
                return write!(f, "{name}: the result would have more than {MAX_CALL_BYTES} bytes");
            }
            Limit::CallSteps(name) => return write!(f, "{name}: the texts are too long to be compared"),
            Limit::ParsedTokens => {
                ("tokens, which every function call around them doubles", "take inner calls into a sub-query")
            }
            Limit::Operators => ("operators", "use IN or a join for long lists"),
            Limit::ExpressionDepth => (
                "expressions one inside the other, chained operators among them",
                "take parts into a sub-query",
            ),
            Limit::JsonPath => ("JSON operators one after the other", "take the inner part in a sub-query"),
            Limit::Joins => ("joins", "keep parts of the result in a table"),
            Limit::SubQueries => ("sub-queries in expressions", "keep parts of the result in a table"),
            Limit::SubQueryDepth => ("sub-queries one inside the other", "join instead"),
            Limit::Ctes => ("common table expressions", "keep parts of the result in a table"),
            Limit::SetOperations => ("UNION, INTERSECT and EXCEPT", "keep parts of the result in a table"),
            Limit::Views => ("views below one another", "keep the result of some in a table"),
            Limit::PlanNodes => ("operators in its plan", "name large views and WITH queries less often"),
            Limit::PlanDepth => {
                ("operators above one another in its plan", "keep parts of the result in a table")
            }
            Limit::Copies => ("copies of values in one expression", "concatenate less often"),
            Limit::RecursiveCopies => {
                ("copies of a value in each round of a recursive query", "concatenate what the round adds")
            }
            Limit::ResultRows(most) => {
                return write!(
                    f,
                    "the result has more than {most} rows, the most that are sent; add a LIMIT, or aggregate"
                );
            }
        };
        let Self { limit, found } = self;
        let how = if matches!(limit, Limit::Bytes | Limit::Statements) { "long" } else { "complex" };
        write!(f, "statement too {how}: {found} {what}, at most {} are accepted; {advice}", limit.allowed())
    }
}

/// Refuses text that is too much to parse. Text without tokens passes: the parser says what is wrong. O(n), without
/// recursion.
pub(crate) fn check_text(sql: &str, dialect: &dyn Dialect) -> Result<()> {
    Limit::Bytes.check(sql.len())?;
    let Ok(tokens) = Tokenizer::new(dialect, sql).tokenize() else {
        return Ok(());
    };
    let mut operators = 0;
    let mut parsed: usize = 0;
    let mut statements = 1;
    let mut previous = &Token::EOF;
    // For each open parenthesis, how often the parser reads what is in it.
    let mut open: Vec<usize> = Vec::new();
    for token in tokens.iter().filter(|token| !matches!(token, Token::Whitespace(_))) {
        let times = open.last().copied().unwrap_or(1);
        match token {
            Token::SemiColon => {
                // Semicolons without a statement between them are no statements.
                statements += usize::from(parsed > 1);
                Limit::Statements.check(statements)?;
                operators = 0;
                parsed = 0;
                open.clear();
            }
            Token::Word(word) => Limit::IdentifierBytes.check(word.value.len())?,
            Token::LParen | Token::LBracket => open.push(times.saturating_mul(readings(previous))),
            Token::RParen | Token::RBracket => {
                open.pop();
            }
            _ => {}
        }
        parsed = parsed.saturating_add(times);
        Limit::ParsedTokens.check(parsed)?;
        operators += usize::from(is_operator(token));
        Limit::Operators.check(operators)?;
        previous = token;
    }
    Ok(())
}

/// How often the parser may read what is in a bracket behind `token`: arguments of a function twice, first as a name
/// and then as a value; and where a keyword such as CAST or ARRAY stands before it, once more as if it were none.
fn readings(token: &Token) -> usize {
    match token {
        Token::Word(word) => match word.keyword {
            Keyword::NoKeyword => 2,
            Keyword::ALL
            | Keyword::AND
            | Keyword::AS
            | Keyword::BY
            | Keyword::ELSE
            | Keyword::EXCEPT
            | Keyword::FILTER
            | Keyword::FROM
            | Keyword::IN
            | Keyword::INTERSECT
            | Keyword::JOIN
            | Keyword::LATERAL
            | Keyword::MATERIALIZED
            | Keyword::ON
            | Keyword::OR
            | Keyword::OVER
            | Keyword::SELECT
            | Keyword::THEN
            | Keyword::UNION
            | Keyword::USING
            | Keyword::VALUES
            | Keyword::WHEN
            | Keyword::WHERE => 1,
            _ => 3,
        },
        _ => 1,
    }
}

/// Whether the token can make an expression one deeper.
fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::XOR
                | Keyword::NOT
                | Keyword::CASE
                | Keyword::IS
                | Keyword::IN
                | Keyword::BETWEEN
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::RLIKE
                | Keyword::REGEXP
                | Keyword::SIMILAR
                | Keyword::OVERLAPS
                | Keyword::COLLATE
                | Keyword::AT
                | Keyword::NOTNULL
                | Keyword::DIV
                | Keyword::MEMBER
                | Keyword::OPERATOR
                | Keyword::INTERVAL
                | Keyword::EXPLAIN
                | Keyword::PREPARE
        ),
        Token::EOF
        | Token::Number(..)
        | Token::Char(_)
        | Token::Comma
        | Token::Period
        | Token::LParen
        | Token::RParen
        | Token::RBracket
        | Token::LBrace
        | Token::RBrace
        | Token::SemiColon
        | Token::Whitespace(_)
        | Token::Placeholder(_)
        | Token::RArrow
        | Token::Assignment
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::DollarQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::NationalStringLiteral(_)
        | Token::HexStringLiteral(_) => false,
        // Everything else is a sign between or before expressions.
        _ => true,
    }
}

/// Refuses a statement that is too much to plan.
pub(crate) fn check_statement(statement: &Statement) -> Result<()> {
    match statement {
        Statement::Statement(statement) => check_sql(statement.as_ref()),
        Statement::Explain(explain) => check_statement(&explain.statement),
        Statement::CopyTo(copy) => match &copy.source {
            CopyToSource::Query(query) => check_sql(query.as_ref()),
            CopyToSource::Relation(_) => Ok(()),
        },
        _ => Ok(()),
    }
}

fn check_sql(node: &impl Visit) -> Result<()> {
    match node.visit(&mut Counts::default()) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

#[derive(Default)]
struct Counts {
    depth: usize,
    joins: usize,
    sub_queries: usize,
    sub_query_depth: usize,
    ctes: usize,
    set_operations: usize,
    expressions: usize,
    expansion: Expansion,
}

impl Counts {
    fn add(limit: Limit, counter: &mut usize, more: usize) -> ControlFlow<Box<Error>> {
        *counter = counter.saturating_add(more);
        Self::check(limit, *counter)
    }

    fn check(limit: Limit, found: usize) -> ControlFlow<Box<Error>> {
        match limit.check(found) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }
}

/// How many relations there are once every common table expression stands where it is named: they double easily.
#[derive(Default)]
struct Expansion {
    /// Relations of each query that is open, the outermost first.
    open: Vec<usize>,
    /// Queries of common table expressions, by their place in memory: the visitor does not say what a query is for.
    names: HashMap<*const Query, String>,
    /// Relations of each common table expression by name; the last one of a name counts.
    relations: HashMap<String, usize>,
}

impl Expansion {
    fn begin(&mut self, query: &Query) {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.names.insert(std::ptr::from_ref(cte.query.as_ref()), cte.alias.name.value.to_lowercase());
        }
        self.open.push(1);
    }

    fn relation(&mut self, name: &ObjectName) -> usize {
        let known = match name.0.as_slice() {
            [name] => name.as_ident().and_then(|name| self.relations.get(&name.value.to_lowercase())),
            _ => None,
        };
        let Some(query) = self.open.last_mut() else { return 0 };
        *query = query.saturating_add(known.copied().unwrap_or(1));
        *query
    }

    fn end(&mut self, query: &Query) {
        let relations = self.open.pop().unwrap_or_default();
        if let Some(name) = self.names.remove(&std::ptr::from_ref(query)) {
            self.relations.insert(name, relations);
        } else if let Some(outer) = self.open.last_mut() {
            *outer = outer.saturating_add(relations);
        }
    }
}

fn has_sub_query(expr: &Expr) -> bool {
    matches!(expr, Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. })
}

fn arguments(expr: &Expr) -> usize {
    match expr {
        Expr::Function(Function { args: FunctionArguments::List(list), .. }) => list.args.len(),
        _ => 0,
    }
}

/// How many grouping sets a GROUP BY makes: those of its parts multiply.
fn grouping_sets(group_by: &GroupByExpr) -> usize {
    let (parts, modifiers) = match group_by {
        GroupByExpr::All(modifiers) => (&[][..], modifiers),
        GroupByExpr::Expressions(parts, modifiers) => (parts.as_slice(), modifiers),
    };
    let cube = |columns: usize| 1_usize.checked_shl(u32::try_from(columns).unwrap_or(u32::MAX));
    let of_parts = parts.iter().map(|part| match part {
        Expr::Cube(columns) => cube(columns.len()).unwrap_or(usize::MAX),
        Expr::Rollup(columns) => columns.len() + 1,
        Expr::GroupingSets(sets) => sets.len().max(1),
        _ => 1,
    });
    let of_modifiers = modifiers.iter().map(|modifier| match modifier {
        GroupByWithModifier::Cube => cube(parts.len()).unwrap_or(usize::MAX),
        GroupByWithModifier::Rollup => parts.len() + 1,
        _ => 1,
    });
    of_parts.chain(of_modifiers).fold(1, usize::saturating_mul)
}

/// How many JSON operators follow one another, `expr` being the last.
fn json_path(expr: &Expr) -> usize {
    let mut operators = 0;
    let mut current = expr;
    while let Expr::BinaryOp { left, op, .. } = current
        && matches!(
            op,
            BinaryOperator::Arrow
                | BinaryOperator::LongArrow
                | BinaryOperator::HashArrow
                | BinaryOperator::HashLongArrow
                | BinaryOperator::Question
        )
    {
        operators += 1;
        current = left;
    }
    operators
}

impl Visitor for Counts {
    // Boxed: the visitor keeps one on the stack at each level.
    type Break = Box<Error>;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        if has_sub_query(expr) {
            Self::add(Limit::SubQueries, &mut self.sub_queries, 1)?;
            Self::add(Limit::SubQueryDepth, &mut self.sub_query_depth, 1)?;
        }
        Self::add(Limit::Expressions, &mut self.expressions, 1)?;
        Self::check(Limit::Arguments, arguments(expr))?;
        Self::check(Limit::JsonPath, json_path(expr))?;
        Self::add(Limit::ExpressionDepth, &mut self.depth, 1)
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Self::Break> {
        self.depth -= 1;
        self.sub_query_depth -= usize::from(has_sub_query(expr));
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        self.expansion.begin(query);
        let ctes = query.with.as_ref().map_or(0, |with| with.cte_tables.len());
        Self::add(Limit::Ctes, &mut self.ctes, ctes)?;
        // A chain leans to the left; what hangs to the right is counted on its own, with its query.
        let mut operations = 0;
        let mut pending = vec![query.body.as_ref()];
        while let Some(body) = pending.pop() {
            if let SetExpr::SetOperation { left, right, .. } = body {
                operations += 1;
                pending.push(left.as_ref());
                pending.push(right.as_ref());
            }
        }
        Self::add(Limit::SetOperations, &mut self.set_operations, operations)
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<Self::Break> {
        self.expansion.end(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &ObjectName) -> ControlFlow<Self::Break> {
        Self::check(Limit::PlanNodes, self.expansion.relation(relation))
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Self::Break> {
        let commas = select.from.len().saturating_sub(1);
        let joins: usize = select.from.iter().map(|from| from.joins.len()).sum();
        Self::check(Limit::SelectItems, select.projection.len())?;
        Self::check(Limit::GroupingSets, grouping_sets(&select.group_by))?;
        Self::add(Limit::Joins, &mut self.joins, commas + joins)
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Self::Break> {
        match factor {
            TableFactor::NestedJoin { table_with_joins, .. } => {
                Self::add(Limit::Joins, &mut self.joins, table_with_joins.joins.len())
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Refuses a plan that is too much to optimize and run: views and common table expressions multiply.
pub(crate) fn check_plan(plan: &LogicalPlan) -> Result<()> {
    let mut nodes = 0;
    let mut pending = vec![(plan, 1)];
    while let Some((node, depth)) = pending.pop() {
        nodes += 1;
        Limit::PlanNodes.check(nodes)?;
        Limit::PlanDepth.check(depth)?;
        Limit::PlanColumns.check(node.schema().fields().len())?;
        pending.extend(node.inputs().into_iter().map(|input| (input, depth + 1)));
    }
    let mut all = 0;
    plan.apply_with_subqueries(|_| {
        all += 1;
        Ok(if all > MAX_PLAN_NODES { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Limit::PlanNodes.check(all)
}
