//! The aggregate over one person's rows: how far the person came. A list, as one person may be in several groups.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StructArray, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::function::AccumulatorArgs;

use super::layout::{Bound, Layout, People, as_times};
use crate::aggregate::buffered::{Buffered, Call, ConstantArguments, Kept, SortedRows, list};
use crate::journey::product_funnel::report::step_times;
use crate::journey::product_funnel::{Evaluator, Outcome};

pub(super) const BY: &str = "by";
pub(super) const PERIOD: &str = "period";
pub(super) const DEPTH: &str = "depth";
pub(super) const UNTIL: &str = "until";
pub(super) const ENTERED_TS: &str = "entered_ts";
pub(super) const LAST_TS: &str = "last_ts";
pub(super) const TIMES: &str = "times";

/// Fields: the group, the interval of entry, the last step, the last tick at which the last step can still be
/// reached, times of entry and of the last step, and the ticks of all steps.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Outcomes(pub(super) Layout);

impl Outcomes {
    fn fields(&self, arg_types: &[DataType]) -> Result<Fields> {
        let mut fields = Vec::new();
        fields.extend(self.0.by_type(arg_types)?.map(|by| Field::new(BY, by, true)));
        fields.extend(self.0.period_type(arg_types)?.map(|period| Field::new(PERIOD, period, true)));
        fields.push(Field::new(DEPTH, DataType::Int64, true));
        fields.push(Field::new(UNTIL, DataType::Int64, true));
        fields.push(Field::new(ENTERED_TS, arg_types[0].clone(), true));
        fields.push(Field::new(LAST_TS, arg_types[0].clone(), true));
        fields.push(Field::new(TIMES, DataType::List(ticks_field()), true));
        Ok(fields.into())
    }
}

fn ticks_field() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Int64, true))
}

impl Buffered for Outcomes {
    fn name(&self) -> &'static str {
        self.0.function
    }

    fn parameter_names(&self) -> Vec<String> {
        vec![]
    }

    fn coerce(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        let item = DataType::Struct(self.fields(arg_types)?);
        Ok(DataType::List(Arc::new(Field::new_list_field(item, true))))
    }

    fn kept_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.0.kept_types(arg_types)
    }

    fn check(&self, types: &[DataType], constants: ConstantArguments, _exprs: &[Expr]) -> Result<()> {
        self.0.check(types, constants)
    }

    fn call(&self, args: &AccumulatorArgs) -> Result<Arc<dyn Call>> {
        let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Arc::new(OutcomesCall { bound: Bound::new(&self.0, args)?, fields: self.fields(&types)? }))
    }
}

#[derive(Debug)]
struct OutcomesCall {
    bound: Bound,
    fields: Fields,
}

impl Call for OutcomesCall {
    fn name(&self) -> &'static str {
        self.bound.layout.function
    }

    fn keep(&self, arguments: &[ArrayRef]) -> Result<Kept> {
        self.bound.keep(arguments, false)
    }

    fn evaluate(&self, rows: &SortedRows) -> Result<ArrayRef> {
        let people = self.bound.people(rows)?;
        let mut evaluator = Evaluator::default();
        let mut counts = Vec::with_capacity(rows.group_count());
        let mut built = Columns::default();
        for person in rows.groups() {
            let first = person.start;
            let data = people.person(person);
            let outcomes = evaluator.outcomes(&self.bound.rules, &data);
            counts.push(outcomes.len());
            for outcome in &outcomes {
                built.push(outcome, first, data.times);
            }
        }
        let values = built.finish(&people, &self.fields, &self.bound.ts_type)?;
        list(self.name(), counts, Arc::new(values))
    }
}

/// The fields of outcomes as they are built.
#[derive(Debug, Default)]
struct Columns {
    by_rows: Vec<Option<u64>>,
    entry_rows: Vec<Option<u64>>,
    depths: Vec<i64>,
    untils: Vec<Option<i64>>,
    entered: Vec<Option<i64>>,
    last: Vec<Option<i64>>,
    step_counts: Vec<usize>,
    ticks: Vec<Option<i64>>,
}

impl Columns {
    /// `first` is the position of the person's first row, `times` are the person's.
    fn push(&mut self, outcome: &Outcome, first: usize, times: &[i64]) {
        let row = |row: usize| (first + row) as u64;
        self.by_rows.push(outcome.by_row.map(row));
        self.entry_rows.push(outcome.entry_row().map(row));
        self.depths.push(i64::try_from(outcome.depth()).unwrap_or(i64::MAX));
        self.untils.push(outcome.until);
        self.entered.push(outcome.entry_row().map(|row| times[row]));
        self.last.push(outcome.last_row().map(|row| times[row]));
        self.step_counts.push(outcome.depth());
        self.ticks.extend(step_times(outcome, times));
    }

    fn finish(self, people: &People<'_>, fields: &Fields, ts_type: &DataType) -> Result<StructArray> {
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(fields.len());
        if let Some(by) = people.by_column {
            columns.push(take(by, &UInt64Array::from(self.by_rows), None)?);
        }
        if let Some(period) = people.period_column {
            columns.push(take(period, &UInt64Array::from(self.entry_rows), None)?);
        }
        columns.push(Arc::new(Int64Array::from(self.depths)));
        columns.push(Arc::new(Int64Array::from(self.untils)));
        columns.push(as_times(Int64Array::from(self.entered), ts_type)?);
        columns.push(as_times(Int64Array::from(self.last), ts_type)?);
        let ticks: ArrayRef = Arc::new(Int64Array::from(self.ticks));
        columns.push(list("times", self.step_counts, ticks)?);
        Ok(StructArray::try_new(fields.clone(), columns, None)?)
    }
}
