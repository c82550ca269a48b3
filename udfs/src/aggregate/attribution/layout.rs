//! What the aggregates behind attribution are called with, and what they keep of it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Int64Array, UInt64Array};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Decimal128Type, UInt64Type};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::function::AccumulatorArgs;

use super::keys::Keys;
use super::models::{ModelKind, NamedModel};
use crate::aggregate::buffered::{
    ConstantArguments, Kept, SortedRows, condition_columns, kept_column, kept_type, value_numbers,
};
use crate::arguments::{LengthArgument, constant, ticks};
use crate::journey::attribution::{Count, Model, PersonRows, Rules, mark};
use crate::journey::ties::Ties;
use crate::length::{Length, tick_unit};

const TS: usize = 0;
const LOOKBACK: usize = 1;
const HALF_LIFE: usize = 2;
const SESSION_GAP: usize = 3;
/// Text.
const KEY: usize = 4;
/// Where the columns begin that a [`Layout`] tells of.
const FIRST_COLUMN: usize = 5;

/// Conditions in front of the required ones: conversion, touch, optional, direct, expires, excluded. Their places are
/// those of the bits in [`mark`].
const CONDITIONS: usize = 6;

const LENGTHS: [(usize, &str); 2] = [(LOOKBACK, "lookback"), (SESSION_GAP, "session_gap")];

/// Everything about a call that is known while it is planned.
///
/// The arguments are: time, three constants (look-back, half-life, session gap; NULL if absent), key, the columns that
/// are told of here in this order, then [`CONDITIONS`] conditions and the required ones.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Layout {
    pub(crate) function: &'static str,
    pub(crate) models: Vec<NamedModel>,
    pub(crate) count: Count,
    pub(crate) ties: Ties,
    pub(crate) cut_at_conversion: bool,
    pub(crate) lookback_touches: Option<usize>,
    pub(crate) required: usize,
    pub(crate) has_sequence: bool,
    pub(crate) has_container: bool,
    pub(crate) has_session: bool,
    pub(crate) has_value: bool,
    pub(crate) has_cost: bool,
    pub(crate) has_event_id: bool,
}

/// Positions of the kept columns, which are also what orders rows of one instant: by sequence, by key, by what the row
/// is.
#[derive(Debug)]
struct Columns {
    key: usize,
    marks: usize,
    container: Option<usize>,
    session: Option<usize>,
    value: Option<usize>,
    cost: Option<usize>,
    event_id: Option<usize>,
}

impl Layout {
    /// Positions of container, session, value, cost and event id among the arguments, in this order.
    fn values(&self) -> std::ops::Range<usize> {
        let given = [self.has_container, self.has_session, self.has_value, self.has_cost, self.has_event_id];
        let first = FIRST_COLUMN + usize::from(self.has_sequence);
        first..first + given.iter().filter(|given| **given).count()
    }

    /// Number of arguments.
    pub(crate) fn argument_count(&self) -> usize {
        self.values().end + CONDITIONS + self.required
    }

    fn columns(&self) -> Columns {
        let key = 1 + usize::from(self.has_sequence);
        let mut next = key + 2;
        let mut take = |given: bool| {
            let position = next;
            next += usize::from(given);
            given.then_some(position)
        };
        Columns {
            key,
            marks: key + 1,
            container: take(self.has_container),
            session: take(self.has_session),
            value: take(self.has_value),
            cost: take(self.has_cost),
            event_id: take(self.has_event_id),
        }
    }

    pub(crate) fn kept_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        if arg_types.len() < self.argument_count() {
            return internal_err!("{} was called with {} arguments", self.function, arg_types.len());
        }
        let mut types = vec![DataType::Int64];
        types.extend(self.has_sequence.then(|| kept_type(&arg_types[FIRST_COLUMN])));
        types.extend([DataType::Utf8View, DataType::UInt64]);
        types.extend(arg_types[self.values()].iter().map(kept_type));
        Ok(types)
    }

    /// Type of the amounts in `value`; that of money in the table where there is none.
    pub(crate) fn value_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        let types = self.kept_types(arg_types)?;
        Ok(self.columns().value.map_or(DataType::Decimal128(28, 4), |value| types[value].clone()))
    }

    /// Type of the amounts in `cost`.
    pub(crate) fn cost_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        let types = self.kept_types(arg_types)?;
        Ok(self.columns().cost.map_or(DataType::Decimal128(28, 4), |cost| types[cost].clone()))
    }

    fn length(&self, name: &'static str, value: &ScalarValue, ts: &DataType) -> Result<Option<Length>> {
        match value {
            ScalarValue::Null => Ok(None),
            value => Length::try_new(LengthArgument { function: self.function, name }, value, ts).map(Some),
        }
    }

    /// Checks the lengths that are known; parameters are once they have values.
    pub(crate) fn check(&self, types: &[DataType], constants: ConstantArguments) -> Result<()> {
        for (position, name) in LENGTHS {
            if let Some(value) = constants(position) {
                self.length(name, &value, &types[TS])?;
            }
        }
        if let Some(value) = constants(HALF_LIFE) {
            half_life(self.function, &value, &types[TS])?;
        }
        Ok(())
    }
}

