//! Conversions from every accepted type, and what is refused.

use arrow::array::{
    BooleanArray, Date32Array, DictionaryArray, Float32Array, Int32Array, Int64Array, LargeStringArray,
    ListArray, StringViewArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
    UInt64Array,
};
use arrow::datatypes::{Int32Type, Int64Type};
use chrono_tz::Tz;
use proptest::prelude::*;

use super::super::options::NumericTime;
use super::*;

const UTC_RULE: TimestampRule = TimestampRule { unit: None, zone: Tz::UTC };

fn canonical(name: &str) -> Field {
    schema::load_schema().field_with_name(name).expect("a column").clone()
}

fn run(target: &Field, array: impl Array + 'static, rule: &TimestampRule) -> (ArrayRef, Vec<Problem>) {
    let array: ArrayRef = Arc::new(array);
    let mut problems = Vec::new();
    let converted = convert(target, &array, rule, &mut problems).expect("convertible");
    assert_eq!(converted.data_type(), target.data_type());
    assert_eq!(converted.len(), array.len());
    (converted, problems)
}

fn good(name: &str, array: impl Array + 'static) -> ArrayRef {
    let (converted, problems) = run(&canonical(name), array, &UTC_RULE);
    assert_eq!(problems, []);
    converted
}

fn bad(name: &str, array: impl Array + 'static) -> Vec<(usize, String)> {
    let (_, problems) = run(&canonical(name), array, &UTC_RULE);
    problems.into_iter().map(|p| (p.row, p.reason)).collect()
}

fn micros(array: &ArrayRef) -> Vec<Option<i64>> {
    array.as_primitive::<arrow::datatypes::TimestampMicrosecondType>().iter().collect()
}

fn unscaled(array: &ArrayRef) -> Vec<Option<i128>> {
    array.as_primitive::<arrow::datatypes::Decimal128Type>().iter().collect()
}

fn strings(array: &ArrayRef) -> Vec<Option<&str>> {
    array.as_string::<i32>().iter().collect()
}

#[test]
fn text_of_any_layout_and_integers_are_text() {
    let expected = [Some("a"), None];
    assert_eq!(strings(&good("channel", StringArray::from(vec![Some("a"), None]))), expected);
    assert_eq!(strings(&good("channel", LargeStringArray::from(vec![Some("a"), None]))), expected);
    assert_eq!(strings(&good("channel", StringViewArray::from(vec![Some("a"), None]))), expected);
    let dictionary: DictionaryArray<Int32Type> = vec![Some("a"), None].into_iter().collect();
    assert_eq!(strings(&good("channel", dictionary)), expected);
    assert_eq!(strings(&good("user_id", Int64Array::from(vec![42, -1]))), [Some("42"), Some("-1")]);
    assert_eq!(strings(&good("user_id", UInt64Array::from(vec![u64::MAX]))), [Some("18446744073709551615")]);
    let whole = Decimal128Array::from(vec![77]).with_precision_and_scale(38, 0).expect("decimal");
    assert_eq!(strings(&good("user_id", whole)), [Some("77")]);
    assert_eq!(strings(&good("device", BooleanArray::from(vec![true]))), [Some("true")]);
    let binary = BinaryArray::from(vec![b"a".as_slice()]);
    assert_eq!(strings(&good("user_id", binary)), [Some("a")]);
}

#[test]
fn bytes_that_are_no_text_are_told_once() {
    let binary = BinaryArray::from(vec![Some(b"a".as_slice()), Some(&[0xff]), None]);
    assert_eq!(
        bad("user_id", binary),
        [(1, "not valid UTF-8".to_owned()), (2, "user_id is missing".to_owned())]
    );
}

#[test]
fn a_missing_person_event_or_time_is_a_problem() {
    assert_eq!(
        bad("user_id", StringArray::from(vec![Some("a"), None, Some("")])),
        [(1, "user_id is missing".to_owned()), (2, "user_id is missing".to_owned())]
    );
    assert_eq!(bad("event", StringArray::from(vec![None::<&str>])), [(0, "event is missing".to_owned())]);
    assert_eq!(bad("ts", StringArray::from(vec![Some(" ")])), [(0, "ts is missing".to_owned())]);
    assert_eq!(bad("received_at", StringArray::from(vec![Some("")])), []);
}

#[test]
fn an_empty_event_id_is_none() {
    let converted = good("event_id", StringArray::from(vec![Some("a"), Some(""), None]));
    assert_eq!(strings(&converted), [Some("a"), None, None]);
}

