//! The entries of the functions of paths in the SQL reference.

use std::sync::LazyLock;

use datafusion::logical_expr::{DocSection, Documentation, DocumentationBuilder};

use super::arguments::SHARED;
use crate::docs;

/// A function's own parameters, then the shared ones.
const fn with_shared<const OWN: usize, const ALL: usize>(own: [&'static str; OWN]) -> [&'static str; ALL] {
    let mut all = [""; ALL];
    // `node` and `per` come first: they are what is most often given without a name.
    all[0] = SHARED[0];
    all[1] = SHARED[1];
    let mut at = 0;
    while at < OWN {
        all[2 + at] = own[at];
        at += 1;
    }
    let mut shared = 2;
    while shared < SHARED.len() {
        all[OWN + shared] = SHARED[shared];
        shared += 1;
    }
    all
}

pub(super) const TRANSITIONS_PARAMETERS: [&str; 24] =
    with_shared(["start", "end", "depth", "direction", "ends", "min_weight", "max_weight", "top"]);
pub(super) const PATHS_PARAMETERS: [&str; 24] = TRANSITIONS_PARAMETERS;
pub(super) const TOP_PATHS_PARAMETERS: [&str; 24] =
    with_shared(["start", "end", "depth", "direction", "separator", "min_weight", "max_weight", "top"]);
pub(super) const STEP_MATRIX_PARAMETERS: [&str; 25] = with_shared([
    "start",
    "end",
    "steps",
    "center",
    "pattern",
    "conditions",
    "which",
    "element",
    "keep_unmatched",
]);

pub(super) const FUNNEL_PATHS_PARAMETERS: [&str; 22] = [
    "steps",
    "within",
    "node",
    "what",
    "from_step",
    "to_step",
    "depth",
    "direction",
    "separator",
    "min_weight",
    "max_weight",
    "top",
    "collapse",
    "clean",
    "groups",
    "exclude",
    "by",
    "compare_by",
    "user_id",
    "ts",
    "sequence",
    "event",
];

fn builder(description: &str, syntax: &str) -> DocumentationBuilder {
    let section = DocSection { include: true, label: docs::PATHS, description: None };
    Documentation::builder(section, description, syntax)
        .with_argument("data", "A table, a view or a query in parentheses.")
        .with_argument(
            "node",
            "Where a row is: an expression, cast to text; default column `event`. A row whose node is NULL is no part of \
             a path.",
        )
        .with_argument(
            "per",
            "Within what paths are formed: `'session'` (default), `'person'`, or an expression such as a column with \
             session ids: then one path for each of its values (and person). Rows where it is NULL take no part.",
        )
}

const START: (&str, &str) = (
    "start",
    "Paths begin at the first row that meets this; what has none is left out. A condition, the name of a node in quotes, \
     or a list of them of which one must be met.",
);
const END: (&str, &str) = (
    "end",
    "Paths end at the first row (from the start on) that meets this, with it; what has none is left out. As `start`.",
);
const DIRECTION: (&str, &str) = (
    "direction",
    "Which nodes remain of a path that has more than `depth`: the first, `'forward'` (default), or the last, \
     `'backward'`. Where both `start` and `end` are given it is half of them from either end, with `...` between.",
);
const LIMITS: [(&str, &str); 2] = [
    (
        "min_weight, max_weight",
        "Only rows whose count is not below, not above this. Shares are those of all rows.",
    ),
    (
        "top",
        "Only so many rows: those with the highest counts, and where counts are equal the first in the order of the \
         columns before them.",
    ),
];

fn argument(entry: DocumentationBuilder, (name, description): (&str, &str)) -> DocumentationBuilder {
    entry.with_argument(name, description)
}

fn with_limits(entry: DocumentationBuilder) -> DocumentationBuilder {
    LIMITS.into_iter().fold(entry, argument)
}

fn with_shared_arguments(entry: DocumentationBuilder) -> DocumentationBuilder {
    entry
        .with_argument(
            "gap",
            "For sessions: a row that comes later than this after the one before begins a new path; default INTERVAL '30 \
             minutes'. All rows of a person count for it, also those that are no nodes.",
        )
        .with_argument(
            "conversion",
            "Which rows are conversions: a condition, or the name of an event in quotes (compared with column `event`). A \
             conversion ends its path and is no node of it; what follows begins a new path. Without it nothing converts.",
        )
        .with_argument(
            "value",
            "What a row is worth, a DECIMAL or an integer; summed over the rows of a path, with its conversion.",
        )
        .with_argument(
            "weight",
            "How many paths a path stands for, an integer; that of its first row counts. Default 1. For data that is \
             aggregated already; values are not multiplied by it.",
        )
        .with_argument("collapse", "`true`: neighbouring equal nodes are one. Default `false`.")
        .with_argument(
            "clean",
            "Replacements in the names of nodes, in this order: a list of pairs of a regular expression and its \
             replacement, `[('[0-9]+', 'N'), ('/$', '')]`.",
        )
        .with_argument(
            "groups",
            "Patterns with `*` for any text, `['/item/*', '/help/*']`: a node that fits one, after cleaning, has the \
             first such pattern as its name.",
        )
        .with_argument(
            "exclude",
            "Rows that are no nodes: conditions, or names of nodes in quotes. They are left out before neighbours are \
             compared.",
        )
        .with_argument("by", "Groups: an expression; a path is in the group of its first row. Gives a column `by`.")
        .with_argument(
            "compare_by",
            "Two segments side by side: an expression with two values; a path is in the segment of its first \
             row, and those where it is NULL are left out. Not together with `by`. The columns are then the keys of the function \
             (`source` and `target`, `step`, `path`, `node`) and `segment_a`, `segment_b` (the two values as \
             text, the first in order of text is a), `count_a`, `count_b`, `persons_a`, `persons_b` (not in \
             `step_matrix`), `share_a`, `share_b` (of all that leaves the same `source`, in `paths` at the \
             same step; of all paths; of the step), `difference` (`share_a - share_b`) and `p_value` (of the \
             difference, two-sided, by the pooled z-test of two proportions, which takes each count for \
             independent of the others). `min_weight`, `max_weight` and `top` go by the sum of both counts.",
        )
        .with_argument("user_id, ts, event", "Expressions to use in place of the columns of these names.")
        .with_argument(
            "sequence",
            "What orders rows of one instant, such as `event_id`. Without it, and where it is equal: conversions last, the \
             others by node.",
        )
}

const ROWS: &str = r"((SELECT * FROM (VALUES
    ('ann', TIMESTAMP '2024-05-01T10:00:00', 'home'), ('ann', TIMESTAMP '2024-05-01T10:01:00', 'item'),
    ('ann', TIMESTAMP '2024-05-01T10:03:00', 'buy'),  ('ann', TIMESTAMP '2024-05-01T18:00:00', 'home'),
    ('ben', TIMESTAMP '2024-05-01T10:00:00', 'home'), ('ben', TIMESTAMP '2024-05-01T10:02:00', 'item')
  ) AS t (user_id, ts, event))";

