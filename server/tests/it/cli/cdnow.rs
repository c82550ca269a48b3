//! cdnow, loaded as a user would, against its figures of purchases, repeat purchase and retention: of all customers,
//! of the sample, and of the published summary.

use serde_json::{Map, Value, json};
use wayfare_datasets::cdnow;

use super::answers::{Answers, assert_close, assert_not_covered, parse};
use super::retention::{Period, after_days, assert_matrix};
use super::support::{Place, figure};

/// All customers are touchpoints. A tenth of them is a plain table, whose columns are as the file has them.
const VIEWS: &str = "
CREATE OR REPLACE VIEW master AS
SELECT user_id, ts, revenue, CAST(properties->>'number_of_cds' AS INT) AS cds FROM touchpoints;
CREATE OR REPLACE VIEW sample AS
SELECT sample_id AS user_id, make_date(date / 10000, date / 100 % 100, date % 100) AS ts, dollar_value AS revenue,
       number_of_cds AS cds FROM sample_rows;
";
/// The views, which are keys of the expected results too.
const PARTS: [&str; 2] = ["master", "sample"];

fn load() -> Answers {
    let place = Place::new();
    cdnow::write_to(&place.path("data")).expect("the bundled files");
    let file = |name: &str| format!("data/{name}");
    let map = "ts=date,user_id=customer_id,revenue=dollar_value";
    let options = ["load", "--ts-unit", "yyyymmdd", "--set", "event=purchase", "--map", map];
    let report = place.ok(&[options.as_slice(), &[&file(cdnow::MASTER_FILE_NAME)]].concat());
    assert_eq!(figure(&report, "rows loaded"), cdnow::ROWS, "{report}");
    for (table, name) in [("sample_rows", cdnow::SAMPLE_FILE_NAME), ("summary", cdnow::SUMMARY_FILE_NAME)] {
        place.ok(&["load", "--reference", "--table", table, &file(name)]);
    }
    Answers::new(place, cdnow::answers_json(), VIEWS)
}

/// How many groups have each number: the first column of `numbers_sql`.
fn histogram(numbers_sql: &str) -> String {
    format!("SELECT n, count(*) AS groups FROM ({numbers_sql}) AS t (n) GROUP BY n ORDER BY n")
}

fn repeat_days(part: &str) -> String {
    format!(
        "SELECT count(DISTINCT ts) - 1 FROM {part} WHERE ts < TIMESTAMP '1997-10-01T00:00:00Z' GROUP BY user_id"
    )
}

/// One test, since the load is what takes time.
#[test]
fn figures() {
    let shop = load();
    purchases(&shop);
    repeat_purchases(&shop);
    retention(&shop);
}

fn purchases(shop: &Answers) {
    for part in PARTS {
        let columns = [
            ("transactions", "count(*)"),
            ("customers", "count(DISTINCT user_id)"),
            ("cds", "sum(cds)"),
            ("dollars", "CAST(sum(revenue) AS DOUBLE)"),
            ("zero_dollar_rows", "count(*) FILTER (WHERE revenue = 0)"),
            ("first", "to_char(min(ts), '%Y-%m-%d')"),
            ("last", "to_char(max(ts), '%Y-%m-%d')"),
            ("customer_days", "count(DISTINCT concat(user_id, ' ', ts))"),
            (
                "exact_duplicate_rows",
                "count(*) - count(DISTINCT concat(user_id, ' ', ts, ' ', revenue, ' ', cds))",
            ),
        ];
        shop.assert_columns(shop.object(&[part, "counts"]), &columns, part);
        let months = shop.tuples(&format!(
            "SELECT to_char(ts, '%Y-%m') AS month, count(*) AS rows, CAST(sum(revenue) AS DOUBLE) AS dollars, \
             sum(cds) AS cds, count(DISTINCT user_id) AS customers FROM {part} GROUP BY month ORDER BY month"
        ));
        let expected = shop.object(&[part, "monthly"]);
        assert_eq!(months.len(), expected.len());
        for (month, (name, expected)) in months.iter().zip(expected) {
            assert_eq!(month[0], *name);
            let figures = expected.as_array().expect("four figures");
            assert_eq!(figures.len(), month.len() - 1);
            for (actual, expected) in month[1..].iter().zip(figures) {
                assert_close(actual, expected, &format!("{part} {name}"));
            }
        }
        let per_customer = histogram(&format!("SELECT count(*) FROM {part} GROUP BY user_id"));
        shop.assert_pairs(shop.at(&[part, "transactions_per_customer_hist"]), &per_customer);
    }
}

