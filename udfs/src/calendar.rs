//! Calendar periods of instants in a time zone: from ticks to numbered periods and back.

use std::sync::Arc;

use arrow::array::timezone::Tz;
use arrow::array::{ArrayRef, Date32Array, Int64Array, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, exec_err, plan_err};

use crate::journey::period::Period;
use crate::journey::time::TickUnit;
use crate::length::tick_unit;
use crate::zone::{self, Offsets};

const HOUR_S: i64 = 3_600;
const DAY_S: i64 = 86_400;

/// Which periods, and what the ticks of a column mean.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Calendar {
    period: Period,
    unit: TimeUnit,
    /// Zone of the periods.
    zone: Arc<str>,
    /// Whether times are instants; else they are on the clock of the zone already.
    has_zone: bool,
}

impl Calendar {
    /// Periods of times of type `ts`, in the zone called `timezone`; not given, in the zone of `ts` or else in UTC.
    ///
    /// Times without a zone are taken as UTC where `timezone` is given, and as they are where not. Dates are days
    /// already: no zone moves them.
    ///
    /// # Errors
    /// A plan error for a zone that does not exist, for times that have no calendar, and for hours of dates.
    pub(crate) fn try_new(
        function: &'static str,
        ts: &DataType,
        period: Period,
        timezone: Option<&str>,
    ) -> Result<Self> {
        let utc = Arc::from("UTC");
        match ts {
            DataType::Timestamp(unit, own) => {
                if let Some(name) = timezone {
                    zone::parse(function, "argument timezone", name)?;
                }
                let zone = timezone.map(Arc::from).or_else(|| own.as_ref().map(Arc::clone));
                let has_zone = zone.is_some();
                Ok(Self { period, unit: *unit, zone: zone.unwrap_or(utc), has_zone })
            }
            DataType::Date32 | DataType::Date64 if period == Period::Hour => plan_err!(
                "{function}: argument period is 'hour', but ts is a date, which has no hours; use 'day' or longer"
            ),
            DataType::Date32 | DataType::Date64 => {
                Ok(Self { period, unit: TimeUnit::Second, zone: utc, has_zone: false })
            }
            other => plan_err!(
                "{function}: ts must be a timestamp or a date, got {other}, which has no calendar; \
                 convert it, for example ts => to_timestamp_seconds(ts)"
            ),
        }
    }

    /// The kind of the periods.
    pub(crate) fn period(&self) -> Period {
        self.period
    }

    /// The same clock with another kind of periods.
    pub(crate) fn with_period(&self, period: Period) -> Self {
        Self { period, ..self.clone() }
    }

    /// Type to which times in arguments are cast, so that their integers compare with the ticks of the column; what
    /// has no zone is then on the clock of the periods.
    pub(crate) fn instant_type(&self) -> DataType {
        let zone = self.has_zone.then(|| Arc::clone(&self.zone));
        DataType::Timestamp(self.unit, zone)
    }

    /// Type of what [`Self::starts`] gives.
    pub(crate) fn start_type(&self) -> DataType {
        match self.period {
            Period::Hour => self.instant_type(),
            _ => DataType::Date32,
        }
    }

    /// Returns what tells periods apart.
    pub(crate) fn clock(&self) -> Result<Clock> {
        let zone = zone::parse("calendar", "its zone", &self.zone)?;
        let unit = tick_unit(self.unit);
        Ok(Clock { period: self.period, unit, zone, offsets: Offsets::new(zone) })
    }

    /// The beginnings of periods: dates, or for hours instants.
    ///
    /// # Errors
    /// For a period beyond the range of dates or of timestamps.
    pub(crate) fn starts(&self, indexes: &[i64]) -> Result<ArrayRef> {
        if self.period != Period::Hour {
            let mut dates = Vec::with_capacity(indexes.len());
            for index in indexes {
                match i32::try_from(self.period.first_day(*index)) {
                    Ok(day) => dates.push(day),
                    Err(_) => return exec_err!("a date is out of range: {index} periods from 1970"),
                }
            }
            return Ok(Arc::new(Date32Array::from(dates)));
        }
        let clock = self.clock()?;
        let mut ticks = Vec::with_capacity(indexes.len());
        for index in indexes {
            match clock.start_of_hour(*index) {
                Some(tick) => ticks.push(tick),
                None => return exec_err!("a time is out of range: {index} hours from 1970"),
            }
        }
        if ticks.is_empty() {
            return Ok(new_null_array(&self.start_type(), 0));
        }
        Ok(cast(&Int64Array::from(ticks), &self.start_type())?)
    }
}

/// Tells the periods of times apart; remembers what it learned of the zone.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    period: Period,
    unit: TickUnit,
    zone: Tz,
    offsets: Offsets,
}

impl Clock {
    /// Number of the period at `tick`.
    ///
    /// Hours last 60 minutes also where the clock changes: they begin when the zone's clock shows a full hour, and
    /// an hour that it shows twice is two hours.
    pub(crate) fn index(&mut self, tick: i64) -> i64 {
        let utc_s = tick.div_euclid(self.unit.per_second());
        let offset_s = self.offsets.at(utc_s);
        if self.period != Period::Hour {
            return self.period.of_day(utc_s.saturating_add(offset_s).div_euclid(DAY_S));
        }
        utc_s.saturating_add(offset_s.rem_euclid(HOUR_S)).div_euclid(HOUR_S)
    }

    /// Tick at which an hour begins.
    fn start_of_hour(&self, index: i64) -> Option<i64> {
        let about_s = index.checked_mul(HOUR_S)?;
        let offset_s = zone::offset_s(self.zone, about_s).unwrap_or(0);
        about_s.checked_sub(offset_s.rem_euclid(HOUR_S))?.checked_mul(self.unit.per_second())
    }
}

#[cfg(test)]
mod tests;
