//! The aggregate behind `attribution`: a row for each conversion, touch and model.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Decimal128Array, Float64Array, Int64Array, StringArray, StringViewArray, StructArray,
    UInt64Array, new_null_array,
};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::function::AccumulatorArgs;

use super::NONE;
use super::divide::{Divider, Parts};
use super::layout::{Bound, Layout, People};
use super::names::conversion_name;
use crate::aggregate::buffered::{Buffered, Call, ConstantArguments, Kept, SortedRows, list};
use crate::journey::attribution::{CREDIT_UNITS, Conversion, Evaluator};

/// The list of a person's conversions x touches x models. A conversion of which no touch gets anything has a row
/// without a touch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Credits(pub(crate) Layout);

/// Fields of the rows. The id of a conversion is `conversion_event`, or the person with `conversion_name`.
fn fields(ts: &DataType, value: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("conversion_event", DataType::Utf8View, true),
        Field::new("conversion_name", DataType::Utf8, true),
        Field::new("conversion_ts", ts.clone(), true),
        Field::new("conversion_value", value.clone(), true),
        Field::new("model", DataType::Utf8, true),
        Field::new("touch_key", DataType::Utf8View, true),
        Field::new("touch_event_id", DataType::Utf8View, true),
        Field::new("touch_ts", ts.clone(), true),
        Field::new("position", DataType::Int64, true),
        Field::new("touches", DataType::Int64, true),
        Field::new("credit", DataType::Float64, true),
        Field::new("value", value.clone(), true),
    ])
}

impl Buffered for Credits {
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
        let item = DataType::Struct(fields(&arg_types[0], &self.0.value_type(arg_types)?));
        Ok(DataType::List(Arc::new(Field::new_list_field(item, true))))
    }

    fn kept_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.0.kept_types(arg_types)
    }

    fn check(&self, types: &[DataType], constants: ConstantArguments, _exprs: &[Expr]) -> Result<()> {
        self.0.check(types, constants)
    }

    fn call(&self, args: &AccumulatorArgs) -> Result<Arc<dyn Call>> {
        Ok(Arc::new(CreditsCall(Bound::new(&self.0, args)?)))
    }
}

#[derive(Debug)]
struct CreditsCall(Bound);

impl Call for CreditsCall {
    fn name(&self) -> &'static str {
        self.0.layout.function
    }

    fn keep(&self, arguments: &[ArrayRef]) -> Result<Kept> {
        self.0.keep(arguments, false)
    }

    fn evaluate(&self, rows: &SortedRows) -> Result<ArrayRef> {
        let people = self.0.people(rows)?;
        let mut evaluator = Evaluator::default();
        let mut built = Columns::default();
        let mut counts = Vec::with_capacity(rows.group_count());
        for person in rows.groups() {
            let before = built.conversions.len();
            let data = people.person(person.clone());
            let mut outcome = Ok(());
            evaluator.conversions(&self.0.rules, &data, |conversion| {
                if outcome.is_ok() {
                    outcome = built.push(&self.0, &people, person.start, &conversion);
                }
            });
            outcome?;
            counts.push(built.conversions.len() - before);
        }
        list(self.name(), counts, Arc::new(built.finish(&self.0, &people)?))
    }
}

/// The rows as they are built: positions among all rows and numbers.
#[derive(Debug, Default)]
struct Columns {
    conversions: Vec<u64>,
    names: Vec<Option<String>>,
    models: Vec<u64>,
    touches: Vec<Option<u64>>,
    positions: Vec<Option<i64>>,
    counts: Vec<i64>,
    credits: Vec<f64>,
    conversion_values: Vec<Option<i128>>,
    values: Vec<Option<i128>>,
    divider: Divider,
}

impl Columns {
    fn push(&mut self, bound: &Bound, people: &People, first: usize, conversion: &Conversion) -> Result<()> {
        let row = first + conversion.row;
        let value = people.value(row);
        let has_id = people.event_id.is_some_and(|event_id| event_id.is_valid(row));
        let name = (!has_id).then(|| conversion_name(people, first, row, &bound.ts_type));
        let mut divider = std::mem::take(&mut self.divider);
        divider.divide(bound, people, first, conversion, Parts::All, |part| {
            self.conversions.push(row as u64);
            self.names.push(name.clone());
            self.models.push(part.model as u64);
            self.touches.push(part.touch.map(|touch| (first + conversion.touches[touch]) as u64));
            self.positions.push(part.touch.and_then(|touch| i64::try_from(touch + 1).ok()));
            self.counts.push(i64::try_from(conversion.touches.len()).unwrap_or(i64::MAX));
            self.credits.push(as_share(part.credit));
            self.conversion_values.push(value);
            self.values.push(part.value);
            Ok(())
        })?;
        self.divider = divider;
        Ok(())
    }

    fn finish(self, bound: &Bound, people: &People) -> Result<StructArray> {
        let rows = self.conversions.len();
        let conversions = UInt64Array::from(self.conversions);
        let touch_rows = UInt64Array::from(self.touches.clone());
        let times: ArrayRef = Arc::new(Int64Array::from(people.times.to_vec()));
        let times = cast(&times, &bound.ts_type)?;
        let ids = |rows_of: &UInt64Array| -> Result<ArrayRef> {
            match people.event_id {
                Some(event_id) => Ok(take(event_id, rows_of, None)?),
                None => Ok(new_null_array(&DataType::Utf8View, rows)),
            }
        };
        let model_names = StringArray::from_iter_values(bound.layout.models.iter().map(|model| model.name));
        let key = |touch: &Option<u64>| match touch {
            Some(row) => people.keys.names.get(people.keys.numbers[*row as usize] as usize).copied(),
            None => Some(NONE),
        };
        let columns: Vec<ArrayRef> = vec![
            ids(&conversions)?,
            Arc::new(StringArray::from(self.names)),
            take(&times, &conversions, None)?,
            amounts(self.conversion_values, &bound.value_type)?,
            take(&model_names, &UInt64Array::from(self.models), None)?,
            Arc::new(StringViewArray::from_iter(self.touches.iter().map(key))),
            ids(&touch_rows)?,
            take(&times, &touch_rows, None)?,
            Arc::new(Int64Array::from(self.positions)),
            Arc::new(Int64Array::from(self.counts)),
            Arc::new(Float64Array::from(self.credits)),
            amounts(self.values, &bound.value_type)?,
        ];
        let fields = fields(&bound.ts_type, &bound.value_type);
        Ok(StructArray::try_new_with_length(fields, columns, None, rows)?)
    }
}

/// Credit as a number: 1 is all of a conversion. Whole conversions stay whole.
pub(super) fn as_share(credit: i128) -> f64 {
    (credit / CREDIT_UNITS) as f64 + (credit % CREDIT_UNITS) as f64 / CREDIT_UNITS as f64
}

/// Amounts in units of the last decimal as decimals.
pub(crate) fn amounts(units: Vec<Option<i128>>, data_type: &DataType) -> Result<ArrayRef> {
    let DataType::Decimal128(precision, scale) = data_type else {
        return internal_err!("amounts have type {data_type}");
    };
    Ok(Arc::new(Decimal128Array::from(units).with_precision_and_scale(*precision, *scale)?))
}
