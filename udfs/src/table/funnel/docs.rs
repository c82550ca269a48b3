//! Texts of the SQL reference for the funnel functions.

use std::sync::LazyLock;

use datafusion::logical_expr::{DocSection, Documentation, DocumentationBuilder};

use crate::docs::FUNNELS;

/// The first arguments of all funnel functions.
const FIRST: [&str; 2] = ["steps", "within"];

/// The other arguments of all funnel functions.
const FURTHER: [&str; 21] = [
    "step_names",
    "order",
    "exclude",
    "exclude_from",
    "exclude_to",
    "optional",
    "hold",
    "by",
    "by_value",
    "per",
    "step_within",
    "count",
    "entry",
    "entered",
    "session",
    "session_gap",
    "ties",
    "sequence",
    "ts",
    "event",
    "as_of",
];

/// Arguments that all funnel functions take.
pub(super) static COMMON: LazyLock<Vec<&'static str>> = LazyLock::new(|| with_own(&[]));

pub(super) static TREND_PARAMETERS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| with_own(&["interval", "timezone", "from_step", "to_step"]));

pub(super) static TIME_TO_CONVERT_PARAMETERS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| with_own(&["from_step", "to_step", "bins"]));

/// One person has no groups.
pub(super) static EXPLAIN_PARAMETERS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let common = COMMON.iter().copied().filter(|name| !["by", "by_value"].contains(name));
    std::iter::once("user_id").chain(common).collect()
});

