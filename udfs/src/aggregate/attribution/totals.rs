//! The aggregate behind `attribution_summary`: sums by key and model, with no row for single touches.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::function::AccumulatorArgs;

use super::NONE;
use super::credits::amounts;
use super::divide::{Divider, Parts, Sum, checked_sum};
use super::layout::{Bound, Layout, People};
use crate::aggregate::buffered::{Buffered, Call, ConstantArguments, Kept, SortedRows, list};
use crate::journey::attribution::{Conversion, Evaluator, mark};

/// Credit as an exact number: 18 decimals.
pub(super) const CREDIT: DataType = DataType::Decimal128(38, 18);

/// Sums by key and model. The lists sum up to what all people contribute, and that is all that can be said of them:
/// people who are evaluated together are summed up here, in the list of the first of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Totals(pub(crate) Layout);

/// `model` of what a key has without one: `cost` of its touches, `low`: conversions to which only this key led, `high`:
/// those to which it led at all.
pub(super) const KEY_ALONE: i64 = -1;
/// `model` of what all have in common: `high` is the number of conversions.
pub(super) const ALL: i64 = -2;

/// Fields of the sums; `model` counts from 0.
fn fields(amount: &DataType, cost: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("touch_key", DataType::Utf8, true),
        Field::new("model", DataType::Int64, true),
        Field::new("credit", CREDIT, true),
        Field::new("value", wide(amount), true),
        Field::new("cost", wide(cost), true),
        Field::new("low", DataType::Int64, true),
        Field::new("high", DataType::Int64, true),
    ])
}

/// The type of sums of amounts.
pub(crate) fn wide(amount: &DataType) -> DataType {
    match amount {
        DataType::Decimal128(_, scale) => DataType::Decimal128(38, *scale),
        other => other.clone(),
    }
}

impl Buffered for Totals {
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
        let fields = fields(&self.0.value_type(arg_types)?, &self.0.cost_type(arg_types)?);
        Ok(DataType::List(Arc::new(Field::new_list_field(DataType::Struct(fields), true))))
    }

    fn kept_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.0.kept_types(arg_types)
    }

    fn check(&self, types: &[DataType], constants: ConstantArguments, _exprs: &[Expr]) -> Result<()> {
        self.0.check(types, constants)
    }

    fn call(&self, args: &AccumulatorArgs) -> Result<Arc<dyn Call>> {
        Ok(Arc::new(TotalsCall(Bound::new(&self.0, args)?)))
    }
}

#[derive(Debug)]
struct TotalsCall(Bound);

impl Call for TotalsCall {
    fn name(&self) -> &'static str {
        self.0.layout.function
    }

    fn keep(&self, arguments: &[ArrayRef]) -> Result<Kept> {
        self.0.keep(arguments, false)
    }

    fn evaluate(&self, rows: &SortedRows) -> Result<ArrayRef> {
        let people = self.0.people(rows)?;
        let mut sums = Sums::new(&self.0, &people);
        let mut evaluator = Evaluator::default();
        for person in rows.groups() {
            let data = people.person(person.clone());
            let mut outcome = Ok(());
            evaluator.conversions(&self.0.rules, &data, |conversion| {
                if outcome.is_ok() {
                    outcome = sums.add(person.start, &conversion);
                }
            });
            outcome?;
        }
        sums.add_costs()?;
        let (columns, count) = sums.columns();
        let mut counts = vec![0; rows.group_count()];
        if let Some(first) = counts.first_mut() {
            *first = count;
        }
        let fields = fields(&self.0.value_type, &self.0.cost_type);
        let values = StructArray::try_new_with_length(fields, columns.finish(&self.0)?, None, count)?;
        list(self.name(), counts, Arc::new(values))
    }
}

/// What a key has without a model.
#[derive(Debug, Clone, Copy, Default)]
struct KeySum {
    /// Number of the last conversion to which the key led.
    last: i64,
    is_touch: bool,
    cost: Option<i128>,
    low: i64,
    high: i64,
}

