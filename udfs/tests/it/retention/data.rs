//! Published and recomputed retention of real data, through the table function.

use arrow::datatypes::{DataType, Field, Schema};
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::prelude::{CsvReadOptions, SessionContext};
use serde_json::Value;

use crate::sql::numbers;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../datasets/data");

fn answers(set: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(format!("{FOLDER}/{set}/answers.json")).unwrap()).unwrap()
}

/// A session in which the CSV file is table `t`; all columns are text.
async fn session(file: &str, columns: &[&str]) -> SessionContext {
    // As many rows at a time as there are by default: these answers are long.
    let mut context = SessionContext::new();
    wayfare_udfs::register_all(&mut context).unwrap();
    context.register_relation_planner(wayfare_udfs::table::relation_planner()).unwrap();
    let fields: Vec<Field> = columns.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect();
    let schema = Schema::new(fields);
    let (compression, extension) = match file.rsplit_once('.').unwrap().1 {
        "gz" => (FileCompressionType::GZIP, ".csv.gz"),
        _ => (FileCompressionType::ZSTD, ".csv.zst"),
    };
    let options = CsvReadOptions::new()
        .schema(&schema)
        .has_header(true)
        .file_compression_type(compression)
        .file_extension(extension);
    context.register_csv("t", &format!("{FOLDER}/{file}"), options).await.unwrap();
    context
}

/// Compares every cell: what is not observed is 0 in the answers and NULL in the matrix.
async fn agrees(context: &SessionContext, data: &str, period: &str, expected: &Value) {
    let cohorts: Vec<(&String, &Vec<Value>)> =
        expected.as_object().unwrap().iter().map(|(name, row)| (name, row.as_array().unwrap())).collect();
    let columns = cohorts[0].1.len();
    let sql = format!(
        "SELECT returned, extract(epoch FROM cohort::timestamp) FROM retention_matrix(({data}), period => '{period}', periods => {columns}) \
         WHERE cohort_size > 0 ORDER BY cohort, period"
    );
    let rows = numbers(context, &sql).await;
    assert_eq!(rows.len(), cohorts.len() * columns, "{period}");
    for ((name, row), found) in cohorts.iter().zip(rows.chunks(columns)) {
        // `2019-11`, `2019-11-04` or `2019-11-04/2019-11-10`.
        let first_day = name.split('/').next().unwrap();
        let first_day = if first_day.len() == 7 { format!("{first_day}-01") } else { first_day.to_owned() };
        let start = numbers(context, &format!("SELECT extract(epoch FROM TIMESTAMP '{first_day}')")).await;
        assert_eq!(found[0][1], start[0][0], "{name}");
        let mut unobserved = false;
        for (cell, expected) in found.iter().zip(row.iter()) {
            unobserved |= cell[0].is_none();
            assert_eq!(cell[0].is_none(), unobserved, "{name}: a hole in {found:?}");
            assert_eq!(cell[0].unwrap_or(0), expected.as_i64().unwrap(), "{period} {name}");
        }
    }
}

/// Day N after the first day of each person: those who came, and those whose day N has come.
async fn days(context: &SessionContext, data: &str, longest: i64) -> Vec<Vec<Option<i64>>> {
    let sql = format!(
        "SELECT period, sum(returned), sum(cohort_size) FILTER (WHERE returned IS NOT NULL) \
         FROM retention_matrix(({data}), periods => {}) GROUP BY period ORDER BY period",
        longest + 1
    );
    numbers(context, &sql).await
}

#[tokio::test]
async fn simple_shop() {
    let context = session("simple_shop/simple_shop.csv.gz", &["user_id", "event", "at"]).await;
    let data = "SELECT user_id, event, at::timestamp AS ts FROM t WHERE event <> 'lost'";
    let answers = answers("simple_shop");
    agrees(&context, data, "month", &answers["retention_month_counts"]).await;
    agrees(&context, data, "week", &answers["retention_week_counts"]).await;
    let days = days(&context, data, 90).await;
    for (day, count) in answers["retention_day_N_all_users"].as_object().unwrap() {
        assert_eq!(days[day.parse::<usize>().unwrap()][1], count.as_i64(), "day {day}");
    }
    for (day, pair) in answers["retention_day_N_eligible"].as_object().unwrap() {
        let found = &days[day.parse::<usize>().unwrap()][1..];
        assert_eq!(found, [pair[0].as_i64(), pair[1].as_i64()], "day {day}");
    }
}

#[tokio::test]
async fn cdnow() {
    for (part, columns) in [
        ("master", &["customer_id", "date", "number_of_cds", "dollar_value"][..]),
        ("sample", &["customer_id", "sample_id", "date", "number_of_cds", "dollar_value"][..]),
    ] {
        let context = session(&format!("cdnow/cdnow_{part}.csv.zst"), columns).await;
        let data = "SELECT customer_id AS user_id, to_date(\"date\", '%Y%m%d') AS ts FROM t";
        let answers = &answers("cdnow")[part];
        agrees(&context, data, "month", &answers["retention_month_counts"]).await;
        agrees(&context, data, "week", &answers["retention_week_counts"]).await;
        let days = days(&context, data, 365).await;
        for (day, count) in answers["retention_day_N_all"].as_object().unwrap() {
            assert_eq!(days[day.parse::<usize>().unwrap()][1], count.as_i64(), "{part}, day {day}");
        }
    }
}

#[tokio::test]
async fn weblog_2015() {
    let columns = [
        "line_no",
        "client_ip",
        "time_utc",
        "method",
        "path",
        "protocol",
        "status",
        "bytes",
        "referrer",
        "user_agent",
    ];
    let context = session("weblog_2015/weblog_2015.csv.zst", &columns).await;
    let data = "SELECT concat(client_ip, '|', user_agent) AS user_id, time_utc::timestamp AS ts FROM t";
    agrees(&context, data, "day", &answers("weblog_2015")["retention_day_counts"]).await;
}
