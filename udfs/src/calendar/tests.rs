use arrow::array::{Array, AsArray, TimestampSecondArray};
use arrow::datatypes::{TimestampMillisecondType, TimestampSecondType};

use super::*;
use crate::journey::period::WeekStart;

fn second(text: &str) -> i64 {
    let text = arrow::array::StringArray::from(vec![text]);
    let time = cast(&text, &DataType::Timestamp(TimeUnit::Second, None)).unwrap();
    time.as_primitive::<TimestampSecondType>().value(0)
}

fn utc(seconds: i64) -> String {
    let text = cast(&TimestampSecondArray::from(vec![seconds]), &DataType::Utf8).unwrap();
    text.as_string::<i32>().value(0).to_owned()
}

fn seconds_in(zone: Option<&str>) -> DataType {
    DataType::Timestamp(TimeUnit::Second, zone.map(Into::into))
}

fn calendar(period: Period, timezone: Option<&str>) -> Calendar {
    Calendar::try_new("f", &seconds_in(None), period, timezone).unwrap()
}

/// Beginning of the period that holds a time, as text.
fn start(period: Period, timezone: Option<&str>, time: &str) -> String {
    let calendar = calendar(period, timezone);
    let index = calendar.clock().unwrap().index(second(time));
    let starts = calendar.starts(&[index]).unwrap();
    if period == Period::Hour {
        return utc(starts.as_primitive::<TimestampSecondType>().value(0));
    }
    cast(&starts, &DataType::Utf8).unwrap().as_string::<i32>().value(0).to_owned()
}

#[test]
fn periods_follow_the_clock_of_the_zone() {
    let new_york = Some("America/New_York");
    assert_eq!(start(Period::Day, new_york, "2024-03-01T04:59:59"), "2024-02-29");
    assert_eq!(start(Period::Day, new_york, "2024-03-01T05:00:00"), "2024-03-01");
    assert_eq!(start(Period::Month, new_york, "2024-03-01T04:59:59"), "2024-02-01");
    assert_eq!(start(Period::Month, None, "2024-03-01T04:59:59"), "2024-03-01");
    assert_eq!(start(Period::Quarter, None, "2024-06-30T23:59:59"), "2024-04-01");
    assert_eq!(start(Period::Year, None, "1969-12-31T23:59:59"), "1969-01-01");
    assert_eq!(start(Period::Week(WeekStart::Monday), None, "2024-03-03T23:59:59"), "2024-02-26");
    assert_eq!(start(Period::Week(WeekStart::Sunday), None, "2024-03-03T00:00:00"), "2024-03-03");
}

#[test]
fn days_of_23_and_25_hours() {
    // The clock goes forward on 2024-03-31 and back on 2024-10-27.
    for (first, last, day) in [
        ("2024-03-30T23:00:00", "2024-03-31T21:59:59", "2024-03-31"),
        ("2024-10-26T22:00:00", "2024-10-27T22:59:59", "2024-10-27"),
    ] {
        let mut clock = calendar(Period::Day, Some("Europe/Berlin")).clock().unwrap();
        let [before, at_first, at_last, after] =
            [second(first) - 1, second(first), second(last), second(last) + 1].map(|tick| clock.index(tick));
        assert_eq!([before + 1, at_first, at_last, after - 1], [at_first; 4], "{day}");
        assert_eq!(start(Period::Day, Some("Europe/Berlin"), last), day);
    }
}

#[test]
fn hours_last_60_minutes() {
    let berlin = Some("Europe/Berlin");
    // 02:30 twice: summer time, then winter time.
    assert_eq!(start(Period::Hour, berlin, "2024-10-27T00:30:00"), "2024-10-27T00:00:00");
    assert_eq!(start(Period::Hour, berlin, "2024-10-27T01:30:00"), "2024-10-27T01:00:00");
    // Full hours there are half past in UTC.
    let kolkata = Some("Asia/Kolkata");
    assert_eq!(start(Period::Hour, kolkata, "2024-05-01T18:29:59"), "2024-05-01T17:30:00");
    assert_eq!(start(Period::Hour, kolkata, "2024-05-01T18:30:00"), "2024-05-01T18:30:00");
    // Numbers never go back, and hours follow one another, over a change of 30 minutes too.
    for (zone, from) in
        [("Europe/Berlin", "2024-10-26T12:00:00"), ("Australia/Lord_Howe", "2024-04-06T03:00:00")]
    {
        let mut clock = calendar(Period::Hour, Some(zone)).clock().unwrap();
        let from = second(from);
        let hours: Vec<i64> = (0..48 * 60).map(|minute| clock.index(from + minute * 60)).collect();
        assert!(hours.windows(2).all(|pair| pair[0] <= pair[1] && pair[1] - pair[0] <= 1), "{zone}");
    }
}

#[test]
fn every_unit_is_read() {
    for (unit, ticks) in [
        (TimeUnit::Second, 1),
        (TimeUnit::Millisecond, 1_000),
        (TimeUnit::Microsecond, 1_000_000),
        (TimeUnit::Nanosecond, 1_000_000_000),
    ] {
        let ts = DataType::Timestamp(unit, Some("+02:00".into()));
        let calendar = Calendar::try_new("f", &ts, Period::Day, None).unwrap();
        let mut clock = calendar.clock().unwrap();
        assert_eq!([-7_201, -7_200, 79_199, 79_200].map(|second| clock.index(second * ticks)), [-1, 0, 0, 1]);
        assert_eq!(calendar.instant_type(), ts);
        let hours = calendar.with_period(Period::Hour);
        let start = hours.starts(&[1]).unwrap();
        assert_eq!(start.data_type(), &ts);
        if unit == TimeUnit::Millisecond {
            assert_eq!(start.as_primitive::<TimestampMillisecondType>().value(0), 3_600_000);
        }
    }
}

#[test]
fn far_times_have_periods_and_no_dates() {
    for zone in [None, Some("Europe/Berlin")] {
        for period in [Period::Hour, Period::Day, Period::Month] {
            let calendar = calendar(period, zone);
            let mut clock = calendar.clock().unwrap();
            let (first, last) = (clock.index(i64::MIN), clock.index(i64::MAX));
            assert!(first < 0 && last > 0);
        }
    }
    let error = calendar(Period::Day, None).starts(&[i64::MAX]).unwrap_err();
    assert!(error.to_string().contains("a date is out of range"), "{error}");
}

#[test]
fn what_has_no_calendar_is_refused() {
    let refused = |ts: DataType, period, timezone| {
        Calendar::try_new("f", &ts, period, timezone).unwrap_err().strip_backtrace()
    };
    let text = refused(DataType::Int64, Period::Day, None);
    assert!(
        text.starts_with("Error during planning: f: ts must be a timestamp or a date, got Int64"),
        "{text}"
    );
    let text = refused(DataType::Date32, Period::Hour, None);
    assert!(text.contains("argument period is 'hour', but ts is a date"), "{text}");
    let text = refused(seconds_in(None), Period::Day, Some("Mars/Phobos"));
    assert!(text.contains("argument timezone must be a time zone such as"), "{text}");
}