/// A half-life in ticks; NULL without a type where no model needs one.
///
/// # Errors
/// A plan error unless it is positive and always of the same length.
pub(crate) fn half_life(function: &str, value: &ScalarValue, ts: &DataType) -> Result<Option<f64>> {
    let ticks = match (value, ts) {
        (ScalarValue::Null, _) => return Ok(None),
        (ScalarValue::Int64(Some(ticks)), DataType::Int64) => *ticks as f64,
        (ScalarValue::IntervalMonthDayNano(Some(interval)), DataType::Timestamp(unit, _)) => {
            if interval.months != 0 {
                return plan_err!(
                    "{function}: argument half_life must be of a fixed length, in days, hours, minutes or seconds; \
                     months differ"
                );
            }
            let nanos = f64::from(interval.days) * 86_400e9 + interval.nanoseconds as f64;
            nanos / tick_unit(*unit).nanos() as f64
        }
        (other, _) if other.is_null() => return plan_err!("{function}: argument half_life must not be NULL"),
        (other, _) => return internal_err!("{function}: half_life was not coerced: {other:?}"),
    };
    if ticks > 0.0 {
        return Ok(Some(ticks));
    }
    plan_err!("{function}: argument half_life must be longer than nothing, got {value}")
}

/// A layout with the values of its constants.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) layout: Layout,
    pub(crate) rules: Rules<Length>,
    pub(crate) ts_type: DataType,
    pub(crate) value_type: DataType,
    pub(crate) cost_type: DataType,
    half_life: f64,
}

impl Bound {
    pub(crate) fn new(layout: &Layout, args: &AccumulatorArgs) -> Result<Self> {
        let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        let ts_type = types[TS].clone();
        let length = |(position, name): (usize, &'static str)| -> Result<Option<Length>> {
            let value = constant(&args.exprs[position], layout.function, name)?;
            layout.length(name, &value, &ts_type)
        };
        let half_life = constant(&args.exprs[HALF_LIFE], layout.function, "half_life")?;
        let half_life = self::half_life(layout.function, &half_life, &ts_type)?;
        let [lookback, session_gap] = LENGTHS.map(length);
        let (value_type, cost_type) = (layout.value_type(&types)?, layout.cost_type(&types)?);
        Self::from_parts(
            layout.clone(),
            ts_type,
            [value_type, cost_type],
            [lookback?, session_gap?],
            half_life,
        )
    }

    /// The layout with values that were read elsewhere: types of value and cost, look-back and session gap, half-life
    /// in ticks.
    pub(crate) fn from_parts(
        layout: Layout,
        ts_type: DataType,
        [value_type, cost_type]: [DataType; 2],
        [lookback, session_gap]: [Option<Length>; 2],
        half_life: Option<f64>,
    ) -> Result<Self> {
        let needs_half_life = layout.models.iter().any(|model| model.kind == ModelKind::TimeDecay);
        let half_life = match half_life {
            Some(half_life) => half_life,
            None if needs_half_life => return internal_err!("{} has no half-life", layout.function),
            None => 1.0,
        };
        let rules = Rules {
            lookback,
            lookback_touches: layout.lookback_touches,
            session_gap,
            ties: layout.ties,
            cut_at_conversion: layout.cut_at_conversion,
            required: layout.required,
        };
        Ok(Self { layout, rules, ts_type, value_type, cost_type, half_life })
    }

