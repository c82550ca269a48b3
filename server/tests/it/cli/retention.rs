//! Retention matrices against expected counts.

use serde_json::{Value, json};

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

    /// The name that the expected results give a period.
    fn label(self, start: &str) -> String {
        match self {
            Self::Day => format!("to_char({start}, '%Y-%m-%d')"),
            Self::Week => {
                let last = format!("{start} + INTERVAL '6 days'");
                format!("concat(to_char({start}, '%Y-%m-%d'), '/', to_char({last}, '%Y-%m-%d'))")
            }
            Self::Month => format!("to_char({start}, '%Y-%m')"),
        }
    }
}

/// A cohort: its name, what came back in each period, and the rates. What could not be observed is missing at the end.
#[derive(Debug, PartialEq)]
pub(super) struct Cohort {
    pub(super) name: String,
    pub(super) returned: Vec<u64>,
    pub(super) rates: Vec<f64>,
}

/// The cohorts with people, by the first row of each person of `from` (a table, a view or a query).
pub(super) fn cohorts(answers: &Answers, period: Period, from: &str, periods: usize) -> Vec<Cohort> {
    let rows = answers.rows(&format!(
        "SELECT {} AS name, cohort_size, returned, rate \
         FROM retention_matrix({from}, period => '{}', periods => {periods}, kind => 'first_time') \
         ORDER BY cohort, period",
        period.label("cohort"),
        period.unit()
    ));
    assert!(rows.len().is_multiple_of(periods), "every cohort has every period");
    let all = rows.len() / periods;
    let mut cohorts = Vec::new();
    for (index, rows) in rows.chunks(periods).enumerate() {
        let name = rows[0]["name"].as_str().expect("a name").to_owned();
        assert!(rows.iter().all(|row| row["name"] == *name && row["cohort_size"] == rows[0]["cohort_size"]));
        // NULL is left out of a row.
        let returned: Vec<u64> = rows.iter().map_while(|row| row.get("returned")?.as_u64()).collect();
        let rates: Vec<f64> = rows.iter().map_while(|row| row.get("rate")?.as_f64()).collect();
        assert_eq!(
            returned.len(),
            periods.min(all - index),
            "known to the last period that has begun: {name}"
        );
        assert!(rows[returned.len()..].iter().all(|row| row.get("returned").is_none()), "{name}");
        if rows[0]["cohort_size"] != 0 {
            assert_eq!(
                (returned[0], rates.len()),
                (rows[0]["cohort_size"].as_u64().unwrap(), returned.len())
            );
            cohorts.push(Cohort { name, returned, rates });
        }
    }
    cohorts
}

/// Asserts the counts of all cohorts; `expected` has 0 where nothing could be observed.
pub(super) fn assert_matrix(answers: &Answers, period: Period, from: &str, expected: &Value) {
    let expected = expected.as_object().expect("an object");
    let periods = expected.values().next().and_then(Value::as_array).map_or(0, Vec::len);
    let cohorts = cohorts(answers, period, from, periods);
    assert_eq!(cohorts.len(), expected.len());
    for cohort in cohorts {
        let mut padded = cohort.returned;
        padded.resize(periods, 0);
        assert_eq!(json!(padded), expected[&cohort.name], "{from} {}", cohort.name);
    }
}

/// For each of `days`, how many people of `from` have a row exactly that many days after the day of their first one,
/// and for how many people that day is not after the last day of all rows.
pub(super) fn after_days(answers: &Answers, days: &[u64], from: &str) -> Vec<[Value; 2]> {
    let list = days.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let last = days.iter().max().expect("a day");
    let rows = answers.rows(&format!(
        "SELECT period, sum(returned) AS returned, sum(cohort_size) FILTER (WHERE returned IS NOT NULL) AS people \
         FROM retention_matrix({from}, period => 'day', periods => {}, kind => 'first_time') \
         WHERE period IN ({list}) GROUP BY period",
        last + 1
    ));
    let of = |day: &u64| rows.iter().find(|row| row["period"] == *day).expect("a row for each day");
    days.iter().map(|day| [of(day)["returned"].clone(), of(day)["people"].clone()]).collect()
}
