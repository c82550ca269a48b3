//! The entries of the funnel functions in the SQL reference.

use std::sync::LazyLock;

use datafusion::logical_expr::{DocSection, Documentation, DocumentationBuilder};

use super::Kind;
use crate::docs;

pub(super) fn of(kind: Kind) -> &'static Documentation {
    match kind {
        Kind::Depth => &DEPTH,
        Kind::Count => &COUNT,
        Kind::Match => &MATCH,
        Kind::Durations => &DURATIONS,
        Kind::Steps => &STEPS,
    }
}

fn builder(description: &str, syntax: &str) -> DocumentationBuilder {
    let section = DocSection { include: true, label: docs::FUNNELS, description: None };
    Documentation::builder(section, description, syntax)
}

fn with_common_arguments(builder: DocumentationBuilder, kind: Kind) -> DocumentationBuilder {
    let builder = builder
        .with_argument(
            "window",
            "How long after `cond1` the other steps may come, inclusive: a constant INTERVAL, not negative; for an \
             integer `ts` an integer in the same unit. Months follow the calendar, and so do days if `ts` has a time \
             zone that changes its clock; elsewhere a day is 24 hours. A window whose end is beyond the range of \
             `ts` has no limit. `'session'` instead: all steps in one session, which ends where the next row of the \
             group comes more than 30 minutes later; `'session 45 minutes'` for another gap. Every row that the \
             function sees counts for the session, also rows that meet no condition.",
        )
        .with_argument(
            "mode",
            "Optional constant text, one or several names separated by commas; `window_funnel` lists them. NULL is \
             the same as left out.",
        )
        .with_argument(
            "ts",
            "When the row happened: a timestamp of any unit and zone, a date, or an integer.",
        );
    let builder = if kind.takes_event_id() {
        builder.with_argument(
            "event_id",
            "Optional: what identifies the row, of any type but boolean. Of several rows of one instant that could \
             fill a step the one with the smallest id is reported. NULL, written as such, is the same as left out; \
             a condition that is never met is therefore written `false`.",
        )
    } else {
        builder
    };
    builder.with_argument(
        "cond1, ..., condN",
        "One condition for each step, in the order of the steps; any number of them. Or one array of them, written \
         out in the call: `[event = 'view', event = 'pay']`.",
    )
}

