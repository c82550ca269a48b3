//! `retention_matrix` between Arrow and the algorithm.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, exec_err};

use super::rows::{Answer, Evaluator, PersonRows, Seen, too_many_rows};
use crate::calendar::{Calendar, Clock};
use crate::journey::period::Period;
use crate::journey::retention::cells::{Cells, Contribution};
use crate::journey::retention::matrix::{MatrixRow, MatrixSpec, Observed, PersonRow, contributions, rows};

/// A retention matrix and the calendar of its periods.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Matrix {
    pub(crate) spec: MatrixSpec,
    pub(crate) calendar: Calendar,
}

impl Matrix {
    /// Tells where windows are measured: hours if people have their own windows, else periods.
    fn window_clock(&self) -> Result<Clock> {
        let period = if self.spec.own_windows { Period::Hour } else { self.calendar.period() };
        self.calendar.with_period(period).clock()
    }

    pub(super) fn evaluator(&self) -> Result<Box<dyn Evaluator>> {
        Ok(Box::new(MatrixEvaluator {
            spec: self.spec.clone(),
            cohorts: self.calendar.clock()?,
            windows: self.window_clock()?,
            rows: Vec::new(),
        }))
    }

    pub(super) fn fields(&self) -> Vec<Field> {
        let mut fields = vec![Field::new("cohort", self.calendar.start_type(), false)];
        for name in ["period", "cohort_size"] {
            fields.push(Field::new(name, DataType::Int64, false));
        }
        fields.push(Field::new("returned", DataType::Int64, true));
        for name in ["rate", "rate_low", "rate_high", "value_sum", "value_mean"] {
            fields.push(Field::new(name, DataType::Float64, true));
        }
        fields
    }

    pub(super) fn answer(&self, groups: &[&Cells], seen: Seen) -> Result<Answer> {
        let observed = Observed {
            range: seen.range(&mut self.calendar.clock()?),
            latest_at: self.window_clock()?.index(seen.horizon),
        };
        let Ok(rows) = rows(&self.spec, groups, observed) else {
            return exec_err!("retention_matrix: {}", too_many_rows());
        };
        let starts: Vec<i64> = rows.iter().map(|row| row.cohort).collect();
        let observed_sum = |row: &MatrixRow| row.returned.map(|_| row.value.map_or(0.0, |(_, sum)| sum));
        let columns: Vec<ArrayRef> = vec![
            self.calendar.starts(&starts)?,
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.period))),
            Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.cohort_size))),
            Arc::new(Int64Array::from_iter(rows.iter().map(|row| row.returned))),
            Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.rate))),
            Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.bounds.map(|bounds| bounds.0)))),
            Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.bounds.map(|bounds| bounds.1)))),
            Arc::new(Float64Array::from_iter(rows.iter().map(observed_sum))),
            Arc::new(Float64Array::from_iter(
                rows.iter().map(|row| row.value.map(|(values, sum)| sum / values as f64)),
            )),
        ];
        Ok(Answer { groups: rows.iter().map(|row| row.group).collect(), columns })
    }
}

#[derive(Debug)]
struct MatrixEvaluator {
    spec: MatrixSpec,
    cohorts: Clock,
    windows: Clock,
    /// Reused from person to person.
    rows: Vec<PersonRow>,
}

impl Evaluator for MatrixEvaluator {
    fn contribute(&mut self, person: &PersonRows, add: &mut dyn FnMut(Contribution)) {
        self.rows.clear();
        for (row, tick) in person.ticks.iter().enumerate() {
            let cohort = self.cohorts.index(*tick);
            self.rows.push(PersonRow {
                cohort,
                at: if self.spec.own_windows { self.windows.index(*tick) } else { cohort },
                is_start: person.is_start(row),
                in_range: person.in_range(row),
                is_return: person.is_return(row),
                value: person.value(row),
            });
        }
        contributions(&self.spec, &self.rows, person.has_values(), add);
    }
}
