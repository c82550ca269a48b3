//! The entries of the sequence functions in the SQL reference.

use std::sync::LazyLock;

use datafusion::logical_expr::{DocSection, Documentation, DocumentationBuilder};

use super::Kind;
use crate::docs;

pub(super) fn of(kind: Kind) -> &'static Documentation {
    match kind {
        Kind::Match => &MATCH,
        Kind::Count => &COUNT,
        Kind::Events => &EVENTS,
        Kind::AllEvents => &ALL_EVENTS,
    }
}

pub(super) fn next_node() -> &'static Documentation {
    &NEXT_NODE
}

fn builder(description: &str, syntax: &str) -> DocumentationBuilder {
    let section = DocSection { include: true, label: docs::SEQUENCES, description: None };
    Documentation::builder(section, description, syntax)
}

fn with_common_arguments(builder: DocumentationBuilder, kind: Kind) -> DocumentationBuilder {
    let builder =
        builder.with_argument("pattern", "Constant text in the language that `sequence_match` describes.");
    let builder = if kind == Kind::Events {
        builder.with_argument("which", "Optional constant: `'first'` (default) or `'last'`.")
    } else {
        builder
    };
    builder
        .with_argument(
            "keep_unmatched",
            "Optional constant: `true` keeps rows that meet none of the conditions, so that they stand between others. \
             Default `false`, as in ClickHouse: such rows are left out first, and one more condition, used in the \
             pattern or not, can therefore change the answer.",
        )
        .with_argument("ts", "When the row happened: a timestamp of any unit and zone, a date, or an integer.")
        .with_argument(
            "sequence",
            "Optional: what orders rows of one instant, of any type but boolean. Without it, and where it is equal, a \
             row whose conditions have lower numbers comes first (the highest number decides).",
        )
        .with_argument(
            "cond1, ..., condN",
            "The conditions that the pattern names, any number of them. Or one array of them, written out in the call, \
             `[event = 'view', event = 'pay']`, or `named_struct('view', page = '/', 'pay', event = 'pay')`.",
        )
}

