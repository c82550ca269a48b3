//! `lifecycle`, `stickiness` and `active_users` between Arrow and the algorithms: they read in which periods a person
//! was active.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array};
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, exec_err};

use super::rows::{Answer, Evaluator, PersonRows, Seen, too_many_rows};
use crate::calendar::{Calendar, Clock};
use crate::journey::retention::cells::{Cells, Contribution};
use crate::journey::retention::{active, lifecycle, stickiness};

/// Which of these reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// New, returning, resurrecting and dormant people.
    Lifecycle,
    /// People by their number of periods.
    Stickiness,
    /// People of the day, of 7 and of 30 days.
    ActiveUsers,
}

/// A report and the calendar of its periods.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ByPeriod {
    pub(crate) kind: Kind,
    pub(crate) calendar: Calendar,
}

impl ByPeriod {
    pub(super) fn evaluator(&self) -> Result<Box<dyn Evaluator>> {
        let clock = self.calendar.clock()?;
        Ok(Box::new(PeriodsEvaluator { kind: self.kind, clock, periods: Vec::new() }))
    }

    pub(super) fn fields(&self) -> Vec<Field> {
        let integer = |name: &str| Field::new(name, DataType::Int64, false);
        let share = |name: &str| Field::new(name, DataType::Float64, true);
        match self.kind {
            Kind::Lifecycle => {
                let mut fields = vec![Field::new("period", self.calendar.start_type(), false)];
                fields.extend(["new", "returning", "resurrecting", "dormant"].map(integer));
                fields
            }
            Kind::Stickiness => {
                vec![integer("periods"), integer("persons"), share("share"), integer("at_least")]
            }
            Kind::ActiveUsers => {
                let mut fields = vec![Field::new("day", self.calendar.start_type(), false)];
                fields.extend(["dau", "wau", "mau"].map(integer));
                fields.extend(["dau_wau", "dau_mau"].map(share));
                fields
            }
        }
    }

    pub(super) fn answer(&self, groups: &[&Cells], seen: Seen) -> Result<Answer> {
        let range = seen.range(&mut self.calendar.clock()?);
        match self.kind {
            Kind::Lifecycle => {
                let Ok(rows) = lifecycle::rows(groups, range) else {
                    return exec_err!("lifecycle: {}", too_many_rows());
                };
                let periods: Vec<i64> = rows.iter().map(|row| row.period).collect();
                let mut columns = vec![self.calendar.starts(&periods)?];
                for status in 0..lifecycle::STATUSES {
                    columns.push(integers(rows.iter().map(|row| row.people[status])));
                }
                Ok(Answer { groups: rows.iter().map(|row| row.group).collect(), columns })
            }
            Kind::Stickiness => {
                let rows = stickiness::rows(groups);
                let columns: Vec<ArrayRef> = vec![
                    integers(rows.iter().map(|row| row.periods)),
                    integers(rows.iter().map(|row| row.people)),
                    Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.share))),
                    integers(rows.iter().map(|row| row.at_least)),
                ];
                Ok(Answer { groups: rows.iter().map(|row| row.group).collect(), columns })
            }
            Kind::ActiveUsers => {
                let Ok(rows) = active::rows(groups, range) else {
                    return exec_err!("active_users: {}", too_many_rows());
                };
                let days: Vec<i64> = rows.iter().map(|row| row.day).collect();
                let mut columns = vec![self.calendar.starts(&days)?];
                for window in 0..active::WINDOWS.len() {
                    columns.push(integers(rows.iter().map(|row| row.people[window])));
                }
                for window in 1..active::WINDOWS.len() {
                    let share = |people: [i64; 3]| {
                        (people[window] > 0).then(|| people[0] as f64 / people[window] as f64)
                    };
                    columns.push(Arc::new(Float64Array::from_iter(rows.iter().map(|row| share(row.people)))));
                }
                Ok(Answer { groups: rows.iter().map(|row| row.group).collect(), columns })
            }
        }
    }
}

fn integers(values: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

#[derive(Debug)]
struct PeriodsEvaluator {
    kind: Kind,
    clock: Clock,
    /// Reused from person to person.
    periods: Vec<i64>,
}

impl Evaluator for PeriodsEvaluator {
    fn contribute(&mut self, person: &PersonRows, add: &mut dyn FnMut(Contribution)) {
        self.periods.clear();
        let mut created: Option<i64> = None;
        for (row, tick) in person.ticks.iter().enumerate() {
            // A range limits what lifecycle and active_users show, not what they know.
            if !person.is_start(row) || (self.kind == Kind::Stickiness && !person.in_range(row)) {
                continue;
            }
            self.periods.push(self.clock.index(*tick));
            if let Some(other) = person.other_ticks(row) {
                created = Some(created.map_or(other, |created| created.min(other)));
            }
        }
        // Where a zone's clock goes back over midnight, a day returns after the next one has begun.
        self.periods.sort();
        self.periods.dedup();
        match self.kind {
            Kind::Lifecycle => {
                let created = created.map(|created| self.clock.index(created));
                lifecycle::contributions(&self.periods, created, add);
            }
            Kind::Stickiness => {
                if let Some(contribution) = stickiness::contribution(self.periods.len()) {
                    add(contribution);
                }
            }
            Kind::ActiveUsers => active::contributions(&self.periods, add),
        }
    }
}