fn repeat_purchases(shop: &Answers) {
    for part in PARTS {
        let repeated = shop.at(&[part, "repeat_purchase_days_to_1997_09_30_hist"]);
        shop.assert_pairs(repeated, &histogram(&repeat_days(part)));
        shop.assert_value(
            shop.at(&[part, "customers_with_repeat_any"]),
            &format!(
                "SELECT count(*) FROM (SELECT 1 FROM {part} GROUP BY user_id HAVING count(DISTINCT ts) > 1)"
            ),
        );
        let columns = [
            ("n", "count(days)"),
            ("mean", "avg(days)"),
            ("median", "median(CAST(days AS DOUBLE))"),
            ("max", "max(days)"),
        ];
        let pauses = format!(
            "(SELECT day - lag(day) OVER (PARTITION BY user_id ORDER BY day) AS days \
             FROM (SELECT DISTINCT user_id, CAST(CAST(ts AS DATE) AS INT) AS day FROM {part}))"
        );
        shop.assert_columns(shop.object(&[part, "interpurchase_days"]), &columns, &pauses);
    }

    let frequencies = "SELECT frequency FROM summary";
    shop.assert_pairs(shop.at(&["published_summary_frequency_hist"]), &histogram(frequencies));
    for (key, expected) in shop.object(&["published"]) {
        let counts = |part: &str, count: &str| shop.at(&[part, "counts", count]).clone();
        let actual = match key.as_str() {
            // These are checked by SQL in the test above; here, that they agree.
            "customers_total" => counts("master", "customers"),
            "transactions_total" => counts("master", "transactions"),
            "customers_in_sample" => counts("sample", "customers"),
            "transactions_in_sample" => counts("sample", "transactions"),
            key if key.starts_with("frequency_0_to_6_and_7plus") => {
                let all = histogram(&format!("SELECT least(n, 7) FROM ({}) AS f (n)", repeat_days("sample")));
                shop.tuples(&all).iter().map(|row| row[1].clone()).collect()
            }
            other => panic!("published.{other} is not checked"),
        };
        assert_eq!(actual, *expected, "{key}");
    }
}

fn retention(shop: &Answers) {
    for part in PARTS {
        for (key, period) in
            [("retention_month_counts", Period::Month), ("retention_week_counts", Period::Week)]
        {
            assert_matrix(shop, period, part, shop.at(&[part, key]));
        }
        let expected = shop.object(&[part, "retention_day_N_all"]);
        let days: Vec<u64> = expected.keys().map(|day| day.parse().expect("a number of days")).collect();
        let counts = after_days(shop, &days, part);
        let returned: Map<String, Value> =
            days.iter().zip(counts).map(|(day, [returned, _])| (day.to_string(), returned)).collect();
        assert_eq!(json!(returned), json!(expected), "{part}");
    }
}

#[test]
fn everything_is_covered() {
    let answers = parse(cdnow::answers_json());
    assert_not_covered(
        "cdnow",
        &answers,
        &["master", "published", "published_summary_frequency_hist", "sample"],
        &[],
    );
    for part in PARTS {
        let covered = [
            "counts",
            "customers_with_repeat_any",
            "interpurchase_days",
            "monthly",
            "repeat_purchase_days_to_1997_09_30_hist",
            "retention_day_N_all",
            "retention_month_counts",
            "retention_week_counts",
            "transactions_per_customer_hist",
        ];
        assert_not_covered(part, answers[part].as_object().expect("an object"), &covered, &[]);
    }
}
