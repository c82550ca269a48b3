//! Attribution as SQL sees it.

mod arguments;
mod channel_paths;
mod data_driven;
mod markov_vectors;
mod people;
mod properties;
mod rule_vectors;
mod shapley_vectors;
mod spend_vectors;
mod sql;
mod touch_vectors;

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::prelude::SessionContext;

use crate::sql::plan;

/// Rows of the result as text, NULL as `-`.
pub(crate) async fn texts(context: &SessionContext, sql: &str) -> Vec<Vec<String>> {
    let frame = plan(context, sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"));
    let batches = frame.collect().await.unwrap_or_else(|error| panic!("{sql}\n{error}"));
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<_> =
            batch.columns().iter().map(|column| cast(column, &DataType::Utf8).unwrap()).collect();
        for row in 0..batch.num_rows() {
            let text = |column: &arrow::array::ArrayRef| match column.is_null(row) {
                true => "-".to_owned(),
                false => column.as_string::<i32>().value(row).to_owned(),
            };
            rows.push(columns.iter().map(text).collect());
        }
    }
    rows
}

/// Rows of the result as lines, columns between bars.
pub(crate) async fn lines(context: &SessionContext, sql: &str) -> Vec<String> {
    texts(context, sql).await.into_iter().map(|row| row.join("|")).collect()
}
