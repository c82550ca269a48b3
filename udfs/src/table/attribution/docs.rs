//! Texts of the SQL reference for rule attribution.

use datafusion::logical_expr::{DocSection, Documentation, DocumentationBuilder};

use crate::docs::ATTRIBUTION;

/// Arguments that all functions take.
const COMMON: [&str; 25] = [
    "conversion",
    "value",
    "touch",
    "by",
    "models",
    "lookback",
    "half_life",
    "weights",
    "count",
    "cut_at_conversion",
    "expire_if",
    "require",
    "exclude",
    "optional_touch",
    "direct",
    "container",
    "segments",
    "lookback_touches",
    "session",
    "session_gap",
    "ties",
    "sequence",
    "per",
    "ts",
    "event",
];

/// The common arguments and those of one function behind them.
const fn with<const N: usize>(own: &[&'static str]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut index = 0;
    while index < N {
        names[index] = if index < COMMON.len() { COMMON[index] } else { own[index - COMMON.len()] };
        index += 1;
    }
    names
}

pub(super) const ATTRIBUTION_PARAMETERS: [&str; COMMON.len() + 1] = with(&["event_id"]);
pub(super) const EXPLAIN_PARAMETERS: [&str; COMMON.len() + 3] =
    with(&["event_id", "conversion_id", "user_id"]);
pub(super) const SUMMARY_PARAMETERS: [&str; COMMON.len() + 3] = with(&["cost", "spend", "spend_within"]);

fn builder(description: &str, syntax: &str) -> DocumentationBuilder {
    let section = DocSection { include: true, label: ATTRIBUTION, description: None };
    Documentation::builder(section, description, syntax)
        .with_argument("data", "A table, a view or a query in parentheses.")
}

fn with_common(builder: DocumentationBuilder) -> DocumentationBuilder {
    builder
        .with_argument(
            "conversion",
            "Which rows are conversions: a condition, or the name of an event in quotes. Default: `'purchase'`.",
        )
        .with_argument(
            "value",
            "What a conversion is worth: a DECIMAL, or an integer, which is divided with four decimals. Default: column \
             `revenue`, if there is one. A conversion whose value is NULL counts, and has no value to divide.",
        )
        .with_argument(
            "touch",
            "Which rows are touches: a condition, or the name of an event. Default: every row with a key. Rows without \
             a key are never touches.",
        )
        .with_argument(
            "by",
            "The key that gets the credit, such as `channel` or `campaign`; shown as text. Default: column `channel`.",
        )
        .with_argument("models", MODELS)
        .with_argument(
            "lookback",
            "How long a touch counts, end included: an INTERVAL (an integer if `ts` is one); `'session'`: in the \
             session of the conversion; `'person'`: for ever; `'5 touches'`, or `5` where `ts` is no integer: the \
             latest five. Default: 30 days.",
        )
        .with_argument(
            "half_life",
            "For `'time_decay'`: an INTERVAL without months, or an integer if `ts` is one. Default: 7 days.",
        )
        .with_argument("weights", "For `'custom'`: three numbers for first, middle and last, of any sum.")
        .with_argument(
            "count",
            "What models that share a conversion count: `'touch'` (default) every touch, `'distinct'` every key once, \
             at its latest touch. Adobe counts touches, Mixpanel keys.",
        )
        .with_argument(
            "cut_at_conversion",
            "Whether a touch counts only for the first conversion that it precedes. Default: false, it counts for every \
             conversion in its look-back.",
        )
        .with_argument(
            "expire_if",
            "Touches up to a row that meets the condition do not count for conversions after that row.",
        )
        .with_argument(
            "require",
            "Conditions that must be met after a touch and not after the conversion, in any order; else the touch does \
             not count.",
        )
        .with_argument("exclude", "Touches that do not count, as a condition; `attribution_explain` shows them.")
        .with_argument(
            "optional_touch",
            "Touches that count only for conversions for which no other touch does (Teradata's optional events).",
        )
        .with_argument(
            "direct",
            "For `'last_non_direct'`: touches that no marketing brought about. Default: the key is `direct` or \
             `(direct)`, in any case.",
        )
        .with_argument(
            "container",
            "What touch and conversion must share, such as an order or an opportunity; where it is NULL nothing is \
             shared. For more than one person at a time, as an account, use `per`.",
        )
        .with_argument(
            "segments",
            "For `'event_regular'`: shares of keys, `['email:0.2:last_touch', 'search:0.8:linear']`. For \
             `'segment_rows'`: shares of so many touches counted back from the conversion, `['3:0.5:linear', \
             '4:0.5:first_touch']`. A segment without a touch leaves its share to the others.",
        )
        .with_argument("lookback_touches", "At most so many touches count, the latest. Goes with any `lookback`.")
        .with_argument("session", "For `lookback => 'session'`: the session of each row, in place of pauses.")
        .with_argument(
            "session_gap",
            "For `lookback => 'session'`: the pause after which the next row belongs to another session. Default: 30 \
             minutes.",
        )
        .with_argument(
            "ties",
            "Rows at the instant of the conversion: `'same_instant'` (default): touches count, that of the converting \
             row too; `'order'`: rows up to the converting one count, in the order of `sequence`; `'strict'`: they do \
             not count.",
        )
        .with_argument(
            "sequence",
            "What orders touches of one instant. Default: the key; with `ties => 'order'` column `event_id`.",
        )
        .with_argument("per", "Who: default column `user_id`.")
        .with_argument("ts", "When: a timestamp of any unit and zone, a date or an integer; default column `ts`.")
        .with_argument("event", "What event names in quotes are compared with: default column `event`.")
}

const MODELS: &str = "A list of models. `'first_touch'`, `'last_touch'`, `'last_non_direct'` (if all are direct, the \
    last), `'linear'`, `'position_based'` = `'u_shaped'` (first 40 %, middle touches together 20 %, last 40 %; of two \
    50 and 50), `'j_shaped'` (20, 20, 60; of two 25 and 75), `'inverse_j'` (60, 20, 20; of two 75 and 25), \
    `'time_decay'` (half of the weight for each half-life that a touch is older), `'participation'` (every key gets \
    all), `'same_touch'` (the converting row, if it is a touch), `'custom'` (see `weights`), `'event_regular'` and \
    `'segment_rows'` (see `segments`). Position by Adobe's weights; what Mixpanel calls J-shaped is `'inverse_j'`. \
    Default: the first five with `'position_based'`, and `'time_decay'`.";

/// Entry of `attribution`.
pub(super) fn attribution() -> Documentation {
    let description = "Divides every conversion among the touches before it: one row for each conversion, touch and \
         model.\n\n\
         | column | |\n|---|---|\n\
         | `conversion_id` | id of the converting row; where it has none, the person, `@` and the time, with `#2` ... for \
         further ones of one instant |\n\
         | `user_id` | the person |\n\
         | `conversion_ts`, `conversion_value` | when, and what it is worth |\n\
         | `model` | the model |\n\
         | `touch_key`, `touch_event_id`, `touch_ts` | the touch |\n\
         | `position`, `touches` | which of how many touches |\n\
         | `credit` | share of the conversion |\n\
         | `value` | share of its value, in units of the last decimal |\n\n\
         The shares of a conversion add up to its value exactly: each is rounded toward 0, and the units that are left \
         go to the largest remainders, of equal ones to the earliest touch. (With `'participation'` every key gets all.) \
         What no touch gets stands in a row with key `(none)` and no position, so that every model adds up to all \
         conversions. Touches that get nothing have rows too. Rows without a person or a time take no part.\n\n\
         A touch is looked at once for each conversion in whose look-back it lies; people with many conversions and a \
         long look-back take as much time as there are such pairs.";
    with_common(builder(
        description,
        "attribution(data [, conversion => condition] [, models => [...]] [, ...])",
    ))
    .with_argument("event_id", "Ids of rows: default column `event_id`, if there is one.")
    .with_sql_example(
        r#"```sql
> SELECT model, touch_key, position, credit, value
  FROM attribution((SELECT * FROM (VALUES
    ('ann', TIMESTAMP '2024-05-01T10:00:00', 'ad_click', 'search', NULL),
    ('ann', TIMESTAMP '2024-05-08T10:00:00', 'ad_click', 'email', NULL),
    ('ann', TIMESTAMP '2024-05-08T10:05:00', 'purchase', NULL, 10000),
    ('ben', TIMESTAMP '2024-05-09T10:00:00', 'purchase', NULL, 500)
  ) AS t (user_id, ts, event, channel, cents)),
    value => (cents / 100.0)::decimal(10, 2), models => ['linear', 'j_shaped', 'last_touch'])
  ORDER BY model, conversion_id, position;
+------------+-----------+----------+--------+--------+
| model      | touch_key | position | credit | value  |
+------------+-----------+----------+--------+--------+
| j_shaped   | search    | 1        | 0.25   | 25.00  |
| j_shaped   | email     | 2        | 0.75   | 75.00  |
| j_shaped   | (none)    |          | 1.0    | 5.00   |
| last_touch | search    | 1        | 0.0    | 0.00   |
| last_touch | email     | 2        | 1.0    | 100.00 |
| last_touch | (none)    |          | 1.0    | 5.00   |
| linear     | search    | 1        | 0.5    | 50.00  |
| linear     | email     | 2        | 0.5    | 50.00  |
| linear     | (none)    |          | 1.0    | 5.00   |
+------------+-----------+----------+--------+--------+
```"#,
    )
    .build()
}

/// Entry of `attribution_summary`.
pub(super) fn summary() -> Documentation {
    let description = "What each key gets by each model, summed up over all conversions: one row for each model and \
         key.\n\n\
         | column | |\n|---|---|\n\
         | `model`, `touch_key` | every model with every key that is touched, and `(none)` if anything is left for it |\n\
         | `conversions` | sum of credit, exact to 18 decimals before it is shown |\n\
         | `value` | sum of value, exact |\n\
         | `share` | `conversions` of all conversions |\n\
         | `cost` | what the key cost, see `cost` and `spend`; the same in every model |\n\
         | `cpa` | cost of a conversion: `cost / conversions`, NULL without conversions |\n\
         | `roas` | return on cost: `value / cost`, NULL without cost |\n\
         | `conversions_low`, `conversions_high` | bounds for every model that divides a conversion: conversions to \
         which only this key led, and those to which it led at all |\n\n\
         Sums are those of `attribution`; they do not depend on the order of rows or on partitions. Memory grows with \
         keys and models, not with touches.";
    with_common(builder(
        description,
        "attribution_summary(data [, conversion => condition] [, models => [...]] [, cost => expression] [, ...])",
    ))
    .with_argument(
        "cost",
        "What a touch costs: a DECIMAL or an integer. All touches of the key count, whether they led to anything or not.",
    )
    .with_argument(
        "spend",
        "Cost from a table of its own: a query of three columns, when, key and cost. A row counts once if, within \
         `spend_within` after it, there is a conversion to which its key led; rows without a key do not count.",
    )
    .with_argument("spend_within", "An INTERVAL, end included. Default: 90 days.")
    .with_sql_example(
        r#"```sql
> SELECT model, touch_key, conversions, value, share, cost, cpa, roas
  FROM attribution_summary((SELECT * FROM (VALUES
    ('ann', TIMESTAMP '2024-05-01T10:00:00', 'ad_click', 'search', NULL, 2),
    ('ann', TIMESTAMP '2024-05-08T10:00:00', 'ad_click', 'email', NULL, NULL),
    ('ann', TIMESTAMP '2024-05-08T10:05:00', 'purchase', NULL, 100, NULL),
    ('ben', TIMESTAMP '2024-05-08T10:00:00', 'ad_click', 'search', NULL, 3)
  ) AS t (user_id, ts, event, channel, revenue, cost)), cost => cost, models => ['linear', 'first_touch'])
  ORDER BY model, touch_key;
+-------------+-----------+-------------+----------+-------+--------+------+------+
| model       | touch_key | conversions | value    | share | cost   | cpa  | roas |
+-------------+-----------+-------------+----------+-------+--------+------+------+
| first_touch | email     | 0.0         | 0.0000   | 0.0   |        |      |      |
| first_touch | search    | 1.0         | 100.0000 | 1.0   | 5.0000 | 5.0  | 20.0 |
| linear      | email     | 0.5         | 50.0000  | 0.5   |        |      |      |
| linear      | search    | 0.5         | 50.0000  | 0.5   | 5.0000 | 10.0 | 10.0 |
+-------------+-----------+-------------+----------+-------+--------+------+------+
```"#,
    )
    .build()
}

/// Entry of `attribution_explain`.
pub(super) fn explain() -> Documentation {
    let description = "Says of every touch of a person whether it counts for a conversion and what it gets, by each \
         model: the rows behind `attribution`, with touches that do not count and the rule that denied it.\n\n\
         | column | |\n|---|---|\n\
         | `conversion_id`, `user_id`, `conversion_ts` | the conversion |\n\
         | `model` | the model |\n\
         | `touch_key`, `touch_event_id`, `touch_ts` | a row that is a touch, or would be if it were not excluded |\n\
         | `position` | its place among the touches that count; NULL if it does not |\n\
         | `credit`, `value` | what it gets |\n\
         | `reason` | its place and the model, or the first rule that denies: excluded, not before the conversion, in \
         another container or session, used up by an earlier conversion, expired, a required condition is not met, \
         older than the look-back, optional, before the latest touches that count |\n\n\
         Give `conversion_id`, `user_id` or both; with `user_id` only that person's rows are read.";
    with_common(
        builder(description, "attribution_explain(data, conversion_id => 'c1' [, user_id => 'ann'] [, ...])")
            .with_argument("conversion_id", "The conversion, as `attribution` names it.")
            .with_argument("user_id", "The person."),
    )
    .with_argument("event_id", "Ids of rows: default column `event_id`, if there is one.")
    .with_sql_example(
        r#"```sql
> SELECT touch_event_id, touch_key, position, credit, reason
  FROM attribution_explain((SELECT * FROM (VALUES
    ('e1', 'ann', TIMESTAMP '2024-03-01T10:00:00', 'ad_click', 'display'),
    ('e2', 'ann', TIMESTAMP '2024-05-01T10:00:00', 'ad_click', 'search'),
    ('e3', 'ann', TIMESTAMP '2024-05-08T10:00:00', 'ad_click', 'email'),
    ('e4', 'ann', TIMESTAMP '2024-05-08T10:05:00', 'purchase', NULL)
  ) AS t (event_id, user_id, ts, event, channel)),
    conversion_id => 'e4', models => ['last_touch'])
  ORDER BY touch_ts;
+----------------+-----------+----------+--------+-----------------------------+
| touch_event_id | touch_key | position | credit | reason                      |
+----------------+-----------+----------+--------+-----------------------------+
| e1             | display   |          | 0.0    | older than the look-back    |
| e2             | search    | 1        | 0.0    | touch 1 of 2, by last_touch |
| e3             | email     | 2        | 1.0    | touch 2 of 2, by last_touch |
+----------------+-----------+----------+--------+-----------------------------+
```"#,
    )
    .build()
}