fn example(select: &str, function: &str, rest: &str, output: &str) -> String {
    format!("```sql\n> SELECT {select}\n  FROM {function}{ROWS}{rest};\n{output}\n```")
}

pub(super) static TRANSITIONS: LazyLock<Documentation> = LazyLock::new(|| {
    let entry = builder(
        "How often one node follows another, of all people in the data:\n\n\
         | column | |\n|---|---|\n\
         | `by` | the group, only if `by` is given |\n\
         | `source`, `target` | the two nodes; `(start)` before the first of a path; behind the last one `(conversion)`, \
         or `(null)` if the path did not convert, or `(end)` if no `conversion` is given |\n\
         | `count` | how often |\n\
         | `persons` | people who did it |\n\
         | `probability` | of all that leaves `source` |\n\
         | `probability_in` | of all that comes to `target` |\n\
         | `share` | of all transitions |\n\
         | `per_path` | per path |\n\
         | `mean_seconds` | between the two; NULL from the start and to an end without a time; for an integer `ts` in its \
         unit |\n\n\
         With `conversion` and `per => 'person'` these are the states of a first-order Markov model of attribution: a \
         conversion without anything before it goes from `(start)` to `(conversion)`.",
        "SELECT * FROM transitions(touchpoints, node => channel, per => 'person', conversion => 'purchase')",
    );
    let entry = [START, END].into_iter().fold(entry, argument);
    let entry = entry.with_argument(
        "depth",
        "The most nodes of a path; default all. There is no transition to the end of a path that was cut.",
    );
    let entry = argument(entry, DIRECTION).with_argument(
        "ends",
        "Whether there are transitions from the start and to the end; default `true`.",
    );
    with_shared_arguments(with_limits(entry))
        .with_sql_example(example(
            "source, target, count, persons, round(probability, 2) AS probability, mean_seconds",
            "transitions",
            ", conversion => 'buy')\n  ORDER BY source, target",
            "+---------+--------------+-------+---------+-------------+--------------+\n\
             | source  | target       | count | persons | probability | mean_seconds |\n\
             +---------+--------------+-------+---------+-------------+--------------+\n\
             | (start) | home         | 3     | 2       | 1.0         |              |\n\
             | home    | (null)       | 1     | 1       | 0.33        |              |\n\
             | home    | item         | 2     | 2       | 0.67        | 90.0         |\n\
             | item    | (conversion) | 1     | 1       | 0.5         | 120.0        |\n\
             | item    | (null)       | 1     | 1       | 0.5         |              |\n\
             +---------+--------------+-------+---------+-------------+--------------+",
        ))
        .build()
});

