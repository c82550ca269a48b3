//! Number, order and values of the rows.

use std::collections::{HashMap, HashSet};

use wayfare_datasets::{Event, GeneratorConfig, generate_part};

use crate::disturbed;

const DAY_US: i64 = 86_400_000_000;

fn events(config: &GeneratorConfig) -> Vec<Event> {
    generate_part(config, 0, 1).unwrap().collect()
}

fn sized(events: u64, users: u64) -> GeneratorConfig {
    GeneratorConfig { events, users, ..GeneratorConfig::default() }
}

#[test]
fn row_counts_are_exact() {
    for (count, users) in
        [(0, 0), (0, 10), (1, 1), (7, 1000), (1000, 7), (12_345, 678), (5000, 5000), (300, 1)]
    {
        let rows = events(&sized(count, users));
        assert_eq!(rows.len() as u64, count, "{count} rows of {users} users");
        let ids: HashSet<_> = rows.iter().map(|event| event.event_id).collect();
        assert_eq!(ids.len() as u64, count, "event_id is unique");
        let people: HashSet<_> = rows.iter().map(|event| event.user_id).collect();
        if count >= users {
            assert_eq!(people.len() as u64, users, "everybody has a row");
        }
    }
}

#[test]
fn any_number_of_parts_gives_the_same_rows() {
    let config = disturbed();
    let whole = events(&config);
    for parts in [1, 2, 7, 100] {
        let joined: Vec<Event> =
            (0..parts).flat_map(|part| generate_part(&config, part, parts).unwrap()).collect();
        assert!(joined == whole, "{parts} parts");
    }
}

#[test]
fn the_seed_decides() {
    let config = disturbed();
    let other = GeneratorConfig { seed: config.seed + 1, ..config.clone() };
    assert!(events(&config) == events(&config));
    assert!(events(&config) != events(&other));
}

#[test]
fn a_user_stays_in_the_range_and_mostly_moves_forward() {
    let config = GeneratorConfig { days: 3, ..sized(50_000, 900) };
    let start_us = i64::from(config.start) * DAY_US;
    let end_us = start_us + 3 * DAY_US;
    let mut last_times = HashMap::new();
    let mut ties = 0;
    for event in events(&config) {
        assert!((start_us..end_us).contains(&event.ts_us));
        assert!((1..10_000_000).contains(&(event.received_at_us - event.ts_us)));
        if let Some(last) = last_times.insert(event.user_id, event.ts_us) {
            assert!(event.ts_us >= last);
            ties += u32::from(event.ts_us == last);
        }
    }
    assert!((50..2500).contains(&ties), "{ties}");
}

#[test]
fn duplicates_repeat_a_row_later() {
    let config = GeneratorConfig { late: 0.0, out_of_order: 0.0, ..disturbed() };
    let rows = events(&config);
    assert_eq!(rows.len(), 21_000);
    assert_eq!(config.total_rows(), 21_000);
    let mut first_seen = HashMap::new();
    let mut repeated = 0;
    for event in &rows {
        if let Some(first) = first_seen.insert(event.event_id, *event) {
            assert_eq!(first, *event);
            repeated += 1;
        }
    }
    assert_eq!(repeated, 1000);
}

#[test]
fn late_and_out_of_order_rows_are_received_later() {
    let config = GeneratorConfig { duplicates: 0.0, ..disturbed() };
    let rows = events(&config);
    let waited = |low_us: i64, high_us: i64| {
        rows.iter().filter(|event| (low_us..=high_us).contains(&(event.received_at_us - event.ts_us))).count()
    };
    assert_eq!(waited(DAY_US, 8 * DAY_US), 400);
    // Rows that were chosen for both count as late.
    let delayed = waited(60_000_000, 1_800_000_000);
    assert!((1900..=2000).contains(&delayed), "{delayed}");
    let backwards = rows.windows(2).filter(|pair| pair[1].ts_us < pair[0].ts_us).count();
    assert!(backwards > 1000, "{backwards}");
}

#[test]
fn money_scores_and_channels_stand_where_they_belong() {
    let rows = events(&sized(200_000, 4000));
    let mut names = HashMap::new();
    let mut channels = HashMap::new();
    for event in &rows {
        *names.entry(event.event).or_insert(0) += 1;
        if let Some(channel) = event.channel {
            *channels.entry(channel).or_insert(0) += 1;
        }
        assert_eq!(event.revenue_e4.is_some(), matches!(event.event, "purchase" | "refund"));
        assert_eq!(event.cost_e4.is_some(), matches!(event.event, "ad_view" | "ad_click"));
        assert_eq!(event.currency.is_some(), event.revenue_e4.is_some() || event.cost_e4.is_some());
        let limits = match event.event {
            "nps_response" => Some(0..=10),
            "csat_response" => Some(1..=5),
            "ces_response" => Some(1..=7),
            _ => None,
        };
        match (limits, event.score) {
            (Some(limits), Some(score)) => assert!(limits.contains(&score)),
            (limits, score) => assert!(limits.is_none() && score.is_none()),
        }
    }
    assert_eq!(names.len(), 29, "{names:?}");
    assert_eq!(channels.len(), 8, "{channels:?}");
    assert!(names["purchase"] > 1000 && names["purchase"] < 10_000, "{names:?}");
}

#[test]
fn channels_convert_differently() {
    let rows = events(&sized(300_000, 6000));
    let rate = |channel: &str| {
        let of_channel = |event: &&Event| event.channel == Some(channel);
        let purchases = rows.iter().filter(of_channel).filter(|event| event.event == "purchase").count();
        purchases as f64 / rows.iter().filter(of_channel).count() as f64
    };
    assert!(rate("email") > 1.5 * rate("paid_social"), "{} {}", rate("email"), rate("paid_social"));
    assert!(rate("organic_search") > rate("display"));
}
