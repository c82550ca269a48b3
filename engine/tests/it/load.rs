//! Loading through the engine's API: what the table holds afterwards, and how it lies on disk.

mod bad_inputs;
mod evolution;
mod flips;
mod late;
pub(crate) mod layout;
mod many_commits;
mod order;
mod properties;
mod samples;
mod writers;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use wayfare_engine::Session;

use crate::support::lines;

/// A row of input. `page` tells rows apart that are otherwise alike.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct InputRow {
    event_id: Option<String>,
    user_id: &'static str,
    /// Microseconds since the first midnight of the test data.
    ts_us: i64,
    event: &'static str,
    revenue_cents: Option<i64>,
    page: Option<String>,
}

const DAY_US: i64 = 86_400_000_000;
/// 2024-02-28: the three days of the test data are around a leap day.
const FIRST_MIDNIGHT: &str = "2024-02-28T00:00:00Z";

impl InputRow {
    fn time_text(&self) -> String {
        let first = chrono::DateTime::parse_from_rfc3339(FIRST_MIDNIGHT).expect("a time");
        let time = first + chrono::TimeDelta::microseconds(self.ts_us);
        time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
    }

    fn csv(&self, out: &mut String) {
        let id = self.event_id.as_deref().unwrap_or_default();
        let revenue = self
            .revenue_cents
            .map(|c| format!("{}{}.{:02}", if c < 0 { "-" } else { "" }, c.abs() / 100, c.abs() % 100));
        let (revenue, page) = (revenue.unwrap_or_default(), self.page.as_deref().unwrap_or_default());
        writeln!(out, "{id},\"{}\",{},{},{revenue},{page}", self.user_id, self.time_text(), self.event)
            .expect("text");
    }
}

/// Writes `rows` as a CSV file.
pub(crate) fn write_csv(path: &Path, rows: &[InputRow]) -> PathBuf {
    let mut text = "event_id,user_id,ts,event,revenue,page\n".to_owned();
    for row in rows {
        row.csv(&mut text);
    }
    std::fs::write(path, text).expect("a file");
    path.to_owned()
}

/// Rows of three days, several people, some ids, some of them repeated, some rows alike.
pub(crate) fn input_rows(most: usize) -> impl Strategy<Value = Vec<InputRow>> {
    let id = prop_oneof![Just(None), (0..most).prop_map(|n| Some(format!("e{n}")))];
    let user = prop::sample::select(vec!["ana", "ben", "chloé", "小明", "O'Neil, Q", "🦊"]);
    // Few instants, so that ties happen, and the last and first microsecond of a day.
    let ts = (0..3_i64, prop::sample::select(vec![0, 1, 3_600_000_000, 43_200_000_001, DAY_US - 1]));
    let event = prop::sample::select(vec!["visit", "view", "purchase"]);
    let revenue = prop::option::of(-500..5_000_i64);
    let page = prop::option::of(prop::sample::select(vec!["/a", "/b"]));
    let row = (id, user, ts, event, revenue, page).prop_map(
        |(event_id, user_id, (day, us), event, revenue_cents, page)| InputRow {
            event_id,
            user_id,
            ts_us: day * DAY_US + us,
            event,
            revenue_cents,
            page: page.map(str::to_owned),
        },
    );
    // Repeats of whole rows.
    prop::collection::vec((row, 1..3_usize), 1..most)
        .prop_map(|rows| rows.into_iter().flat_map(|(row, times)| vec![row; times]).collect())
}

/// The whole table, every column, in an order that does not depend on files.
async fn whole_table(session: &Session) -> Vec<String> {
    lines(session, "SELECT * FROM touchpoints ORDER BY event_id, user_id, ts").await
}

/// Runs `test` on a runtime of two threads, as loads need.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(test)
}
