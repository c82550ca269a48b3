//! Timestamps against fixed cases and against chrono.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use proptest::prelude::*;

use super::*;

const UTC_RULE: TimestampRule = TimestampRule { unit: None, zone: Tz::UTC };
const BERLIN: TimestampRule = TimestampRule { unit: None, zone: Tz::Europe__Berlin };

fn oracle(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).expect("an RFC 3339 text").timestamp_micros()
}

#[test]
fn equal_instants_in_many_forms() {
    let expected = Ok(oracle("2024-02-29T12:30:00Z"));
    for text in [
        "2024-02-29T12:30:00Z",
        "2024-02-29t12:30:00z",
        "2024-02-29 12:30:00",
        "2024-02-29T12:30:00",
        "2024-02-29 12:30",
        " 2024-02-29 12:30:00.000 ",
        "2024-02-29 12:30:00,0",
        "2024-02-29 12:30:00 UTC",
        "2024-02-29 12:30:00+00",
        "2024-02-29 12:30:00 +00:00",
        "2024-02-29T13:30:00+01:00",
        "2024-02-29T07:00:00-0530",
        "1709209800",
        "1709209800.0",
        "1709209800000",
        "1709209800000000",
        "1709209800000000000",
        "1.7092098E9",
        "1.7092098E12",
    ] {
        assert_eq!(UTC_RULE.parse(text), expected, "{text}");
    }
}

#[test]
fn dates_are_midnight_in_the_zone() {
    assert_eq!(UTC_RULE.parse("2024-07-01"), Ok(oracle("2024-07-01T00:00:00Z")));
    assert_eq!(BERLIN.parse("2024-07-01"), Ok(oracle("2024-06-30T22:00:00Z")));
    assert_eq!(BERLIN.date(19_905), Ok(oracle("2024-06-30T22:00:00Z")));
}

#[test]
fn offsets_win_over_the_zone() {
    assert_eq!(BERLIN.parse("2024-07-01T00:00:00Z"), Ok(oracle("2024-07-01T00:00:00Z")));
    assert_eq!(BERLIN.parse("1709209800"), Ok(oracle("2024-02-29T12:30:00Z")));
}

#[test]
fn a_skipped_local_time_is_an_error() {
    let error = BERLIN.parse("2024-03-31 02:30:00").expect_err("refused");
    assert_eq!(error, TimestampError::Skipped(Tz::Europe__Berlin));
    assert!(error.to_string().contains("Europe/Berlin"), "{error}");
    assert_eq!(BERLIN.parse("2024-03-31 03:00:00"), Ok(oracle("2024-03-31T01:00:00Z")));
}

#[test]
fn a_repeated_local_time_means_the_first() {
    assert_eq!(BERLIN.parse("2024-10-27 02:30:00"), Ok(oracle("2024-10-27T00:30:00Z")));
    assert_eq!(BERLIN.parse("2024-10-27 03:00:00"), Ok(oracle("2024-10-27T02:00:00Z")));
}

#[test]
fn fractions_are_floored() {
    let base = oracle("2024-01-01T00:00:00Z");
    assert_eq!(UTC_RULE.parse("2024-01-01T00:00:00.1234569Z"), Ok(base + 123_456));
    assert_eq!(UTC_RULE.parse("2024-01-01T00:00:00.5Z"), Ok(base + 500_000));
    assert_eq!(UTC_RULE.parse("1969-12-31T23:59:59.9999999Z"), Ok(-1));
    assert_eq!(UTC_RULE.parse("-0.0000001"), Ok(-1));
    assert_eq!(UTC_RULE.parse("1709209800.1234567"), Ok(1_709_209_800_123_456));
    assert_eq!(UTC_RULE.epoch(-1_709_209_800_000_000_001), Ok(-1_709_209_800_000_001));
}