static DEPTH: LazyLock<Documentation> = LazyLock::new(|| {
    let builder = builder(
        "Returns the furthest step of a funnel that the group reached: the largest k for which rows \
         meeting `cond1`, `cond2`, .. `condk` follow one another in time, all of them not later \
         than `window` after the row that met `cond1`. 0 if `cond1` was never met, also for a group \
         without rows. The result is a BIGINT and never NULL.\n\n\
         - Later entries count: every row that meets `cond1` may start a new attempt.\n\
         - One row may meet several conditions and then fills several steps.\n\
         - Rows of one instant count in the order of the steps, whatever order they are stored in.\n\
         - A condition that is NULL is not met. A row whose `ts` is NULL is left out.\n\n\
         Modes, alone or several separated by commas:\n\n\
         - `default`: nothing more.\n\
         - `strict_order`: once `cond1` was met, the search ends at a row that meets no condition, \
         at a step whose predecessor has not been reached, and at another `cond1` after step 2 was \
         reached. Rows that meet no condition come first within their instant.\n\
         - `strict_order, allow_reentry`: the same, but another `cond1` after step 2 is ignored.\n\
         - `strict_order, allow_restart`: the same, but another `cond1` after step 2 starts a new attempt; steps \
         that were reached before stay reached.\n\
         - `strict_increase`: each step is later than the one before it, not at the same instant.\n\
         - `strict_deduplication`: the search ends when a step above 1 that is reached already \
         occurs again.\n\
         - `strict_once`: one row fills at most one step of a chain.\n\
         - `strict_rows`: the steps are rows that follow one another directly; every row starts a new attempt. One \
         row fills one step. Rows of one instant follow one another in the order of the conditions that they meet, \
         compared as lists: none, 1, 1 and 2, 1 and 3, 2.\n\
         - `strict_steps`: the same, but rows that meet no condition are passed over.\n\
         - `strict_no_repeat`: every row that meets `cond1` starts an attempt, which ends at a row that meets a step \
         of the attempt again and not its next step. One row fills one step; rows of one instant come in the order \
         of `strict_rows`.\n\n\
         The last three judge each attempt by itself, while `strict_order` and `strict_deduplication` end the search \
         as a whole, and each row fills one step in them anyway: only `strict_increase` can be added to them. \
         `strict_once` adds nothing to `strict_increase`.\n\n\
         Where other engines differ:\n\n\
         - ClickHouse leaves a row out as a whole if one of its conditions is NULL; here only that condition is not \
         met. Where it has left all rows out, it returns NULL; here that is 0.\n\
         - ClickHouse's `strict_increase` keeps one candidate for each step and can miss a chain: a at 0, b at 1, b \
         and c at 2 is 3 steps here. By itself it can be deeper here, never less deep; together with a mode that \
         ends the search, also less deep, because a step that it missed can be repeated.\n\
         - `strict_order` is the rule of ClickHouse's reference tests. `strict_order` of newer releases is \
         `strict_order, allow_restart` here; their `allow_reentry` also skips a step whose predecessor is \
         missing.\n\
         - `strict_deduplication` with `strict_once`: a step that two rows of one instant meet is repeated there, in \
         whatever order they are stored; ClickHouse takes them as they arrive.\n\
         - ClickHouse has at most 32 conditions and times without a fraction; its window can overflow.\n\
         - Doris' `increase` is `strict_increase`, `deduplication` (mode 1 of StarRocks) is `strict_no_repeat`, `fixed` \
         is `strict_rows` up to 4.0 and `strict_steps` from 4.1 on.\n\
         - The behavioral extension of DuckDB has an `allow_reentry` without `strict_order`, which lets a later entry \
         start anew; here every entry does so without a mode.\n\n\
         By name the arguments are `window`, `mode`, `ts` and `cond1` to `cond32`. DISTINCT is refused, ORDER BY in \
         the call has no effect.\n\n\
         Time for n rows of a group: a sort, and one step for each condition that a row meets. One thing costs more: \
         under `strict_once`, m rows of one instant that meet s conditions between them, of which one row meets \
         several, take up to s * min(m, s) * m / 64 steps.",
        "window_funnel(window, [mode,] ts, cond1, ..., condN)",
    )
    .with_alternative_syntax("window_funnel(window, [mode,] ts, [cond1, ..., condN])");
    with_common_arguments(builder, Kind::Depth)
        .with_sql_example(
            r"```sql
> SELECT user_id,
    window_funnel(INTERVAL '1 hour', ts, event = 'view', event = 'cart', event = 'pay') AS step,
    window_funnel(INTERVAL '1 hour', 'strict_order', ts, event = 'view', event = 'cart', event = 'pay') AS strict,
    window_funnel('session', ts, [event = 'view', event = 'cart', event = 'pay']) AS in_session
  FROM (VALUES
    ('ann', TIMESTAMP '2024-05-01T10:00:00', 'view'),
    ('ann', TIMESTAMP '2024-05-01T10:10:00', 'cart'),
    ('ann', TIMESTAMP '2024-05-01T10:20:00', 'help'),
    ('ann', TIMESTAMP '2024-05-01T11:00:00', 'pay'),
    ('ben', TIMESTAMP '2024-05-01T10:00:00', 'view'),
    ('ben', TIMESTAMP '2024-05-01T11:00:01', 'cart'),
    ('cem', TIMESTAMP '2024-05-01T10:00:00', 'cart')
  ) AS t (user_id, ts, event)
  GROUP BY user_id
  ORDER BY user_id;
+---------+------+--------+------------+
| user_id | step | strict | in_session |
+---------+------+--------+------------+
| ann     | 3    | 2      | 2          |
| ben     | 1    | 1      | 1          |
| cem     | 0    | 0      | 0          |
+---------+------+--------+------------+
```",
        )
        .build()
});

static COUNT: LazyLock<Documentation> = LazyLock::new(|| {
    let builder = builder(
        "Returns how often the group completed a funnel: how many chains reach the last step and do not overlap. \
         The search is that of `window_funnel` with the same arguments; behind a row that completes a chain it \
         starts anew, so that the next chain lies in later instants (under `strict_rows`, `strict_steps` and \
         `strict_no_repeat`: in later rows). An entry whose window runs out is no completion and does not stand in \
         the way of later ones. A funnel of one step is completed by every row that meets it. A mode that ends the \
         search ends the counting. The result is a BIGINT and never NULL; it is above 0 exactly where \
         `window_funnel` gives the number of steps.\n\n\
         This is Mixpanel's count of totals with optimized re-entry, and in the modes that do not end the search the \
         largest number of chains that there is.",
        "funnel_count(window, [mode,] ts, cond1, ..., condN)",
    );
    with_common_arguments(builder, Kind::Count)
        .with_sql_example(
            r"```sql
> SELECT user_id, funnel_count(INTERVAL '1 hour', ts, event = 'view', event = 'pay') AS payments
  FROM (VALUES
    ('ann', TIMESTAMP '2024-05-01T10:00:00', 'view'),
    ('ann', TIMESTAMP '2024-05-01T10:10:00', 'view'),
    ('ann', TIMESTAMP '2024-05-01T10:20:00', 'pay'),
    ('ann', TIMESTAMP '2024-05-01T10:30:00', 'pay'),
    ('ann', TIMESTAMP '2024-05-01T10:40:00', 'view'),
    ('ann', TIMESTAMP '2024-05-01T10:50:00', 'pay'),
    ('ben', TIMESTAMP '2024-05-01T10:00:00', 'view'),
    ('ben', TIMESTAMP '2024-05-01T11:00:01', 'pay')
  ) AS t (user_id, ts, event)
  GROUP BY user_id
  ORDER BY user_id;
+---------+----------+
| user_id | payments |
+---------+----------+
| ann     | 2        |
| ben     | 0        |
+---------+----------+
```",
        )
        .build()
});

static MATCH: LazyLock<Documentation> = LazyLock::new(|| {
    let builder = builder(
        "Returns for each step whether the group reached it: a list of as many BIGINTs as there are steps, 1 for each \
         step up to the one that `window_funnel` gives with the same arguments, 0 for the others. All 0 for a group \
         without rows. Source: Pinot's `FUNNELMATCHSTEP`. Summed over people it counts how many reached each step.",
        "funnel_match(window, [mode,] ts, cond1, ..., condN)",
    );
    with_common_arguments(builder, Kind::Match)
        .with_sql_example(
            r"```sql
> SELECT user_id, funnel_match(INTERVAL '1 hour', ts, event = 'view', event = 'cart', event = 'pay') AS reached
  FROM (VALUES
    ('ann', TIMESTAMP '2024-05-01T10:00:00', 'view'),
    ('ann', TIMESTAMP '2024-05-01T10:10:00', 'cart'),
    ('ben', TIMESTAMP '2024-05-01T10:00:00', 'cart')
  ) AS t (user_id, ts, event)
  GROUP BY user_id
  ORDER BY user_id;
+---------+-----------+
| user_id | reached   |
+---------+-----------+
| ann     | [1, 1, 0] |
| ben     | [0, 0, 0] |
+---------+-----------+
```",
        )
        .build()
});

static DURATIONS: LazyLock<Documentation> = LazyLock::new(|| {
    let builder = builder(
        "Returns the seconds between the steps of the group's chain: a list of DOUBLEs, one fewer than there are \
         steps; the first is the time from step 1 to step 2. NULL for steps that were not reached. The chain is that \
         of `funnel_steps`. For an integer `ts` the numbers are in its unit. Idea: Pinot's \
         `FUNNELSTEPDURATIONSTATS`.",
        "funnel_durations(window, [mode,] ts, cond1, ..., condN)",
    );
    with_common_arguments(builder, Kind::Durations)
        .with_sql_example(
            r"```sql
> SELECT user_id, funnel_durations(INTERVAL '1 hour', ts, event = 'view', event = 'cart', event = 'pay') AS seconds
  FROM (VALUES
    ('ann', TIMESTAMP '2024-05-01T10:00:00', 'view'),
    ('ann', TIMESTAMP '2024-05-01T10:10:00', 'cart'),
    ('ann', TIMESTAMP '2024-05-01T10:10:30.500', 'pay'),
    ('ben', TIMESTAMP '2024-05-01T10:00:00', 'view')
  ) AS t (user_id, ts, event)
  GROUP BY user_id
  ORDER BY user_id;
+---------+---------------+
| user_id | seconds       |
+---------+---------------+
| ann     | [600.0, 30.5] |
| ben     | [, ]          |
+---------+---------------+
```",
        )
        .build()
});

static STEPS: LazyLock<Documentation> = LazyLock::new(|| {
    let builder = builder(
        "Returns the chain of rows that stands for the group's furthest step: a list of structs (`step`, `ts`, \
         `event_id`, `seconds`), as many as `window_funnel` gives with the same arguments, in the order of the \
         steps. `seconds` is the time since the step before, NULL for step 1; for an integer `ts` it is in its unit. \
         An empty list if step 1 was never reached.\n\n\
         Which chain: of those that are as long as the furthest step, the one whose last step comes first. Of \
         several, the one that begins last, so that its first step is the nearest entry; of several of those, the \
         one that reaches step 2 first, then step 3, and so on. Where rows of one instant could fill a step, the one \
         with the smallest `event_id` does; under `strict_once`, where they must be different rows, which of them \
         fills which step depends on nothing but the rows. `strict_rows`, `strict_steps` and `strict_no_repeat` \
         leave no choice but the order of rows of one instant, which `window_funnel` tells.",
        "funnel_steps(window, [mode,] ts, [event_id,] cond1, ..., condN)",
    );
    with_common_arguments(builder, Kind::Steps)
        .with_sql_example(
            r"```sql
> SELECT step['step'] AS step, step['ts'] AS ts, step['event_id'] AS event_id, step['seconds'] AS seconds
  FROM (
    SELECT unnest(funnel_steps(INTERVAL '1 hour', ts, event_id, event = 'view', event = 'cart', event = 'pay')) AS step
    FROM (VALUES
      ('e1', TIMESTAMP '2024-05-01T10:00:00', 'view'),
      ('e2', TIMESTAMP '2024-05-01T10:05:00', 'view'),
      ('e3', TIMESTAMP '2024-05-01T10:10:00', 'cart'),
      ('e4', TIMESTAMP '2024-05-01T10:11:00', 'cart'),
      ('e5', TIMESTAMP '2024-05-01T10:30:00', 'pay')
    ) AS t (event_id, ts, event)
  )
  ORDER BY step;
+------+---------------------+----------+---------+
| step | ts                  | event_id | seconds |
+------+---------------------+----------+---------+
| 1    | 2024-05-01T10:05:00 | e2       |         |
| 2    | 2024-05-01T10:10:00 | e3       | 300.0   |
| 3    | 2024-05-01T10:30:00 | e5       | 1200.0  |
+------+---------------------+----------+---------+
```",
        )
        .build()
});
