//! `attribute(model, ts, key, is_conversion, ...)`: what each key of a group's rows gets.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, BooleanArray, Float64Array, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Fields, IntervalMonthDayNanoType, IntervalUnit};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{AggregateUDF, DocSection, Documentation, Expr};

use super::NONE;
use super::credits::{amounts, as_share};
use super::divide::{Divider, Parts, Sum};
use super::layout::{Bound, Layout, half_life};
use super::models::{ModelKind, NamedModel, names};
use super::totals::wide;
use crate::aggregate::buffered::{
    Buffered, BufferedAggregate, Call, ConstantArguments, Kept, SortedRows, list,
};
use crate::arguments::{LengthArgument, constant, is_text};
use crate::docs;
use crate::journey::attribution::{Count, Evaluator};
use crate::journey::ties::Ties;
use crate::length::Length;
use crate::money::money_type;

const NAME: &str = "attribute";

/// Names of the arguments; the first four are needed.
const PARAMETERS: [&str; 11] = [
    "model",
    "ts",
    "key",
    "is_conversion",
    "value",
    "lookback",
    "half_life",
    "is_touch",
    "ties",
    "count",
    "cut_at_conversion",
];
const MODEL: usize = 0;
const TS: usize = 1;
const KEY: usize = 2;
const IS_CONVERSION: usize = 3;
const VALUE: usize = 4;
const LOOKBACK: usize = 5;
const HALF_LIFE: usize = 6;
const IS_TOUCH: usize = 7;
const TIES: usize = 8;
const COUNT: usize = 9;
const CUT: usize = 10;
const REQUIRED: usize = 4;

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// Returns the function.
pub(crate) fn attribute_function() -> AggregateUDF {
    AggregateUDF::from(BufferedAggregate::new(Attribute))
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Attribute;

fn fields(value: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("touch_key", DataType::Utf8, true),
        Field::new("conversions", DataType::Float64, true),
        Field::new("value", wide(value), true),
    ])
}

fn is_given(types: &[DataType], position: usize) -> bool {
    types.get(position).is_some_and(|given| !given.is_null())
}

fn value_type(types: &[DataType]) -> DataType {
    match types.get(VALUE) {
        Some(DataType::Decimal128(precision, scale)) => DataType::Decimal128(*precision, *scale),
        _ => DataType::Decimal128(28, 4),
    }
}

