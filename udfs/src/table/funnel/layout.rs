//! What the aggregates behind the funnel functions are called with, and what they keep of it.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::function::AccumulatorArgs;

use crate::aggregate::buffered::{
    ConstantArguments, Kept, SortedRows, condition_columns, kept_column, kept_type, value_numbers,
};
use crate::arguments::{LengthArgument, constant, ticks};
use crate::journey::event::words_for;
use crate::journey::product_funnel::{ByValue, Count, Entry, Exclusion, Order, PersonRows, Rules};
use crate::journey::ties::Ties;
use crate::length::Length;

const TS: usize = 0;
const WITHIN: usize = 1;
const STEP_WITHIN: usize = 2;
const ENTERED_FROM: usize = 3;
const ENTERED_TO: usize = 4;
const SESSION_GAP: usize = 5;
const FIRST_COLUMN: usize = 6;

/// The constants that are lengths of time, with their names in SQL.
const LENGTHS: [(usize, &str); 3] =
    [(WITHIN, "within"), (STEP_WITHIN, "step_within"), (SESSION_GAP, "session_gap")];

/// Everything about a call that is known while it is planned. The arguments are: time, the five constants above
/// (NULL if absent), then the columns that this struct tells of, in its order, then steps and exclusions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Layout {
    pub(super) function: &'static str,
    pub(super) optional: Vec<bool>,
    pub(super) exclusions: Vec<Exclusion>,
    pub(super) order: Order,
    pub(super) ties: Ties,
    pub(super) entry: Entry,
    pub(super) count: Count,
    pub(super) by_value: ByValue,
    pub(super) has_sequence: bool,
    pub(super) holds: usize,
    pub(super) has_session: bool,
    pub(super) has_by: bool,
    pub(super) has_period: bool,
    pub(super) has_event: bool,
}

/// Positions of the kept columns.
struct Columns {
    sets: usize,
    holds: std::ops::Range<usize>,
    session: Option<usize>,
    by: Option<usize>,
    period: Option<usize>,
    event: Option<usize>,
}

impl Layout {
    fn words(&self) -> usize {
        words_for(self.optional.len() + self.exclusions.len())
    }

    /// Positions of the values among the arguments, in the order in which they are kept.
    fn values(&self) -> (usize, usize) {
        let others = [self.has_session, self.has_by, self.has_period, self.has_event];
        let values = self.holds + others.iter().filter(|given| **given).count();
        let first = FIRST_COLUMN + usize::from(self.has_sequence);
        (first, first + values)
    }

    fn columns(&self) -> Columns {
        let sets = 1 + usize::from(self.has_sequence);
        let holds = sets + self.words()..sets + self.words() + self.holds;
        let mut next = holds.end;
        let mut take = |given: bool| {
            let position = next;
            next += usize::from(given);
            given.then_some(position)
        };
        Columns {
            sets,
            holds,
            session: take(self.has_session),
            by: take(self.has_by),
            period: take(self.has_period),
            event: take(self.has_event),
        }
    }

    /// A length of time; one that was not given is a NULL without a type.
    fn length(&self, name: &'static str, value: &ScalarValue, ts: &DataType) -> Result<Option<Length>> {
        match value {
            ScalarValue::Null => Ok(None),
            value => Length::try_new(LengthArgument { function: self.function, name }, value, ts).map(Some),
        }
    }

    /// Checks the lengths that are known; parameters are once they have values.
    pub(super) fn check(&self, types: &[DataType], constants: ConstantArguments) -> Result<()> {
        for (position, name) in LENGTHS {
            if let Some(value) = constants(position) {
                self.length(name, &value, &types[TS])?;
            }
        }
        Ok(())
    }

    /// Types of the kept columns.
    pub(super) fn kept_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let (first, end) = self.values();
        if arg_types.len() != end + self.optional.len() + self.exclusions.len() {
            return internal_err!("{} was called with {} arguments", self.function, arg_types.len());
        }
        let mut types = vec![DataType::Int64];
        types.extend(self.has_sequence.then(|| kept_type(&arg_types[FIRST_COLUMN])));
        types.extend(std::iter::repeat_n(DataType::UInt64, self.words()));
        types.extend(arg_types[first..end].iter().map(kept_type));
        Ok(types)
    }

    /// Type of the values that make groups.
    pub(super) fn by_type(&self, arg_types: &[DataType]) -> Result<Option<DataType>> {
        let types = self.kept_types(arg_types)?;
        Ok(self.columns().by.map(|by| types[by].clone()))
    }

    /// Type of the starts of intervals.
    pub(super) fn period_type(&self, arg_types: &[DataType]) -> Result<Option<DataType>> {
        let types = self.kept_types(arg_types)?;
        Ok(self.columns().period.map(|period| types[period].clone()))
    }

    /// Type of what happened.
    pub(super) fn event_type(&self, arg_types: &[DataType]) -> Result<Option<DataType>> {
        let types = self.kept_types(arg_types)?;
        Ok(self.columns().event.map(|event| types[event].clone()))
    }
}

/// A layout with the values of its constants.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) layout: Layout,
    pub(super) rules: Rules<Length>,
    pub(super) ts_type: DataType,
}

