//! `DELETE FROM touchpoints WHERE ...`: rows by a condition, in one commit, or none.
//!
//! Files with such rows are rewritten without them, each once; those that have none by their day, their ranges of people
//! and the statistics in the log are not opened. Rows are judged by the newest version when the statement
//! runs; those that come meanwhile stay. Unlike an erasure it keeps nobody out: what is deleted can be loaded again.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, RecordBatch, RecordBatchOptions, new_null_array,
};
use arrow::compute::{cast, prep_null_mask_filter};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, plan_err};
use datafusion::execution::SessionState;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::collect_columns;
use deltalake_core::protocol::DeltaOperation;
use serde_json::Value;

use crate::config::EngineConfig;
use crate::error::{Result, StoreError};
use crate::maintain::optimize::merge::{Selection, Without};
use crate::maintain::{rewrite, touchpoint_snapshot};
use crate::scan::prune::{self, Pruning};
use crate::schema;
use crate::settings::Settings;
use crate::store::replace::Terms;
use crate::store::snapshot::{DataFile, TableSnapshot};
use crate::store::{Store, history};

/// How often it starts again because files were replaced meanwhile.
const MAX_RESTARTS: usize = 20;

/// A condition on the rows of a touchpoint table.
#[derive(Debug)]
pub struct Condition {
    /// What it is evaluated on; every column may be NULL.
    columns: SchemaRef,
    /// Those of them that it looks at.
    used: BTreeSet<usize>,
    /// The same by name, without those that no file has; never empty.
    reading: Vec<String>,
    /// `None`: all rows.
    condition: Option<Arc<dyn PhysicalExpr>>,
    /// What follows for the hashes of people, over [`key_schema`]; nothing if `None`.
    keys: Option<Arc<dyn PhysicalExpr>>,
}

/// The column of the hashes of people.
fn key_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(schema::USER_KEY, DataType::Int64, false)]))
}

impl Condition {
    /// The condition of a `DELETE`, from the plan of the rows that it deletes.
    ///
    /// # Errors
    /// For one that looks at other rows than the one it judges, or gives another answer each time.
    pub(crate) fn of(rows: &LogicalPlan, state: &SessionState) -> Result<Self> {
        let settings = state.config_options().extensions.get::<Settings>().copied().unwrap_or_default();
        if settings.raw_ids {
            return Ok(plan_err!("DELETE needs the ids of people: SET wayfare.ids = stitched")?);
        }
        let rows = state.analyzer().execute_and_check(rows.clone(), state.config_options(), |_, _| {})?;
        let (input, predicate) = match &rows {
            LogicalPlan::Filter(filter) => (filter.input.as_ref(), Some(filter.predicate.clone())),
            other => (other, None),
        };
        if !matches!(input, LogicalPlan::TableScan(_)) {
            return Ok(plan_err!("DELETE takes a table and a condition: nothing else")?);
        }
        let (condition, keys) = match predicate {
            None => (None, None),
            Some(predicate) => {
                refuse_others(&predicate)?;
                // Also gives `now()` one value for all rows.
                let context = SimplifyContext::builder()
                    .with_schema(Arc::clone(input.schema()))
                    .with_config_options(Arc::clone(state.config_options()))
                    .with_current_time()
                    .build();
                let predicate = ExprSimplifier::new(context).simplify(predicate)?;
                let keys =
                    prune::user_keys(std::slice::from_ref(&predicate)).map(|keys| prune::key_filter(&keys));
                let key_schema = DFSchema::try_from(key_schema())?;
                let keys = keys.map(|keys| state.create_physical_expr(keys, &key_schema)).transpose()?;
                (Some(state.create_physical_expr(predicate, input.schema())?), keys)
            }
        };
        let fields = input.schema().fields().iter().map(|f| f.as_ref().clone().with_nullable(true));
        let columns = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
        let used: BTreeSet<usize> =
            condition.iter().flat_map(collect_columns).map(|column| column.index()).collect();
        let mut reading: Vec<String> =
            used.iter().map(|index| columns.field(*index).name().clone()).collect();
        reading.push(schema::USER_ID.to_owned());
        Ok(Self { columns, used, reading, condition, keys })
    }
}

