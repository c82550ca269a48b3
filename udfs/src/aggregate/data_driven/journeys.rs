//! The first step over rows: each person's journeys.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Field};
use datafusion::common::Result;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::function::AccumulatorArgs;

use super::cells::{Cells, Reduce, fields};
use crate::aggregate::attribution::{Bound, Layout};
use crate::aggregate::buffered::{Buffered, Call, ConstantArguments, Kept, SortedRows, list};
use crate::journey::attribution::{Evaluator, mark};
use crate::journey::markov::Exits;

/// Cells of the journeys of people. A journey ends with a conversion; touches after the last one are a journey without.
/// The lists sum up to what all people contribute, and that is all that can be said of them: people who are evaluated
/// together are summed up in the list of the first of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Journeys {
    /// Arguments, without models.
    pub(crate) layout: Layout,
    pub(crate) reduce: Reduce,
    pub(crate) collapse: bool,
    /// Whether only the first conversion of a person counts, and nothing after it.
    pub(crate) first_only: bool,
}

impl Buffered for Journeys {
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
        let item = DataType::Struct(fields(&self.layout.value_type(arg_types)?));
        Ok(DataType::List(Arc::new(Field::new_list_field(item, true))))
    }

    fn kept_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.layout.kept_types(arg_types)
    }

    fn check(&self, types: &[DataType], constants: ConstantArguments, _exprs: &[Expr]) -> Result<()> {
        self.layout.check(types, constants)
    }

    fn call(&self, args: &AccumulatorArgs) -> Result<Arc<dyn Call>> {
        Ok(Arc::new(JourneysCall { bound: Bound::new(&self.layout, args)?, journeys: self.clone() }))
    }
}

#[derive(Debug)]
struct JourneysCall {
    bound: Bound,
    journeys: Journeys,
}

impl Call for JourneysCall {
    fn name(&self) -> &'static str {
        self.bound.layout.function
    }

    fn keep(&self, arguments: &[ArrayRef]) -> Result<Kept> {
        self.bound.keep(arguments, false)
    }

    fn evaluate(&self, rows: &SortedRows) -> Result<ArrayRef> {
        let people = self.bound.people(rows)?;
        let Journeys { reduce, collapse, first_only, .. } = self.journeys;
        let mut cells = Cells::new(self.name(), reduce, collapse);
        let mut evaluator = Evaluator::default();
        for person in rows.groups() {
            let data = people.person(person.clone());
            let converts = |row: &usize| people.marks[*row] & mark::CONVERSION != 0;
            let first = person.clone().find(converts).map(|row| row - person.start);
            let mut outcome = Ok(());
            evaluator.conversions(&self.bound.rules, &data, |conversion| {
                if outcome.is_err() || (first_only && Some(conversion.row) != first) {
                    return;
                }
                let value = people.value(person.start + conversion.row);
                let exits = Exits { conversions: 1, value: value.unwrap_or(0), nulls: 0 };
                outcome = cells.add(conversion.path.keys, exits, value.is_some());
            });
            outcome?;
            if first_only && first.is_some() {
                continue;
            }
            let open = evaluator.open_touches(&self.bound.rules, &data);
            if !open.is_empty() {
                cells.add(open, Exits { conversions: 0, value: 0, nulls: 1 }, false)?;
            }
        }
        let cells = cells.finish(&people.keys.names, &self.bound.value_type)?;
        let mut counts = vec![0; rows.group_count()];
        if let Some(first) = counts.first_mut() {
            *first = arrow::array::Array::len(&cells);
        }
        list(self.name(), counts, Arc::new(cells))
    }
}
