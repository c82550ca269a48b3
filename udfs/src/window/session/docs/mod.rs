//! Entries of the SQL reference.

mod examples;

use std::collections::HashMap;
use std::sync::LazyLock;

use datafusion::logical_expr::{DocSection, Documentation};

use super::spelling::{Output, SPECS, Spec, Spelling};
use crate::docs;

/// The entry of the function called `name`.
pub(super) fn of(name: &str) -> Option<&'static Documentation> {
    static ENTRIES: LazyLock<HashMap<&'static str, Documentation>> =
        LazyLock::new(|| SPECS.iter().map(|spec| (spec.name, entry(spec))).collect());
    ENTRIES.get(name)
}

fn entry(spec: &Spec) -> Documentation {
    let section = DocSection { include: true, label: docs::SESSIONS, description: None };
    let builder = Documentation::builder(section, description(spec), syntax(spec));
    let builder =
        arguments(spec).into_iter().fold(builder, |builder, (name, text)| builder.with_argument(name, text));
    builder.with_sql_example(examples::of(spec.name)).build()
}

fn syntax(spec: &Spec) -> String {
    let name = spec.name;
    let over = "OVER (PARTITION BY user_id ORDER BY ts, event_id)";
    match spec.spelling {
        Spelling::Family => format!("{name}(ts, gap => ..., start_if => ..., ...) {over}"),
        Spelling::FamilyWithPerson => format!("{name}(user_id, ts, gap => ..., start_if => ..., ...) {over}"),
        Spelling::Short => format!("{name}(ts, gap) {over}"),
        Spelling::Timeout => format!("{name}(ts, seconds) {over}"),
        Spelling::StartIf | Spelling::EndIf => format!("{name}(ts, condition) {over}"),
    }
}

const RULES: &str = "Any of the rules can be combined, at least one must be given. A row starts a new session if, in \
     this order, which is also the order of precedence of the reasons: it is the person's first; it follows a \
     `separator`; it follows a row that met `end_if`; it meets `start_if`; more than `gap` has passed since the row \
     before it; it is on a later local day than that row (`midnight`); `split_on` has another value; more than \
     `max_length` has passed since the start of the session; the session has `max_events` rows.\n\n\
     The rows of a partition must come in ascending order of `ts`: if `ts` goes back, as under `ORDER BY ts DESC` or \
     without any ORDER BY, the query fails; rows that happen to arrive in order pass, so leave the ORDER BY in. Rows \
     of one instant are taken in the order of the OVER clause: with `gap`, `midnight` and `max_length` alone their \
     order does not change a session, with the other rules it may, so write `ORDER BY ts, event_id`. A row whose `ts` \
     is NULL gets NULL and does not take part; so does a separator.";

fn description(spec: &Spec) -> String {
    let what = match (spec.spelling, spec.output) {
        (Spelling::Short, _) => {
            return "Returns the number of the session that the row belongs to, counted from 1 within the partition: \
                    the short form of `session_number` with a gap alone. A row starts a new session when more than \
                    `gap` has passed since the row before it; a pause of exactly `gap` stays in the session. Rows of \
                    one instant share a session.\n\n\
                    The rows of a partition must come in ascending order of `ts`: write `ORDER BY ts`. If `ts` goes \
                    back, as under `ORDER BY ts DESC` or without any ORDER BY, the query fails; rows that happen to \
                    arrive in order pass, so leave the ORDER BY in. A row whose `ts` is NULL gets NULL and does not \
                    take part. The result is a BIGINT."
                .to_owned();
        }
        (Spelling::Family, Output::Number) => {
            return format!(
                "Returns the number of the session that the row belongs to, counted from 1 within the partition; a \
                 BIGINT.\n\n{RULES}"
            );
        }
        (Spelling::Timeout | Spelling::StartIf | Spelling::EndIf, _) => return adobe(spec),
        (_, Output::Id) => {
            "Returns the name of the session that the row belongs to, as text: the person, `@` and the time of the \
             session's first row in UTC, with microseconds (nanoseconds for a `ts` that has them); `#2`, `#3` ... follow \
             for further sessions that start at the same instant. It stays the same when the table is loaded \
             again and when rows of other sessions arrive late, while `session_number` counts from the person's first \
             row in sight: filter with a margin of one `gap` before the time of interest. NULL for an unknown person."
        }
        (_, Output::Depth) => "Returns the position of the row in its session, from 1; a BIGINT.",
        (_, Output::Gap) => {
            "Returns the time since the row before, in whatever session that was; separators do not count. Seconds as \
             a DOUBLE; for an integer `ts` a BIGINT in its unit. NULL on the first row."
        }
        (_, Output::Elapsed) => {
            "Returns the time since the first row of the session, 0 on that row. Seconds as a DOUBLE; for an integer \
             `ts` a BIGINT in its unit."
        }
        (_, Output::IsNew) => "Returns whether the row is the first of its session.",
        (_, Output::Reason) => {
            "Returns the rule that started the session of the row, the same for all its rows: `first`, or the name of \
             the argument: `separator`, `end_if`, `start_if`, `gap`, `midnight`, `split_on`, `max_length`, \
             `max_events`. If several apply, the first of this list."
        }
        _ => {
            "Returns whether the row follows the one before it in its session faster than a human would: in less than \
             `click_lag`, which must be given. It marks rows and cuts nothing; `max(...)` over a session tells \
             whether to leave the session out, as Teradata's Sessionize does."
        }
    };
    format!("{what}\n\nThe rules and the order of rows are those of `session_number`.")
}

