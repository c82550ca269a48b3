//! Entries of the SQL reference.

use std::sync::LazyLock;

use datafusion::logical_expr::{DocSection, Documentation, DocumentationBuilder};

use super::{Form, all};
use crate::docs::ATTRIBUTION;
use crate::journey::attribution::Pick;

/// The entry of the function called `name`.
pub(super) fn of(name: &str) -> Option<&'static Documentation> {
    static ENTRIES: LazyLock<Vec<(&'static str, Documentation)>> = LazyLock::new(|| {
        all().map(|function| (function.name, entry(&function.pick, function.form))).collect()
    });
    ENTRIES.iter().find(|(known, _)| *known == name).map(|(_, entry)| entry)
}

fn entry(pick: &Pick, form: Form) -> Documentation {
    let which = match pick {
        Pick::First => "first",
        Pick::Last => "last",
    };
    let rule = match form {
        Form::Never => String::new(),
        Form::If => "A touch counts up to the next row that meets `exp_condition`. ".to_owned(),
        Form::Timeout => {
            "A touch counts for `exp_timeout` after it, end included: looked at are the touches in a window of this \
             length before each row. "
                .to_owned()
        }
    };
    let suffix = match form {
        Form::Never => "",
        Form::If => "_exp_if",
        Form::Timeout => "_exp_timeout",
    };
    let description = format!(
        "The {which} touch up to the current row, as a struct of `name`, `value`, `timestamp` and `fraction` (always \
         1.0): read one with `['value']`. A touch is a row whose `channel_value` is not NULL. {rule}NULL where there is \
         no touch, and in rows without a time. The window is all rows up to the current one whatever frame is written. \
         Name and definition: Adobe Experience Platform Query Service{}.",
        match form {
            Form::Timeout =>
                "; its published example agrees with no rule, neither with this one nor with touches that live for the \
                 timeout and are then replaced",
            _ => "",
        }
    );
    let more = match form {
        Form::Never => "",
        Form::If => ", exp_condition [, exp_before]",
        Form::Timeout => ", exp_timeout",
    };
    let syntax = format!(
        "attribution_{which}_touch{suffix}(ts, channel_name, channel_value{more}) OVER (PARTITION BY user_id ORDER BY ts)"
    );
    let section = DocSection { include: true, label: ATTRIBUTION, description: None };
    let builder = Documentation::builder(section, description, syntax)
        .with_argument(
            "ts",
            "When: a timestamp of any unit and zone, a date or an integer; ascending in the window.",
        )
        .with_argument("channel_name", "A name for the result, such as `'campaign'`.")
        .with_argument("channel_value", "What the touch is, of any type.");
    with_form(builder, form)
        .with_sql_example(example(&format!("attribution_{which}_touch{suffix}"), *pick, form))
        .build()
}

fn with_form(builder: DocumentationBuilder, form: Form) -> DocumentationBuilder {
    match form {
        Form::Never => builder,
        Form::If => builder
            .with_argument("exp_condition", "The row ends the life of the touches before it.")
            .with_argument(
                "exp_before",
                "Whether that row belongs to the new life already, with its own touch; a constant. Default: false, it is \
                 the last row of the old one.",
            ),
        Form::Timeout => builder.with_argument(
            "exp_timeout",
            "A number of seconds or an INTERVAL; for an integer `ts` a number in its unit.",
        ),
    }
}

fn example(function: &str, pick: Pick, form: Form) -> String {
    let (arguments, values) = match (form, pick) {
        (Form::Never, Pick::First) => ("", ["search", "search", "search"]),
        (Form::Never, Pick::Last) => ("", ["search", "search", "email"]),
        (Form::If, Pick::First) => (", event = 'purchase'", ["search", "search", "email"]),
        (Form::If, Pick::Last) => (", event = 'purchase'", ["search", "search", "email"]),
        (Form::Timeout, Pick::First) => (", INTERVAL '1 day'", ["search", "search", "email"]),
        (Form::Timeout, Pick::Last) => (", INTERVAL '1 day'", ["search", "search", "email"]),
    };
    let [first, second, third] = values.map(|value| format!("{value:<7}"));
    format!(
        r#"```sql
> SELECT ts, event, {function}(ts, 'channel', channel{arguments}) OVER (ORDER BY ts)['value'] AS channel
  FROM (VALUES
    (TIMESTAMP '2024-05-01T10:00:00', 'ad_click', 'search'),
    (TIMESTAMP '2024-05-01T10:05:00', 'purchase', NULL),
    (TIMESTAMP '2024-05-03T09:00:00', 'ad_click', 'email')
  ) AS t (ts, event, channel) ORDER BY ts;
+---------------------+----------+---------+
| ts                  | event    | channel |
+---------------------+----------+---------+
| 2024-05-01T10:00:00 | ad_click | {first} |
| 2024-05-01T10:05:00 | purchase | {second} |
| 2024-05-03T09:00:00 | ad_click | {third} |
+---------------------+----------+---------+
```"#
    )
}
