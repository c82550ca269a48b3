//! The entries in the SQL reference.

use std::sync::LazyLock;

use datafusion::logical_expr::{DocSection, Documentation, DocumentationBuilder};

use crate::docs;

pub(super) fn of(name: &str) -> &'static Documentation {
    match name {
        "previous" => &PREVIOUS,
        "next" => &NEXT,
        "time_since_match" => &SINCE,
        _ => &UNTIL,
    }
}

fn builder(description: &str, syntax: &str) -> DocumentationBuilder {
    let section = DocSection { include: true, label: docs::SEQUENCES, description: None };
    Documentation::builder(section, description, syntax)
}

const ROWS: &str = "FROM (VALUES
    (TIMESTAMP '2024-05-01T10:00:00', 'home'), (TIMESTAMP '2024-05-01T10:01:00', NULL),
    (TIMESTAMP '2024-05-01T10:03:00', 'item'), (TIMESTAMP '2024-05-01T10:03:30', 'cart')
  ) AS t (ts, page)
  ORDER BY ts";

fn neighbour(name: &str, where_it_is: &str, output: &str) -> Documentation {
    builder(
        &format!(
            "The value of the n-th row {where_it_is} the current one in its partition; NULL if there is none. The type is \
             that of `value`. With `skip_nulls` rows whose value is NULL do not count. Spelling: Adobe Query Service; the \
             standard's `lag` and `lead` give the same."
        ),
        &format!("{name}(value [, n] [, skip_nulls]) OVER (PARTITION BY user_id ORDER BY ts)"),
    )
    .with_argument("value", "What is returned, of any type.")
    .with_argument("n", "Constant: how far, at least 1; default 1.")
    .with_argument("skip_nulls", "Constant: `true` or `false` (default).")
    .with_sql_example(format!(
        "```sql\n> SELECT page, {name}(page) OVER w AS {name}, {name}(page, skip_nulls => true) OVER w AS known\n  {}\n{output}\n```",
        ROWS.replace("\n  ORDER BY ts", "\n  WINDOW w AS (ORDER BY ts)\n  ORDER BY ts;")
    ))
    .build()
}

fn time(name: &str, description: &str, output: &str) -> Documentation {
    builder(description, &format!("{name}(ts, condition) OVER (PARTITION BY user_id ORDER BY ts)"))
        .with_argument("ts", "When the row happened: a timestamp of any unit and zone, a date, or an integer.")
        .with_argument("condition", "What a match is.")
        .with_sql_example(format!(
            "```sql\n> SELECT page, {name}(ts, page = 'item') OVER (ORDER BY ts) AS seconds\n  {ROWS};\n{output}\n```"
        ))
        .build()
}

static PREVIOUS: LazyLock<Documentation> = LazyLock::new(|| {
    neighbour(
        "previous",
        "before",
        "+------+----------+-------+\n\
         | page | previous | known |\n\
         +------+----------+-------+\n\
         | home |          |       |\n\
         |      | home     | home  |\n\
         | item |          | home  |\n\
         | cart | item     | item  |\n\
         +------+----------+-------+",
    )
});

static NEXT: LazyLock<Documentation> = LazyLock::new(|| {
    neighbour(
        "next",
        "behind",
        "+------+------+-------+\n\
         | page | next | known |\n\
         +------+------+-------+\n\
         | home |      | item  |\n\
         |      | item | item  |\n\
         | item | cart | cart  |\n\
         | cart |      |       |\n\
         +------+------+-------+",
    )
});

static SINCE: LazyLock<Documentation> = LazyLock::new(|| {
    time(
        "time_since_match",
        "Seconds since the last row, up to the current one, that meets the condition: 0 where the row itself does, NULL \
         where none did yet and for rows without a time. The result is a DOUBLE; for an integer `ts` in its unit.",
        "+------+---------+\n\
         | page | seconds |\n\
         +------+---------+\n\
         | home |         |\n\
         |      |         |\n\
         | item | 0.0     |\n\
         | cart | 30.0    |\n\
         +------+---------+",
    )
});

static UNTIL: LazyLock<Documentation> = LazyLock::new(|| {
    time(
        "time_until_match",
        "Seconds until the next row, from the current one on, that meets the condition: 0 where the row itself does, NULL \
         where none does any more and for rows without a time. The result is a DOUBLE; for an integer `ts` in its unit.",
        "+------+---------+\n\
         | page | seconds |\n\
         +------+---------+\n\
         | home | 180.0   |\n\
         |      | 120.0   |\n\
         | item | 0.0     |\n\
         | cart |         |\n\
         +------+---------+",
    )
});
