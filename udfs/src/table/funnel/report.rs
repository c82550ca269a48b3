//! The aggregate over outcomes: the figures of a report.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::function::AccumulatorArgs;

use crate::aggregate::buffered::{Buffered, Call, Kept, SortedRows, list};
use crate::journey::product_funnel::report::{Reached, StepFigures, conversion, steps, time_to_convert};

/// What is reported.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// A row for each step, with its name.
    Steps(Vec<String>),
    /// One row: from one step to another.
    Conversion { from: usize, to: usize },
    /// A row for each bar of the histogram.
    TimeToConvert { from: usize, to: usize, bins: Option<usize> },
}

/// Arguments: whether the outcome is open, and the ticks of its steps.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Report {
    pub(super) function: &'static str,
    pub(super) kind: Kind,
    pub(super) optional: Vec<bool>,
    pub(super) ticks_per_second: i64,
}

impl Report {
    /// Names and types of the columns.
    pub(super) fn fields(&self) -> Fields {
        let columns: &[(&str, DataType)] = match self.kind {
            Kind::Steps(_) => &[
                ("step", DataType::Int64),
                ("step_name", DataType::Utf8),
                ("persons", DataType::Int64),
                ("from_previous", DataType::Float64),
                ("from_first", DataType::Float64),
                ("from_first_low", DataType::Float64),
                ("from_first_high", DataType::Float64),
                ("dropped", DataType::Int64),
                ("open", DataType::Int64),
                ("mean_seconds", DataType::Float64),
                ("median_seconds", DataType::Float64),
                ("p90_seconds", DataType::Float64),
                ("mean_seconds_from_first", DataType::Float64),
                ("median_seconds_from_first", DataType::Float64),
                ("p90_seconds_from_first", DataType::Float64),
            ],
            Kind::Conversion { .. } => &[
                ("entered", DataType::Int64),
                ("converted", DataType::Int64),
                ("rate", DataType::Float64),
                ("rate_low", DataType::Float64),
                ("rate_high", DataType::Float64),
                ("open", DataType::Int64),
            ],
            Kind::TimeToConvert { .. } => &[
                ("bin_start_seconds", DataType::Float64),
                ("bin_end_seconds", DataType::Float64),
                ("persons", DataType::Int64),
                ("share", DataType::Float64),
                ("mean_seconds", DataType::Float64),
            ],
        };
        columns.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true)).collect()
    }
}

impl Buffered for Report {
    fn name(&self) -> &'static str {
        self.function
    }

    fn parameter_names(&self) -> Vec<String> {
        vec![]
    }

    fn coerce(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        Ok(arg_types.to_vec())
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        let item = DataType::Struct(self.fields());
        Ok(DataType::List(Arc::new(Field::new_list_field(item, true))))
    }

    fn kept_types(&self, _arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let ticks: FieldRef = Arc::new(Field::new_list_field(DataType::Int64, true));
        Ok(vec![DataType::Boolean, DataType::List(ticks)])
    }

    fn call(&self, _args: &AccumulatorArgs) -> Result<Arc<dyn Call>> {
        Ok(Arc::new(ReportCall(self.clone())))
    }
}

#[derive(Debug)]
struct ReportCall(Report);

impl Call for ReportCall {
    fn name(&self) -> &'static str {
        self.0.function
    }

    fn keep(&self, arguments: &[ArrayRef]) -> Result<Kept> {
        Ok(Kept { columns: arguments.to_vec(), rows: None })
    }

    fn needs_order(&self) -> bool {
        false
    }

    fn evaluate(&self, rows: &SortedRows) -> Result<ArrayRef> {
        let (Some(open), Some(times)) =
            (rows.column(0).as_boolean_opt(), rows.column(1).as_list_opt::<i32>())
        else {
            return internal_err!("{}: kept columns have other types", self.name());
        };
        let mut ticks = Ticks::new(times)?;
        let mut counts = Vec::with_capacity(rows.group_count());
        let mut built: Vec<Vec<Cell>> = Vec::new();
        for group in rows.groups() {
            let outcomes = ticks.outcomes(open, times, group);
            let before = built.len();
            self.report(&outcomes, &mut built);
            counts.push(built.len() - before);
        }
        let fields = self.0.fields();
        let columns = fields.iter().enumerate().map(|(index, field)| column(field, index, &built)).collect();
        list(self.name(), counts, Arc::new(StructArray::try_new(fields, columns, None)?))
    }
}