#[test]
fn times_of_every_type_agree() {
    let expected = [Some(1_709_209_800_000_000)];
    assert_eq!(micros(&good("ts", StringArray::from(vec!["2024-02-29T12:30:00Z"]))), expected);
    assert_eq!(micros(&good("ts", Int64Array::from(vec![1_709_209_800_000]))), expected);
    assert_eq!(micros(&good("ts", Int32Array::from(vec![1_709_209_800]))), expected);
    assert_eq!(micros(&good("ts", Float64Array::from(vec![1_709_209_800.0]))), expected);
    assert_eq!(micros(&good("ts", TimestampSecondArray::from(vec![1_709_209_800]))), expected);
    assert_eq!(micros(&good("ts", TimestampMillisecondArray::from(vec![1_709_209_800_000]))), expected);
    assert_eq!(
        micros(&good("ts", TimestampNanosecondArray::from(vec![1_709_209_800_000_000_999]))),
        expected
    );
    assert_eq!(micros(&good("ts", TimestampNanosecondArray::from(vec![-1]))), [Some(-1)]);
    assert_eq!(micros(&good("ts", Date32Array::from(vec![1]))), [Some(86_400_000_000)]);
}

#[test]
fn naive_times_are_in_the_zone_and_others_are_not() {
    let rule = TimestampRule { unit: Some(NumericTime::Seconds), zone: Tz::Europe__Berlin };
    let (naive, _) = run(&canonical("ts"), TimestampSecondArray::from(vec![0]), &rule);
    assert_eq!(micros(&naive), [Some(-3_600_000_000)]);
    let zoned = TimestampSecondArray::from(vec![0]).with_timezone("+09:00");
    assert_eq!(micros(&run(&canonical("ts"), zoned, &rule).0), [Some(0)]);
    assert_eq!(micros(&run(&canonical("ts"), Date32Array::from(vec![0]), &rule).0), [Some(-3_600_000_000)]);
    assert_eq!(micros(&run(&canonical("ts"), Int64Array::from(vec![0]), &rule).0), [Some(0)]);
}

#[test]
fn times_that_do_not_fit_are_told() {
    let problems = bad("ts", TimestampSecondArray::from(vec![i64::MAX, 0]));
    assert_eq!(problems, [(0, "outside the years 0001 to 9999".to_owned())]);
    let (_, problems) = run(&canonical("ts"), StringArray::from(vec!["1.1.2024"]), &UTC_RULE);
    assert_eq!(problems[0].value.as_deref(), Some("1.1.2024"));
    assert_eq!(bad("ts", Float64Array::from(vec![f64::NAN])).len(), 1);
}

#[test]
fn money_is_exact_from_every_type() {
    let expected = [Some(199_900), None];
    assert_eq!(unscaled(&good("revenue", StringArray::from(vec![Some("19.99"), Some("")]))), expected);
    assert_eq!(unscaled(&good("cost", Float64Array::from(vec![Some(19.99), None]))), expected);
    assert_eq!(unscaled(&good("cost", Float32Array::from(vec![Some(19.99), None]))), expected);
    let wide = Decimal128Array::from(vec![Some(1_999_000_000), None])
        .with_precision_and_scale(30, 8)
        .expect("decimal");
    assert_eq!(unscaled(&good("cost", wide)), expected);
    let same =
        Decimal128Array::from(vec![Some(199_900), None]).with_precision_and_scale(18, 4).expect("decimal");
    assert_eq!(unscaled(&good("cost", same)), expected);
    assert_eq!(unscaled(&good("cost", Int32Array::from(vec![7]))), [Some(70_000)]);
}

#[test]
fn money_is_never_rounded() {
    let too_fine = "has more than 4 decimal places; round it first".to_owned();
    assert_eq!(bad("revenue", StringArray::from(vec!["1.23456"])), [(0, too_fine.clone())]);
    assert_eq!(bad("revenue", Float64Array::from(vec![0.1 + 0.2])), [(0, too_fine.clone())]);
    let fine = Decimal128Array::from(vec![1]).with_precision_and_scale(18, 6).expect("decimal");
    assert_eq!(bad("revenue", fine), [(0, too_fine)]);
    assert_eq!(bad("revenue", Float64Array::from(vec![f64::INFINITY]))[0].1, "not a number");
    assert_eq!(bad("revenue", StringArray::from(vec!["€5"]))[0].1, "not a number");
    assert!(bad("revenue", Int64Array::from(vec![i64::MAX]))[0].1.starts_with("too large"));
}

#[test]
fn scores_are_finite() {
    let values = good("score", StringArray::from(vec![Some("9"), Some(" 1e-3 "), Some(""), None]));
    let values: Vec<Option<f64>> = values.as_primitive::<Float64Type>().iter().collect();
    assert_eq!(values, [Some(9.0), Some(0.001), None, None]);
    assert_eq!(bad("score", StringArray::from(vec!["inf"]))[0].1, "not a finite number");
    assert_eq!(bad("score", StringArray::from(vec!["ten"]))[0].1, "not a number");
    assert_eq!(bad("score", Float64Array::from(vec![f64::NAN]))[0].1, "not a finite number");
    good("score", Int32Array::from(vec![9]));
}

