//! The aggregate behind `attribution_explain`: every touch, and the rule that gave or denied it credit.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, StringArray, StringViewArray, StructArray,
    UInt64Array, new_null_array,
};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Fields};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::function::AccumulatorArgs;

use super::credits::{amounts, as_share};
use super::divide::{Divider, Parts};
use super::layout::{Bound, Layout, People};
use super::names::conversion_name;
use crate::aggregate::buffered::{Buffered, Call, ConstantArguments, Kept, SortedRows, list};
use crate::arguments::constant;
use crate::journey::attribution::{Conversion, Evaluator, PersonRows, Verdict, verdicts};

/// The list of a person's conversions x touches x models, touches that do not count among them. Behind the arguments
/// of the layout stands the id of the conversion that is asked for, or NULL for all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Explain(pub(crate) Layout);

fn fields(ts: &DataType, value: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("conversion_event", DataType::Utf8View, true),
        Field::new("conversion_name", DataType::Utf8, true),
        Field::new("conversion_ts", ts.clone(), true),
        Field::new("model", DataType::Utf8, true),
        Field::new("touch_key", DataType::Utf8View, true),
        Field::new("touch_event_id", DataType::Utf8View, true),
        Field::new("touch_ts", ts.clone(), true),
        Field::new("position", DataType::Int64, true),
        Field::new("credit", DataType::Float64, true),
        Field::new("value", value.clone(), true),
        Field::new("reason", DataType::Utf8, true),
    ])
}

impl Buffered for Explain {
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
        let wanted = match args.exprs.get(self.0.argument_count()) {
            Some(wanted) => constant(wanted, self.0.function, "conversion_id")?,
            None => ScalarValue::Null,
        };
        let wanted = wanted.try_as_str().flatten().map(str::to_owned);
        Ok(Arc::new(ExplainCall { bound: Bound::new(&self.0, args)?, wanted }))
    }
}

#[derive(Debug)]
struct ExplainCall {
    bound: Bound,
    wanted: Option<String>,
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
        let mut evaluator = Evaluator::default();
        let mut built = Columns::default();
        let mut counts = Vec::with_capacity(rows.group_count());
        for person in rows.groups() {
            let before = built.conversions.len();
            let data = people.person(person.clone());
            let mut outcome = Ok(());
            evaluator.conversions(&self.bound.rules, &data, |conversion| {
                let row = person.start + conversion.row;
                let id =
                    people.event_id.filter(|ids| ids.is_valid(row)).and_then(|ids| ids.as_string_view_opt());
                let name =
                    id.is_none().then(|| conversion_name(&people, person.start, row, &self.bound.ts_type));
                // Of a name the part behind the person; the whole is compared where the person is known.
                let is_wanted = match (&self.wanted, id, &name) {
                    (None, ..) => true,
                    (Some(wanted), Some(ids), _) => ids.value(row) == wanted,
                    (Some(wanted), None, Some(name)) => wanted.ends_with(name.as_str()),
                    (Some(_), None, None) => false,
                };
                if is_wanted && outcome.is_ok() {
                    outcome =
                        built.push(&self.bound, &people, &data, person.start, name.as_deref(), &conversion);
                }
            });
            outcome?;
            counts.push(built.conversions.len() - before);
        }
        list(self.name(), counts, Arc::new(built.finish(&self.bound, &people)?))
    }
}

#[derive(Debug, Default)]
struct Columns {
    conversions: Vec<u64>,
    names: Vec<Option<String>>,
    models: Vec<u64>,
    touches: Vec<u64>,
    positions: Vec<Option<i64>>,
    credits: Vec<f64>,
    values: Vec<Option<i128>>,
    reasons: Vec<String>,
    divider: Divider,
}

impl Columns {
    fn push(
        &mut self,
        bound: &Bound,
        people: &People,
        data: &PersonRows,
        first: usize,
        name: Option<&str>,
        conversion: &Conversion,
    ) -> Result<()> {
        let touches = conversion.touches.len();
        let value = people.value(first + conversion.row);
        let mut parts = vec![(0, None); people.models.len() * touches];
        self.divider.divide(bound, people, first, conversion, Parts::All, |part| {
            if let Some(touch) = part.touch {
                parts[part.model * touches + touch] = (part.credit, part.value);
            }
            Ok(())
        })?;
        let verdicts = verdicts(&bound.rules, data, conversion.row);
        for (index, model) in bound.layout.models.iter().enumerate() {
            for (row, verdict) in &verdicts {
                let position = conversion.touches.binary_search(row).ok();
                let nothing = (0, value.map(|_| 0));
                let (credit, share) = position.map_or(nothing, |position| parts[index * touches + position]);
                self.conversions.push((first + conversion.row) as u64);
                self.names.push(name.map(str::to_owned));
                self.models.push(index as u64);
                self.touches.push((first + row) as u64);
                self.positions.push(position.and_then(|position| i64::try_from(position + 1).ok()));
                self.credits.push(as_share(credit));
                self.values.push(share);
                self.reasons.push(match (verdict, position) {
                    (Verdict::Counts, Some(position)) => {
                        format!("touch {} of {touches}, by {}", position + 1, model.name)
                    }
                    (verdict, _) => verdict.to_string(),
                });
            }
        }
        Ok(())
    }

    fn finish(self, bound: &Bound, people: &People) -> Result<StructArray> {
        let rows = self.conversions.len();
        let conversions = UInt64Array::from(self.conversions);
        let key = |row: &u64| people.keys.names.get(people.keys.numbers[*row as usize] as usize).copied();
        let keys = StringViewArray::from_iter(self.touches.iter().map(key));
        let touches = UInt64Array::from(self.touches);
        let times: ArrayRef = Arc::new(Int64Array::from(people.times.to_vec()));
        let times = cast(&times, &bound.ts_type)?;
        let ids = |rows_of: &UInt64Array| -> Result<ArrayRef> {
            match people.event_id {
                Some(event_id) => Ok(take(event_id, rows_of, None)?),
                None => Ok(new_null_array(&DataType::Utf8View, rows)),
            }
        };
        let model_names = StringArray::from_iter_values(bound.layout.models.iter().map(|model| model.name));
        let columns: Vec<ArrayRef> = vec![
            ids(&conversions)?,
            Arc::new(StringArray::from(self.names)),
            take(&times, &conversions, None)?,
            take(&model_names, &UInt64Array::from(self.models), None)?,
            Arc::new(keys),
            ids(&touches)?,
            take(&times, &touches, None)?,
            Arc::new(Int64Array::from(self.positions)),
            Arc::new(Float64Array::from(self.credits)),
            amounts(self.values, &bound.value_type)?,
            Arc::new(StringArray::from(self.reasons)),
        ];
        let fields = fields(&bound.ts_type, &bound.value_type);
        Ok(StructArray::try_new_with_length(fields, columns, None, rows)?)
    }
}
