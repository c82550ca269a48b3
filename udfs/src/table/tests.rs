//! A table function that shows its arguments: names, types, messages.

use std::sync::{Arc, LazyLock};

use arrow::array::AsArray;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    DocSection, Documentation, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, lit,
};
use datafusion::prelude::SessionContext;

use super::planner::JourneyRelations;
use super::{TableCall, TableFunction};

static DOCUMENTATION: LazyLock<Documentation> =
    LazyLock::new(|| Documentation::builder(DocSection::default(), "", "").build());

/// One row for each row of the data: the value of `of`, and the other arguments as one text.
#[derive(Debug)]
struct Shown;

impl TableFunction for Shown {
    fn name(&self) -> &'static str {
        "shown"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &["of", "steps", "within", "mode", "n", "flag", "title", "ts", "event", "per"]
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let ts = call.ts()?;
        let ts_type = call.type_of(&ts)?;
        let mut shown = Vec::new();
        let mut met = lit("");
        for step in call.conditions("steps")?.unwrap_or_default() {
            shown.push(step.name.clone());
            let mark = datafusion::logical_expr::when(step.expr, lit("+")).otherwise(lit("-"))?;
            met = datafusion::functions::string::expr_fn::concat(vec![met, mark]);
        }
        if let Some(within) = call.length("within", &ts_type)? {
            shown.push(format!("within {within}"));
            met = datafusion::functions::string::expr_fn::concat(vec![
                met,
                lit(" "),
                within.cast_to(&arrow::datatypes::DataType::Utf8, call.schema())?,
            ]);
        }
        if let Some(mode) = call.choice("mode", &[("fast", 1), ("slow", 2)])? {
            shown.push(format!("mode {mode}"));
        }
        if let Some(n) = call.integer("n", 1..=9)? {
            shown.push(format!("n {n}"));
        }
        if let Some(flag) = call.boolean("flag")? {
            shown.push(format!("flag {flag}"));
        }
        if let Some(title) = call.text("title")? {
            shown.push(format!("title {title}"));
        }
        let of = match call.expr("of")? {
            Some(of) => of,
            None => call.person()?,
        };
        let of: Expr = of.cast_to(&arrow::datatypes::DataType::Utf8, call.schema())?;
        LogicalPlanBuilder::from(call.input().clone())
            .project([of.alias("of"), met.alias("met"), lit(shown.join("; ")).alias("shown")])?
            .build()
    }

    fn documentation(&self) -> &Documentation {
        &DOCUMENTATION
    }
}

async fn context() -> SessionContext {
    let context = SessionContext::new();
    context.register_relation_planner(Arc::new(JourneyRelations::new(vec![Arc::new(Shown)]))).unwrap();
    context
        .sql(
            "CREATE TABLE t AS VALUES ('ann', TIMESTAMP '2024-05-01', 'view'), ('ben', TIMESTAMP '2024-05-02', 'pay')",
        )
        .await
        .unwrap();
    context
}

/// The data under the names that table functions look for.
const DATA: &str = "(SELECT column1 AS user_id, column2 AS ts, column3 AS event FROM t)";

async fn run(sql: &str, values: Vec<ScalarValue>) -> Result<Vec<String>> {
    let frame = context().await.sql(sql).await?;
    let frame = if values.is_empty() { frame } else { frame.with_param_values(values)? };
    let mut rows = Vec::new();
    for batch in frame.collect().await? {
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().map(|column| {
                let column = arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8).unwrap();
                column.as_string::<i32>().value(row).to_owned()
            });
            rows.push(cells.collect::<Vec<_>>().join(" | "));
        }
    }
    rows.sort();
    Ok(rows)
}

async fn rows(arguments: &str) -> Vec<String> {
    run(&format!("SELECT * FROM shown({DATA}{arguments})"), vec![]).await.unwrap()
}

async fn refused(arguments: &str) -> String {
    let error = run(&format!("SELECT * FROM shown({DATA}{arguments})"), vec![]).await.unwrap_err();
    let text = error.strip_backtrace();
    assert!(text.contains("Error during planning: ") || text.contains("Schema error: "), "{text}");
    text
}