/// Sums by key and model over people whose keys have common numbers. One more key than there are stands for
/// [`NONE`].
#[derive(Debug)]
struct Sums<'a> {
    bound: &'a Bound,
    people: &'a People<'a>,
    /// By key, then model.
    sums: Vec<Sum>,
    keys: Vec<KeySum>,
    divider: Divider,
    conversions: i64,
}

impl<'a> Sums<'a> {
    fn new(bound: &'a Bound, people: &'a People<'a>) -> Self {
        let keys = people.keys.names.len() + 1;
        Self {
            bound,
            people,
            sums: vec![Sum::default(); keys * people.models.len()],
            keys: vec![KeySum::default(); keys],
            divider: Divider::default(),
            conversions: 0,
        }
    }

    /// Adds a conversion of the person whose first row is `first`.
    fn add(&mut self, first: usize, conversion: &Conversion) -> Result<()> {
        self.conversions += 1;
        let Self { bound, people, sums, keys, divider, .. } = self;
        let (nobody, models) = (keys.len() - 1, people.models.len());
        divider.divide(bound, people, first, conversion, Parts::OfSomething, |part| {
            let key = part.touch.map_or(nobody, |touch| conversion.path.keys[touch] as usize);
            sums[key * models + part.model].add(bound.layout.function, &part)
        })?;
        let mut different = 0;
        for key in conversion.path.keys {
            let key = &mut self.keys[*key as usize];
            if key.last != self.conversions {
                key.last = self.conversions;
                key.high += 1;
                different += 1;
            }
        }
        if let (Some(only), 1) = (conversion.path.keys.first(), different) {
            self.keys[*only as usize].low += 1;
        }
        Ok(())
    }

    /// Adds what touches cost, whether they led to anything or not.
    fn add_costs(&mut self) -> Result<()> {
        for (row, marks) in self.people.marks.iter().enumerate() {
            if marks & mark::TOUCH == 0 {
                continue;
            }
            let key = &mut self.keys[self.people.keys.numbers[row] as usize];
            key.is_touch = true;
            key.cost = checked_sum(self.bound.layout.function, "cost", key.cost, self.people.cost(row))?;
        }
        Ok(())
    }

    fn columns(self) -> (SumColumns, usize) {
        let mut columns = SumColumns::default();
        columns.push(None, ALL, None, None, None, [0, self.conversions]);
        for (number, key) in self.keys.iter().enumerate() {
            let name = self.people.keys.names.get(number).copied();
            if key.is_touch {
                columns.push(name, KEY_ALONE, None, None, key.cost, [key.low, key.high]);
            }
            for model in 0..self.people.models.len() {
                let sum = self.sums[number * self.people.models.len() + model];
                if sum.credit != 0 || sum.value.is_some() {
                    let model = i64::try_from(model).unwrap_or(i64::MAX);
                    columns.push(name, model, Some(sum.credit), sum.value, None, [0, 0]);
                }
            }
        }
        let count = columns.models.len();
        (columns, count)
    }
}

#[derive(Debug, Default)]
struct SumColumns {
    names: Vec<String>,
    models: Vec<i64>,
    credits: Vec<Option<i128>>,
    values: Vec<Option<i128>>,
    costs: Vec<Option<i128>>,
    lows: Vec<i64>,
    highs: Vec<i64>,
}

impl SumColumns {
    fn push(
        &mut self,
        name: Option<&str>,
        model: i64,
        credit: Option<i128>,
        value: Option<i128>,
        cost: Option<i128>,
        [low, high]: [i64; 2],
    ) {
        self.names.push(name.unwrap_or(NONE).to_owned());
        self.models.push(model);
        self.credits.push(credit);
        self.values.push(value);
        self.costs.push(cost);
        self.lows.push(low);
        self.highs.push(high);
    }

    fn finish(self, bound: &Bound) -> Result<Vec<ArrayRef>> {
        Ok(vec![
            Arc::new(StringArray::from_iter_values(self.names)),
            Arc::new(Int64Array::from(self.models)),
            amounts(self.credits, &CREDIT)?,
            amounts(self.values, &wide(&bound.value_type))?,
            amounts(self.costs, &wide(&bound.cost_type))?,
            Arc::new(Int64Array::from(self.lows)),
            Arc::new(Int64Array::from(self.highs)),
        ])
    }
}