#[test]
fn magnitude_tells_the_unit() {
    assert_eq!(UTC_RULE.epoch(99_999_999_999), Ok(99_999_999_999_000_000));
    assert_eq!(UTC_RULE.epoch(100_000_000_000), Ok(100_000_000_000_000));
    assert_eq!(UTC_RULE.epoch(99_999_999_999_999), Ok(99_999_999_999_999_000));
    assert_eq!(UTC_RULE.epoch(100_000_000_000_000), Ok(100_000_000_000_000));
    assert_eq!(UTC_RULE.epoch(99_999_999_999_999_999), Ok(99_999_999_999_999_999));
    assert_eq!(UTC_RULE.epoch(100_000_000_000_000_000), Ok(100_000_000_000_000));
    assert_eq!(UTC_RULE.epoch(-1), Ok(-1_000_000));
    assert_eq!(UTC_RULE.epoch(0), Ok(0));
}

#[test]
fn a_given_unit_wins() {
    let millis = TimestampRule { unit: Some(NumericTime::Millis), zone: Tz::UTC };
    assert_eq!(millis.epoch(1), Ok(1_000));
    assert_eq!(millis.parse("1709209800"), Ok(1_709_209_800_000));
    assert_eq!(millis.parse("2024-02-29T12:30:00Z"), Ok(oracle("2024-02-29T12:30:00Z")));
    let seconds = TimestampRule { unit: Some(NumericTime::Seconds), zone: Tz::UTC };
    assert_eq!(seconds.parse("20240131"), Ok(20_240_131_000_000));
    assert_eq!(seconds.epoch(i64::MAX), Err(TimestampError::OutOfRange));
}

#[test]
fn compact_dates_are_not_taken_for_seconds() {
    assert_eq!(UTC_RULE.parse("20240131"), Err(TimestampError::MaybeDate));
    assert_eq!(UTC_RULE.epoch(20_240_131), Err(TimestampError::MaybeDate));
    assert_eq!(UTC_RULE.parse("20241399"), Ok(20_241_399_000_000));
}

#[test]
fn compact_dates_are_midnight_in_the_zone_if_the_rule_says_so() {
    let compact = |zone| TimestampRule { unit: Some(NumericTime::CompactDate), zone };
    let utc = compact(Tz::UTC);
    for text in ["20240701", " 20240701 ", "20240701.0", "2024-07-01", "2024-07-01T00:00:00Z"] {
        assert_eq!(utc.parse(text), Ok(oracle("2024-07-01T00:00:00Z")), "{text}");
    }
    assert_eq!(utc.epoch(20_240_701), Ok(oracle("2024-07-01T00:00:00Z")));
    assert_eq!(compact(Tz::Europe__Berlin).parse("20240701"), Ok(oracle("2024-06-30T22:00:00Z")));
    for text in ["20230229", "20241301", "20240100", "99991232"] {
        assert_eq!(utc.parse(text), Err(TimestampError::NoSuchTime), "{text}");
    }
    for text in ["0", "-20240701", "240701", "2024071", "20240701.5", "1709209800", "1e30"] {
        let error = utc.parse(text).expect_err(text);
        assert!(
            matches!(error, TimestampError::NotACompactDate | TimestampError::OutOfRange),
            "{text}: {error}"
        );
    }
}

