//! The second step of `attribution_summary`: sums of all people, and the rows of the report.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, StringArray, StructArray};
use arrow::datatypes::{DataType, Decimal128Type, Field, Fields, Int64Type};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::function::AccumulatorArgs;

use super::credits::{amounts, as_share};
use super::divide::{Part, Sum, checked_sum};
use super::totals::{ALL, CREDIT, KEY_ALONE};
use crate::aggregate::buffered::{Buffered, Call, Kept, SortedRows, list};

/// The aggregate over all sums; its arguments are the fields of [`super::Totals`] in their order. One list of the
/// rows: every model with every key that is touched, and `(none)` if anything is left for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Summary {
    pub(crate) function: &'static str,
    /// Names of the models.
    pub(crate) models: Vec<&'static str>,
}

impl Summary {
    /// Names and types of the columns, from the types of the arguments.
    pub(crate) fn fields(value: &DataType, cost: &DataType) -> Fields {
        Fields::from(vec![
            Field::new("model", DataType::Utf8, true),
            Field::new("touch_key", DataType::Utf8, true),
            Field::new("conversions", DataType::Float64, true),
            Field::new("value", value.clone(), true),
            Field::new("share", DataType::Float64, true),
            Field::new("cost", cost.clone(), true),
            Field::new("conversions_low", DataType::Int64, true),
            Field::new("conversions_high", DataType::Int64, true),
        ])
    }
}

impl Buffered for Summary {
    fn name(&self) -> &'static str {
        self.function
    }

    fn parameter_names(&self) -> Vec<String> {
        vec![]
    }

    fn coerce(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        let [_, _, _, value, cost, ..] = arg_types else {
            return internal_err!("{}: the sums have {} fields", self.function, arg_types.len());
        };
        let item = DataType::Struct(Self::fields(value, cost));
        Ok(DataType::List(Arc::new(Field::new_list_field(item, true))))
    }

    fn kept_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn call(&self, args: &AccumulatorArgs) -> Result<Arc<dyn Call>> {
        let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        match types.as_slice() {
            [_, _, CREDIT, value, cost, ..] => Ok(Arc::new(SummaryCall {
                summary: self.clone(),
                value_type: value.clone(),
                cost_type: cost.clone(),
            })),
            other => internal_err!("{}: the sums have types {other:?}", self.function),
        }
    }
}

#[derive(Debug)]
struct SummaryCall {
    summary: Summary,
    value_type: DataType,
    cost_type: DataType,
}

/// What all people together contribute to a key.
#[derive(Debug, Default)]
struct KeyTotal {
    /// By model.
    models: Vec<Sum>,
    is_touch: bool,
    cost: Option<i128>,
    low: i64,
    high: i64,
}

#[derive(Debug, Default)]
struct Rows {
    models: Vec<&'static str>,
    keys: Vec<String>,
    conversions: Vec<f64>,
    values: Vec<Option<i128>>,
    shares: Vec<Option<f64>>,
    costs: Vec<Option<i128>>,
    lows: Vec<Option<i64>>,
    highs: Vec<Option<i64>>,
}

impl Call for SummaryCall {
    fn name(&self) -> &'static str {
        self.summary.function
    }

    fn keep(&self, arguments: &[ArrayRef]) -> Result<Kept> {
        Ok(Kept { columns: arguments.to_vec(), rows: None })
    }

    fn needs_order(&self) -> bool {
        false
    }

    fn evaluate(&self, rows: &SortedRows) -> Result<ArrayRef> {
        let mut built = Rows::default();
        let mut counts = Vec::with_capacity(rows.group_count());
        for group in rows.groups() {
            let before = built.keys.len();
            let (keys, conversions) = self.keys(rows, group)?;
            self.push(&keys, conversions, &mut built);
            counts.push(built.keys.len() - before);
        }
        let fields = Summary::fields(&self.value_type, &self.cost_type);
        let count = built.keys.len();
        let columns = built.finish(self)?;
        list(self.name(), counts, Arc::new(StructArray::try_new_with_length(fields, columns, None, count)?))
    }
}

impl SummaryCall {
    /// The sums by key, and the number of conversions.
    fn keys(
        &self,
        rows: &SortedRows,
        group: std::ops::Range<usize>,
    ) -> Result<(BTreeMap<String, KeyTotal>, i64)> {
        let decimals = |index: usize| rows.column(index).as_primitive_opt::<Decimal128Type>();
        let integers = |index: usize| rows.column(index).as_primitive_opt::<Int64Type>();
        let (Some(names), Some(models)) = (rows.column(0).as_string_opt::<i32>(), integers(1)) else {
            return internal_err!("{}: the sums have no keys", self.name());
        };
        let (Some(credits), Some(values), Some(costs)) = (decimals(2), decimals(3), decimals(4)) else {
            return internal_err!("{}: the sums are no decimals", self.name());
        };
        let (Some(lows), Some(highs)) = (integers(5), integers(6)) else {
            return internal_err!("{}: the sums have no counts", self.name());
        };
        let mut keys: BTreeMap<String, KeyTotal> = BTreeMap::new();
        let mut conversions = 0;
        for row in group {
            let model = models.value(row);
            if model == ALL {
                conversions += highs.value(row);
                continue;
            }
            let key = match keys.get_mut(names.value(row)) {
                Some(key) => key,
                None => keys.entry(names.value(row).to_owned()).or_default(),
            };
            key.models.resize(self.summary.models.len(), Sum::default());
            if model == KEY_ALONE {
                key.is_touch = true;
                key.low += lows.value(row);
                key.high += highs.value(row);
                let cost = costs.is_valid(row).then(|| costs.value(row));
                key.cost = checked_sum(self.name(), "cost", key.cost, cost)?;
                continue;
            }
            let Some(sum) = usize::try_from(model).ok().and_then(|model| key.models.get_mut(model)) else {
                return internal_err!("{}: there is no model {model}", self.name());
            };
            let value = values.is_valid(row).then(|| values.value(row));
            sum.add(self.name(), &Part { model: 0, touch: None, credit: credits.value(row), value })?;
        }
        Ok((keys, conversions))
    }

    fn push(&self, keys: &BTreeMap<String, KeyTotal>, conversions: i64, rows: &mut Rows) {
        let has_values = keys.values().any(|key| key.models.iter().any(|sum| sum.value.is_some()));
        for (index, model) in self.summary.models.iter().enumerate() {
            for (name, key) in keys {
                let Sum { credit, value } = key.models[index];
                let credit = as_share(credit);
                rows.models.push(model);
                rows.keys.push(name.clone());
                rows.conversions.push(credit);
                // A key without any credit has got no value: 0, if there are values at all.
                rows.values.push(value.or(has_values.then_some(0)));
                rows.shares.push((conversions > 0).then(|| credit / conversions as f64));
                rows.costs.push(key.cost);
                rows.lows.push(key.is_touch.then_some(key.low));
                rows.highs.push(key.is_touch.then_some(key.high));
            }
        }
    }
}

impl Rows {
    fn finish(self, call: &SummaryCall) -> Result<Vec<ArrayRef>> {
        Ok(vec![
            Arc::new(StringArray::from(self.models)),
            Arc::new(StringArray::from(self.keys)),
            Arc::new(Float64Array::from(self.conversions)),
            amounts(self.values, &call.value_type)?,
            Arc::new(Float64Array::from(self.shares)),
            amounts(self.costs, &call.cost_type)?,
            Arc::new(Int64Array::from(self.lows)),
            Arc::new(Int64Array::from(self.highs)),
        ])
    }
}
