//! Calendar periods of local days: hours, days, weeks, months, quarters, years.

/// Day on which a week begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum WeekStart {
    /// As ISO 8601.
    #[default]
    Monday,
    /// As in North America.
    Sunday,
}

impl WeekStart {
    /// All with their names in SQL.
    pub const NAMES: [(&'static str, Self); 2] = [("monday", Self::Monday), ("sunday", Self::Sunday)];
}

/// A kind of period. Periods of one kind follow one another without a gap and are numbered in the order of time;
/// number 0 holds 1970-01-01T00:00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    /// 60 minutes.
    Hour,
    /// A date, of 23 to 25 hours.
    Day,
    /// Seven dates.
    Week(WeekStart),
    /// A month of the Gregorian calendar.
    Month,
    /// Three months, from January.
    Quarter,
    /// Twelve months, from January.
    Year,
}

const MONTHS_TO_1970: i64 = 1970 * 12;

impl Period {
    /// Number of the period that holds `day`, in days since 1970-01-01; of its first hour for hours.
    pub fn of_day(self, day: i64) -> i64 {
        match self {
            Self::Hour => day.saturating_mul(24),
            Self::Day => day,
            Self::Week(start) => (day + days_since_week_start(start)).div_euclid(7),
            Self::Month => month_of_day(day),
            Self::Quarter => month_of_day(day).div_euclid(3),
            Self::Year => month_of_day(day).div_euclid(12),
        }
    }

    /// First day of period `index`, in days since 1970-01-01; for hours the day that holds it.
    pub fn first_day(self, index: i64) -> i64 {
        match self {
            Self::Hour => index.div_euclid(24),
            Self::Day => index,
            Self::Week(start) => index.saturating_mul(7).saturating_sub(days_since_week_start(start)),
            Self::Month => first_day_of_month(index),
            Self::Quarter => first_day_of_month(index.saturating_mul(3)),
            Self::Year => first_day_of_month(index.saturating_mul(12)),
        }
    }

    /// Hours of a period where every period is equally long: a month has 30 days, a year 365.
    pub fn fixed_hours(self) -> i64 {
        match self {
            Self::Hour => 1,
            Self::Day => 24,
            Self::Week(_) => 7 * 24,
            Self::Month => 30 * 24,
            Self::Quarter => 90 * 24,
            Self::Year => 365 * 24,
        }
    }
}

/// Days from the beginning of the week that holds 1970-01-01, a Thursday, to that day.
fn days_since_week_start(start: WeekStart) -> i64 {
    match start {
        WeekStart::Monday => 3,
        WeekStart::Sunday => 4,
    }
}

const DAYS_OF_400_YEARS: i64 = 146_097;
/// Days from 0000-03-01 to 1970-01-01: counted from March, the day that leap years add comes last.
const DAYS_TO_1970: i64 = 719_468;

/// Months from January 1970 to the month of a day (proleptic Gregorian calendar).
fn month_of_day(day: i64) -> i64 {
    let day = day.saturating_add(DAYS_TO_1970);
    let cycle = day.div_euclid(DAYS_OF_400_YEARS);
    let day_of_cycle = day.rem_euclid(DAYS_OF_400_YEARS);
    // Days that leap years have added so far: one in 4 years, none in 100, one in 400.
    let year_of_cycle =
        (day_of_cycle - day_of_cycle / 1_460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    // Five months from March have 153 days: 31, 30, 31, 30, 31.
    let month_from_march = (5 * day_of_year + 2) / 153;
    (cycle * 400 + year_of_cycle) * 12 + month_from_march + 2 - MONTHS_TO_1970
}

/// Days from 1970-01-01 to the first day of a month, counted in months from January 1970.
fn first_day_of_month(month: i64) -> i64 {
    // 0000-03 is month 0 here.
    let month = month.saturating_add(MONTHS_TO_1970 - 2);
    let year = month.div_euclid(12);
    let month_from_march = month.rem_euclid(12);
    let cycle = year.div_euclid(400);
    let year_of_cycle = year.rem_euclid(400);
    let day_of_year = (153 * month_from_march + 2) / 5;
    let day_of_cycle = 365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
    cycle.saturating_mul(DAYS_OF_400_YEARS).saturating_add(day_of_cycle - DAYS_TO_1970)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks day by day with the rules of the calendar as one learns them at school.
    #[test]
    fn every_day_of_five_centuries() {
        let (mut year, mut month, mut day_of_month) = (1700, 1, 1);
        // 1700-01-01.
        let first = -98_615;
        for day in first..first + 500 * 365 {
            let months = (year - 1970) * 12 + month - 1;
            assert_eq!(Period::Month.of_day(day), months, "{year}-{month}-{day_of_month}");
            assert_eq!(Period::Quarter.of_day(day), (year - 1970) * 4 + (month - 1) / 3);
            assert_eq!(Period::Year.of_day(day), year - 1970);
            if day_of_month == 1 {
                assert_eq!(Period::Month.first_day(months), day);
                if month == 1 {
                    assert_eq!(Period::Year.first_day(year - 1970), day);
                }
            }
            let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let length = match month {
                2 => 28 + i64::from(is_leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day_of_month += 1;
            if day_of_month > length {
                (day_of_month, month) = (1, month + 1);
            }
            if month > 12 {
                (month, year) = (1, year + 1);
            }
        }
    }

    #[test]
    fn weeks_begin_on_monday_or_sunday() {
        // 2024-03-31 was a Sunday.
        let sunday = 19_813;
        let monday = Period::Week(WeekStart::Monday);
        assert_eq!(monday.of_day(sunday) + 1, monday.of_day(sunday + 1));
        assert_eq!(monday.first_day(monday.of_day(sunday)), sunday - 6);
        let from_sunday = Period::Week(WeekStart::Sunday);
        assert_eq!(from_sunday.of_day(sunday - 1) + 1, from_sunday.of_day(sunday));
        assert_eq!(from_sunday.first_day(from_sunday.of_day(sunday + 6)), sunday);
        // Before 1970 too.
        assert_eq!(monday.first_day(monday.of_day(-4)), -10);
        assert_eq!(monday.of_day(-3), 0);
    }

    #[test]
    fn far_days_do_not_overflow() {
        let kinds = [
            Period::Hour,
            Period::Day,
            Period::Week(WeekStart::Monday),
            Period::Month,
            Period::Quarter,
            Period::Year,
        ];
        // Seconds of i64 are at most these days from 1970.
        let far = i64::MAX / 86_400;
        for period in kinds {
            for day in [-far, far] {
                let first = period.first_day(period.of_day(day));
                assert!(first <= day && day - first < 366, "{period:?}");
            }
            period.first_day(i64::MAX);
            period.first_day(i64::MIN);
        }
    }
}