pub(super) static PATHS: LazyLock<Documentation> = LazyLock::new(|| {
    let entry = builder(
        "The edges of a flow diagram (Sankey): how often one node follows another at each step of the paths.\n\n\
         | column | |\n|---|---|\n\
         | `by` | the group, only if `by` is given |\n\
         | `step` | position of the edge: 1 from the first node to the second; backward 1 is the last edge |\n\
         | `source`, `target` | the two nodes |\n\
         | `persons` | people who passed it |\n\
         | `weight` | how often it was passed |\n\
         | `mean_seconds` | between the two nodes; for an integer `ts` in its unit |\n\
         | `conversions` | how often by a path that converts; NULL without `conversion` |\n\
         | `value` | what the paths are worth; NULL without `value` |\n\n\
         With `ends => true` the start is step 0, and the end is a node: `(conversion)`, `(null)` or `(end)`, as in \
         `transitions`; backward the end is step 0.",
        "SELECT * FROM paths(touchpoints, node => page, collapse => true, depth => 5, top => 50)",
    );
    let entry = [START, END].into_iter().fold(entry, argument);
    let entry = entry.with_argument("depth", "The most nodes of a path; default 5.");
    let entry = argument(entry, DIRECTION)
        .with_argument("ends", "Whether the start and the end are nodes; default `false`.");
    with_shared_arguments(with_limits(entry))
        .with_sql_example(example(
            "step, source, target, persons, weight, mean_seconds, conversions",
            "paths",
            ", conversion => 'buy', ends => true)\n  ORDER BY step, source, target",
            "+------+---------+--------------+---------+--------+--------------+-------------+\n\
             | step | source  | target       | persons | weight | mean_seconds | conversions |\n\
             +------+---------+--------------+---------+--------+--------------+-------------+\n\
             | 0    | (start) | home         | 2       | 3      |              | 1           |\n\
             | 1    | home    | (null)       | 1       | 1      |              | 0           |\n\
             | 1    | home    | item         | 2       | 2      | 90.0         | 1           |\n\
             | 2    | item    | (conversion) | 1       | 1      | 120.0        | 1           |\n\
             | 2    | item    | (null)       | 1       | 1      |              | 0           |\n\
             +------+---------+--------------+---------+--------+--------------+-------------+",
        ))
        .build()
});

