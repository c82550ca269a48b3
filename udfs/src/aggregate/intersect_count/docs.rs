//! Entry of the SQL reference.

use std::sync::LazyLock;

use datafusion::logical_expr::{DocSection, Documentation};

use crate::docs;

pub(super) static INTERSECT_COUNT: LazyLock<Documentation> = LazyLock::new(|| {
    Documentation::builder(
        DocSection { include: true, label: docs::RETENTION, description: None },
        "Returns the number of people who have every one of the values: distinct `person`s for whom, for each of \
         `value1` to `valueN`, there is a row of the group in which `dim` equals it. With days as values it is \
         retention in one number: who came on the first day and on the second. The result is a BIGINT and never \
         NULL.\n\n\
         Rows without a person or without a `dim`, and values that are NULL, match nothing. Memory: each person who \
         has one of the values, once. Doris and StarRocks take a bitmap of people; here any type will do. By name the \
         arguments are `person`, `dim` and `value1` to `value32`. DISTINCT changes nothing.",
        "intersect_count(person, dim, value1, ..., valueN)",
    )
    .with_argument("person", "Who: any type.")
    .with_argument("dim", "What the values are compared with: text, a number, a date, or another plain type.")
    .with_argument("value1, ..., valueN", "The values, any number of them.")
    .with_sql_example(
        r"```sql
> SELECT intersect_count(user_id, day, 1) AS first,
    intersect_count(user_id, day, 1, 2) AS both,
    intersect_count(user_id, day, 1, 2, 3) AS all_three
  FROM (VALUES ('ann', 1), ('ann', 2), ('ann', 3), ('ben', 1), ('ben', 2), ('cem', 2)) AS t (user_id, day);
+-------+------+-----------+
| first | both | all_three |
+-------+------+-----------+
| 2     | 2    | 1         |
+-------+------+-----------+
```",
    )
    .build()
});