#[test]
fn currencies_are_three_capital_letters() {
    let converted = good("currency", StringArray::from(vec![Some(" eur "), Some("USD"), Some("")]));
    assert_eq!(strings(&converted), [Some("EUR"), Some("USD"), None]);
    for wrong in ["EURO", "€", "E1R"] {
        assert!(
            bad("currency", StringArray::from(vec![wrong]))[0].1.starts_with("not a currency"),
            "{wrong}"
        );
    }
}

#[test]
fn properties_are_compact_objects() {
    let converted = good("properties", StringArray::from(vec![Some("{ \"a\": 1 }"), None]));
    assert_eq!(strings(&converted), [Some("{\"a\":1}"), None]);
    assert!(bad("properties", StringArray::from(vec!["[1]"]))[0].1.starts_with("not a JSON object"));
    assert!(bad("properties", StringArray::from(vec!["{"]))[0].1.starts_with("not valid JSON"));
}

#[test]
fn a_type_that_never_fits_is_named() {
    let lists: ArrayRef =
        Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(1)])]));
    for column in ["user_id", "ts", "revenue", "score", "properties"] {
        let error = convert(&canonical(column), &lists, &UTC_RULE, &mut Vec::new()).expect_err("refused");
        assert!(error.to_string().contains("has type List"), "{column}: {error}");
    }
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    assert!(convert(&canonical("user_id"), &floats, &UTC_RULE, &mut Vec::new()).is_err());
}

#[test]
fn extra_columns_take_the_tables_type() {
    let whole = Field::new("visits", DataType::Int64, true);
    let (converted, problems) =
        run(&whole, StringArray::from(vec![Some("7"), Some(""), Some("x")]), &UTC_RULE);
    let values: Vec<Option<i64>> = converted.as_primitive::<Int64Type>().iter().collect();
    assert_eq!(values, [Some(7), None, None]);
    assert_eq!(problems.len(), 1);
    assert_eq!((problems[0].row, problems[0].value.as_deref()), (2, Some("x")));

    let text = Field::new("note", DataType::Utf8, true);
    assert_eq!(strings(&run(&text, Float64Array::from(vec![1.5]), &UTC_RULE).0), [Some("1.5")]);
    let price = Field::new("price", DataType::Decimal128(10, 2), true);
    let (_, problems) = run(&price, StringArray::from(vec!["1.234"]), &UTC_RULE);
    assert_eq!(problems.len(), 1, "decimals are not rounded");
    let floats: ArrayRef = Arc::new(Float64Array::from(vec![1.5]));
    assert!(convert(&whole, &floats, &UTC_RULE, &mut Vec::new()).is_err(), "floats are not cut to integers");
    let number = Field::new("x", DataType::Float64, true);
    run(&number, Int32Array::from(vec![3]), &UTC_RULE);
}

proptest! {
    /// What is taken as it is, is what it would become value by value.
    #[test]
    fn unchanged_columns_are_those_that_need_no_change(
        values in prop::collection::vec(prop::option::weighted(0.8, any::<u8>()), 0..40),
        rare in prop::option::of(any::<bool>()),
    ) {
        let times = |odd: i64| values.iter().map(|v| v.map(|v| i64::from(v) * 1_000_003)).chain([Some(odd)]).collect();
        let odd_time = match rare { Some(true) => i64::MAX, Some(false) => i64::MIN, None => 7 };
        let odd_money = match rare { Some(true) => 10_i128.pow(18), Some(false) => -10_i128.pow(18), None => 10_i128.pow(18) - 1 };
        let odd_score = match rare { Some(true) => f64::NAN, Some(false) => f64::NEG_INFINITY, None => -0.0 };
        let times: Vec<Option<i64>> = times(odd_time);
        let money: Vec<Option<i128>> = values.iter().map(|v| v.map(|v| i128::from(v) - 99)).chain([Some(odd_money)]).collect();
        let scores: Vec<Option<f64>> = values.iter().map(|v| v.map(|v| f64::from(v) / 3.0)).chain([Some(odd_score)]).collect();
        let wide = Decimal128Array::from(money.clone()).with_precision_and_scale(38, 4).expect("money");
        let columns: [(&str, ArrayRef); 4] = [
            ("ts", Arc::new(TimestampMicrosecondArray::from(times.clone()).with_timezone("Europe/Berlin"))),
            ("received_at", Arc::new(TimestampMicrosecondArray::from(times).with_timezone("+00:00"))),
            ("revenue", Arc::new(wide)),
            ("score", Arc::new(Float64Array::from(scores))),
        ];
        for (name, array) in columns {
            let target = canonical(name);
            let mut problems = Vec::new();
            let wanted = one_by_one(&target, &array, &UTC_RULE, &mut problems).expect("convertible");
            let taken = unchanged(&target, &array);
            prop_assert_eq!(taken.is_some(), problems.is_empty(), "{}: {:?}", name, problems);
            if let Some(taken) = taken {
                prop_assert_eq!(&taken, &wanted);
                prop_assert_eq!(taken.data_type(), target.data_type());
            }
        }
    }
}