    /// Keeps the rows that have a time and may change an answer; with `excluded` also touches that are excluded.
    pub(crate) fn keep(&self, arguments: &[ArrayRef], excluded: bool) -> Result<Kept> {
        let layout = &self.layout;
        let values = layout.values();
        let times = &arguments[TS];
        let key = kept_column(&arguments[KEY])?;
        let marks = self.marks(&arguments[values.end..layout.argument_count()], &key)?;
        let mut wanted = mark::CONVERSION | mark::TOUCH | mark::EXPIRES;
        wanted |= if excluded { mark::EXCLUDED } else { 0 };
        wanted |= (0..layout.required).fold(0, |bits, index| bits | mark::required(index));
        // A pause may end with any row.
        let all = self.rules.session_gap.is_some() && !layout.has_session;
        let met = BooleanBuffer::collect_bool(marks.len(), |row| all || marks.value(row) & wanted != 0);
        let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::new(ticks(times)?, None))];
        if layout.has_sequence {
            columns.push(kept_column(&arguments[FIRST_COLUMN])?);
        }
        columns.extend([key, Arc::new(marks) as ArrayRef]);
        for value in &arguments[values] {
            columns.push(kept_column(value)?);
        }
        let rows = match times.nulls() {
            Some(timed) => &met & timed.inner(),
            None => met,
        };
        Ok(Kept { columns, rows: Some(rows) })
    }

    /// What each row is: a touch has a key, and nothing excludes it.
    fn marks(&self, conditions: &[ArrayRef], key: &ArrayRef) -> Result<UInt64Array> {
        let words = condition_columns(conditions)?;
        let [word] = words.as_slice() else {
            return internal_err!("{} has {} conditions", self.layout.function, conditions.len());
        };
        let of_touch = mark::TOUCH | mark::OPTIONAL | mark::DIRECT | mark::EXCLUDED;
        let marks = word.values().iter().enumerate().map(|(row, marks)| {
            if marks & mark::TOUCH == 0 || key.is_null(row) {
                marks & !of_touch
            } else if marks & mark::EXCLUDED != 0 {
                marks & !of_touch | mark::EXCLUDED
            } else {
                *marks
            }
        });
        Ok(UInt64Array::from_iter_values(marks))
    }

    /// The rows of all persons in the form that the algorithm takes.
    pub(crate) fn people<'a>(&self, rows: &'a SortedRows) -> Result<People<'a>> {
        let columns = self.layout.columns();
        let Some(marks) = rows.column(columns.marks).as_primitive_opt::<UInt64Type>() else {
            return internal_err!("{}: the marks are not kept as such", self.layout.function);
        };
        let marks: &[u64] = marks.values();
        let Some(key_column) = rows.column(columns.key).as_string_view_opt() else {
            return internal_err!("{}: the keys are not kept as text", self.layout.function);
        };
        let is_touch = |row: usize| marks[row] & (mark::TOUCH | mark::EXCLUDED) != 0;
        let keys = Keys::new(self.layout.function, key_column, is_touch)?;
        let numbers = |index: Option<usize>| -> Result<Option<Vec<Option<u32>>>> {
            index.map(|index| value_numbers(&[rows.column(index)])).transpose()
        };
        let amounts = |index: Option<usize>| -> Result<Option<&'a Decimal128Array>> {
            let Some(index) = index else {
                return Ok(None);
            };
            match rows.column(index).as_primitive_opt::<Decimal128Type>() {
                Some(amounts) => Ok(Some(amounts)),
                None => internal_err!("{}: amounts are not decimals", self.layout.function),
            }
        };
        Ok(People {
            models: self.layout.models.iter().map(|model| model.bind(self.half_life, &keys)).collect(),
            times: rows.integers(0)?,
            marks,
            keys,
            container: numbers(columns.container)?,
            session: numbers(columns.session)?,
            values: amounts(columns.value)?,
            costs: amounts(columns.cost)?,
            event_id: columns.event_id.map(|index| rows.column(index)),
        })
    }
}

/// Rows of many persons, one behind the other.
#[derive(Debug)]
pub(crate) struct People<'a> {
    pub(crate) models: Vec<Model>,
    pub(crate) times: &'a [i64],
    pub(crate) marks: &'a [u64],
    pub(crate) keys: Keys<'a>,
    container: Option<Vec<Option<u32>>>,
    session: Option<Vec<Option<u32>>>,
    values: Option<&'a Decimal128Array>,
    costs: Option<&'a Decimal128Array>,
    pub(crate) event_id: Option<&'a ArrayRef>,
}

impl People<'_> {
    /// The rows of one person.
    pub(crate) fn person(&self, rows: std::ops::Range<usize>) -> PersonRows<'_> {
        let all = PersonRows {
            times: self.times,
            marks: self.marks,
            keys: &self.keys.numbers,
            container: self.container.as_deref(),
            session: self.session.as_deref(),
        };
        all.slice(rows)
    }

    /// What a conversion is worth, in units of the last decimal.
    pub(crate) fn value(&self, row: usize) -> Option<i128> {
        self.values.filter(|values| values.is_valid(row)).map(|values| values.value(row))
    }

    /// What a touch costs, in units of the last decimal.
    pub(crate) fn cost(&self, row: usize) -> Option<i128> {
        self.costs.filter(|costs| costs.is_valid(row)).map(|costs| costs.value(row))
    }
}
