//! The SQL reference, written from the documentation of the functions.

use datafusion::logical_expr::Documentation;

use crate::table::all_table_functions;
use crate::{all_aggregate_functions, all_scalar_functions, all_window_functions};

pub(crate) const SESSIONS: &str = "Sessions";
pub(crate) const FUNNELS: &str = "Funnels";
pub(crate) const PATHS: &str = "Paths";
pub(crate) const SEQUENCES: &str = "Sequences";
pub(crate) const RETENTION: &str = "Retention and lifecycle";
pub(crate) const ATTRIBUTION: &str = "Attribution";

/// Order of the sections in the reference.
const SECTIONS: [&str; 6] = [SESSIONS, FUNNELS, PATHS, SEQUENCES, RETENTION, ATTRIBUTION];

struct Entry {
    name: String,
    kind: &'static str,
    aliases: Vec<String>,
    documentation: Documentation,
}

/// Returns the reference of all functions as Markdown: `docs/functions.md` of the repository.
///
/// The order is stable: by section, then by name.
pub fn reference_markdown() -> String {
    let entries = entries();
    let mut text = String::from(
        "# SQL functions for customer journeys\n\n\
         <!-- Written from the functions' own documentation. Do not edit: change the function and \
         run `WAYFARE_UPDATE_DOCS=1 cargo nextest run -p wayfare-udfs reference`. -->\n\n\
         Available beside DataFusion's own functions. Arguments can be given by name, as in \
         `sessionize(ts => ts, gap => INTERVAL '30 minutes')`.\n",
    );
    for section in SECTIONS {
        text.push_str(&format!("\n## {section}\n"));
        for entry in entries.iter().filter(|entry| entry.documentation.doc_section.label == section) {
            push_entry(&mut text, entry);
        }
    }
    text
}

fn entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    for function in all_aggregate_functions() {
        push_documented(
            &mut entries,
            function.name(),
            "Aggregate function",
            function.aliases(),
            function.documentation(),
        );
    }
    for function in all_window_functions() {
        push_documented(
            &mut entries,
            function.name(),
            "Window function",
            function.aliases(),
            function.documentation(),
        );
    }
    for function in all_scalar_functions() {
        push_documented(
            &mut entries,
            function.name(),
            "Scalar function",
            function.aliases(),
            function.documentation(),
        );
    }
    for function in all_table_functions() {
        push_documented(&mut entries, function.name(), "Table function", &[], Some(function.documentation()));
    }
    entries.sort_by(|left, right| left.name.cmp(&right.name));
    entries
}

fn push_documented(
    entries: &mut Vec<Entry>,
    name: &str,
    kind: &'static str,
    aliases: &[String],
    documentation: Option<&Documentation>,
) {
    if let Some(documentation) = documentation {
        entries.push(Entry {
            name: name.to_owned(),
            kind,
            aliases: aliases.to_vec(),
            documentation: documentation.clone(),
        });
    }
}

fn push_entry(text: &mut String, entry: &Entry) {
    let Entry { name, kind, aliases, documentation } = entry;
    text.push_str(&format!("\n### {name}\n\n{kind}."));
    if !aliases.is_empty() {
        text.push_str(&format!(" Also named {}.", aliases.join(", ")));
    }
    text.push_str(&format!(
        "\n\n{}\n\n```sql\n{}\n",
        documentation.description, documentation.syntax_example
    ));
    for syntax in documentation.alternative_syntax.iter().flatten() {
        text.push_str(&format!("{syntax}\n"));
    }
    text.push_str("```\n");
    if let Some(arguments) = &documentation.arguments {
        text.push('\n');
        for (argument, description) in arguments {
            text.push_str(&format!("- `{argument}`: {description}\n"));
        }
    }
    if let Some(example) = &documentation.sql_example {
        text.push_str(&format!("\n{}\n", example.trim()));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Compares the committed file; set `WAYFARE_UPDATE_DOCS` to write it instead.
    #[test]
    fn reference_is_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/functions.md");
        let expected = reference_markdown();
        if std::env::var_os("WAYFARE_UPDATE_DOCS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &expected).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap();
        assert_eq!(found, expected, "docs/functions.md is old: run with WAYFARE_UPDATE_DOCS=1");
    }

    #[test]
    fn every_function_is_in_the_reference_once() {
        let text = reference_markdown();
        for entry in entries() {
            let heading = format!("\n### {}\n", entry.name);
            assert_eq!(text.matches(&heading).count(), 1, "{}", entry.name);
            assert!(entry.documentation.sql_example.is_some(), "{}", entry.name);
        }
    }
}
