//! The table function `sessions`.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Decimal128Array, Int64Array, RecordBatch, StringArray};
use datafusion::execution::SessionStateBuilder;
use datafusion::optimizer::Optimizer;
use datafusion::prelude::{SessionConfig, SessionContext};
use proptest::prelude::*;
use wayfare_udfs::table::{relation_planner, with_table_rules};

use super::generated::{in_order, rows, rules};
use super::properties::{HOUR_S, session_name, shuffled, texts};
use super::reference::{Place, Row, Rules, places};
use crate::sql::{context, register, table};

const COLUMNS: &str = "user_id, session_id, session_number, start_ts, end_ts, duration_seconds, events, page_views, \
                       entry_page, exit_page, entry_channel, entry_source, entry_campaign, device, country, is_bounce, \
                       is_engaged, conversions, revenue, cut_reason";

/// A row with what a session shows of it.
#[derive(Debug, Clone)]
struct Touch {
    row: Row,
    event: &'static str,
    page: Option<&'static str>,
    channel: Option<&'static str>,
    campaign: Option<&'static str>,
    device: Option<&'static str>,
    cents: Option<i128>,
}

fn touches() -> impl Strategy<Value = Vec<Touch>> {
    let some = |values: [&'static str; 2]| prop::sample::select(vec![None, Some(values[0]), Some(values[1])]);
    let event = prop::sample::select(vec!["page_view", "page_view", "purchase", "other"]);
    let cents = prop_oneof![2 => Just(None), 1 => (-500_i128..5_000).prop_map(Some)];
    let payload = (
        event,
        some(["/", "/cart"]),
        some(["mail", "ads"]),
        some(["may", "june"]),
        some(["tv", "pc"]),
        cents,
    );
    rows(0..12).prop_flat_map(move |rows| {
        let count = rows.len();
        (Just(in_order(rows)), prop::collection::vec(payload.clone(), count)).prop_map(|(rows, payloads)| {
            let touch = |(row, (event, page, channel, campaign, device, cents))| Touch {
                row,
                event,
                page,
                channel,
                campaign,
                device,
                cents,
            };
            rows.into_iter().zip(payloads).map(touch).collect()
        })
    })
}

/// The rows of the result for one person, by looking at each session's rows again and again.
fn slow(rules: &Rules, user: usize, touches: &[Touch]) -> Vec<String> {
    let rows: Vec<Row> = touches.iter().map(|touch| touch.row.clone()).collect();
    let places = places(rules, &rows);
    let last = places.iter().flatten().map(|place| place.number).max().unwrap_or(0);
    (1..=last).filter_map(|number| slow_session(rules, user, number, touches, &places)).collect()
}

fn slow_session(
    rules: &Rules,
    user: usize,
    number: i64,
    touches: &[Touch],
    places: &[Option<Place>],
) -> Option<String> {
    let of_session = |place: &Option<Place>| place.as_ref().is_some_and(|place| place.number == number);
    let members: Vec<(&Touch, &Place)> = touches
        .iter()
        .zip(places)
        .filter(|(_, place)| of_session(place))
        .map(|(touch, place)| (touch, place.as_ref().unwrap()))
        .collect();
    if rules.click_lag.is_some() && members.iter().any(|(_, place)| place.is_robot) {
        return None;
    }
    let touches: Vec<&Touch> = members.iter().map(|(touch, _)| *touch).collect();
    let place = members[0].1;
    let hours = members.last().unwrap().1.elapsed;
    let count = |event: &str| touches.iter().filter(|touch| touch.event == event).count();
    let page_views = count("page_view");
    let conversions = count("purchase");
    let first = |value: fn(&Touch) -> Option<&'static str>| {
        touches.iter().find_map(|touch| value(touch)).unwrap_or("")
    };
    let origin = touches.iter().find(|touch| touch.channel.is_some() || touch.campaign.is_some());
    let cents: Vec<i128> = touches.iter().filter_map(|touch| touch.cents).collect();
    let revenue = match cents.as_slice() {
        [] => String::new(),
        cents => {
            let sum: i128 = cents.iter().sum();
            format!("{}{}.{:02}", if sum < 0 { "-" } else { "" }, sum.abs() / 100, sum.abs() % 100)
        }
    };
    let time = |hour: i64| {
        let time = arrow::array::TimestampSecondArray::from(vec![hour * HOUR_S]);
        texts(&(Arc::new(time) as ArrayRef)).remove(0)
    };
    let fields = [
        user.to_string(),
        session_name(&user.to_string(), place),
        number.to_string(),
        time(place.start),
        time(place.start + hours),
        format!("{:?}", hours as f64 * HOUR_S as f64),
        touches.len().to_string(),
        page_views.to_string(),
        first(|touch| touch.page).to_owned(),
        touches.iter().rev().find_map(|touch| touch.page).unwrap_or("").to_owned(),
        origin.and_then(|touch| touch.channel).unwrap_or("").to_owned(),
        String::new(),
        origin.and_then(|touch| touch.campaign).unwrap_or("").to_owned(),
        first(|touch| touch.device).to_owned(),
        String::new(),
        (page_views == 1).to_string(),
        (hours * HOUR_S >= 10 || conversions > 0 || page_views >= 2).to_string(),
        conversions.to_string(),
        revenue,
        place.reason.to_owned(),
    ];
    Some(fields.join("|"))
}