/// Refuses what cannot be judged row by row.
fn refuse_others(predicate: &Expr) -> Result<()> {
    if predicate.is_volatile() {
        return Ok(plan_err!("the condition of a DELETE must give the same answer each time")?);
    }
    let mut has_query = false;
    predicate.apply(|node| {
        has_query |= matches!(node, Expr::InSubquery(_) | Expr::Exists(_) | Expr::ScalarSubquery(_));
        Ok(if has_query { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    match has_query {
        true => Ok(plan_err!(
            "the condition of a DELETE looks at one row of the table at a time: write the values of a sub-query out"
        )?),
        false => Ok(()),
    }
}

impl Selection for Condition {
    fn reading(&self) -> Option<&[String]> {
        Some(&self.reading)
    }

    fn files<'a>(&self, snapshot: &'a TableSnapshot) -> Result<Vec<&'a DataFile>> {
        let Some(condition) = &self.condition else { return Ok(snapshot.files().iter().collect()) };
        let files = Pruning::new(condition, &self.columns)?.files(snapshot.files())?;
        let files: Vec<&DataFile> = files.into_iter().map(|(_, file)| file).collect();
        let Some(keys) = &self.keys else { return Ok(files) };
        let groups = Pruning::new(keys, &key_schema())?.row_groups(files.iter().copied())?;
        // What other writers append has no hashes, and so no row groups in the log.
        let can_hold = |groups: &Vec<bool>| groups.is_empty() || groups.contains(&true);
        Ok(files
            .into_iter()
            .zip(groups)
            .filter(|(_, groups)| can_hold(groups))
            .map(|(file, _)| file)
            .collect())
    }

    fn choose(&self, day: i32, batch: &RecordBatch) -> Result<BooleanArray> {
        let rows = batch.num_rows();
        let Some(condition) = &self.condition else { return Ok(BooleanArray::from(vec![true; rows])) };
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.columns.fields().len());
        for (index, field) in self.columns.fields().iter().enumerate() {
            let stored = batch.column_by_name(field.name());
            columns.push(match stored {
                _ if !self.used.contains(&index) => new_null_array(field.data_type(), rows),
                _ if field.name() == schema::DAY => Arc::new(Date32Array::from(vec![day; rows])),
                Some(column) => cast(column, field.data_type()).map_err(DataFusionError::from)?,
                None => new_null_array(field.data_type(), rows),
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let input = RecordBatch::try_new_with_options(Arc::clone(&self.columns), columns, &options)
            .map_err(DataFusionError::from)?;
        let chosen = condition.evaluate(&input)?.into_array(rows)?;
        let chosen = chosen.as_boolean();
        // NULL is not true.
        Ok(if chosen.null_count() > 0 { prep_null_mask_filter(chosen) } else { chosen.clone() })
    }
}

/// Deletes the rows of `name` for which `condition` is true, and gives their number.
///
/// # Errors
/// The table is as it was.
pub async fn delete(
    store: &Store,
    config: &EngineConfig,
    name: &str,
    condition: Arc<Condition>,
) -> Result<u64> {
    for _ in 0..MAX_RESTARTS {
        let snapshot = touchpoint_snapshot(store, name).await?;
        let edit = Arc::new(Without(Arc::clone(&condition)));
        let rewritten = rewrite::rewrite(config, &snapshot, edit, None).await?;
        if rewritten.is_empty() {
            return Ok(0);
        }
        let rows = rewritten.rows_removed();
        let terms = Terms {
            // The condition may hold personal data: it is not told.
            operation: DeltaOperation::Delete { predicate: None },
            data_change: true,
            needs_all_rows: false,
            together: true,
            new_schema: None,
            info: vec![
                (history::INFO_OPERATION.to_owned(), "delete".into()),
                ("wayfareDeletedRows".to_owned(), Value::from(rows)),
            ],
            transaction_ids: Vec::new(),
        };
        if rewritten.commit(&snapshot, &terms).await?.is_some() {
            return Ok(rows);
        }
    }
    Err(StoreError::Contention { table: name.to_owned(), attempts: MAX_RESTARTS }.into())
}
