//! One call of a table function: its data and its arguments, typed.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DFSchemaRef, Result, ScalarValue, plan_err};
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, lit};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::sql::sqlparser::ast::{Array, Expr as SqlExpr, TableFactor, Value, ValueWithSpan};

use super::Condition;
use crate::arguments::{LengthArgument, is_text, is_time};
use crate::length::Length;

/// The data and the arguments of one call.
///
/// Each getter returns `None` for an argument that was not given, or given as NULL, and a plan error that names the
/// argument if it does not fit. Expressions are planned against the columns of the data; parameters (`$1`) get
/// their types from where they stand.
pub struct TableCall<'a> {
    function: &'static str,
    input: LogicalPlan,
    arguments: BTreeMap<&'static str, SqlExpr>,
    context: &'a mut dyn RelationPlannerContext,
}

impl std::fmt::Debug for TableCall<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableCall").field("function", &self.function).finish_non_exhaustive()
    }
}

impl<'a> TableCall<'a> {
    pub(super) fn new(
        function: &'static str,
        input: LogicalPlan,
        arguments: BTreeMap<&'static str, SqlExpr>,
        context: &'a mut dyn RelationPlannerContext,
    ) -> Self {
        Self { function, input, arguments, context }
    }

    /// Name of the function, for messages.
    pub fn function(&self) -> &'static str {
        self.function
    }

    /// The plan of the data.
    pub fn input(&self) -> &LogicalPlan {
        &self.input
    }

    /// The columns of the data.
    pub fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    /// Whether the argument was given, and not as NULL.
    pub fn is_given(&self, name: &str) -> bool {
        self.arguments.contains_key(name)
    }

    /// The error that `name` is missing; `advice` says what to write.
    pub fn missing<T>(&self, name: &str, advice: &str) -> Result<T> {
        plan_err!("{}: argument {name} is missing; {advice}", self.function)
    }

    /// An expression over the columns of the data.
    pub fn expr(&mut self, name: &str) -> Result<Option<Expr>> {
        let Some(sql) = self.arguments.get(name).cloned() else {
            return Ok(None);
        };
        self.plan(name, sql).map(Some)
    }

    /// The elements of a list `[a, b]`, `ARRAY[a, b]` or `(a, b)`; one expression alone is a list of one.
    pub fn expr_list(&mut self, name: &str) -> Result<Option<Vec<Expr>>> {
        let Some(elements) = self.arguments.get(name).cloned().map(elements) else {
            return Ok(None);
        };
        elements.into_iter().map(|sql| self.plan(name, sql)).collect::<Result<_>>().map(Some)
    }

    /// A condition: a boolean expression, or text (also a parameter) as short form of `event = text`.
    pub fn condition(&mut self, name: &str) -> Result<Option<Condition>> {
        let Some(sql) = self.arguments.get(name).cloned() else {
            return Ok(None);
        };
        self.plan_condition(name, sql).map(Some)
    }

    /// A list of conditions, see [`Self::condition`].
    pub fn conditions(&mut self, name: &str) -> Result<Option<Vec<Condition>>> {
        let Some(elements) = self.arguments.get(name).cloned().map(elements) else {
            return Ok(None);
        };
        elements.into_iter().map(|sql| self.plan_condition(name, sql)).collect::<Result<_>>().map(Some)
    }

    /// A length of time for times of type `ts`: an expression without columns, cast to the type that
    /// [`Length`] reads. A value that is known already is checked; a parameter is passed on.
    pub fn length(&mut self, name: &'static str, ts: &DataType) -> Result<Option<Expr>> {
        let Some(expr) = self.row_free(name)? else {
            return Ok(None);
        };
        let argument = LengthArgument { function: self.function, name };
        let given = match &expr {
            Expr::Placeholder(_) => DataType::Null,
            expr => expr.get_type(&DFSchema::empty())?,
        };
        let [_, wanted] = argument.coerce(ts, &given)?;
        if let Expr::Placeholder(placeholder) = expr {
            return Ok(Some(typed(placeholder, wanted)));
        }
        let value = self.folded(name, expr.cast_to(&wanted, &DFSchema::empty())?)?;
        match value {
            Expr::Literal(value, _) => {
                let [ts, _] = argument.coerce(ts, &value.data_type())?;
                Length::try_new(argument, &value, &ts)?;
                Ok(Some(lit(value)))
            }
            other => Ok(Some(other)),
        }
    }

    /// An instant: an expression without columns, cast to `wanted`, a timestamp. A date is its midnight; what has no
    /// zone is on the clock of the zone of `wanted`. A parameter is passed on.
    pub fn instant(&mut self, name: &'static str, wanted: &DataType) -> Result<Option<Expr>> {
        let Some(expr) = self.row_free(name)? else {
            return Ok(None);
        };
        if let Expr::Placeholder(placeholder) = expr {
            return Ok(Some(typed(placeholder, wanted.clone())));
        }
        let empty = DFSchema::empty();
        let local = match (expr.get_type(&empty)?, wanted) {
            (DataType::Date32 | DataType::Date64, DataType::Timestamp(unit, _)) => {
                expr.cast_to(&DataType::Timestamp(*unit, None), &empty)?
            }
            (DataType::Timestamp(_, _) | DataType::Null, _) => expr,
            (text, _) if is_text(&text) => expr,
            (other, _) => {
                return plan_err!(
                    "{}: argument {name} must be a timestamp or a date, got {other}",
                    self.function
                );
            }
        };
        let value = match self.folded(name, local.cast_to(wanted, &empty)?) {
            Ok(value) => value,
            Err(error) => {
                return plan_err!(
                    "{}: argument {name} must be a timestamp or a date, such as TIMESTAMP '2024-05-01 10:00:00' or \
                     DATE '2024-05-01': {}",
                    self.function,
                    error.find_root().strip_backtrace()
                );
            }
        };
        Ok((!matches!(&value, Expr::Literal(value, _) if value.is_null())).then_some(value))
    }

    /// The value of a constant expression.
    ///
    /// # Errors
    /// Also for a parameter: the plan depends on the value.
    pub fn constant(&mut self, name: &str) -> Result<Option<ScalarValue>> {
        let Some(expr) = self.row_free(name)? else {
            return Ok(None);
        };
        match self.folded(name, expr)? {
            Expr::Literal(value, _) if value.is_null() => Ok(None),
            Expr::Literal(value, _) => Ok(Some(value)),
            other => plan_err!(
                "{}: argument {name} must be a constant written in the statement, got {other}",
                self.function
            ),
        }
    }

    /// A constant text.
    pub fn text(&mut self, name: &str) -> Result<Option<String>> {
        match self.constant(name)? {
            None => Ok(None),
            Some(value) => match value.try_as_str() {
                Some(text) => Ok(text.map(str::to_owned)),
                None => plan_err!("{}: argument {name} must be text, got {value}", self.function),
            },
        }
    }

    /// The text, if the argument is a text in quotes and nothing else: a word that stands beside other forms, as in
    /// `within => 'session'`.
    pub fn word(&self, name: &str) -> Option<&str> {
        match self.arguments.get(name)? {
            SqlExpr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => Some(text),
            _ => None,
        }
    }

    /// A list of constant texts; one text alone is a list of one.
    pub fn texts(&mut self, name: &str) -> Result<Option<Vec<String>>> {
        let Some(elements) = self.arguments.get(name).cloned().map(elements) else {
            return Ok(None);
        };
        let mut texts = Vec::with_capacity(elements.len());
        for element in elements {
            match element {
                SqlExpr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => {
                    texts.push(text)
                }
                other => {
                    return plan_err!(
                        "{}: argument {name} must be a list of texts, got {other}",
                        self.function
                    );
                }
            }
        }
        Ok(Some(texts))
    }

    /// A list of pairs of constant texts, `[('a', 'b'), ...]`; one pair alone is a list of one.
    pub fn text_pairs(&mut self, name: &str) -> Result<Option<Vec<(String, String)>>> {
        let Some(given) = self.arguments.get(name).cloned() else {
            return Ok(None);
        };
        let pairs = match given {
            SqlExpr::Array(Array { elem, .. }) => elem,
            pair => vec![pair],
        };
        let text = |sql: &SqlExpr| match sql {
            SqlExpr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => {
                Some(text.clone())
            }
            _ => None,
        };
        let mut all = Vec::with_capacity(pairs.len());
        for pair in pairs {
            let parts: Option<Vec<String>> = elements(pair.clone()).iter().map(text).collect();
            match parts.as_deref() {
                Some([one, other]) => all.push((one.clone(), other.clone())),
                _ => {
                    return plan_err!(
                        "{}: argument {name} must be a list of pairs of texts, as in [('regex', 'name')], got {pair}",
                        self.function
                    );
                }
            }
        }
        Ok(Some(all))
    }

    /// One of the named values, in any case.
    pub fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Result<Option<T>> {
        let Some(given) = self.text(name)? else {
            return Ok(None);
        };
        match choices.iter().find(|(choice, _)| choice.eq_ignore_ascii_case(&given)) {
            Some((_, value)) => Ok(Some(*value)),
            None => {
                let allowed: Vec<String> = choices.iter().map(|(choice, _)| format!("'{choice}'")).collect();
                plan_err!(
                    "{}: argument {name} must be one of {}, got '{given}'",
                    self.function,
                    allowed.join(", ")
                )
            }
        }
    }

    /// A constant boolean.
    pub fn boolean(&mut self, name: &str) -> Result<Option<bool>> {
        match self.constant(name)? {
            None => Ok(None),
            Some(ScalarValue::Boolean(value)) => Ok(value),
            Some(other) => plan_err!("{}: argument {name} must be true or false, got {other}", self.function),
        }
    }

    /// A constant whole number within `allowed`.
    pub fn integer(&mut self, name: &str, allowed: RangeInclusive<i64>) -> Result<Option<i64>> {
        let Some(value) = self.constant(name)? else {
            return Ok(None);
        };
        let number = match value.data_type() {
            given if given.is_integer() => value.cast_to(&DataType::Int64).ok(),
            _ => None,
        };
        match number {
            Some(ScalarValue::Int64(Some(number))) if allowed.contains(&number) => Ok(Some(number)),
            _ => plan_err!(
                "{}: argument {name} must be a whole number from {} to {}, got {value}",
                self.function,
                allowed.start(),
                allowed.end()
            ),
        }
    }

    /// The column of the data called `name`, if there is exactly one.
    pub fn column(&self, name: &str) -> Option<Expr> {
        match self.schema().columns_with_unqualified_name(name).as_slice() {
            [column] => Some(Expr::Column(column.clone())),
            _ => None,
        }
    }

    /// The argument `name`, or else the column `column` of the data.
    ///
    /// # Errors
    /// A plan error if there is neither.
    pub fn expr_or_column(&mut self, name: &str, column: &str) -> Result<Expr> {
        if let Some(expr) = self.expr(name)? {
            return Ok(expr);
        }
        match self.column(column) {
            Some(expr) => Ok(expr),
            None => plan_err!(
                "{}: the data has no column {column} (or more than one); say what to use with {name} => expression",
                self.function
            ),
        }
    }

    /// A second relation: a query in parentheses.
    pub fn relation(&mut self, name: &str) -> Result<Option<LogicalPlan>> {
        match self.arguments.get(name).cloned() {
            None => Ok(None),
            Some(SqlExpr::Subquery(subquery)) => {
                let query = TableFactor::Derived { lateral: false, subquery, alias: None, sample: None };
                self.context.plan(query).map(Some)
            }
            Some(other) => plan_err!(
                "{}: argument {name} must be a query in parentheses, as in (SELECT ... FROM t), got {other}",
                self.function
            ),
        }
    }

    /// Who: argument `per`, or else column user_id.
    pub fn person(&mut self) -> Result<Expr> {
        self.expr_or_column("per", "user_id")
    }

    /// When: argument `ts`, or else column ts; always a time.
    pub fn ts(&mut self) -> Result<Expr> {
        let ts = self.expr_or_column("ts", "ts")?;
        let given = ts.get_type(self.schema())?;
        if !is_time(&given) {
            return plan_err!(
                "{}: ts must be a timestamp, a date or an integer, got {given}; cast it, for example ts => when::timestamp",
                self.function
            );
        }
        Ok(ts)
    }

    /// What orders rows of one instant: argument `sequence`, or else column event_id, if there is one.
    pub fn sequence(&mut self) -> Result<Option<Expr>> {
        Ok(self.expr("sequence")?.or_else(|| self.column("event_id")))
    }

    /// Type of an expression over the data.
    pub fn type_of(&self, expr: &Expr) -> Result<DataType> {
        expr.get_type(self.schema())
    }

    /// Field of an expression over the data.
    pub fn field_of(&self, expr: &Expr) -> Result<FieldRef> {
        Ok(expr.to_field(self.schema())?.1)
    }

    fn plan(&mut self, name: &str, sql: SqlExpr) -> Result<Expr> {
        let schema = Arc::clone(self.input.schema());
        let expr = self.context.sql_to_expr(sql, &schema)?;
        let (expr, _) = expr.infer_placeholder_types(&schema)?;
        let mut refused = None;
        expr.apply(|node| {
            refused = match node {
                Expr::AggregateFunction(_) => Some("an aggregate function"),
                Expr::WindowFunction(_) => Some("a window function"),
                _ => None,
            };
            Ok(if refused.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
        match refused {
            Some(what) => plan_err!(
                "{}: argument {name} must be computed from single rows; it holds {what}: \
                 compute that in a query and give it as the data",
                self.function
            ),
            None => Ok(expr),
        }
    }

    fn plan_condition(&mut self, argument: &str, sql: SqlExpr) -> Result<Condition> {
        let name = match &sql {
            SqlExpr::Value(ValueWithSpan { value: Value::SingleQuotedString(text), .. }) => text.clone(),
            other => other.to_string(),
        };
        let expr = self.plan(argument, sql)?;
        match &expr {
            Expr::Literal(value, _) if is_text(&value.data_type()) => {
                Ok(Condition { expr: self.event()?.eq(expr), name })
            }
            Expr::Placeholder(placeholder) => {
                let event = self.event()?;
                let event_type = self.type_of(&event)?;
                Ok(Condition { expr: event.eq(typed(placeholder.clone(), event_type)), name })
            }
            _ => match self.type_of(&expr)? {
                DataType::Boolean | DataType::Null => Ok(Condition { expr, name }),
                other => plan_err!(
                    "{}: argument {argument}: {name} must be a condition or the name of an event in quotes, got {other}",
                    self.function
                ),
            },
        }
    }

    /// What happened: argument `event`, or else column event.
    fn event(&mut self) -> Result<Expr> {
        self.expr_or_column("event", "event")
    }

    /// An expression that reads no column.
    fn row_free(&mut self, name: &str) -> Result<Option<Expr>> {
        let Some(expr) = self.expr(name)? else {
            return Ok(None);
        };
        let columns = expr.column_refs();
        let mut columns: Vec<&Column> = columns.into_iter().collect();
        columns.sort();
        match columns.first() {
            Some(column) => plan_err!(
                "{}: argument {name} must be a constant, the same for every row; it reads column {column}",
                self.function
            ),
            None => Ok(Some(expr)),
        }
    }

    /// Computes what can be computed without rows.
    ///
    /// # Errors
    /// A plan error that names the argument if it has no value, as a text that is no interval.
    pub(super) fn folded(&self, name: &str, expr: Expr) -> Result<Expr> {
        let options = self.context.context_provider().options().clone();
        let context =
            SimplifyContext::builder().with_config_options(Arc::new(options)).with_current_time().build();
        let simplifier = ExprSimplifier::new(context);
        simplifier.coerce(expr, &DFSchema::empty()).and_then(|expr| simplifier.simplify(expr)).or_else(
            |error| plan_err!("{}: argument {name}: {}", self.function, error.find_root().strip_backtrace()),
        )
    }
}

fn typed(placeholder: Placeholder, data_type: DataType) -> Expr {
    let field = placeholder.field.or_else(|| Some(Arc::new(Field::new("", data_type, true))));
    Expr::Placeholder(Placeholder { id: placeholder.id, field })
}

fn elements(sql: SqlExpr) -> Vec<SqlExpr> {
    match sql {
        SqlExpr::Array(Array { elem, .. }) => elem,
        SqlExpr::Tuple(elements) => elements,
        SqlExpr::Nested(inner) => elements(*inner),
        other => vec![other],
    }
}