fn adobe(spec: &Spec) -> String {
    let (base, rule) = match spec.spelling {
        Spelling::Timeout => (
            "sess_timeout",
            "A row starts a new session when more than `seconds` have passed since the row before it.",
        ),
        Spelling::StartIf => (
            "sess_start_if",
            "A row that meets `condition` starts a new session; no pause does. The first row is in session 1 whether \
             it meets the condition or not.",
        ),
        _ => (
            "sess_end_if",
            "A row that meets `condition` is the last of its session, the next row starts a new one; no pause does.",
        ),
    };
    let what = match spec.output {
        Output::State => {
            "Returns what Adobe Query Service does, a struct: `timestamp_diff` (whole seconds since the row before, in \
             whatever session that was; 0 on the first row), `num` (number of the session, from 1), `is_new` (whether \
             the row is the first of its session), `depth` (position in the session, from 1)."
        }
        Output::TimestampDiff => "The field `timestamp_diff`",
        Output::Number => "The field `num`",
        Output::IsNew => "The field `is_new`",
        _ => "The field `depth`",
    };
    if spec.output == Output::State {
        format!(
            "{what} {rule} Several rules at once, and the seconds since the start of the session: `session_number` and \
             its family. Tools that do not know structs use `{base}_num`, `{base}_depth`, `{base}_is_new` and \
             `{base}_timestamp_diff`.\n\nThe order of rows is that of `session_number`."
        )
    } else {
        format!("{what} of `{base}` as a column of its own.")
    }
}

const TS: (&str, &str) =
    ("ts", "When the row happened: a timestamp of any unit and zone, a date, or an integer.");

const GAP: (&str, &str) = (
    "gap",
    "The longest pause inside a session: a constant INTERVAL, not negative; for an integer `ts` an integer in the \
     same unit. Months follow the calendar, and so do days if `ts` has a time zone that changes its clock; elsewhere a \
     day is 24 hours.",
);

fn arguments(spec: &Spec) -> Vec<(&'static str, &'static str)> {
    let family = [
        TS,
        GAP,
        (
            "inclusive",
            "`true`: a pause of exactly `gap` starts a new session; default `false`: a longer one does.",
        ),
        ("start_if", "A condition; a row that meets it starts a session. NULL is not met."),
        ("end_if", "A condition; a row that meets it is the last of its session. NULL is not met."),
        (
            "max_length",
            "The longest time from the first row of a session to its last, like `gap`; a row later than that starts a \
             new session.",
        ),
        ("max_events", "The largest number of rows in a session, a constant of 1 or more."),
        (
            "split_on",
            "An expression of any type, for example the campaign. A row starts a session if its value is not NULL and \
             not the latest value of the session. NULL is no information and never splits; a first value in a session \
             that had none is another one, so a click on a campaign in the middle of a direct visit starts a session, \
             as in Matomo. To let NULL split as well, write coalesce(campaign, '').",
        ),
        (
            "midnight",
            "A time zone such as 'Europe/Berlin'; a new day there starts a session. A `ts` without a zone is read as \
             UTC. Not for an integer `ts`.",
        ),
        (
            "click_lag",
            "Rows less than this after the row before them in their session are faster than human, like `gap`. It \
             marks rows for `session_is_robot` and starts no session.",
        ),
        (
            "separator",
            "A condition; a row that meets it stands between sessions and belongs to none, and the next row starts \
             one. Rows before a person's first separator have no session either. NULL is not met.",
        ),
    ];
    match (spec.spelling, spec.output) {
        (Spelling::Family, Output::Number) => family.to_vec(),
        (Spelling::Family, _) => vec![TS, ("gap, ...", "The rules of `session_number`.")],
        (Spelling::FamilyWithPerson, _) => vec![
            ("user_id", "The person, of any type: what the window is partitioned by."),
            TS,
            ("gap, ...", "The rules of `session_number`."),
        ],
        (Spelling::Short, _) => vec![TS, GAP],
        (Spelling::Timeout, _) => {
            vec![TS, ("seconds", "The longest pause inside a session: a constant integer, not negative.")]
        }
        (Spelling::StartIf | Spelling::EndIf, _) => vec![TS, ("condition", "A condition; NULL is not met.")],
    }
}
