//! Examples of the SQL reference: four rows, and what each function returns for them.

/// Time and event of the rows.
const ROWS: [(&str, &str); 4] = [
    ("2024-05-01T10:00:00", "visit"),
    ("2024-05-01T10:10:00", "ad"),
    ("2024-05-01T10:30:00", "visit"),
    ("2024-05-01T11:00:00.500", "visit"),
];

/// A function, its arguments, the name of the result, its values.
type Example = (&'static str, &'static str, &'static str, [&'static str; 4]);

const RULES: &str = "ts, gap => INTERVAL '30 minutes', start_if => event = 'ad'";
const ROBOT: &str = "ts, gap => INTERVAL '30 minutes', click_lag => INTERVAL '15 minutes'";
const PERSON: &str = "'ann', ts, gap => INTERVAL '30 minutes', start_if => event = 'ad'";
const AD: &str = "ts, event = 'ad'";

const EXAMPLES: [Example; 24] = [
    ("sessionize", "ts, INTERVAL '30 minutes'", "session", ["1", "1", "1", "2"]),
    ("session_number", RULES, "session", ["1", "2", "2", "3"]),
    (
        "session_id",
        PERSON,
        "session",
        [
            "ann@2024-05-01T10:00:00.000000000Z",
            "ann@2024-05-01T10:10:00.000000000Z",
            "ann@2024-05-01T10:10:00.000000000Z",
            "ann@2024-05-01T11:00:00.500000000Z",
        ],
    ),
    ("session_depth", RULES, "depth", ["1", "1", "2", "1"]),
    ("session_gap", RULES, "pause", ["", "600.0", "1200.0", "1800.5"]),
    ("session_seconds", RULES, "seconds", ["0.0", "0.0", "1200.0", "0.0"]),
    ("session_is_new", RULES, "is_new", ["true", "true", "false", "true"]),
    ("session_reason", RULES, "reason", ["first", "start_if", "start_if", "gap"]),
    ("session_is_robot", ROBOT, "is_robot", ["false", "true", "false", "false"]),
    (
        "sess_timeout",
        "ts, 1800",
        "session",
        [
            "{timestamp_diff: 0, num: 1, is_new: true, depth: 1}",
            "{timestamp_diff: 600, num: 1, is_new: false, depth: 2}",
            "{timestamp_diff: 1200, num: 1, is_new: false, depth: 3}",
            "{timestamp_diff: 1800, num: 2, is_new: true, depth: 1}",
        ],
    ),
    ("sess_timeout_timestamp_diff", "ts, 1800", "timestamp_diff", ["0", "600", "1200", "1800"]),
    ("sess_timeout_num", "ts, 1800", "num", ["1", "1", "1", "2"]),
    ("sess_timeout_is_new", "ts, 1800", "is_new", ["true", "false", "false", "true"]),
    ("sess_timeout_depth", "ts, 1800", "depth", ["1", "2", "3", "1"]),
    (
        "sess_start_if",
        AD,
        "session",
        [
            "{timestamp_diff: 0, num: 1, is_new: true, depth: 1}",
            "{timestamp_diff: 600, num: 2, is_new: true, depth: 1}",
            "{timestamp_diff: 1200, num: 2, is_new: false, depth: 2}",
            "{timestamp_diff: 1800, num: 2, is_new: false, depth: 3}",
        ],
    ),
    ("sess_start_if_timestamp_diff", AD, "timestamp_diff", ["0", "600", "1200", "1800"]),
    ("sess_start_if_num", AD, "num", ["1", "2", "2", "2"]),
    ("sess_start_if_is_new", AD, "is_new", ["true", "true", "false", "false"]),
    ("sess_start_if_depth", AD, "depth", ["1", "1", "2", "3"]),
    (
        "sess_end_if",
        AD,
        "session",
        [
            "{timestamp_diff: 0, num: 1, is_new: true, depth: 1}",
            "{timestamp_diff: 600, num: 1, is_new: false, depth: 2}",
            "{timestamp_diff: 1200, num: 2, is_new: true, depth: 1}",
            "{timestamp_diff: 1800, num: 2, is_new: false, depth: 2}",
        ],
    ),
    ("sess_end_if_timestamp_diff", AD, "timestamp_diff", ["0", "600", "1200", "1800"]),
    ("sess_end_if_num", AD, "num", ["1", "1", "2", "2"]),
    ("sess_end_if_is_new", AD, "is_new", ["true", "false", "true", "false"]),
    ("sess_end_if_depth", AD, "depth", ["1", "2", "1", "2"]),
];

/// The statement and its output, as the reference shows them.
pub(super) fn of(function: &str) -> String {
    let Some((name, arguments, column, values)) = EXAMPLES.iter().find(|(name, ..)| *name == function) else {
        return String::new();
    };
    let mut text = format!(
        "```sql\n> SELECT ts, event, {name}({arguments}) OVER (ORDER BY ts) AS {column}\n  FROM (VALUES\n"
    );
    for (index, (ts, event)) in ROWS.iter().enumerate() {
        let comma = if index + 1 < ROWS.len() { "," } else { "" };
        text.push_str(&format!("    (TIMESTAMP '{ts}', '{event}'){comma}\n"));
    }
    text.push_str("  ) AS t (ts, event)\n  ORDER BY ts;\n");
    let rows: Vec<[&str; 3]> =
        ROWS.iter().zip(values).map(|((ts, event), value)| [*ts, *event, *value]).collect();
    push_table(&mut text, ["ts", "event", column], &rows);
    text.push_str("```");
    text
}

fn push_table(text: &mut String, header: [&str; 3], rows: &[[&str; 3]]) {
    let width = |index: usize| rows.iter().map(|row| row[index].len()).fold(header[index].len(), usize::max);
    let widths = [width(0), width(1), width(2)];
    let line = widths.map(|width| "-".repeat(width + 2)).join("+");
    let row = |cells: &[&str; 3]| {
        let cells: Vec<String> =
            cells.iter().zip(widths).map(|(cell, width)| format!(" {cell:<width$} ")).collect();
        format!("|{}|\n", cells.join("|"))
    };
    text.push_str(&format!("+{line}+\n{}+{line}+\n", row(&header)));
    rows.iter().for_each(|cells| text.push_str(&row(cells)));
    text.push_str(&format!("+{line}+\n"));
}