impl Buffered for Attribute {
    fn name(&self) -> &'static str {
        NAME
    }

    fn parameter_names(&self) -> Vec<String> {
        PARAMETERS.map(str::to_owned).to_vec()
    }

    fn coerce(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        if !(REQUIRED..=PARAMETERS.len()).contains(&arg_types.len()) {
            return plan_err!(
                "{NAME} takes {REQUIRED} to {} arguments, got {}: {}",
                PARAMETERS.len(),
                arg_types.len(),
                PARAMETERS.join(", ")
            );
        }
        let lookback = arg_types.get(LOOKBACK).unwrap_or(&DataType::Null);
        let length = if is_text(lookback) { &DataType::Null } else { lookback };
        let [time, _] = LengthArgument { function: NAME, name: "lookback" }.coerce(&arg_types[TS], length)?;
        let mut coerced = Vec::with_capacity(arg_types.len());
        for (position, given) in arg_types.iter().enumerate() {
            let name = PARAMETERS[position];
            coerced.push(match position {
                TS => time.clone(),
                KEY => DataType::Utf8View,
                MODEL | TIES | COUNT if is_text(given) || given.is_null() => DataType::Utf8,
                MODEL | TIES | COUNT => {
                    return plan_err!("{NAME}: argument {name} must be text, got {given}");
                }
                IS_CONVERSION | IS_TOUCH | CUT if matches!(given, DataType::Boolean | DataType::Null) => {
                    DataType::Boolean
                }
                IS_CONVERSION | IS_TOUCH | CUT => {
                    return plan_err!("{NAME}: argument {name} must be BOOLEAN, got {given}");
                }
                VALUE if given.is_null() => DataType::Null,
                VALUE => money_type(NAME, name, given)?,
                LOOKBACK if is_text(given) => DataType::Utf8,
                LOOKBACK | HALF_LIFE if given.is_null() => DataType::Null,
                _ => {
                    let [_, length] = LengthArgument { function: NAME, name }.coerce(&time, given)?;
                    length
                }
            });
        }
        Ok(coerced)
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        let item = DataType::Struct(fields(&value_type(arg_types)));
        Ok(DataType::List(Arc::new(Field::new_list_field(item, true))))
    }

    fn kept_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let mut types = vec![DataType::Int64, DataType::Utf8View, DataType::UInt64];
        types.extend(is_given(arg_types, VALUE).then(|| value_type(arg_types)));
        Ok(types)
    }

    fn check(&self, types: &[DataType], constants: ConstantArguments, exprs: &[Expr]) -> Result<()> {
        for position in [MODEL, LOOKBACK, HALF_LIFE, TIES, COUNT, CUT] {
            if let Some(expr) = exprs.get(position) {
                crate::arguments::planned_constant(expr, NAME, PARAMETERS[position])?;
            }
        }
        let known = |position: usize| match exprs.get(position) {
            None => Some(ScalarValue::Null),
            Some(_) => constants(position),
        };
        let settings: Option<Vec<ScalarValue>> = (0..PARAMETERS.len())
            .map(|position| match position {
                MODEL | LOOKBACK | HALF_LIFE | TIES | COUNT | CUT => known(position),
                _ => Some(ScalarValue::Null),
            })
            .collect();
        match settings {
            Some(settings) => bound(types, &settings).map(drop),
            // A parameter has no value yet.
            None => Ok(()),
        }
    }

    fn call(&self, args: &AccumulatorArgs) -> Result<Arc<dyn Call>> {
        let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        let mut settings = vec![ScalarValue::Null; PARAMETERS.len()];
        for position in [MODEL, LOOKBACK, HALF_LIFE, TIES, COUNT, CUT] {
            if let Some(expr) = args.exprs.get(position) {
                settings[position] = constant(expr, NAME, PARAMETERS[position])?;
            }
        }
        let has_touch = is_given(&types, IS_TOUCH)
            && args.exprs.get(IS_TOUCH).is_some_and(|expr| {
                let literal = expr.downcast_ref::<datafusion::physical_expr::expressions::Literal>();
                literal.is_none_or(|literal| !literal.value().is_null())
            });
        Ok(Arc::new(AttributeCall { bound: bound(&types, &settings)?, has_touch }))
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        match data_type {
            DataType::List(item) => {
                Ok(ScalarValue::List(ScalarValue::new_list_nullable(&[], item.data_type())))
            }
            other => ScalarValue::try_from(other),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

/// One of the named values, in any case.
fn choice<T: Copy + Default>(name: &str, value: &ScalarValue, choices: &[(&str, T)]) -> Result<T> {
    let Some(given) = value.try_as_str().flatten() else {
        return Ok(T::default());
    };
    match choices.iter().find(|(choice, _)| choice.eq_ignore_ascii_case(given)) {
        Some((_, value)) => Ok(*value),
        None => {
            let allowed: Vec<String> = choices.iter().map(|(choice, _)| format!("'{choice}'")).collect();
            plan_err!("{NAME}: argument {name} must be one of {}, got '{given}'", allowed.join(", "))
        }
    }
}

/// Reads the constants, which stand at the places of their parameters; NULL for what is left out.
fn bound(types: &[DataType], settings: &[ScalarValue]) -> Result<Bound> {
    let ts = types[TS].clone();
    let model = settings[MODEL].try_as_str().flatten().unwrap_or("");
    let Some(model) = NamedModel::plain(model) else {
        let names: Vec<&str> = names().filter(|name| NamedModel::plain(name).is_some()).collect();
        return plan_err!("{NAME}: argument model must be one of '{}', got '{model}'", names.join("', '"));
    };
    if model.kind == ModelKind::LastNonDirect {
        // The key alone says it, as in the table functions by default.
        return plan_err!(
            "{NAME}: model 'last_non_direct' is for the table function attribution; \
             here leave direct touches out with is_touch and take 'last_touch'"
        );
    }
    let lookback = match (&settings[LOOKBACK], &ts) {
        (value, DataType::Int64) if value.is_null() => {
            return plan_err!(
                "{NAME}: argument lookback is missing; ts is an integer: give the look-back in its unit, or 'person'"
            );
        }
        (value, _) if value.is_null() => Some(days(30)),
        (value, _) => match value.try_as_str().flatten() {
            Some(text) if text.eq_ignore_ascii_case("person") => None,
            Some(text) if ts == DataType::Int64 => {
                return plan_err!(
                    "{NAME}: argument lookback must be an integer in the unit of ts or 'person', got '{text}'"
                );
            }
            Some(text) => match value.cast_to(&INTERVAL) {
                Ok(interval) => Some(interval),
                Err(_) => {
                    return plan_err!(
                        "{NAME}: argument lookback must be an INTERVAL or 'person', got '{text}'"
                    );
                }
            },
            None => Some(value.clone()),
        },
    };
    let length = LengthArgument { function: NAME, name: "lookback" };
    let lookback = lookback.map(|value| Length::try_new(length, &value, &ts)).transpose()?;
    let decay = match &settings[HALF_LIFE] {
        value if value.is_null() => match ts {
            DataType::Int64 if model.kind == ModelKind::TimeDecay => {
                return plan_err!(
                    "{NAME}: argument half_life is missing; ts is an integer: give it in its unit"
                );
            }
            DataType::Int64 => None,
            _ => half_life(NAME, &days(7), &ts)?,
        },
        value => half_life(NAME, value, &ts)?,
    };
    let layout = Layout {
        function: NAME,
        models: vec![model],
        count: choice("count", &settings[COUNT], &Count::NAMES)?,
        ties: choice(
            "ties",
            &settings[TIES],
            &[("same_instant", Ties::SameInstant), ("strict", Ties::Strict)],
        )?,
        cut_at_conversion: matches!(settings[CUT], ScalarValue::Boolean(Some(true))),
        lookback_touches: None,
        required: 0,
        has_sequence: false,
        has_container: false,
        has_session: false,
        has_value: is_given(types, VALUE),
        has_cost: false,
        has_event_id: false,
    };
    let value = value_type(types);
    Bound::from_parts(layout, ts, [value.clone(), value], [lookback, None], decay)
}

fn days(days: i32) -> ScalarValue {
    ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNanoType::make_value(0, days, 0)))
}