impl Bound {
    pub(super) fn new(layout: &Layout, args: &AccumulatorArgs) -> Result<Self> {
        let ts_type = args.expr_fields[TS].data_type().clone();
        let length = |position: usize, name: &'static str| -> Result<Option<Length>> {
            let value = constant(&args.exprs[position], layout.function, name)?;
            layout.length(name, &value, &ts_type)
        };
        let time = |position: usize| -> Result<Option<i64>> {
            let value = constant(&args.exprs[position], layout.function, "entered")?;
            tick(&value)
        };
        let rules = Rules {
            optional: layout.optional.clone(),
            exclusions: layout.exclusions.clone(),
            order: layout.order,
            ties: layout.ties,
            entry: layout.entry,
            count: layout.count,
            by_value: layout.by_value,
            window: length(WITHIN, LENGTHS[0].1)?,
            step_within: length(STEP_WITHIN, LENGTHS[1].1)?,
            entered_from: time(ENTERED_FROM)?,
            entered_to: time(ENTERED_TO)?,
            session_gap: length(SESSION_GAP, LENGTHS[2].1)?,
        };
        Ok(Self { layout: layout.clone(), rules, ts_type })
    }

    /// Keeps the rows that have a time and, unless `all`, may change an outcome.
    pub(super) fn keep(&self, arguments: &[ArrayRef], all: bool) -> Result<Kept> {
        let (first, end) = self.layout.values();
        let times = &arguments[TS];
        let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::new(ticks(times)?, None))];
        if self.layout.has_sequence {
            columns.push(kept_column(&arguments[FIRST_COLUMN])?);
        }
        let sets = condition_columns(&arguments[end..])?;
        let met = (!all && !self.rules.needs_all_rows()).then(|| {
            arrow::buffer::BooleanBuffer::collect_bool(times.len(), |row| {
                sets.iter().any(|word| word.value(row) != 0)
            })
        });
        let timed = times.nulls().map(|nulls| nulls.inner().clone());
        columns.extend(sets.into_iter().map(|word| Arc::new(word) as ArrayRef));
        for value in &arguments[first..end] {
            columns.push(kept_column(value)?);
        }
        let rows = match (met, timed) {
            (Some(met), Some(timed)) => Some(&met & &timed),
            (met, timed) => met.or(timed),
        };
        Ok(Kept { columns, rows })
    }

    /// The rows of all persons in the form that the algorithm takes.
    pub(super) fn people<'a>(&self, rows: &'a SortedRows) -> Result<People<'a>> {
        let columns = self.layout.columns();
        let hold: Vec<&ArrayRef> = columns.holds.clone().map(|index| rows.column(index)).collect();
        let numbers = |index: Option<usize>| -> Result<Option<Vec<Option<u32>>>> {
            index.map(|index| value_numbers(&[rows.column(index)])).transpose()
        };
        let period = match columns.period {
            None => None,
            Some(index) => Some(ticks(rows.column(index))?),
        };
        Ok(People {
            words: self.layout.words(),
            times: rows.integers(0)?,
            sets: rows.sets(columns.sets, self.layout.words())?,
            hold: (!hold.is_empty()).then(|| value_numbers(&hold)).transpose()?,
            session: numbers(columns.session)?,
            by: numbers(columns.by)?,
            by_column: columns.by.map(|index| rows.column(index)),
            period,
            period_column: columns.period.map(|index| rows.column(index)),
            event_column: columns.event.map(|index| rows.column(index)),
        })
    }
}

/// Rows of many persons, one behind the other.
#[derive(Debug)]
pub(super) struct People<'a> {
    words: usize,
    pub(super) times: &'a [i64],
    sets: Cow<'a, [u64]>,
    hold: Option<Vec<Option<u32>>>,
    session: Option<Vec<Option<u32>>>,
    by: Option<Vec<Option<u32>>>,
    period: Option<arrow::buffer::ScalarBuffer<i64>>,
    pub(super) by_column: Option<&'a ArrayRef>,
    pub(super) period_column: Option<&'a ArrayRef>,
    pub(super) event_column: Option<&'a ArrayRef>,
}

impl People<'_> {
    /// The rows of one person.
    pub(super) fn person(&self, rows: std::ops::Range<usize>) -> PersonRows<'_> {
        PersonRows {
            times: &self.times[rows.clone()],
            sets: &self.sets[rows.start * self.words..rows.end * self.words],
            hold: self.hold.as_ref().map(|values| &values[rows.clone()]),
            session: self.session.as_ref().map(|values| &values[rows.clone()]),
            by: self.by.as_ref().map(|values| &values[rows.clone()]),
            period: self.period.as_ref().map(|values| &values[rows.clone()]),
        }
    }

    /// The set of conditions that a row meets.
    pub(super) fn set(&self, row: usize) -> &[u64] {
        &self.sets[row * self.words..(row + 1) * self.words]
    }
}

fn tick(value: &ScalarValue) -> Result<Option<i64>> {
    if value.is_null() {
        return Ok(None);
    }
    Ok(ticks(&value.to_array()?)?.first().copied())
}

/// Ticks as times of the type that the data have.
pub(super) fn as_times(values: Int64Array, ts_type: &DataType) -> Result<ArrayRef> {
    let values: ArrayRef = Arc::new(values);
    Ok(cast(&values, ts_type)?)
}
