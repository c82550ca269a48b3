//! The aggregate over one person's rows that says what each row does.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray, StructArray, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::function::AccumulatorArgs;

use super::layout::{Bound, Layout, as_times};
use crate::aggregate::buffered::{Buffered, Call, ConstantArguments, Kept, SortedRows, list};
use crate::journey::event::steps_of;
use crate::journey::product_funnel::explain;

/// All rows of a person in order, each with its reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Explain {
    pub(super) layout: Layout,
    /// Names of the steps, then of the exclusions.
    pub(super) names: Vec<String>,
}

impl Explain {
    fn fields(&self, arg_types: &[DataType]) -> Result<Fields> {
        let mut fields = vec![Field::new("ts", arg_types[0].clone(), true)];
        fields.extend(self.layout.event_type(arg_types)?.map(|event| Field::new("event", event, true)));
        fields.extend([
            Field::new("conditions", DataType::Utf8, true),
            Field::new("step_before", DataType::Int64, true),
            Field::new("step_after", DataType::Int64, true),
            Field::new("counted_as_step", DataType::Int64, true),
            Field::new("reason", DataType::Utf8, true),
        ]);
        Ok(fields.into())
    }
}

impl Buffered for Explain {
    fn name(&self) -> &'static str {
        self.layout.function
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
        self.layout.kept_types(arg_types)
    }

    fn check(&self, types: &[DataType], constants: ConstantArguments, _exprs: &[Expr]) -> Result<()> {
        self.layout.check(types, constants)
    }

    fn call(&self, args: &AccumulatorArgs) -> Result<Arc<dyn Call>> {
        let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        let bound = Bound::new(&self.layout, args)?;
        Ok(Arc::new(ExplainCall { bound, fields: self.fields(&types)?, names: self.names.clone() }))
    }
}

#[derive(Debug)]
struct ExplainCall {
    bound: Bound,
    fields: Fields,
    names: Vec<String>,
}

impl Call for ExplainCall {
    fn name(&self) -> &'static str {
        self.bound.layout.function
    }

    fn keep(&self, arguments: &[ArrayRef]) -> Result<Kept> {
        self.bound.keep(arguments, true)
    }

    fn evaluate(&self, rows: &SortedRows) -> Result<ArrayRef> {
        let people = self.bound.people(rows)?;
        let mut counts = Vec::with_capacity(rows.group_count());
        let mut positions: Vec<u64> = Vec::new();
        let (mut times, mut conditions, mut reasons) = (Vec::new(), Vec::new(), Vec::new());
        let (mut before, mut after, mut counted) = (Vec::new(), Vec::new(), Vec::new());
        let number = |step: usize| i64::try_from(step).ok();
        for person in rows.groups() {
            let data = people.person(person.clone());
            counts.push(person.len());
            for (row, explained) in person.zip(explain(&self.bound.rules, &data)) {
                positions.push(row as u64);
                times.push(people.times[row]);
                let met = steps_of(people.set(row)).filter_map(|bit| self.names.get(bit - 1));
                conditions.push(met.map(String::as_str).collect::<Vec<_>>().join(", "));
                reasons.push(explained.reason.to_string());
                before.push(number(explained.before));
                after.push(number(explained.after));
                counted.push(explained.counted.and_then(number));
            }
        }
        let mut columns = vec![as_times(Int64Array::from(times), &self.bound.ts_type)?];
        if let Some(event) = people.event_column {
            columns.push(take(event, &UInt64Array::from(positions), None)?);
        }
        columns.push(Arc::new(StringArray::from(conditions)));
        columns.push(Arc::new(Int64Array::from(before)));
        columns.push(Arc::new(Int64Array::from(after)));
        columns.push(Arc::new(Int64Array::from(counted)));
        columns.push(Arc::new(StringArray::from(reasons)));
        list(self.name(), counts, Arc::new(StructArray::try_new(self.fields.clone(), columns, None)?))
    }
}
