//! Generated rules and rows, and how SQL writes them.

use proptest::prelude::*;
use proptest::sample::SizeRange;

use super::reference::{Row, Rules};

const VALUES: [Option<&str>; 4] = [None, Some("a"), Some("b"), Some("c")];

/// Any combination of rules, at least one.
pub(super) fn rules() -> impl Strategy<Value = Rules> {
    let maybe = |length: std::ops::Range<i64>| prop_oneof![2 => Just(None), 1 => length.prop_map(Some)];
    let rarely = || prop::bool::weighted(0.3);
    let lengths = (
        maybe(0..5),
        maybe(0..9),
        prop_oneof![2 => Just(None), 1 => (1_usize..5).prop_map(Some)],
        maybe(0..3),
    );
    let flags = (any::<bool>(), rarely(), rarely(), rarely(), rarely(), prop::bool::weighted(0.15));
    (lengths, flags)
        .prop_map(|((gap, max_length, max_events, click_lag), flags)| {
            let (inclusive, start_if, end_if, split_on, midnight, separator) = flags;
            let inclusive = inclusive && gap.is_some();
            Rules {
                gap,
                inclusive,
                start_if,
                end_if,
                max_length,
                max_events,
                split_on,
                midnight,
                click_lag,
                separator,
            }
        })
        .prop_filter("no rule", Rules::is_any)
}

/// Rows with ties, NULLs in every column, over three days; not in order.
pub(super) fn rows(count: impl Into<SizeRange>) -> impl Strategy<Value = Vec<Row>> {
    let condition = |weight| prop_oneof![3 => Just(Some(false)), weight => Just(Some(true)), 1 => Just(None)];
    let hour =
        prop_oneof![8 => (-10_i64..60).prop_map(Some), 6 => (0_i64..12).prop_map(Some), 1 => Just(None)];
    let row = (hour, condition(1), condition(1), condition(1), prop::sample::select(VALUES.to_vec()))
        .prop_map(|(hour, starts, ends, separates, value)| Row { hour, starts, ends, separates, value });
    prop::collection::vec(row, count)
}

/// Puts rows in order of time; rows of one instant stay as they are, NULLs go last.
pub(super) fn in_order(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by_key(|row| (row.hour.is_none(), row.hour));
    rows
}

/// The arguments behind `ts`, each in its place.
pub(super) fn arguments(rules: &Rules) -> String {
    let hours = |length: Option<i64>| match length {
        Some(hours) => format!("INTERVAL '{hours} hours'"),
        None => "NULL".to_owned(),
    };
    let column = |is_given: bool, column: &str| if is_given { column.to_owned() } else { "NULL".to_owned() };
    [
        hours(rules.gap),
        column(rules.gap.is_some(), if rules.inclusive { "true" } else { "false" }),
        column(rules.start_if, "starts"),
        column(rules.end_if, "ends"),
        hours(rules.max_length),
        rules.max_events.map_or("NULL".to_owned(), |most| most.to_string()),
        column(rules.split_on, "value"),
        column(rules.midnight, "'+05:00'"),
        hours(rules.click_lag),
        column(rules.separator, "separates"),
    ]
    .join(", ")
}
