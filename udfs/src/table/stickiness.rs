//! `stickiness(data, ...)`: how many people were active in exactly k periods.

use std::sync::LazyLock;

use datafusion::common::Result;
use datafusion::logical_expr::{DocSection, Documentation, LogicalPlan, lit};

use super::report::{self, Input, SHARED, documented};
use super::{TableCall, TableFunction};
use crate::aggregate::report::{ByPeriod, ByPeriodKind, Report};
use crate::docs;
use crate::journey::period::Period;

const PARAMETERS: [&str; 11] = {
    let [timezone, week_start, by, from, to, as_of, per, ts, event] = SHARED;
    ["target", "period", timezone, week_start, by, from, to, as_of, per, ts, event]
};

/// The `stickiness` table function.
#[derive(Debug)]
pub(super) struct Stickiness;

impl TableFunction for Stickiness {
    fn name(&self) -> &'static str {
        "stickiness"
    }

    fn parameters(&self) -> &'static [&'static str] {
        &PARAMETERS
    }

    fn plan(&self, call: &mut TableCall<'_>) -> Result<LogicalPlan> {
        let calendar = report::calendar(call, Period::Day)?;
        let is_start = report::condition(call, "target")?.unwrap_or_else(|| lit(true));
        let columns = ["periods", "persons", "share", "at_least"].map(|name| (name, None)).to_vec();
        let report =
            Report::ByPeriod(ByPeriod { kind: ByPeriodKind::Stickiness, calendar: calendar.clone() });
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
        "How many people were active in exactly k periods, for every k from 1 to the most that anybody reached:\n\n\
         | column | |\n|---|---|\n\
         | `by` | the group, only if `by` is given; a person counts in every group in which they were active |\n\
         | `periods` | k: periods with at least one target |\n\
         | `persons` | people who were active in exactly k periods |\n\
         | `share` | of all people who were active |\n\
         | `at_least` | people who were active in k periods or more |\n\n\
         Only targets in the range `from` to `to` count. Name and definition: PostHog's stickiness.",
        "stickiness(data [, target => condition] [, period => 'day'] [, ...])",
    )
    .with_argument("data", "A table, a view or a query in parentheses.")
    .with_argument(
        "target",
        "What makes a person active: a condition, or the name of an event in quotes. Default: any row.",
    )
    .with_argument("period", "`'hour'`, `'day'` (default), `'week'`, `'month'`, `'quarter'` or `'year'`.");
    documented(entry, &PARAMETERS)
        .with_sql_example(
            r"```sql
> SELECT periods, persons, round(share, 2) AS share, at_least
  FROM stickiness((SELECT * FROM (VALUES
    ('ann', DATE '2024-05-01'), ('ann', DATE '2024-05-02'), ('ann', DATE '2024-05-04'),
    ('ben', DATE '2024-05-01'), ('ben', DATE '2024-05-01'),
    ('cem', DATE '2024-05-03')
  ) AS t (user_id, ts)))
  ORDER BY periods;
+---------+---------+-------+----------+
| periods | persons | share | at_least |
+---------+---------+-------+----------+
| 1       | 2       | 0.67  | 3        |
| 2       | 0       | 0.0   | 1        |
| 3       | 1       | 0.33  | 1        |
+---------+---------+-------+----------+
```",
        )
        .build()
});
