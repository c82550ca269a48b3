//! The table function `sessions` for generated rows: any order, partitions, batches and choice of columns.

use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, RecordBatch, StringArray};
use datafusion::execution::SessionStateBuilder;
use datafusion::optimizer::Optimizer;
use datafusion::prelude::{SessionConfig, SessionContext};
use proptest::prelude::*;
use wayfare_udfs::table::{relation_planner, with_table_rules};

use super::generated::{in_order, rows, rules};
use super::properties::{HOUR_S, session_name, shuffled, texts};
use super::reference::{Place, Row, Rules, places};
use crate::sql::register;

pub(super) const COLUMNS: &str = "user_id, session_id, session_number, start_ts, end_ts, duration_seconds, events, page_views, \
                       entry_page, exit_page, entry_channel, entry_source, entry_campaign, device, country, is_bounce, \
                       is_engaged, conversions, revenue, cut_reason";

/// A row with what a session shows of it.
#[derive(Debug, Clone)]
pub(super) struct Touch {
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

pub(super) fn batch(people: &[Vec<Touch>], seed: u64) -> RecordBatch {
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

pub(super) fn session(config: SessionConfig) -> SessionContext {
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

pub(super) async fn lines(context: &SessionContext, sql: &str) -> Vec<String> {
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
    #![proptest_config(ProptestConfig::with_cases(250))]

    #[test]
    fn sessions_equal_the_slow_reference(
        rules in rules(),
        people in prop::collection::vec(touches(), 1..80),
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