#[tokio::test]
async fn arguments_by_place_and_by_name() {
    assert_eq!(rows("").await, ["ann |  | ", "ben |  | "]);
    assert_eq!(rows(", event").await, ["pay |  | ", "view |  | "]);
    assert_eq!(rows(", upper(event), ['view']").await, ["PAY | - | view", "VIEW | + | view"]);
    assert_eq!(
        rows(", steps => ['view', event LIKE 'p%' OR user_id = 'ann'], mode => 'SLOW', n => 3 + 1, flag => true").await,
        [
            "ann | ++ | view; event LIKE 'p%' OR user_id = 'ann'; mode 2; n 4; flag true",
            "ben | -+ | view; event LIKE 'p%' OR user_id = 'ann'; mode 2; n 4; flag true"
        ]
    );
    assert_eq!(rows(", of => NULL, title => 'a title', mode => NULL").await[0], "ann |  | title a title");
    for list in ["('view', 'pay')", "ARRAY['view', 'pay']", "(['view', 'pay'])"] {
        assert_eq!(
            rows(&format!(", steps => {list}")).await,
            ["ann | +- | view; pay", "ben | -+ | view; pay"]
        );
    }
    assert_eq!(rows(", steps => 'pay'").await, ["ann | - | pay", "ben | + | pay"]);
}

#[tokio::test]
async fn the_relation_behaves_like_any_other() {
    let sql = format!(
        "WITH w AS (SELECT * FROM journey.shown({DATA}, of => event) AS s (a, b, c)) \
         SELECT w.a, count(*) FROM w JOIN SHOWN({DATA}, event) AS x ON w.a = x.of GROUP BY 1"
    );
    assert_eq!(run(&sql, vec![]).await.unwrap(), ["pay | 1", "view | 1"]);
}

#[tokio::test]
async fn parameters_get_types_from_where_they_stand() {
    let sql = format!("SELECT of, met FROM shown({DATA}, steps => [$1, user_id = $2], within => $3)");
    let values =
        vec![ScalarValue::from("pay"), ScalarValue::from("ann"), ScalarValue::new_interval_mdn(0, 7, 0)];
    assert_eq!(run(&sql, values).await.unwrap(), ["ann | -+ 7 days", "ben | +- 7 days"]);
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    for (arguments, expected) in [
        (", nosuch => 1", "shown has no argument nosuch; it has data, of, steps, within"),
        (", of => 1, of => 2", "shown: argument of is given twice"),
        (", data => (SELECT 1)", "shown: the data is given twice"),
        (", of => event, 'view'", "shown: the argument 'view' has no name; after a named argument"),
        (", of = event", "write of => event"),
        (", steps => [n + 1]", "No field named n"),
        (
            ", steps => [upper(event)]",
            "argument steps: upper(event) must be a condition or the name of an event",
        ),
        (
            ", steps => [count(*) > 1]",
            "argument steps must be computed from single rows; it holds an aggregate",
        ),
        (", steps => [row_number() OVER () > 1]", "it holds a window function"),
        (", within => ts", "argument within must be a constant, the same for every row; it reads column ts"),
        (", within => INTERVAL '-1 day'", "shown: within must not be negative"),
        (", within => 7", "shown: within must be an INTERVAL such as INTERVAL '30 minutes'"),
        (", mode => 'quick'", "argument mode must be one of 'fast', 'slow', got 'quick'"),
        (", mode => 1", "argument mode must be text, got 1"),
        (", n => 10", "argument n must be a whole number from 1 to 9, got 10"),
        (", n => 1.5", "argument n must be a whole number from 1 to 9, got 1.5"),
        (", flag => 'x'", "argument flag must be true or false, got x"),
        (", n => $1", "argument n must be a constant written in the statement, got $1"),
        (", ts => event", "shown: ts must be a timestamp, a date or an integer, got Utf8"),
    ] {
        let text = refused(arguments).await;
        assert!(text.contains(expected), "{arguments}: {text}");
    }
    for (sql, expected) in [
        ("SELECT * FROM shown()", "shown needs data as its first argument"),
        (
            "SELECT * FROM shwon(t, n => 1)",
            "there is no table function shwon with named arguments; there are shown",
        ),
        ("SELECT * FROM shown(*)", "shown: * is not an argument"),
        (
            "SELECT * FROM shown(1 + 1)",
            "the first argument must be a table, a view or a query in parentheses, got 1 + 1",
        ),
        ("SELECT * FROM shown((SELECT 1 AS x))", "shown: the data has no column ts (or more than one)"),
    ] {
        let text = run(sql, vec![]).await.unwrap_err().strip_backtrace();
        assert!(text.contains(expected), "{sql}: {text}");
    }
}
