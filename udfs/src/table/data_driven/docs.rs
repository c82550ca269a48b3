//! Texts of the SQL reference for data-driven attribution.

use datafusion::logical_expr::{DocSection, Documentation, DocumentationBuilder};

use super::arguments::OF_ROWS;
use crate::docs::ATTRIBUTION;

/// Arguments that all functions take, those of paths first.
const OF_PATHS: [&str; 6] = ["path", "conversions", "nulls", "value", "separator", "collapse_repeats"];

const COMMON: usize = OF_PATHS.len() + OF_ROWS.len();

/// The arguments of one function, then the common ones.
const fn with<const N: usize>(own: &[&'static str]) -> [&'static str; N] {
    let mut names = [""; N];
    let mut index = 0;
    while index < N {
        names[index] = if index < OF_PATHS.len() {
            OF_PATHS[index]
        } else if index < OF_PATHS.len() + own.len() {
            own[index - OF_PATHS.len()]
        } else {
            OF_ROWS[index - OF_PATHS.len() - own.len()]
        };
        index += 1;
    }
    names
}

pub(super) const MARKOV_PARAMETERS: [&str; COMMON + 4] = with(&["order", "smoothing", "bootstrap", "seed"]);
pub(super) const TRANSITIONS_PARAMETERS: [&str; COMMON + 1] = with(&["order"]);
pub(super) const SHAPLEY_PARAMETERS: [&str; COMMON + 4] = with(&["worth", "ordered", "samples", "seed"]);
pub(super) const COUNTERFACTUAL_PARAMETERS: [&str; COMMON] = with(&[]);

const JOURNEYS: &str = "Journeys come from rows of people: each conversion ends one, and the touches of a person after the \
    last conversion are one without. Or, with `path`, they are given with their counts.";

fn builder(description: &str, syntax: &str) -> DocumentationBuilder {
    let section = DocSection { include: true, label: ATTRIBUTION, description: None };
    Documentation::builder(section, format!("{description}\n\n{JOURNEYS}"), syntax)
        .with_argument("data", "A table, a view or a query in parentheses.")
}

fn with_common(builder: DocumentationBuilder) -> DocumentationBuilder {
    builder
        .with_argument("path", "The keys of journeys: text such as `'search > email'`, or a list. NULL is no path.")
        .with_argument("conversions, nulls", "How many journeys of the path converted, and how many did not; integers. NULL counts 0.")
        .with_argument(
            "value",
            "What conversions are worth: of a row, by default column `revenue`; of a path, the sum over its conversions. \
             A DECIMAL or an integer.",
        )
        .with_argument("separator", "Between the keys of a path that is text. Default: `' > '`.")
        .with_argument(
            "collapse_repeats",
            "Whether repeats of a key right after another count once. Default: false. Effects of order 1 do not depend on it.",
        )
        .with_argument(
            "conversion, touch, by, lookback, lookback_touches, exclude, expire_if, ties, sequence, per, ts, event",
            "For rows of people, as in `attribution`; but touches count for ever unless `lookback` is given, and `'session'` is none. \
             A touch that does not count for its conversion belongs to no journey.",
        )
        .with_argument(
            "first_conversion",
            "Whether only the first conversion of a person counts, and nothing after it. Default: false.",
        )
}

/// Entry of `markov_attribution`.
pub(super) fn markov() -> Documentation {
    let description = "Shares conversions by removal effects: how many would be lost without a key, in a Markov chain of \
         the journeys.\n\n\
         | column | |\n|---|---|\n\
         | `touch_key` | the key; conversions without a touch stand under `(none)` |\n\
         | `conversions`, `share` | all conversions in proportion to the effects |\n\
         | `value` | all value in proportion to the effects on value, without a rest |\n\
         | `removal_effect` | part of the conversions that are lost if whatever enters the key is |\n\
         | `removal_effect_value` | the same for value, where a conversion is worth the mean of those from its state |\n\
         | `conversions_low`, `conversions_high` | 95 of 100 draws lie between, see `bootstrap` |\n\
         | `markov_order` | the order of the chain |\n\
         | `warning` | if there are no journeys without a conversion: effects then tell only how journeys pass a key |\n\n\
         Nothing is simulated: probabilities are computed exactly up to rounding, and are the same to the last bit for any \
         order of rows and any partitions. Time: one solution for each key, which costs up to the cube of the states (60 \
         keys of order 1: some milliseconds), or for more than 200 states the number of transitions times the length of \
         journeys. The function of ChannelAttribution called `markov_model` simulates; it agrees within its noise.";
    with_common(
        builder(description, "markov_attribution(data [, order => 1] [, conversion => condition] [, ...])")
            .with_argument(
                "order",
                "How many keys a state remembers, 1 (default) to 5; a key is then removed with all states that hold it. \
                 `'auto'`: the order with the smallest Bayesian information criterion over all transitions.",
            )
            .with_argument(
                "smoothing",
                "Adds so many ends to each state, converting as all journeys do: draws rare keys to the mean. Default: 0.",
            )
            .with_argument("bootstrap", "How often probabilities are drawn anew from their counts, up to 10000. Default: not.")
            .with_argument("seed", "Of the draws, from 0; the same seed gives the same numbers. Default: 1."),
    )
    .with_sql_example(
        r#"```sql
> SELECT touch_key, round(conversions, 6) AS conversions, round(removal_effect, 6) AS removal_effect
  FROM markov_attribution((SELECT * FROM (VALUES
    ('C1 > C2 > C3', 1, 0), ('C1', 0, 1), ('C2 > C3', 0, 1)
  ) AS t (path, n, lost)), path => path, conversions => n, nulls => lost)
  ORDER BY touch_key;
+-----------+-------------+----------------+
| touch_key | conversions | removal_effect |
+-----------+-------------+----------------+
| C1        | 0.2         | 0.5            |
| C2        | 0.4         | 1.0            |
| C3        | 0.4         | 1.0            |
+-----------+-------------+----------------+
```"#,
    )
    .build()
}

/// Entry of `markov_transitions`.
pub(super) fn transitions() -> Documentation {
    let description = "The transitions of the Markov chain that `markov_attribution` solves: columns `source`, `target`, \
         `count` (journeys, each time they pass) and `probability` (of all that leave the source). States are `(start)`, \
         keys (of a higher order the last ones, as in `search > email`), `(conversion)` and `(null)`.";
    with_common(
        builder(description, "markov_transitions(data [, order => 1] [, conversion => condition] [, ...])")
            .with_argument("order", "How many keys a state remembers, 1 (default) to 5."),
    )
    .with_sql_example(
        r#"```sql
> SELECT *
  FROM markov_transitions((SELECT * FROM (VALUES
    ('ann', TIMESTAMP '2024-05-01T10:00:00', 'ad_click', 'search'),
    ('ann', TIMESTAMP '2024-05-01T11:00:00', 'purchase', NULL),
    ('ann', TIMESTAMP '2024-05-02T10:00:00', 'ad_click', 'search'),
    ('ann', TIMESTAMP '2024-05-03T10:00:00', 'ad_click', 'email')
  ) AS t (user_id, ts, event, channel)))
  ORDER BY source, target;
+---------+--------------+-------+-------------+
| source  | target       | count | probability |
+---------+--------------+-------+-------------+
| (start) | search       | 2     | 1.0         |
| email   | (null)       | 1     | 1.0         |
| search  | (conversion) | 1     | 0.5         |
| search  | email        | 1     | 0.5         |
+---------+--------------+-------+-------------+
```"#,
    )
    .build()
}

/// Entry of `shapley_attribution`.
pub(super) fn shapley() -> Documentation {
    let description = "Shares conversions by Shapley values: each key's marginal contribution to the worth of a set of keys, \
         averaged over all orders of keys.\n\n\
         | column | |\n|---|---|\n\
         | `touch_key` | the key; conversions without a touch stand under `(none)` |\n\
         | `conversions`, `share` | all conversions in proportion to the values; NULL if these do not add up to more than 0 |\n\
         | `value` | all value in proportion to the same values for value, without a rest |\n\
         | `shapley_value` | in units of the worth: a number of conversions, or a rate; below 0 if a key does harm |\n\
         | `error_bound` | where orders were drawn: in 95 of 100 cases the exact value is nearer than this |\n\
         | `method` | exact, sampled, in the orders of journeys, or equal shares |\n\n\
         Exact up to 20 keys (time and memory grow with 2^keys); above that, orders are drawn in pairs of one and its \
         reverse.";
    with_common(
        builder(description, "shapley_attribution(data [, worth => 'rate_within'] [, conversion => condition] [, ...])")
            .with_argument(
                "worth",
                "What a set of keys is worth. `'rate_within'` (default): the rate of conversion of journeys whose keys are \
                 all in the set. `'rate_exact'`: of those with exactly these keys; 0 if there are none. `'volume'`: the \
                 conversions of journeys whose keys are all in the set, as tutorials have it: each journey is then shared \
                 equally by its distinct keys, whatever the number of keys, and lost journeys do not matter.",
            )
            .with_argument(
                "ordered",
                "Whether, in place of all orders, those count in which journeys touched keys for the first time: a key's \
                 contribution is the mean over the journeys that touch it. Default: false.",
            )
            .with_argument("samples", "Pairs of orders to draw above 20 keys, from 2. Default: 10000.")
            .with_argument("seed", "Of the draws, from 0; the same seed gives the same numbers. Default: 1."),
    )
    .with_sql_example(
        r#"```sql
> SELECT touch_key, shapley_value, conversions, method
  FROM shapley_attribution((SELECT * FROM (VALUES
    ('A', 1, 3), ('B', 1, 1), ('A > B', 3, 1)
  ) AS t (path, n, lost)), path => path, conversions => n, nulls => lost, worth => 'rate_exact')
  ORDER BY touch_key;
+-----------+---------------+--------------------+--------+
| touch_key | shapley_value | conversions        | method |
+-----------+---------------+--------------------+--------+
| A         | 0.25          | 1.6666666666666667 | exact  |
| B         | 0.5           | 3.3333333333333335 | exact  |
+-----------+---------------+--------------------+--------+
```"#,
    )
    .build()
}

/// Entry of `counterfactual_attribution`.
pub(super) fn counterfactual() -> Documentation {
    let description = "Shares the conversions of each path by what it loses without a touch: in proportion to the rate of \
         the path less the rate of the path without the touch, where that is above 0; a path nobody took has rate 0. A \
         path where no touch makes a difference is shared equally. Columns: `touch_key`, `conversions`, `value`, `share`; \
         conversions without a touch stand under `(none)`. Google's fractribution computes this and calls it Shapley, which \
         is another thing: see `shapley_attribution`.";
    with_common(builder(description, "counterfactual_attribution(data [, conversion => condition] [, ...])"))
        .with_sql_example(
            r#"```sql
> SELECT *
  FROM counterfactual_attribution((SELECT * FROM (VALUES
    ('A', 1, 3), ('A > B', 4, 4)
  ) AS t (path, n, lost)), path => path, conversions => n, nulls => lost, value => n * 10)
  ORDER BY touch_key;
+-----------+--------------------+---------+---------------------+
| touch_key | conversions        | value   | share               |
+-----------+--------------------+---------+---------------------+
| A         | 3.6666666666666665 | 36.6667 | 0.7333333333333333  |
| B         | 1.3333333333333333 | 13.3333 | 0.26666666666666666 |
+-----------+--------------------+---------+---------------------+
```"#,
        )
        .build()
}
