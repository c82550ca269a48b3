//! The work of one partition of the aggregate: slice after slice of the people.

use std::cell::OnceCell;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::EmitTo;
use datafusion::physical_expr::PhysicalExpr;
use wayfare_udfs::by_person::ConsecutiveGroups;

use super::aggregate::{Aggregate, Task};
use super::assemble::Assembled;
use super::by_time::RowsOfGroups;
use super::gather::Turn;
use super::keys::person_of_rows;
use super::per_value::coded_condition;

/// What one partition works with.
pub(super) struct Worker {
    pub(super) task: Arc<Task>,
    pub(super) turn: Turn,
    pub(super) batch_rows: usize,
}

impl Worker {
    /// The groups of the next people, in batches; `None` when all were given.
    ///
    /// # Errors
    /// Those of reading, of memory, and of the functions.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<RecordBatch>>> {
        let Some(rows) = self.turn.next().await? else {
            return Ok(None);
        };
        let timer = self.turn.baseline.elapsed_compute().timer();
        let batches = self.aggregate(&rows)?;
        timer.done();
        self.turn.take_back(rows);
        Ok(Some(batches))
    }

    fn aggregate(&self, rows: &Assembled) -> Result<Vec<RecordBatch>> {
        if rows.batch.num_rows() == 0 {
            return Ok(Vec::new());
        }
        let groups = self.task.keys.group(rows)?;
        let mut columns = groups.columns;
        let of_rows = OfRows { rows, given: groups.indices, persons: OnceCell::new(), count: groups.count };
        for aggregate in &self.task.aggregates {
            columns.push(self.evaluate(aggregate, &of_rows)?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(groups.count));
        let all = RecordBatch::try_new_with_options(Arc::clone(&self.task.schema), columns, &options)?;
        self.turn.baseline.output_rows().add(all.num_rows());
        Ok(slices(&all, self.batch_rows))
    }

    fn evaluate(&self, aggregate: &Aggregate, groups: &OfRows) -> Result<ArrayRef> {
        let (rows, count) = (&groups.rows.batch, groups.count);
        let evaluate = |expr: &Arc<dyn PhysicalExpr>| expr.evaluate(rows)?.into_array(rows.num_rows());
        let argument = |(position, expr)| {
            let is_condition = aggregate.conditions.contains(&position);
            let coded = if is_condition { coded_condition(expr, rows)? } else { None };
            coded.map_or_else(|| evaluate(expr), Ok)
        };
        let arguments = aggregate.arguments.iter().enumerate().map(argument).collect::<Result<Vec<_>>>()?;
        let filter = aggregate.filter.as_ref().map(evaluate).transpose()?;
        let filter = match &filter {
            Some(filter) => match filter.as_boolean_opt() {
                Some(booleans) => Some(booleans),
                None => return internal_err!("a FILTER has type {}", filter.data_type()),
            },
            None => None,
        };
        if let (Some(by_time), [value, time]) = (aggregate.by_time, arguments.as_slice()) {
            let result = aggregate.function.field();
            let rows_of_groups = match &groups.given {
                Some(indices) => RowsOfGroups::Each(indices, count),
                None => RowsOfGroups::Consecutive(&groups.rows.offsets),
            };
            return by_time.values([value, time], rows_of_groups, filter, result.data_type());
        }
        let mut accumulator = aggregate.function.create_groups_accumulator()?;
        if groups.given.is_none() {
            let of_people = ConsecutiveGroups::of(&*accumulator, &arguments, filter, &groups.rows.offsets)?;
            if let Some(of_people) = of_people {
                return self.with_memory(of_people.allocated_bytes(), || of_people.evaluate());
            }
        }
        accumulator.update_batch(&arguments, groups.indices(), filter, count)?;
        self.with_memory(accumulator.size(), || accumulator.evaluate(EmitTo::All))
    }

    /// What `evaluate` gives, which takes so many bytes more.
    fn with_memory(&self, bytes: usize, evaluate: impl FnOnce() -> Result<ArrayRef>) -> Result<ArrayRef> {
        let reservation = &self.turn.reservation;
        let before = reservation.size();
        reservation.try_resize(before + bytes)?;
        let values = evaluate()?;
        reservation.try_resize(before)?;
        Ok(values)
    }
}

/// The groups of the rows of a slice.
struct OfRows<'a> {
    rows: &'a Assembled,
    /// The group of each row; `None` if each person is one.
    given: Option<Vec<usize>>,
    /// The person of each row, once someone wants to know.
    persons: OnceCell<Vec<usize>>,
    count: usize,
}

impl OfRows<'_> {
    /// The group of each row.
    fn indices(&self) -> &[usize] {
        match &self.given {
            Some(indices) => indices,
            None => self.persons.get_or_init(|| person_of_rows(self.rows)),
        }
    }
}

/// `batch` in pieces of at most `rows` rows.
pub(super) fn slices(batch: &RecordBatch, rows: usize) -> Vec<RecordBatch> {
    let starts = (0..batch.num_rows()).step_by(rows.max(1));
    starts.map(|start| batch.slice(start, rows.min(batch.num_rows() - start))).collect()
}