#[derive(Debug)]
struct AttributeCall {
    bound: Bound,
    has_touch: bool,
}

impl Call for AttributeCall {
    fn name(&self) -> &'static str {
        NAME
    }

    fn keep(&self, arguments: &[ArrayRef]) -> Result<Kept> {
        let rows = arguments[TS].len();
        let constant = |value: bool| -> ArrayRef { Arc::new(BooleanArray::from(vec![value; rows])) };
        let none: ArrayRef = Arc::new(arrow::array::NullArray::new(rows));
        let mut given = vec![Arc::clone(&arguments[TS]), Arc::clone(&none), Arc::clone(&none), none];
        given.push(Arc::clone(&arguments[KEY]));
        given.extend(self.bound.layout.has_value.then(|| Arc::clone(&arguments[VALUE])));
        given.push(Arc::clone(&arguments[IS_CONVERSION]));
        given.push(if self.has_touch { Arc::clone(&arguments[IS_TOUCH]) } else { constant(true) });
        // Optional, direct, expires, excluded.
        given.extend([(); 4].map(|()| constant(false)));
        self.bound.keep(&given, false)
    }

    fn evaluate(&self, rows: &SortedRows) -> Result<ArrayRef> {
        let people = self.bound.people(rows)?;
        let mut evaluator = Evaluator::default();
        let mut divider = Divider::default();
        let (mut keys, mut conversions, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let mut counts = Vec::with_capacity(rows.group_count());
        for person in rows.groups() {
            let data = people.person(person.clone());
            let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
            let mut outcome = Ok(());
            evaluator.conversions(&self.bound.rules, &data, |conversion| {
                if outcome.is_err() {
                    return;
                }
                outcome =
                    divider.divide(&self.bound, &people, person.start, &conversion, Parts::All, |part| {
                        let name = match part.touch {
                            None => NONE,
                            Some(touch) => {
                                match people.keys.names.get(conversion.path.keys[touch] as usize) {
                                    Some(name) => name,
                                    None => return internal_err!("{NAME}: a touch has no key"),
                                }
                            }
                        };
                        sums.entry(name).or_default().add(NAME, &part)
                    });
            });
            outcome?;
            counts.push(sums.len());
            for (key, sum) in sums {
                keys.push(key);
                conversions.push(as_share(sum.credit));
                values.push(sum.value);
            }
        }
        let fields = fields(&self.bound.value_type);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(keys)),
            Arc::new(Float64Array::from(conversions)),
            amounts(values, &wide(&self.bound.value_type))?,
        ];
        list(NAME, counts, Arc::new(StructArray::try_new(fields, columns, None)?))
    }
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Documentation::builder(
        DocSection { include: true, label: docs::ATTRIBUTION, description: None },
        "Divides the conversions of a group among the keys of the touches before them, by one model: a list of structs \
         `touch_key`, `conversions` (fractions of conversions add up to whole ones), `value` (adds up to that of the \
         conversions exactly), in the order of keys. What no touch gets stands under `(none)`. Group by person: rows of \
         a group are one path. The rules are those of the table function `attribution`, which also tells single \
         touches; rows of one instant are taken in the order of their keys.",
        "attribute(model, ts, key, is_conversion [, value] [, lookback] [, half_life] [, is_touch] [, ties] [, count] \
         [, cut_at_conversion])",
    )
    .with_argument(
        "model",
        "`'first_touch'`, `'last_touch'`, `'linear'`, `'position_based'`, `'u_shaped'`, `'j_shaped'`, `'inverse_j'`, \
         `'time_decay'`, `'participation'` or `'same_touch'`; a constant.",
    )
    .with_argument("ts", "When: a timestamp of any unit and zone, a date or an integer. Rows with NULL are left out.")
    .with_argument("key", "What gets the credit, such as a channel; rows with NULL are no touches.")
    .with_argument("is_conversion", "Whether the row is a conversion; NULL is not.")
    .with_argument("value", "What a conversion is worth: a DECIMAL or an integer.")
    .with_argument(
        "lookback",
        "How long a touch counts, end included: an INTERVAL (an integer if `ts` is one), or `'person'` for ever. \
         Default: 30 days.",
    )
    .with_argument("half_life", "For `'time_decay'`: an INTERVAL without months. Default: 7 days.")
    .with_argument("is_touch", "Whether the row is a touch. Default: every row with a key.")
    .with_argument("ties", "`'same_instant'` (default): touches at the instant of the conversion count; `'strict'`: they do not.")
    .with_argument("count", "`'touch'` (default) or `'distinct'`: each key once, at its latest touch.")
    .with_argument("cut_at_conversion", "Whether a touch counts only for the first conversion that it precedes. Default: false.")
    .with_sql_example(
        r#"```sql
> SELECT user_id, u['touch_key'] AS channel, u['conversions'] AS conversions, u['value'] AS value
  FROM (SELECT user_id, unnest(attribute('linear', ts, channel, event = 'purchase', value => revenue::decimal(10, 2))) AS u
        FROM (VALUES
          ('ann', TIMESTAMP '2024-05-01T10:00:00', 'ad_click', 'search', NULL),
          ('ann', TIMESTAMP '2024-05-02T10:00:00', 'ad_click', 'email', NULL),
          ('ann', TIMESTAMP '2024-05-03T10:00:00', 'ad_click', 'social', NULL),
          ('ann', TIMESTAMP '2024-05-03T11:00:00', 'purchase', NULL, 100.00),
          ('ben', TIMESTAMP '2024-05-01T10:00:00', 'purchase', NULL, 20.00)
        ) AS t (user_id, ts, event, channel, revenue) GROUP BY user_id)
  ORDER BY user_id, channel;
+---------+---------+--------------------+-------+
| user_id | channel | conversions        | value |
+---------+---------+--------------------+-------+
| ann     | email   | 0.3333333333333333 | 33.33 |
| ann     | search  | 0.3333333333333333 | 33.34 |
| ann     | social  | 0.3333333333333333 | 33.33 |
| ben     | (none)  | 1.0                | 20.00 |
+---------+---------+--------------------+-------+
```"#,
    )
    .build()
});
