//! `active_users(data, ...)`: people active on a day, in 7 days and in 30 days.

use std::sync::LazyLock;

use datafusion::common::Result;
use datafusion::logical_expr::{DocSection, Documentation, LogicalPlan, lit};

use super::report::{self, Input, SHARED, documented};
use super::{TableCall, TableFunction};
use crate::aggregate::report::{ByPeriod, ByPeriodKind, Report};
use crate::docs;
use crate::journey::period::Period;

const PARAMETERS: [&str; 9] = {
    let [timezone, _, by, from, to, as_of, per, ts, event] = SHARED;
    ["target", timezone, by, from, to, as_of, per, ts, event]
};

/// The `active_users` table function.
#[derive(Debug)]
pub(super) struct ActiveUsers;

impl TableFunction for ActiveUsers {
    fn name(&self) -> &'static str {
        "active_users"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &PARAMETERS
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let calendar = report::calendar(call, Period::Day)?;
        let is_start = report::condition(call, "target")?.unwrap_or_else(|| lit(true));
        let columns = ["day", "dau", "wau", "mau", "dau_wau", "dau_mau"].map(|name| (name, None)).to_vec();
        let report =
            Report::ByPeriod(ByPeriod { kind: ByPeriodKind::ActiveUsers, calendar: calendar.clone() });
        let input = Input { is_start, is_return: lit(false), extra: None, apart: true, columns };
        report::plan(call, &report, &calendar, input)
    }

    fn documentation(&self) -> &Documentation {
        &DOCUMENTATION
    }
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    let entry = Documentation::builder(
        DocSection { include: true, label: docs::RETENTION, description: None },
        "Active people of each day and of the days before it, and what share of them comes daily:\n\n\
         | column | |\n|---|---|\n\
         | `by` | the group, only if `by` is given; a person counts in every group in which they were active |\n\
         | `day` | the day in `timezone` (DATE) |\n\
         | `dau` | people who were active on the day |\n\
         | `wau` | people who were active on the day or one of the 6 days before it |\n\
         | `mau` | people who were active on the day or one of the 29 days before it |\n\
         | `dau_wau`, `dau_mau` | `dau / wau` and `dau / mau`; NULL where nobody was active |\n\n\
         The windows roll: they end with the day and do not follow calendar weeks or months. All days are listed from \
         the first with anybody (or `from`) to the latest in the data (or `as_of`, or `to`). `from` and `to` limit \
         what is shown; days before `from` still count in `wau` and `mau`. In the first 6 and 29 days of the data the \
         windows hold what there is, and the latest day counts as far as it goes.",
        "active_users(data [, target => condition] [, timezone => zone] [, ...])",
    )
    .with_argument("data", "A table, a view or a query in parentheses.")
    .with_argument(
        "target",
        "What makes a person active: a condition, or the name of an event in quotes. Default: any row.",
    );
    documented(entry, &PARAMETERS)
        .with_sql_example(
            r"```sql
> SELECT day, dau, wau, mau, round(dau_wau, 2) AS dau_wau, round(dau_mau, 2) AS dau_mau
  FROM active_users((SELECT * FROM (VALUES
    ('ann', DATE '2024-05-01'), ('ann', DATE '2024-05-09'),
    ('ben', DATE '2024-05-02')
  ) AS t (user_id, ts)))
  WHERE day IN (DATE '2024-05-01', DATE '2024-05-02', DATE '2024-05-08', DATE '2024-05-09')
  ORDER BY day;
+------------+-----+-----+-----+---------+---------+
| day        | dau | wau | mau | dau_wau | dau_mau |
+------------+-----+-----+-----+---------+---------+
| 2024-05-01 | 1   | 1   | 1   | 1.0     | 1.0     |
| 2024-05-02 | 1   | 2   | 2   | 0.5     | 0.5     |
| 2024-05-08 | 0   | 1   | 2   | 0.0     | 0.0     |
| 2024-05-09 | 1   | 1   | 2   | 1.0     | 0.5     |
+------------+-----+-----+-----+---------+---------+
```",
        )
        .build()
});
