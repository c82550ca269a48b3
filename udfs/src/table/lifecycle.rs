//! `lifecycle(data, ...)`: who is new, returning, resurrecting and dormant, period by period.

use std::sync::LazyLock;

use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::{DocSection, Documentation, LogicalPlan, lit};

use super::report::{self, Input, SHARED, documented};
use super::{TableCall, TableFunction};
use crate::aggregate::report::{ByPeriod, ByPeriodKind, Report};
use crate::docs;
use crate::journey::period::Period;

const NAME: &str = "lifecycle";

const PARAMETERS: [&str; 12] = {
    let [timezone, week_start, by, from, to, as_of, per, ts, event] = SHARED;
    ["target", "period", timezone, week_start, "first_seen", by, from, to, as_of, per, ts, event]
};

/// The `lifecycle` table function.
#[derive(Debug)]
pub(super) struct Lifecycle;

impl TableFunction for Lifecycle {
    fn name(&self) -> &'static str {
        NAME
    }

    fn parameters(&self) -> &'static [&'static str] {
        &PARAMETERS
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let calendar = report::calendar(call, Period::Day)?;
        let is_start = report::condition(call, "target")?.unwrap_or_else(|| lit(true));
        let first_seen = match call.expr("first_seen")? {
            None => None,
            Some(first_seen) => match report::ticks_like(call, first_seen, &calendar)? {
                Ok(ticks) => Some(ticks),
                Err(other) => {
                    return plan_err!(
                        "{NAME}: argument first_seen must be a timestamp or a date, got {other}"
                    );
                }
            },
        };
        let columns =
            ["period", "new", "returning", "resurrecting", "dormant"].map(|name| (name, None)).to_vec();
        let report = Report::ByPeriod(ByPeriod { kind: ByPeriodKind::Lifecycle, calendar: calendar.clone() });
        let input = Input { is_start, is_return: lit(false), extra: first_seen, apart: true, columns };
        report::plan(call, &report, &calendar, input)
    }

    fn documentation(&self) -> &Documentation {
        &DOCUMENTATION
    }
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    let entry = Documentation::builder(
        DocSection { include: true, label: docs::RETENTION, description: None },
        "Where active people come from and how many are lost, one row for each period:\n\n\
         | column | |\n|---|---|\n\
         | `by` | the group, only if `by` is given; each group has lives of its own |\n\
         | `period` | first day of the period (DATE); for hours a timestamp |\n\
         | `new` | active in this period and never before |\n\
         | `returning` | active in this period and in the one before; a word of SQL, so alone it is written `\"returning\"` |\n\
         | `resurrecting` | active in this period and before, but not in the period right before |\n\
         | `dormant` | active in the period before and not in this one: counted below 0 |\n\n\
         `new + returning + resurrecting` is the number of active people. All periods are listed from the first with \
         anybody (or `from`) to the latest that has begun, or `to`; the range limits what is shown, not what is \
         known of people. The latest period is counted as far as it goes, so people may stand under `dormant` \
         who still come. Name and definition: PostHog's lifecycle.",
        "lifecycle(data [, target => condition] [, period => 'day'] [, first_seen => expression] [, ...])",
    )
    .with_argument("data", "A table, a view or a query in parentheses.")
    .with_argument(
        "target",
        "What makes a person active: a condition, or the name of an event in quotes. Default: any row.",
    )
    .with_argument("period", "`'hour'`, `'day'` (default), `'week'`, `'month'`, `'quarter'` or `'year'`.")
    .with_argument(
        "first_seen",
        "When the person came into being, such as a column with the time of registration: `new` then means active in \
         that period, and everybody who is active later without having been so in the period before is resurrecting. \
         The earliest of a person's values counts; where all are NULL, and by default, the first active period.",
    );
    documented(entry, &PARAMETERS)
        .with_sql_example(
            r#"```sql
> SELECT *
  FROM lifecycle((SELECT * FROM (VALUES
    ('ann', DATE '2024-05-01'), ('ann', DATE '2024-05-02'), ('ann', DATE '2024-05-04'),
    ('ben', DATE '2024-05-02'),
    ('cem', DATE '2024-05-02'), ('cem', DATE '2024-05-03')
  ) AS t (user_id, ts)))
  ORDER BY period;
+------------+-----+-----------+--------------+---------+
| period     | new | returning | resurrecting | dormant |
+------------+-----+-----------+--------------+---------+
| 2024-05-01 | 1   | 0         | 0            | 0       |
| 2024-05-02 | 2   | 1         | 0            | 0       |
| 2024-05-03 | 0   | 1         | 0            | -2      |
| 2024-05-04 | 0   | 0         | 1            | -1      |
+------------+-----+-----------+--------------+---------+
```"#,
        )
        .build()
});
