//! Retention in plain SQL.

use serde_json::{Map, Value, json};

use super::answers::Answers;

/// A calendar period.
#[derive(Debug, Clone, Copy)]
pub(super) enum Period {
    Day,
    /// From Monday to Sunday.
    Week,
    Month,
}

impl Period {
    fn unit(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// Periods from one start of a period to another.
    fn between(self, from: &str, to: &str) -> String {
        let days = format!("(CAST(CAST({to} AS DATE) AS INT) - CAST(CAST({from} AS DATE) AS INT))");
        match self {
            Self::Day => days,
            Self::Week => format!("{days} / 7"),
            Self::Month => format!(
                "CAST((date_part('year', {to}) - date_part('year', {from})) * 12 \
                 + date_part('month', {to}) - date_part('month', {from}) AS INT)"
            ),
        }
    }

    /// The name that the expected results give a period.
    pub(super) fn label(self, start: &str) -> String {
        match self {
            Self::Day => format!("to_char({start}, '%Y-%m-%d')"),
            Self::Week => {
                format!(
                    "concat(to_char({start}, '%Y-%m-%d'), '/', to_char({start} + INTERVAL '6 days', '%Y-%m-%d'))"
                )
            }
            Self::Month => format!("to_char({start}, '%Y-%m')"),
        }
    }
}

/// Columns `cohort` (its name) and `period`, with the number of people of `from` (`user_id`, `ts`) whose first row lies
/// in the cohort and who have a row `period` periods later.
fn returned(period: Period, from: &str) -> String {
    format!(
        "SELECT {} AS cohort, {} AS period, count(*) AS returned \
         FROM (SELECT user_id, active, min(active) OVER (PARTITION BY user_id) AS first \
               FROM (SELECT DISTINCT user_id, date_trunc('{}', ts) AS active FROM {from})) \
         GROUP BY cohort, period ORDER BY cohort, period",
        period.label("first"),
        period.between("first", "active"),
        period.unit(),
    )
}

/// The counts of each cohort, padded with zeros to the period of the last row.
pub(super) fn matrix(answers: &Answers, period: Period, from: &str) -> Value {
    let rows = answers.tuples(&returned(period, from));
    let number = |value: &Value| usize::try_from(value.as_u64().expect("a number")).expect("small");
    let width = rows.iter().map(|row| number(&row[1])).max().unwrap_or(0) + 1;
    let mut cohorts = Map::new();
    for row in rows {
        let cohort = row[0].as_str().expect("a name");
        let counts = cohorts.entry(cohort).or_insert_with(|| json!(vec![0; width]));
        counts[number(&row[1])] = row[2].clone();
    }
    Value::Object(cohorts)
}

/// One row: for each of `days`, people with a row exactly that many days after the day of their first row, and people
/// for whom that day is not after the last day of all rows.
pub(super) fn day_n(days: &[u64], from: &str) -> String {
    let since = Period::Day.between("first", "active");
    let counts = days.iter().map(|n| {
        format!(
            "count(*) FILTER (WHERE {since} = {n}) AS returned_{n}, \
             count(*) FILTER (WHERE active = first AND first + INTERVAL '{n} days' <= last) AS eligible_{n}"
        )
    });
    format!(
        "SELECT {} \
         FROM (SELECT active, min(active) OVER (PARTITION BY user_id) AS first, max(active) OVER () AS last \
               FROM (SELECT DISTINCT user_id, date_trunc('day', ts) AS active FROM {from}))",
        counts.collect::<Vec<_>>().join(", ")
    )
}