pub(super) static TOP_PATHS: LazyLock<Documentation> = LazyLock::new(|| {
    let entry = builder(
        "Whole paths and how often they come:\n\n\
         | column | |\n|---|---|\n\
         | `by` | the group, only if `by` is given |\n\
         | `path` | the nodes as text; empty for a conversion without anything before it |\n\
         | `persons` | people who have it |\n\
         | `count` | how often it comes |\n\
         | `conversions` | how often it ends in a conversion; NULL without `conversion` |\n\
         | `value` | what the paths are worth; NULL without `value` |\n\
         | `median_seconds` | from the first node to the last, or to the conversion; of the whole path, also where \
         `depth` shows only a part; for an integer `ts` in its unit |\n\n\
         All different paths are held until they are counted: `depth` and `collapse` make them fewer.",
        "SELECT * FROM top_paths(touchpoints, collapse => true, depth => 5, top => 20)",
    );
    let entry = [START, END].into_iter().fold(entry, argument);
    let entry = entry.with_argument("depth", "The most nodes of a path; default all.");
    let entry = argument(entry, DIRECTION).with_argument("separator", "Text between nodes; default `' > '`.");
    with_shared_arguments(with_limits(entry))
        .with_sql_example(example(
            "path, persons, count, conversions, median_seconds",
            "top_paths",
            ", conversion => 'buy', top => 2)\n  ORDER BY count DESC",
            "+-------------+---------+-------+-------------+----------------+\n\
             | path        | persons | count | conversions | median_seconds |\n\
             +-------------+---------+-------+-------------+----------------+\n\
             | home > item | 2       | 2     | 1           | 150.0          |\n\
             | home        | 1       | 1     | 0           | 0.0            |\n\
             +-------------+---------+-------+-------------+----------------+",
        ))
        .build()
});

pub(super) static STEP_MATRIX: LazyLock<Documentation> = LazyLock::new(|| {
    let entry = builder(
        "Where paths are at each step:\n\n\
         | column | |\n|---|---|\n\
         | `by` | the group, only if `by` is given |\n\
         | `step` | 0 is the start, 1 the first node; with `center` or `pattern` 0 is the centre, and steps before it are negative |\n\
         | `node` | the node; `(start)` before the first of a path; behind the last one `(conversion)`, `(null)` or \
         `(end)`, as in `transitions`, in all further steps |\n\
         | `paths` | how many |\n\
         | `share` | of all paths; 1 in sum at each step |",
        "SELECT * FROM step_matrix(touchpoints, node => page, steps => 10)",
    );
    let entry = [START, END].into_iter().fold(entry, argument);
    let entry = entry.with_argument("steps", "How many steps, with a centre to either side; default 10.")
        .with_argument(
            "center",
            "Paths are laid on one another at their first node that meets this; those without are left out. As `start`.",
        )
        .with_argument(
            "pattern",
            "Paths are laid on one another at a row of a match of this pattern, in the language of `sequence_match`, which \
             is looked for in each path by itself; paths without a match are left out. It sees the rows of the path that \
             are nodes, before `collapse`, and the conversion that ends it, in the order of the path; where the conversion \
             is the centre, `(conversion)` is step 0. Not together with `center`.",
        )
        .with_argument(
            "conditions",
            "The conditions of the pattern, numbered from 1: a list of conditions and names of nodes in quotes, or a \
             struct such as `named_struct('view', page = '/item', 'sale', revenue > 9)`. Names of nodes, texts that \
             something is compared with (`event = 'buy'`) and fields of the struct are names for the pattern. Without it \
             every name in the pattern is that of a node: `'(?home).*(?buy)'`.",
        )
        .with_argument(
            "which",
            "Which match of a path, where there are several that do not overlap: `'first'` (default) or `'last'`.",
        )
        .with_argument(
            "element",
            "Which row of the match is the centre, among those that meet a condition of the pattern (which \
             `sequence_match_events` gives): 1 (default) is the first, 2 the next, -1 the last. A path whose match has \
             fewer is left out.",
        )
        .with_argument(
            "keep_unmatched",
            "`true`: rows that meet none of the conditions count as rows for `.` and for what is adjacent. Default `false`: \
             the pattern does not see them.",
        );
    with_shared_arguments(entry)
        .with_sql_example(example(
            "step, node, paths, round(share, 2) AS share",
            "step_matrix",
            ", steps => 3)\n  ORDER BY step, node",
            "+------+---------+-------+-------+\n\
             | step | node    | paths | share |\n\
             +------+---------+-------+-------+\n\
             | 0    | (start) | 3     | 1.0   |\n\
             | 1    | home    | 3     | 1.0   |\n\
             | 2    | (end)   | 1     | 0.33  |\n\
             | 2    | item    | 2     | 0.67  |\n\
             | 3    | (end)   | 2     | 0.67  |\n\
             | 3    | buy     | 1     | 0.33  |\n\
             +------+---------+-------+-------+",
        ))
        .with_sql_example(example(
            "step, node, paths, share",
            "step_matrix",
            ", pattern => '(?home).*(?buy)', element => -1, steps => 2)\n  ORDER BY step, node",
            "+------+-------+-------+-------+\n\
             | step | node  | paths | share |\n\
             +------+-------+-------+-------+\n\
             | -2   | home  | 1     | 1.0   |\n\
             | -1   | item  | 1     | 1.0   |\n\
             | 0    | buy   | 1     | 1.0   |\n\
             | 1    | (end) | 1     | 1.0   |\n\
             | 2    | (end) | 1     | 1.0   |\n\
             +------+-------+-------+-------+",
        ))
        .build()
});