/// The arguments of the table function, by name.
fn arguments(rules: &Rules) -> String {
    let mut given = Vec::new();
    let hours =
        |name: &str, hours: Option<i64>| hours.map(|hours| format!("{name} => INTERVAL '{hours} hours'"));
    given.extend(hours("gap", rules.gap));
    given.extend(hours("max_length", rules.max_length));
    given.extend(hours("click_lag", rules.click_lag));
    given.extend(rules.max_events.map(|most| format!("max_events => {most}")));
    for (is_given, argument) in [
        (rules.inclusive, "inclusive => true"),
        (rules.start_if, "start_if => starts"),
        (rules.end_if, "end_if => ends"),
        (rules.split_on, "split_on => value"),
        (rules.midnight, "midnight => '+05:00'"),
        (rules.separator, "separator => separates"),
    ] {
        given.extend(is_given.then(|| argument.to_owned()));
    }
    given.join(", ")
}

fn batch(people: &[Vec<Touch>], seed: u64) -> RecordBatch {
    let all: Vec<&Touch> = people.iter().flatten().collect();
    let people_rows: Vec<Vec<Row>> =
        people.iter().map(|touches| touches.iter().map(|touch| touch.row.clone()).collect()).collect();
    let text = |value: fn(&Touch) -> Option<&'static str>| -> ArrayRef {
        Arc::new(StringArray::from_iter(all.iter().map(|touch| value(touch))))
    };
    let revenue = Decimal128Array::from_iter(all.iter().map(|touch| touch.cents));
    let revenue = revenue.with_precision_and_scale(18, 2).unwrap();
    let further = vec![
        ("event", text(|touch| Some(touch.event))),
        ("page", text(|touch| touch.page)),
        ("channel", text(|touch| touch.channel)),
        ("campaign", text(|touch| touch.campaign)),
        ("device", text(|touch| touch.device)),
        ("revenue", Arc::new(revenue) as ArrayRef),
    ];
    shuffled(&people_rows, further, seed)
}

fn session(config: SessionConfig) -> SessionContext {
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .with_optimizer_rules(with_table_rules(Optimizer::new().rules))
        .with_relation_planners(vec![relation_planner()])
        .build();
    let mut context = SessionContext::new_with_state(state);
    wayfare_udfs::register_all(&mut context).unwrap();
    context
}

