//! Entry of the SQL reference.

use std::sync::LazyLock;

use datafusion::logical_expr::{DocSection, Documentation};

use crate::docs;
use crate::table::report::documented;

pub(super) static RETENTION_MATRIX: LazyLock<Documentation> = LazyLock::new(|| {
    let entry = Documentation::builder(
        DocSection { include: true, label: docs::RETENTION, description: None },
        "Of the people who began in one period, the cohort, how many came back 1, 2, 3 .. periods later. One row \
         for each cohort and period, in long form:\n\n\
         | column | |\n|---|---|\n\
         | `by` | the group, only if `by` is given |\n\
         | `cohort` | first day of the period in which these people began (DATE); for hours a timestamp |\n\
         | `period` | how many periods later; 0 is the period of the cohort itself |\n\
         | `cohort_size` | people in the cohort |\n\
         | `returned` | those of them who came back in that period; everybody in period 0 |\n\
         | `rate` | `returned / cohort_size` |\n\
         | `rate_low`, `rate_high` | 95 % Wilson score interval of `rate` |\n\
         | `value_sum`, `value_mean` | only if `value` is given: its sum over the returning rows, and its mean over \
         those that have a value |\n\n\
         What is not known yet is NULL, not 0: `returned` and what follows it are NULL in periods that begin after \
         the latest time in the data (after `as_of`, if given). The latest period that has begun is counted as far as \
         it goes; to leave it out, give the last instant of the period before it as `as_of`. All cohorts of the \
         range are listed, those without people too (with `cohort_size` 0 and `rate` NULL), so that every matrix \
         is complete. Retention over all cohorts, each weighted with its size, is \
         `sum(returned)::double / sum(cohort_size) FILTER (WHERE returned IS NOT NULL)` for each period.\n\n\
         - `kind => 'first_time'` (default): a person is in one cohort, that of their first target in the range \
         `from` to `to`. `'first_ever'`: the first target in the data decides, and only people whose first one \
         lies in the range count. `'recurring'`: a person is in the cohort of every period with a target of theirs.\n\
         - `mode => 'on'` (default): came back in this very period. `'on_or_after'`: in it or in any later one.\n\
         - `windows => 'calendar'` (default): periods are those of the calendar in `timezone`; local days have 23 \
         or 25 hours where the clock changes. `'24h'`: each start opens its own windows of 24 hours (week: 7 days, \
         month: 30, quarter: 90, year: 365), measured from the full hour in which it lies. A person with several \
         starts in a cohort came back if they did in any of the windows. In each period `cohort_size` is then the \
         people whose window has begun, and counts everybody only where it has for nobody.\n\
         - `brackets => [1, 6, 7]`: columns of several periods, here period 1, then 2 to 7, then 8 to 14; `period` \
         counts the brackets.\n\
         - `min_events => n`: came back means n returning rows in the period.\n\
         - `by`: a person counts for the value in the row that made them part of the cohort; at one instant the \
         smallest value. The groups of a cohort add up to its total.\n\n\
         A saved cohort is a table of people, made with CREATE TABLE AS: `user_id IN (SELECT user_id FROM buyers)` in \
         the data keeps its members, and a LEFT JOIN to it with `by => buyers.user_id IS NOT NULL` compares them with \
         everybody else.\n\n\
         Names: PostHog's retention (first time, recurring, on or after, custom brackets), Amplitude's windows of \
         24 hours. Rows without a time are left out; rows without a person only count for the latest time. One \
         pass over the data: time O(n log n) in the rows of a person, memory for their rows that are a target or \
         a return. An answer of more than 10,000,000 rows is refused.",
        "retention_matrix(data [, target => condition] [, returning => condition] [, period => 'day'] \
         [, periods => 11] [, kind => 'first_time'] [, mode => 'on'] [, ...])",
    )
    .with_argument("data", "A table, a view or a query in parentheses.")
    .with_argument(
        "target",
        "What makes a person part of a cohort: a condition, or the name of an event in quotes. Default: any row.",
    )
    .with_argument("returning", "What counts as coming back, likewise. Default: the same as `target`.")
    .with_argument("period", "`'hour'`, `'day'` (default), `'week'`, `'month'`, `'quarter'` or `'year'`.")
    .with_argument("periods", "Number of periods, that of the cohort included: 1 to 10000, default 11.")
    .with_argument("kind", "`'first_time'` (default), `'first_ever'` or `'recurring'`, see above.")
    .with_argument("mode", "`'on'` (default) or `'on_or_after'`.")
    .with_argument("brackets", "Numbers of periods, in place of `periods`.")
    .with_argument("windows", "`'calendar'` (default) or `'24h'`.")
    .with_argument("min_events", "Returning rows that count as coming back; default 1.")
    .with_argument(
        "value",
        "A number to sum over the returning rows; the sum has the scale of a decimal and is exact for doubles.",
    );
    documented(entry, &super::PARAMETERS)
        .with_sql_example(
            r"```sql
> SELECT cohort, period, cohort_size, returned, round(rate, 3) AS rate
  FROM retention_matrix(
    (SELECT * FROM (VALUES
      ('ann', DATE '2024-05-01'), ('ann', DATE '2024-05-02'), ('ann', DATE '2024-05-03'),
      ('ben', DATE '2024-05-01'), ('ben', DATE '2024-05-03'),
      ('cem', DATE '2024-05-02')
    ) AS t (user_id, ts)),
    periods => 3)
  ORDER BY cohort, period;
+------------+--------+-------------+----------+------+
| cohort     | period | cohort_size | returned | rate |
+------------+--------+-------------+----------+------+
| 2024-05-01 | 0      | 2           | 2        | 1.0  |
| 2024-05-01 | 1      | 2           | 1        | 0.5  |
| 2024-05-01 | 2      | 2           | 2        | 1.0  |
| 2024-05-02 | 0      | 1           | 1        | 1.0  |
| 2024-05-02 | 1      | 1           | 0        | 0.0  |
| 2024-05-02 | 2      | 1           |          |      |
| 2024-05-03 | 0      | 0           | 0        |      |
| 2024-05-03 | 1      | 0           |          |      |
| 2024-05-03 | 2      | 0           |          |      |
+------------+--------+-------------+----------+------+
```",
        )
        .build()
});