#[test]
fn wrong_texts_are_told_apart() {
    for text in [
        "",
        " ",
        "yesterday",
        "2024",
        "2024-1-1",
        "01/02/2024",
        "2024-01-01X00:00:00",
        "2024-01-01 1:00:00",
        "2024-01-01T00:00:00.",
        "2024-01-01T00:00:00+1",
        "2024-01-01T00:00:00 CET",
        "2024-01-01T",
        "NaN",
        "2024-01-01T00:00:00Zx",
        "２０２４-01-01",
        "12024-01-01",
    ] {
        if text == "2024" {
            // A small number is seconds; nothing in the text says otherwise.
            assert_eq!(UTC_RULE.parse(text), Ok(2_024_000_000));
        } else {
            assert_eq!(UTC_RULE.parse(text), Err(TimestampError::NotATimestamp), "{text}");
        }
    }
    for text in [
        "2023-02-29",
        "1900-02-29",
        "2024-13-01",
        "2024-00-10",
        "2024-01-00",
        "2024-04-31",
        "2024-01-01T24:00:00Z",
        "2024-01-01T23:60:00Z",
        "2016-12-31T23:59:60Z",
        "2024-01-01T00:00:00+24:00",
    ] {
        assert_eq!(UTC_RULE.parse(text), Err(TimestampError::NoSuchTime), "{text}");
    }
    for text in ["0000-01-01", "9999-12-31T23:59:59-01:00", "0001-01-01T00:00:00+01:00", "1e30", "9e20"] {
        assert_eq!(UTC_RULE.parse(text), Err(TimestampError::OutOfRange), "{text}");
    }
}

#[test]
fn the_ends_of_the_range_are_inside() {
    assert_eq!(UTC_RULE.parse("0001-01-01"), Ok(MIN_US));
    assert_eq!(UTC_RULE.parse("9999-12-31T23:59:59.9999999"), Ok(MAX_US));
}

#[test]
fn every_day_agrees_with_chrono() {
    let mut date = NaiveDate::from_ymd_opt(1, 1, 1).expect("a date");
    let last = NaiveDate::from_ymd_opt(9999, 12, 31).expect("a date");
    let mut expected = MIN_US;
    while date < last {
        let micros = UTC_RULE.parse(&date.format("%Y-%m-%d").to_string());
        assert_eq!(micros, Ok(expected), "{date}");
        date = date.checked_add_days(chrono::Days::new(37)).unwrap_or(last);
        expected += 37 * DAY_US;
    }
}

proptest! {
    #[test]
    fn rfc_3339_agrees_with_chrono(micros in MIN_US + DAY_US..MAX_US - DAY_US, offset_minutes in -1439..1440_i32) {
        let instant: DateTime<Utc> = DateTime::from_timestamp_micros(micros).expect("in range");
        let offset = chrono::FixedOffset::east_opt(offset_minutes * 60).expect("an offset");
        let text = instant.with_timezone(&offset).to_rfc3339_opts(SecondsFormat::AutoSi, true);
        prop_assert_eq!(UTC_RULE.parse(&text), Ok(oracle(&text)));
        prop_assert_eq!(UTC_RULE.parse(&text), Ok(micros));
        let naive = instant.naive_utc().format("%Y-%m-%d %H:%M:%S%.f").to_string();
        prop_assert_eq!(UTC_RULE.parse(&naive), Ok(micros));
    }

    #[test]
    fn zones_agree_with_chrono(seconds in -2_000_000_000..4_000_000_000_i64, zone in prop::sample::select(vec![
        Tz::Europe__Berlin, Tz::America__New_York, Tz::Asia__Kolkata, Tz::Australia__Lord_Howe, Tz::Africa__Casablanca,
    ])) {
        let local: NaiveDateTime = DateTime::from_timestamp(seconds, 0).expect("in range").naive_utc();
        let rule = TimestampRule { unit: None, zone };
        let expected = zone.from_local_datetime(&local).earliest().map(|t| t.timestamp_micros());
        let parsed = rule.parse(&local.format("%Y-%m-%dT%H:%M:%S").to_string());
        prop_assert_eq!(parsed.ok(), expected);
    }

    #[test]
    fn any_text_is_answered(text in "\\PC{0,40}") {
        let _ = BERLIN.parse(&text);
    }

    #[test]
    fn almost_timestamps_are_answered(text in "[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9:.+Z-]{0,20}") {
        if let Ok(micros) = UTC_RULE.parse(&text) {
            prop_assert!((MIN_US..=MAX_US).contains(&micros));
        }
    }
}