async fn lines(context: &SessionContext, sql: &str) -> Vec<String> {
    let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
    let mut lines = Vec::new();
    for batch in batches {
        let columns: Vec<Vec<String>> = batch.columns().iter().map(texts).collect();
        for row in 0..batch.num_rows() {
            let fields: Vec<&str> = columns.iter().map(|column| column[row].as_str()).collect();
            lines.push(fields.join("|"));
        }
    }
    lines.sort();
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn sessions_equal_the_slow_reference(
        rules in rules(),
        people in prop::collection::vec(touches(), 1..30),
        seed in any::<u64>(),
        partitions in prop::sample::select(vec![1_usize, 2, 8]),
        batch_size in prop::sample::select(vec![1_usize, 100, 8192]),
        shown in prop::sample::subsequence((0..20).collect::<Vec<usize>>(), 1..=20),
    ) {
        // What is not shown is not computed: any choice of columns must give the same values.
        let only_shown = |line: String| {
            let fields: Vec<&str> = line.split('|').collect();
            shown.iter().map(|column| fields[*column]).collect::<Vec<_>>().join("|")
        };
        let columns: Vec<&str> = COLUMNS.split(", ").collect();
        let columns: Vec<&str> = shown.iter().map(|column| columns[*column]).collect();
        let slow = |(user, touches): (usize, &Vec<Touch>)| slow(&rules, user, touches);
        let mut expected: Vec<String> = people.iter().enumerate().flat_map(slow).map(only_shown).collect();
        expected.sort();

        let config = SessionConfig::new().with_target_partitions(partitions).with_batch_size(batch_size);
        let context = session(config);
        register(&context, "t", &batch(&people, seed), partitions);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let data = "(SELECT *, position AS event_id FROM t)";
        let sql = format!("SELECT {} FROM sessions({data}, {})", columns.join(", "), arguments(&rules));
        prop_assert_eq!(runtime.block_on(lines(&context, &sql)), expected);

        // Every row with a time is in one session, unless a rule leaves rows out.
        if rules.click_lag.is_none() && !rules.separator {
            let sql = format!(
                "SELECT coalesce(sum(events), 0) - (SELECT count(ts) FROM t) FROM sessions({data}, {})",
                arguments(&rules)
            );
            prop_assert_eq!(runtime.block_on(lines(&context, &sql)), vec!["0"]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn without_a_sequence_the_order_of_arrival_does_not_matter(
        rules in rules(),
        people in prop::collection::vec(touches(), 1..30),
        seeds in prop::array::uniform2(any::<u64>()),
        partitions in prop::sample::select(vec![1_usize, 2, 8]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let sql = format!("SELECT {COLUMNS} FROM sessions((SELECT * FROM t), {})", arguments(&rules));
        let [left, right] = seeds.map(|seed| {
            let context = session(SessionConfig::new().with_target_partitions(partitions));
            register(&context, "t", &batch(&people, seed), partitions);
            runtime.block_on(lines(&context, &sql))
        });
        prop_assert_eq!(left, right);
    }
}

/// Visits of ann and ben; no column but those that are needed, and a tie.
fn visits() -> SessionContext {
    let context = context();
    let batch = table(vec![
        ("who", Arc::new(Int64Array::from(vec![Some(1), Some(1), Some(1), Some(2), None])) as ArrayRef),
        ("at", super::vectors::seconds([0, 1_800, 3_601, 0, 0])),
        ("is_click", Arc::new(BooleanArray::from(vec![true, false, true, true, true]))),
    ]);
    register(&context, "visits", &batch, 2);
    context
}

#[tokio::test]
async fn columns_that_the_data_does_not_have_are_null() {
    let sql = format!("SELECT {COLUMNS} FROM sessions((SELECT * FROM visits), user_id => who, ts => at)");
    assert_eq!(
        lines(&visits(), &sql).await,
        [
            "1|1@1970-01-01T00:00:00.000000Z|1|1970-01-01T00:00:00|1970-01-01T00:30:00|1800.0|2|0||||||||false|true|0||first",
            "1|1@1970-01-01T01:00:01.000000Z|2|1970-01-01T01:00:01|1970-01-01T01:00:01|0.0|1|0||||||||false|false|0||gap",
            "2|2@1970-01-01T00:00:00.000000Z|1|1970-01-01T00:00:00|1970-01-01T00:00:00|0.0|1|0||||||||false|false|0||first",
        ]
    );
    let sql = "SELECT DISTINCT arrow_typeof(entry_page), arrow_typeof(device), arrow_typeof(revenue), \
               arrow_typeof(conversions) FROM sessions((SELECT * FROM visits), user_id => who, ts => at)";
    assert_eq!(lines(&visits(), sql).await, ["Utf8View|Utf8View|Decimal128(28, 4)|Int64"]);
}

#[tokio::test]
async fn the_columns_are_these_and_no_others() {
    let sql = "SELECT * FROM sessions((SELECT * FROM visits), user_id => who, ts => at)";
    let frame = visits().sql(sql).await.unwrap();
    let names: Vec<&str> = frame.schema().fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names.join(", "), COLUMNS);
}

#[tokio::test]
async fn conditions_can_be_given() {
    let sql = "SELECT user_id, session_number, page_views, is_bounce, is_engaged, conversions \
               FROM sessions((SELECT * FROM visits), user_id => who, ts => at, page_view => is_click, \
               conversion => NOT is_click, engaged_after => INTERVAL '31 minutes')";
    assert_eq!(
        lines(&visits(), sql).await,
        ["1|1|1|true|true|1", "1|2|1|true|false|0", "2|1|1|true|false|0"]
    );
}

#[tokio::test]
async fn empty_data_gives_no_sessions() {
    for filter in ["false", "who IS NULL"] {
        let sql = format!(
            "SELECT * FROM sessions((SELECT * FROM visits WHERE {filter}), user_id => who, ts => at)"
        );
        assert!(lines(&visits(), &sql).await.is_empty(), "{filter}");
    }
}

#[tokio::test]
async fn rows_of_one_instant_without_a_sequence_start_before_they_end() {
    let sql = |values: &str| {
        format!(
            "SELECT session_number, events, cut_reason FROM sessions((SELECT 1 AS user_id, 5 AS ts, column1 AS event \
             FROM (VALUES {values}) AS v), start_if => 'start', end_if => 'end', separator => 'cut')"
        )
    };
    let expected = ["1|3|first"];
    let context = context();
    assert_eq!(lines(&context, &sql("('end'), ('x'), ('start'), ('cut')")).await, expected);
    assert_eq!(lines(&context, &sql("('cut'), ('start'), ('x'), ('end')")).await, expected);
}

/// One person with a million events: no rule looks at a row twice.
#[tokio::test]
async fn a_person_with_a_million_events() {
    let context = session(SessionConfig::new());
    let data = "(SELECT 'ann' AS user_id, arrow_cast(value * 1000000, 'Timestamp(Microsecond, None)') AS ts, \
                CASE WHEN value % 10 = 0 THEN 'purchase' ELSE 'page_view' END AS event, value % 1000 / 500 AS campaign, \
                arrow_cast(1.25, 'Decimal128(18, 4)') AS revenue FROM generate_series(1, 1000000))";
    let sql = format!(
        "SELECT sum(events), sum(conversions), sum(page_views), sum(revenue), count(*) FROM sessions({data}, \
         gap => INTERVAL '30 minutes', end_if => event = 'purchase', max_events => 1000, split_on => campaign, \
         midnight => 'UTC', max_length => INTERVAL '1 day')"
    );
    // 100,000 purchases end a session each; 2,000 changes of campaign come one row before such an end, and so do 11
    // midnights, two of them with a change of campaign.
    assert_eq!(lines(&context, &sql).await, ["1000000|100000|900000|1250000.0000|102009"]);
}

/// Columns that no one asks for are not read.
#[tokio::test]
async fn unused_columns_are_not_scanned() {
    let context = session(SessionConfig::new());
    let people = [vec![]];
    register(&context, "t", &batch(&people, 1), 1);
    let data = "(SELECT *, position AS event_id FROM t)";
    for (query, scanned) in [
        ("SELECT count(*) FROM sessions(%)", "[user_id, ts]"),
        (
            "SELECT count(*), sum(revenue) FROM sessions(%) WHERE duration_seconds > 3",
            "[user_id, ts, revenue]",
        ),
        ("SELECT max(page_views) FROM sessions(%)", "[user_id, ts, event]"),
        ("SELECT max(entry_page) FROM sessions(%)", "[user_id, position, ts, page]"),
        ("SELECT entry_campaign FROM sessions(%)", "[user_id, position, ts, channel, campaign]"),
        ("SELECT events FROM sessions(%) WHERE device = 'tv'", "[user_id, position, ts, device]"),
        ("SELECT events FROM sessions(%, max_events => 3)", "[user_id, position, ts]"),
        (
            "SELECT entry_channel, count(*), avg(events), sum(revenue) FROM sessions(%) GROUP BY entry_channel",
            "[user_id, position, ts, channel, campaign, revenue]",
        ),
        (
            "SELECT device, max(s.events) FROM sessions(%) AS s GROUP BY device",
            "[user_id, position, ts, device]",
        ),
        (
            "SELECT a.events FROM sessions(%) AS a JOIN (VALUES (1)) AS b (n) ON a.events = b.n",
            "[user_id, ts]",
        ),
    ] {
        let sql = query.replace('%', data);
        let plan = context.sql(&sql).await.unwrap().into_optimized_plan().unwrap().to_string();
        assert!(plan.contains(&format!("projection={scanned}")), "{sql}\n{plan}");
    }
}

#[tokio::test]
async fn filters_on_the_person_reach_the_data() {
    let sql = "EXPLAIN SELECT session_number FROM sessions((SELECT * FROM visits), user_id => who, ts => at) \
               WHERE user_id = 1";
    let text = visits().sql(sql).await.unwrap().to_string().await.unwrap();
    let filter = text.rfind("FilterExec: ").unwrap_or_else(|| panic!("{text}"));
    assert!(text[filter..].contains("who@0 = 1"), "{text}");
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    let context = visits();
    for (arguments, expected) in [
        ("ts => at", "sessions: the data has no column user_id"),
        ("user_id => who", "sessions: the data has no column ts"),
        ("user_id => who, ts => is_click", "sessions: ts must be a timestamp, a date or an integer"),
        ("user_id => who, ts => who", "sessions: gap is missing: ts is an integer"),
        ("user_id => who, ts => at, gap => 30", "sessions: gap must be an INTERVAL"),
        ("user_id => who, ts => at, gap => INTERVAL '-1 hour'", "sessions: gap must not be negative"),
        ("user_id => who, ts => at, gap => at - at", "sessions: argument gap must be a constant"),
        ("user_id => who, ts => at, max_events => 0", "sessions: max_events must be 1 or more"),
        ("user_id => who, ts => at, max_events => who", "sessions: max_events must be a constant"),
        ("user_id => who, ts => at, max_events => 'x'", "sessions: max_events must be an integer"),
        ("user_id => who, ts => at, midnight => 'Mars/Phobos'", "sessions: midnight must be a time zone"),
        ("user_id => who, ts => at, inclusive => 3", "sessions: inclusive must be true or false"),
        (
            "user_id => who, ts => at, inclusive => true, max_events => 3",
            "sessions: inclusive says how gap is meant, but there is no gap",
        ),
        ("user_id => who, ts => at, start_if => who", "must be a condition or the name of an event"),
        ("user_id => who, ts => at, revenue => 'x'", "sessions: revenue must be a number"),
        (
            "user_id => who, ts => at, engaged_after => INTERVAL '-1 s'",
            "sessions: engaged_after must not be negative",
        ),
        ("user_id => who, ts => at, timeout => 3", "sessions has no argument timeout; it has data, gap"),
    ] {
        let sql = format!("SELECT * FROM sessions((SELECT * FROM visits), {arguments})");
        let text = crate::sql::error(&context, &sql).await;
        assert!(text.contains(expected), "{arguments}: {text}");
        assert!(text.contains("Error during planning: "), "{text}");
    }
}