static MATCH: LazyLock<Documentation> = LazyLock::new(|| {
    let builder = builder(
        "Whether the rows of the group, in order of time, contain what the pattern describes. The result is a BOOLEAN \
         and never NULL. Rows without a time take no part, a condition that is NULL is not met.\n\n\
         | in the pattern | |\n|---|---|\n\
         | `(?N)` | a row that meets condition N; conditions are numbered from 1 |\n\
         | `(?name)` | the same by name: a condition `event = 'view'` has the name `view`, those in `named_struct` have \
         the names given there (names need a pattern that is written in the statement or given as a parameter, and a \
         call without OVER) |\n\
         | `(?!N)`, `(?!name)` | a row that does not meet the condition |\n\
         | `.` | any row |\n\
         | `.*` | any number of any rows |\n\
         | `(?t<=n)` | the time from the row matched before to the row matched behind; other rows may lie between. \
         `<=`, `<`, `>=`, `>`, `==`, `!=`; several in a row must all hold. n is in seconds, or has a unit: `us`, `ms`, \
         `s`, `m`, `h`, `d`, as in `(?t<=30m)`; for an integer `ts` it is in its unit |\n\
         | `(?T<=n)` | at the end: the time from the first row of the match to the last; `<=` or `<` |\n\
         | `x|y` | x or y |\n\
         | `(x)` | a group |\n\
         | `x*`, `x+`, `x?`, `x{m}`, `x{m,}`, `x{m,n}` | x repeated |\n\n\
         Conditions that stand side by side match neighbouring rows: `(?1)(?2)` is not `(?1).*(?2)`. Spaces between \
         parts mean nothing.\n\n\
         - Time and memory grow with the number of rows times the length of the pattern, whatever the pattern; there \
         is no limit of steps.\n\
         - A pattern that needs no row (`.*`, `(?1)?`) matches at each row.\n\
         - Differences from ClickHouse's `sequenceMatch`: an empty pattern is an error (there it is the same as `.`); all \
         types of `ts`; the time of a gate is always that between \
         the matched rows on both sides (ClickHouse starts anew at a `.*` beside a gate and at the second of two \
         gates); a gate at the beginning or end of the pattern is an error; rows of one instant have an order; a \
         row with a NULL among its conditions still counts for the others; no rows give false and 0, not NULL; a NULL pattern is an error.",
        "sequence_match(pattern, [keep_unmatched,] ts, [sequence,] cond1, ..., condN)",
    );
    with_common_arguments(builder, Kind::Match)
        .with_sql_example(
            r"```sql
> SELECT user_id,
         sequence_match('(?view).*(?pay)', ts, event = 'view', event = 'pay') AS paid,
         sequence_match('(?view)(?t<=10m)(?pay)', ts, event = 'view', event = 'pay') AS paid_soon,
         sequence_match('(?view)(?!chat)*(?pay)', ts, event = 'view', event = 'pay', event = 'chat') AS paid_alone
  FROM (VALUES
    ('ann', TIMESTAMP '2024-05-01T10:00:00', 'view'),
    ('ann', TIMESTAMP '2024-05-01T10:05:00', 'chat'),
    ('ann', TIMESTAMP '2024-05-01T10:09:00', 'pay'),
    ('ben', TIMESTAMP '2024-05-01T10:00:00', 'view'),
    ('ben', TIMESTAMP '2024-05-01T11:00:00', 'pay')
  ) AS t (user_id, ts, event)
  GROUP BY user_id
  ORDER BY user_id;
+---------+------+-----------+------------+
| user_id | paid | paid_soon | paid_alone |
+---------+------+-----------+------------+
| ann     | true | true      | false      |
| ben     | true | false     | true       |
+---------+------+-----------+------------+
```",
        )
        .build()
});

static COUNT: LazyLock<Documentation> = LazyLock::new(|| {
    let builder = builder(
        "How often the pattern occurs in the group without overlapping: the search for the next match begins behind the \
         last row of the one before. The matches are those that `sequence_match_all` lists. The result is a BIGINT, 0 \
         for a group without rows.\n\n\
         Differences from ClickHouse's `sequenceCount` are those of `sequence_match`.",
        "sequence_count(pattern, [keep_unmatched,] ts, [sequence,] cond1, ..., condN)",
    );
    with_common_arguments(builder, Kind::Count)
        .with_sql_example(
            r"```sql
> SELECT sequence_count('(?view).*(?pay)', ts, event = 'view', event = 'pay') AS purchases
  FROM (VALUES (1, 'view'), (2, 'view'), (3, 'pay'), (4, 'pay'), (5, 'view'), (9, 'pay')) AS t (ts, event);
+-----------+
| purchases |
+-----------+
| 2         |
+-----------+
```",
        )
        .build()
});

static EVENTS: LazyLock<Documentation> = LazyLock::new(|| {
    let builder = builder(
        "The times of the rows of one match: a list of the type of `ts`, one element for each condition of the pattern \
         that a row met, in order; rows for `.` and `(?!N)` are not among them. An empty list if there is no match, \
         also where some conditions were met (ClickHouse's `sequenceMatchEvents` returns the times of such a beginning; \
         `window_funnel` tells how far somebody came).\n\n\
         Which match: the one that begins first; each further row is the earliest from which the pattern can still be \
         completed, and the match ends as soon as the pattern is complete. Of conditions met by the same row the one \
         that stands first in the pattern is taken. With `'last'` the last of all matches that do not overlap.",
        "sequence_match_events(pattern, [which,] [keep_unmatched,] ts, [sequence,] cond1, ..., condN)",
    );
    with_common_arguments(builder, Kind::Events)
        .with_sql_example(
            r"```sql
> SELECT sequence_match_events('(?1)(?t>10)(?2)', ts, data = 0, data = 1) AS events
  FROM (VALUES (0, 0), (1, 0), (4, 1), (10, 1), (11, 1)) AS t (ts, data);
+---------+
| events  |
+---------+
| [0, 11] |
+---------+
```",
        )
        .build()
});

static ALL_EVENTS: LazyLock<Documentation> = LazyLock::new(|| {
    let builder = builder(
        "The times of the rows of all matches: a list with a list for each of them, as `sequence_match_events` gives it \
         for one. Matches do not overlap; each begins behind the last row of the one before.",
        "sequence_match_all(pattern, [keep_unmatched,] ts, [sequence,] cond1, ..., condN)",
    );
    with_common_arguments(builder, Kind::AllEvents)
        .with_sql_example(
            r"```sql
> SELECT sequence_match_all('(?view).*(?pay)', ts, event = 'view', event = 'pay') AS matches
  FROM (VALUES (1, 'view'), (2, 'view'), (3, 'pay'), (4, 'pay'), (5, 'view'), (9, 'pay')) AS t (ts, event);
+------------------+
| matches          |
+------------------+
| [[1, 3], [5, 9]] |
+------------------+
```",
        )
        .build()
});

static NEXT_NODE: LazyLock<Documentation> = LazyLock::new(|| {
    builder(
        "The value of the row next to a sequence of events: behind it with `'forward'`, before it with `'backward'`. NULL \
         if the sequence is not there, or nothing is next to it. The type is that of `value`.\n\n\
         The sequence begins at the base and its events must be met by neighbouring rows, one each; without events the \
         answer is the value of the base itself. Only one base is tried. Rows in which `ts` or `value` is NULL take no \
         part. Definition: ClickHouse's `sequenceNextNode`; the rows of one instant, which have no order there, are in \
         the order of `sequence`, then of `value`.",
        "sequence_next_node(direction, base, ts, value, [sequence,] base_condition, event1, ..., eventN)",
    )
    .with_argument("direction", "Constant: `'forward'` or `'backward'`.")
    .with_argument(
        "base",
        "Constant: `'head'` (the first row of the group, with `'forward'` only), `'tail'` (the last row, with \
         `'backward'` only), `'first_match'` or `'last_match'` (the first or last row that meets `base_condition` and \
         `event1`).",
    )
    .with_argument("ts", "When the row happened: a timestamp of any unit and zone, a date, or an integer.")
    .with_argument("value", "What is returned, of any type.")
    .with_argument("sequence", "Optional: what orders rows of one instant, of any type but boolean.")
    .with_argument("base_condition", "What the row at the base must meet.")
    .with_argument("event1, ..., eventN", "The events of the sequence, any number of them.")
    .with_sql_example(
        r"```sql
> SELECT user_id, sequence_next_node('forward', 'first_match', ts, page, page = 'home', page = 'home', page = 'item') AS next
  FROM (VALUES
    ('ann', 1, 'home'), ('ann', 2, 'item'), ('ann', 3, 'cart'),
    ('ben', 1, 'home'), ('ben', 2, 'help'), ('ben', 3, 'item')
  ) AS t (user_id, ts, page)
  GROUP BY user_id
  ORDER BY user_id;
+---------+------+
| user_id | next |
+---------+------+
| ann     | cart |
| ben     |      |
+---------+------+
```",
    )
    .build()
});
