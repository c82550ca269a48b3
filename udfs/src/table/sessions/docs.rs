//! Entry of the SQL reference.

use std::sync::LazyLock;

use datafusion::logical_expr::{DocSection, Documentation};

use crate::docs;

/// The entry.
pub(super) fn entry() -> &'static Documentation {
    static ENTRY: LazyLock<Documentation> = LazyLock::new(build);
    &ENTRY
}

fn build() -> Documentation {
    Documentation::builder(
        DocSection { include: true, label: docs::SESSIONS, description: None },
        "Returns one row per session, of all persons in the data. The rules are those of `session_number` in any \
         combination; without any, a session ends when nothing happens for more than 30 minutes. Rows without a time \
         or a person take no part. Rows of one instant are taken in the order of `sequence`; without one, separators \
         first, then rows that meet `start_if`, those that meet `end_if` last, then by the values that are shown: the result \
         never depends on the order in which rows arrive.\n\n\
         Columns: `user_id`; `session_id` (as the function of that name makes it); `session_number` (from 1 for each \
         person, among the data given); `start_ts`, `end_ts`; `duration_seconds` (from the first row to the last, a \
         DOUBLE; for an integer `ts` a BIGINT in its unit); `events` (rows); `page_views`; `entry_page`, `exit_page` \
         (first and last page that is not NULL); `entry_channel`, `entry_source`, `entry_campaign` (all three from the \
         first row that has any of them); `device`, `country` (the first that is not NULL); `is_bounce` (exactly one \
         page view); `is_engaged` (GA4's rule: lasted `engaged_after` or longer, or had a conversion, or two or more \
         page views); `conversions` (rows that meet the condition); `revenue` (sum, exact for decimals and integers; \
         NULL if no row has one); `cut_reason` (the rule that started the session, see `session_reason`). A column \
         that the data does not have is NULL in the result.",
        "SELECT * FROM sessions(touchpoints, gap => ..., ...)",
    )
    .with_argument("data", "A table, a view or a query in parentheses.")
    .with_argument(
        "gap, inclusive, start_if, end_if, max_length, max_events, split_on, midnight, separator",
        "The rules of `session_number`. A condition may also be the name of an event in quotes.",
    )
    .with_argument(
        "click_lag",
        "Leaves out sessions in which a row follows the one before it in less than this, as Teradata's Sessionize \
         does with robots. Mind events that are sent in pairs.",
    )
    .with_argument("conversion", "Which rows are conversions; default event = 'purchase'.")
    .with_argument("page_view", "Which rows are page views; default event = 'page_view'.")
    .with_argument("engaged_after", "Length from which a session is engaged; default INTERVAL '10 seconds'.")
    .with_argument(
        "user_id, ts, event, page, channel, source, campaign, device, country, revenue",
        "Expressions to use in place of the columns of these names. The person and the time are needed, the others may \
         be missing.",
    )
    .with_argument("sequence", "What orders rows of one instant; default column event_id, if there is one.")
    .with_sql_example(
        r"```sql
> SELECT user_id, session_number, start_ts, duration_seconds, events, page_views, exit_page, conversions, revenue
  FROM sessions((SELECT * FROM (VALUES
    ('ann', TIMESTAMP '2024-05-01T10:00:00', 'page_view', '/', NULL),
    ('ann', TIMESTAMP '2024-05-01T10:00:20', 'page_view', '/cart', NULL),
    ('ann', TIMESTAMP '2024-05-01T10:01:00', 'purchase', NULL, 19.90),
    ('ann', TIMESTAMP '2024-05-01T12:00:00', 'page_view', '/', NULL),
    ('ben', TIMESTAMP '2024-05-01T10:15:00', 'page_view', '/', NULL)
  ) AS t (user_id, ts, event, page, revenue)), gap => INTERVAL '30 minutes')
  ORDER BY user_id, session_number;
+---------+----------------+---------------------+------------------+--------+------------+-----------+-------------+---------+
| user_id | session_number | start_ts            | duration_seconds | events | page_views | exit_page | conversions | revenue |
+---------+----------------+---------------------+------------------+--------+------------+-----------+-------------+---------+
| ann     | 1              | 2024-05-01T10:00:00 | 60.0             | 3      | 2          | /cart     | 1           | 19.9    |
| ann     | 2              | 2024-05-01T12:00:00 | 0.0              | 1      | 1          | /         | 0           |         |
| ben     | 1              | 2024-05-01T10:15:00 | 0.0              | 1      | 1          | /         | 0           |         |
+---------+----------------+---------------------+------------------+--------+------------+-----------+-------------+---------+
```",
    )
    .build()
}
