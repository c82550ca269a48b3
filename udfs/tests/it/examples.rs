//! The examples in the SQL reference give the output that stands beside them.

use arrow::util::pretty::pretty_format_batches;
use wayfare_udfs::table::all_table_functions;
use wayfare_udfs::{all_aggregate_functions, all_scalar_functions, all_window_functions};

use crate::sql::{context, plan};

#[tokio::test]
async fn examples_give_their_output() {
    let mut examples = Vec::new();
    for function in all_aggregate_functions() {
        examples.push((function.name().to_owned(), example(function.documentation())));
    }
    for function in all_window_functions() {
        examples.push((function.name().to_owned(), example(function.documentation())));
    }
    for function in all_scalar_functions() {
        examples.push((function.name().to_owned(), example(function.documentation())));
    }
    for function in all_table_functions() {
        examples.push((function.name().to_owned(), example(Some(function.documentation()))));
    }
    for (name, text) in examples {
        let lines = text.trim().strip_prefix("```sql\n> ").unwrap();
        let (sql, output) = lines.split_once(";\n").unwrap();
        let expected = output.strip_suffix("\n```").unwrap();
        let batches = plan(&context(), sql).await.unwrap().collect().await.unwrap();
        let found = pretty_format_batches(&batches).unwrap().to_string();
        assert_eq!(found, expected, "{name}");
    }
}

fn example(documentation: Option<&datafusion::logical_expr::Documentation>) -> String {
    documentation.unwrap().sql_example.clone().unwrap()
}