const FUNNEL_PATHS_TEXT: &str = "What people did between two steps of a funnel, or instead of the later one: paths and how \
     often they come, one for each person:\n\n\
     | column | |\n|---|---|\n\
     | `by` | the group, only if `by` is given |\n\
     | `path` | the nodes as text; with `'between'` from the row of the one step to that of the other, with both of them \
     as far as they are nodes; with `'instead'` from the row of the earlier step to the end of the window |\n\
     | `persons` | people who have it |\n\
     | `share` | of all people in question |\n\
     | `median_seconds` | from its first node to its last; for an integer `ts` in its unit |\n\n\
     The rows of the steps are those that `funnel_steps` gives for the same steps and window.";

pub(super) static FUNNEL_PATHS: LazyLock<Documentation> = LazyLock::new(|| {
    let section = DocSection { include: true, label: docs::PATHS, description: None };
    let entry = Documentation::builder(
        section,
        FUNNEL_PATHS_TEXT,
        "SELECT * FROM funnel_paths(touchpoints, steps => ['view', 'buy'], within => INTERVAL '1 day', node => page)",
    )
    .with_argument("data", "A table, a view or a query in parentheses.")
    .with_argument("steps", "The steps in their order, at least two: conditions, or names of events in quotes.")
    .with_argument("within", "The window of the funnel, from the first step on; default INTERVAL '14 days'.")
    .with_argument("node", "Where a row is: an expression, cast to text; default column `event`.")
    .with_argument(
        "what",
        "`'between'` (default): of people who came to the later step. `'instead'`: of those who came to the earlier one \
         and not to the later.",
    )
    .with_argument("from_step, to_step", "The two steps, numbered from 1; default 1 and the next one.")
    .with_argument("depth", "The most nodes of a path; default all.");
    let entry = argument(entry, DIRECTION).with_argument("separator", "Text between nodes; default `' > '`.");
    with_limits(entry)
        .with_argument(
            "collapse, clean, groups, exclude, by, user_id, ts, sequence, event",
            "As in `top_paths`. A step may be a row that is excluded. A path is in the group of its first row, which is \
             that of the earlier step.",
        )
        .with_argument(
            "compare_by",
            "Two segments side by side: an expression with two values; a path is in the segment of the row of the earlier \
             step, and those where it is NULL are left out. The columns are then `path`, `segment_a`, `segment_b` (the two \
             values as text, the first in order of text is a), `persons_a`, `persons_b`, `share_a`, `share_b` (of all \
             people in question of the segment), `difference` (`share_a - share_b`) and `p_value` (of the difference, \
             two-sided, by the pooled z-test of two proportions). `min_weight`, `max_weight` and `top` go by the sum of \
             persons. Not together with `by`.",
        )
        .with_sql_example(example(
            "path, persons, share, median_seconds",
            "funnel_paths",
            ", steps => ['home', 'buy'])",
            "+-------------------+---------+-------+----------------+\n\
             | path              | persons | share | median_seconds |\n\
             +-------------------+---------+-------+----------------+\n\
             | home > item > buy | 1       | 1.0   | 180.0          |\n\
             +-------------------+---------+-------+----------------+",
        ))
        .with_sql_example(example(
            "path, segment_a, segment_b, persons_a, persons_b, difference",
            "funnel_paths",
            ", steps => ['home', 'item'], compare_by => user_id)",
            "+-------------+-----------+-----------+-----------+-----------+------------+\n\
             | path        | segment_a | segment_b | persons_a | persons_b | difference |\n\
             +-------------+-----------+-----------+-----------+-----------+------------+\n\
             | home > item | ann       | ben       | 1         | 1         | 0.0        |\n\
             +-------------+-----------+-----------+-----------+-----------+------------+",
        ))
        .build()
});