/// The ticks of all outcomes as options.
struct Ticks(Vec<Option<i64>>);

impl Ticks {
    fn new(times: &ListArray) -> Result<Self> {
        match times.values().as_primitive_opt::<Int64Type>() {
            Some(values) => Ok(Self(values.iter().collect())),
            None => internal_err!("times of steps have type {}", times.value_type()),
        }
    }

    fn outcomes<'a>(
        &'a mut self,
        open: &arrow::array::BooleanArray,
        times: &ListArray,
        group: std::ops::Range<usize>,
    ) -> Vec<Reached<'a>> {
        let offsets = times.value_offsets();
        let bound = |row: usize| usize::try_from(offsets[row]).unwrap_or(0);
        let ticks = &self.0;
        group
            .map(|row| Reached {
                times: &ticks[bound(row)..bound(row + 1)],
                open: open.is_valid(row) && open.value(row),
            })
            .collect()
    }
}

/// One value of a report.
#[derive(Debug, Clone)]
enum Cell {
    Whole(Option<i64>),
    Real(Option<f64>),
    Text(String),
}

fn whole(number: u64) -> Cell {
    Cell::Whole(i64::try_from(number).ok())
}

fn column(field: &FieldRef, index: usize, rows: &[Vec<Cell>]) -> ArrayRef {
    let cells = rows.iter().map(|row| row.get(index));
    match field.data_type() {
        DataType::Int64 => Arc::new(Int64Array::from_iter(cells.map(|cell| match cell {
            Some(Cell::Whole(value)) => *value,
            _ => None,
        }))),
        DataType::Utf8 => Arc::new(StringArray::from_iter(cells.map(|cell| match cell {
            Some(Cell::Text(text)) => Some(text.as_str()),
            _ => None,
        }))),
        _ => Arc::new(Float64Array::from_iter(cells.map(|cell| match cell {
            Some(Cell::Real(value)) => *value,
            _ => None,
        }))),
    }
}

impl ReportCall {
    fn report(&self, outcomes: &[Reached<'_>], rows: &mut Vec<Vec<Cell>>) {
        match &self.0.kind {
            Kind::Steps(names) => {
                let figures = steps(&self.0.optional, outcomes);
                for ((step, name), figures) in (1..).zip(names).zip(figures) {
                    rows.push(self.step_row(step, name, &figures));
                }
            }
            Kind::Conversion { from, to } => {
                let figures = conversion(*from, *to, outcomes);
                rows.push(vec![
                    whole(figures.entered),
                    whole(figures.converted),
                    Cell::Real(figures.rate),
                    Cell::Real(figures.bounds.map(|(low, _)| low)),
                    Cell::Real(figures.bounds.map(|(_, high)| high)),
                    whole(figures.open),
                ]);
            }
            Kind::TimeToConvert { from, to, bins } => {
                for bin in time_to_convert(*from, *to, *bins, self.0.ticks_per_second, outcomes) {
                    rows.push(vec![
                        Cell::Real(Some(bin.start)),
                        Cell::Real(Some(bin.end)),
                        whole(bin.persons),
                        Cell::Real(Some(bin.share)),
                        Cell::Real(Some(bin.mean)),
                    ]);
                }
            }
        }
    }

    fn step_row(&self, step: i64, name: &str, figures: &StepFigures) -> Vec<Cell> {
        let seconds =
            |ticks: Option<f64>| Cell::Real(ticks.map(|ticks| ticks / self.0.ticks_per_second as f64));
        let StepFigures { since_previous, since_first, .. } = figures;
        vec![
            Cell::Whole(Some(step)),
            Cell::Text(name.to_owned()),
            whole(figures.persons),
            Cell::Real(figures.from_previous),
            Cell::Real(figures.from_first),
            Cell::Real(figures.bounds.map(|(low, _)| low)),
            Cell::Real(figures.bounds.map(|(_, high)| high)),
            whole(figures.dropped),
            whole(figures.open),
            seconds(since_previous.mean),
            seconds(since_previous.median),
            seconds(since_previous.p90),
            seconds(since_first.mean),
            seconds(since_first.median),
            seconds(since_first.p90),
        ]
    }
}