/// The common arguments with a function's own ones in the place that they have without names.
fn with_own(own: &[&'static str]) -> Vec<&'static str> {
    [&FIRST, own, &FURTHER].concat()
}

pub(super) fn builder(description: &str, syntax: &str) -> DocumentationBuilder {
    Documentation::builder(
        DocSection { include: true, label: FUNNELS, description: None },
        description,
        syntax,
    )
}

/// Adds the arguments that all funnel functions take.
pub(super) fn with_common(builder: DocumentationBuilder) -> DocumentationBuilder {
    ARGUMENTS.iter().fold(builder, |builder, (name, text)| builder.with_argument(*name, *text))
}

const ARGUMENTS: [(&str, &str); 20] = [
    ("data", "A table, a view or a query in parentheses."),
    (
        "steps",
        "List of conditions on single rows; text is short for `event = text`. At least one, no upper limit.",
    ),
    (
        "within",
        "How long after the entry steps count, inclusive: an INTERVAL, 14 days if not given; for an integer `ts` an \
         integer in its unit, which must be given; or `'session'`: all steps in one session. Months follow the \
         calendar, and so do days if `ts` has a time zone that changes its clock.",
    ),
    ("step_names", "A name for each step; without it the event or the condition as written."),
    (
        "order",
        "`'ordered'` (default), `'strict'` (nothing between two steps but repeats of the step reached), or \
         `'unordered'` (step k means: any k of the conditions, each met by a row of its own, inside one window).",
    ),
    (
        "exclude, exclude_from, exclude_to",
        "Conditions that must not be met after step `exclude_from` (default 1) and before step `exclude_to` (default \
         the last), both numbers or names, one for all or one for each condition.",
    ),
    ("optional", "Steps, by number or name, that may be missing; not the first and not the last."),
    (
        "hold",
        "Expression, or list of them, that must be the same in all rows of a chain; rows where it is NULL take no \
         part.",
    ),
    ("by", "Expression that makes groups; NULL is a group of its own."),
    (
        "by_value",
        "Which value of `by` counts: `'first'` (default) or `'last'` that is not NULL among the person's rows that \
         meet a step; `'all'`: rows are divided by their value first; `'step n'`: the value of the row at step n of \
         the chain, so a person may be in several groups, and in the group NULL without such a row.",
    ),
    ("per", "Who: any expression, column user_id if not given. Rows where it is NULL are left out."),
    ("step_within", "Longest time between neighbouring steps, as `within`."),
    (
        "count",
        "`'persons'` (default): each person once, by the deepest chain; `'totals'`: each attempt, where the next one \
         starts after completion, after an exclusion, or when the window is over; `'sessions'`: each session once.",
    ),
    (
        "entry",
        "`'latest'` (default): the latest entry before the next step counts, every entry opens a window of its own; \
         `'first'`: while an attempt is open, further entries are ignored.",
    ),
    (
        "entered",
        "`[from, to]`: only chains that start at or after `from` and before `to`; either may be NULL. Later steps \
         may come after `to`.",
    ),
    (
        "session, session_gap",
        "For `within => 'session'` and `count => 'sessions'`: an expression that tells sessions apart, else a new \
         session starts after more than `session_gap` (default 30 minutes) without a row.",
    ),
    (
        "ties, sequence",
        "Rows of one instant: `'same_instant'` (default): they count in the order of the steps, each row for one \
         step, and exclusions and strictness look only at other instants; `'order'`: they follow `sequence` (column \
         event_id if not given); `'strict'`: each step has a later time than the one before.",
    ),
    (
        "ts",
        "When: a timestamp of any unit and zone, a date or an integer; column ts if not given. Rows where it is NULL \
         are left out.",
    ),
    ("event", "What a step given as text is compared with; column event if not given."),
    (
        "as_of",
        "Time at which the report is made: later rows are left out. Without it the latest time in the \
         data, which are read a second time for it.",
    ),
];

pub(super) const FROM_TO: &str =
    "Steps, by number or name, between which is measured; the first and the last if not given.";

pub(super) const STEPS_INTERVAL: &str = "Makes a funnel of its own of each interval of entry, `'hour'`, `'day'`, \
`'week'` (from Monday) or `'month'`, in a column `period` behind `by`; a person counts once in each interval with an \
entry.";

pub(super) const INTERVAL: &str = "`'hour'`, `'day'` (default), `'week'` (from Monday) or `'month'`.";

pub(super) const TIMEZONE: &str = "Time zone whose clock tells the intervals apart; without it that of `ts`, or UTC. `period` has this zone.";

pub(super) const BINS: &str =
    "How many bars; without it the cube root of the number of persons, rounded up, 1 to 60.";

pub(super) const USER_ID: &str = "Whose rows; compared with `per`.";

pub(super) const FUNNEL: &str = "Returns how many persons reached each step of a funnel: one row for each step, \
for each group if `by` is given. A *chain* is a row that meets step 1 and later rows that meet the further steps in \
order, inside the window that the first one opens; each row stands for one step. A person counts by the deepest \
chain. Rows of the result come in no particular order.\n\n\
Columns: `by` (if given), `period` (if `interval` is given), `step` (from 1), `step_name`, `persons` (reached the step), `from_previous` (share of those \
at the nearest earlier step that is not optional), `from_first` (share of those who entered) with its 95 % Wilson \
bounds `from_first_low` and `from_first_high`, `dropped`, `open`, then `mean_seconds`, `median_seconds`, \
`p90_seconds` since the step before in the chain, and `mean_seconds_from_first`, `median_seconds_from_first`, \
`p90_seconds_from_first`. Shares of nothing are NULL, and so are the times of step 1. With `count`, persons are \
attempts or sessions.\n\n\
- Who entered step k is `persons` of the previous step. Those of them who are not at step k or beyond are `open` while \
some chain of theirs can still go on, else `dropped`. Without optional steps, persons of the previous step = persons + \
dropped + open.\n\
- Reported times are those of one chain: the first that reached the full depth, with the latest entry and, since that \
entry, the first row of each step. What comes after the last step is not looked at.\n\
- An exclusion marks the chains that have reached `exclude_from` and not `exclude_to` while their window is open. A \
person whose deepest chains are all marked is left out of all steps; a clean chain of the same depth keeps the person \
in.\n\
- For an integer `ts` the columns called seconds are in its unit.\n\n\
The model is that of PostHog; `entry => 'first'` is Mixpanel's without optimized re-entry. Cost for n rows of a \
person: O(n log n) to put them in order if they are not, then O(n * steps met); with `by_value => 'step n'` once for \
each value.";

pub(super) const TREND: &str = "Returns the conversion of a funnel by interval of entry: columns `by` (if given), \
`period` (start of the interval), `entered` (reached `from_step`), `converted` (of them, reached `to_step`), `rate` \
with its 95 % Wilson bounds `rate_low` and `rate_high`, and `open` (neither converted nor lost yet). A person counts \
once in each interval in which a chain starts, by the deepest chain that starts there. Intervals without an entry \
have no row. What a chain and the other arguments mean, see `funnel`.";

pub(super) const TIME_TO_CONVERT: &str = "Returns the histogram of the time between two steps of a funnel, over all \
who reached both: columns `by` (if given), `bin_start_seconds` (inclusive), `bin_end_seconds` (exclusive), `persons`, \
`share`, and `mean_seconds` of all of them, the same in every row. The width is the range divided by the number of \
bars, rounded up to whole seconds, at least 1; one more bar closes the range. Nobody: no rows. What a chain and the \
other arguments mean, see `funnel`.";

pub(super) const PERSONS: &str = "Returns who is where in a funnel: one row for each person (attempt, session, group) \
that `funnel` with the same arguments counts. Columns: `by` (if given), `user_id` (`person` if `per` is given), `step` \
(the last one reached), `step_name`, `status` ('converted', 'open' or 'dropped'), `entered_ts`, `last_ts` (time of \
that step), `seconds` (between both). What a chain and the arguments mean, see `funnel`.";

pub(super) const EXPLAIN: &str = "Returns all rows of one person with what each does in a funnel: columns `ts`, \
`event` (if there is one), `conditions` (names of the steps and exclusions that the row meets), `step_before` and \
`step_after` (deepest step of a chain that is open before and after the row's instant, 0 for none), \
`counted_as_step` (the row's step in the chain that `funnel` reports, else NULL) and `reason`. Sessions and held values \
are explained each on its own. ORDER BY ts puts the rows in order. What a chain and the other arguments mean, see \
`funnel`.";

pub(super) const FUNNEL_EXAMPLE: &str = r"```sql
> SELECT step, step_name, persons, from_previous, round(from_first_low, 3) AS low,
    round(from_first_high, 3) AS high, dropped, open, mean_seconds
  FROM funnel((SELECT * FROM (VALUES
      ('ann', TIMESTAMP '2024-05-01T10:00:00', 'view', 'ads'),
      ('ann', TIMESTAMP '2024-05-01T10:10:00', 'cart', 'ads'),
      ('ann', TIMESTAMP '2024-05-01T10:40:00', 'pay', 'mail'),
      ('ben', TIMESTAMP '2024-05-01T11:00:00', 'view', 'mail'),
      ('ben', TIMESTAMP '2024-05-01T11:30:00', 'cart', 'mail'),
      ('cem', TIMESTAMP '2024-05-02T09:00:00', 'view', 'ads'),
      ('dee', TIMESTAMP '2024-05-02T09:30:00', 'cart', 'ads'),
      ('eve', TIMESTAMP '2024-05-02T09:45:00', 'view', 'mail'),
      ('eve', TIMESTAMP '2024-05-02T10:00:00', 'cart', 'mail')
    ) AS t (user_id, ts, event, channel)),
    steps => ['view', 'cart', 'pay'],
    within => INTERVAL '1 hour')
  ORDER BY step;
+------+-----------+---------+--------------------+-------+-------+---------+------+--------------+
| step | step_name | persons | from_previous      | low   | high  | dropped | open | mean_seconds |
+------+-----------+---------+--------------------+-------+-------+---------+------+--------------+
| 1    | view      | 4       |                    | 0.51  | 1.0   | 0       | 0    |              |
| 2    | cart      | 3       | 0.75               | 0.301 | 0.954 | 1       | 0    | 1100.0       |
| 3    | pay       | 1       | 0.3333333333333333 | 0.046 | 0.699 | 1       | 1    | 1800.0       |
+------+-----------+---------+--------------------+-------+-------+---------+------+--------------+
```";
pub(super) const TREND_EXAMPLE: &str = r"```sql
> SELECT period, entered, converted, rate, open
  FROM funnel_trend((SELECT * FROM (VALUES
      ('ann', TIMESTAMP '2024-05-01T10:00:00', 'view', 'ads'),
      ('ann', TIMESTAMP '2024-05-01T10:10:00', 'cart', 'ads'),
      ('ann', TIMESTAMP '2024-05-01T10:40:00', 'pay', 'mail'),
      ('ben', TIMESTAMP '2024-05-01T11:00:00', 'view', 'mail'),
      ('ben', TIMESTAMP '2024-05-01T11:30:00', 'cart', 'mail'),
      ('cem', TIMESTAMP '2024-05-02T09:00:00', 'view', 'ads'),
      ('dee', TIMESTAMP '2024-05-02T09:30:00', 'cart', 'ads'),
      ('eve', TIMESTAMP '2024-05-02T09:45:00', 'view', 'mail'),
      ('eve', TIMESTAMP '2024-05-02T10:00:00', 'cart', 'mail')
    ) AS t (user_id, ts, event, channel)),
    steps => ['view', 'cart', 'pay'],
    within => INTERVAL '1 hour',
    interval => 'day',
    to_step => 'cart')
  ORDER BY period;
+---------------------+---------+-----------+------+------+
| period              | entered | converted | rate | open |
+---------------------+---------+-----------+------+------+
| 2024-05-01T00:00:00 | 2       | 2         | 1.0  | 0    |
| 2024-05-02T00:00:00 | 2       | 1         | 0.5  | 0    |
+---------------------+---------+-----------+------+------+
```";
pub(super) const TIME_TO_CONVERT_EXAMPLE: &str = r"```sql
> SELECT *
  FROM funnel_time_to_convert((SELECT * FROM (VALUES
      ('ann', TIMESTAMP '2024-05-01T10:00:00', 'view', 'ads'),
      ('ann', TIMESTAMP '2024-05-01T10:10:00', 'cart', 'ads'),
      ('ann', TIMESTAMP '2024-05-01T10:40:00', 'pay', 'mail'),
      ('ben', TIMESTAMP '2024-05-01T11:00:00', 'view', 'mail'),
      ('ben', TIMESTAMP '2024-05-01T11:30:00', 'cart', 'mail'),
      ('cem', TIMESTAMP '2024-05-02T09:00:00', 'view', 'ads'),
      ('dee', TIMESTAMP '2024-05-02T09:30:00', 'cart', 'ads'),
      ('eve', TIMESTAMP '2024-05-02T09:45:00', 'view', 'mail'),
      ('eve', TIMESTAMP '2024-05-02T10:00:00', 'cart', 'mail')
    ) AS t (user_id, ts, event, channel)),
    steps => ['view', 'cart'],
    within => INTERVAL '1 hour')
  ORDER BY bin_start_seconds;
+-------------------+-----------------+---------+--------------------+--------------+
| bin_start_seconds | bin_end_seconds | persons | share              | mean_seconds |
+-------------------+-----------------+---------+--------------------+--------------+
| 600.0             | 1200.0          | 2       | 0.6666666666666666 | 1100.0       |
| 1200.0            | 1800.0          | 0       | 0.0                | 1100.0       |
| 1800.0            | 2400.0          | 1       | 0.3333333333333333 | 1100.0       |
+-------------------+-----------------+---------+--------------------+--------------+
```";
pub(super) const PERSONS_EXAMPLE: &str = r"```sql
> SELECT *
  FROM funnel_persons((SELECT * FROM (VALUES
      ('ann', TIMESTAMP '2024-05-01T10:00:00', 'view', 'ads'),
      ('ann', TIMESTAMP '2024-05-01T10:10:00', 'cart', 'ads'),
      ('ann', TIMESTAMP '2024-05-01T10:40:00', 'pay', 'mail'),
      ('ben', TIMESTAMP '2024-05-01T11:00:00', 'view', 'mail'),
      ('ben', TIMESTAMP '2024-05-01T11:30:00', 'cart', 'mail'),
      ('cem', TIMESTAMP '2024-05-02T09:00:00', 'view', 'ads'),
      ('dee', TIMESTAMP '2024-05-02T09:30:00', 'cart', 'ads'),
      ('eve', TIMESTAMP '2024-05-02T09:45:00', 'view', 'mail'),
      ('eve', TIMESTAMP '2024-05-02T10:00:00', 'cart', 'mail')
    ) AS t (user_id, ts, event, channel)),
    steps => ['view', 'cart', 'pay'],
    within => INTERVAL '1 hour')
  ORDER BY user_id;
+---------+------+-----------+-----------+---------------------+---------------------+---------+
| user_id | step | step_name | status    | entered_ts          | last_ts             | seconds |
+---------+------+-----------+-----------+---------------------+---------------------+---------+
| ann     | 3    | pay       | converted | 2024-05-01T10:00:00 | 2024-05-01T10:40:00 | 2400.0  |
| ben     | 2    | cart      | dropped   | 2024-05-01T11:00:00 | 2024-05-01T11:30:00 | 1800.0  |
| cem     | 1    | view      | dropped   | 2024-05-02T09:00:00 | 2024-05-02T09:00:00 | 0.0     |
| eve     | 2    | cart      | open      | 2024-05-02T09:45:00 | 2024-05-02T10:00:00 | 900.0   |
+---------+------+-----------+-----------+---------------------+---------------------+---------+
```";
pub(super) const EXPLAIN_EXAMPLE: &str = r"```sql
> SELECT event, step_before, step_after, counted_as_step, reason
  FROM funnel_explain((SELECT * FROM (VALUES
      ('ann', TIMESTAMP '2024-05-01T09:00:00', 'cart'),
      ('ann', TIMESTAMP '2024-05-01T10:00:00', 'view'),
      ('ann', TIMESTAMP '2024-05-01T10:10:00', 'cart'),
      ('ann', TIMESTAMP '2024-05-01T10:20:00', 'help'),
      ('ann', TIMESTAMP '2024-05-01T10:30:00', 'cart'),
      ('ann', TIMESTAMP '2024-05-01T11:30:00', 'pay')
    ) AS t (user_id, ts, event)),
    user_id => 'ann',
    steps => ['view', 'cart', 'pay'],
    within => INTERVAL '1 hour')
  ORDER BY ts;
+-------+-------------+------------+-----------------+-------------------------------------------------------+
| event | step_before | step_after | counted_as_step | reason                                                |
+-------+-------------+------------+-----------------+-------------------------------------------------------+
| cart  | 0           | 0          |                 | meets step 2, but the steps before it are not reached |
| view  | 0           | 1          | 1               | enters: the window starts here                        |
| cart  | 1           | 2          | 2               | reaches step 2                                        |
| help  | 2           | 2          |                 | meets no step                                         |
| cart  | 2           | 2          |                 | step 2 is reached already since this entry            |
| pay   | 0           | 0          |                 | meets step 3 after the time for it was over           |
+-------+-------------+------------+-----------------+-------------------------------------------------------+
```";
