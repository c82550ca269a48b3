//! Entry of the SQL reference.

use std::sync::LazyLock;

use datafusion::logical_expr::{DocSection, Documentation};

use crate::docs;

pub(super) static RETENTION: LazyLock<Documentation> = LazyLock::new(|| {
    Documentation::builder(
        DocSection { include: true, label: docs::RETENTION, description: None },
        "Returns a list of n booleans: element i is true if the group has rows that meet `cond1` and rows that meet \
         `condi`, in any order of time, in one row or in several. `cond1` is the anchor: where it was never met, \
         every element is false. A group without rows gives n times false; the result is never NULL.\n\n\
         Elements are counted from 1, as in `r[2]`; `count(*) FILTER (WHERE r[2])` counts the groups that came \
         back. ClickHouse gives 0 and 1 in place of booleans and refuses more than 32 conditions. Tools that do \
         not read lists can ask for one element as `bool_or(cond1) AND bool_or(cond2)`, and for whole matrices with \
         `retention_matrix`. A condition that is NULL is not met; ClickHouse leaves such a row out as a whole. By \
         name the arguments are `cond1` to `cond32`. DISTINCT changes nothing.",
        "retention(cond1, ..., condN)",
    )
    .with_alternative_syntax("retention([cond1, ..., condN])")
    .with_argument(
        "cond1, ..., condN",
        "Conditions, any number of them; or one list of them, which must be written in the call.",
    )
    .with_sql_example(
        r"```sql
> SELECT day_1, count(*) AS people, count(*) FILTER (WHERE r[2]) AS day_2, count(*) FILTER (WHERE r[3]) AS day_3
  FROM (
    SELECT user_id, min(day) AS day_1, retention(day = 1, day = 2, day = 3) AS r
    FROM (VALUES ('ann', 1), ('ann', 2), ('ann', 3), ('ben', 1), ('ben', 3), ('cem', 2)) AS t (user_id, day)
    GROUP BY user_id
  )
  WHERE r[1]
  GROUP BY day_1;
+-------+--------+-------+-------+
| day_1 | people | day_2 | day_3 |
+-------+--------+-------+-------+
| 1     | 2      | 1     | 2     |
+-------+--------+-------+-------+
```",
    )
    .build()
});
