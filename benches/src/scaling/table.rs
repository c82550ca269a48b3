//! One table of costs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::measurement::Summary;

/// Costs of the same queries in several cases.
#[derive(Debug)]
pub struct Table {
    /// What differs between the cases.
    pub name: &'static str,
    /// Case after case, in each the queries in the same order.
    pub cases: Vec<Case>,
}

/// One query in one case.
#[derive(Debug)]
pub struct Case {
    /// What the case is.
    pub case: String,
    /// The query.
    pub query: String,
    /// Rows of the table.
    pub rows: u64,
    /// Data files of the table.
    pub files: u64,
    /// What was measured.
    pub summary: Summary,
}

impl Table {
    /// A table without cases.
    pub fn new(name: &'static str) -> Self {
        Self { name, cases: Vec::new() }
    }

    /// Query after query, in each the cases one below the other.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:<10} {:<10} {:>12} {:>8} {:>10} {:>10} {:>9} {:>9} {:>10}",
            "query", self.name, "rows", "files", "wall s", "CPU s", "RSS MiB", "ns/row", "x first"
        );
        for (query, case, against_first) in self.sorted() {
            let Summary { wall_seconds, cpu_seconds, peak_rss_mib, .. } = case.summary;
            let _ = writeln!(
                text,
                "{query:<10} {:<10} {:>12} {:>8} {wall_seconds:>10.4} {cpu_seconds:>10.4} {peak_rss_mib:>9.0} {:>9.2} {:>10}",
                case.case,
                case.rows,
                case.files,
                case.ns_per_row(),
                format!("{against_first:.2}x")
            );
        }
        text
    }

    /// The same as JSON.
    pub fn json(&self) -> Value {
        let cases: Vec<Value> = self
            .sorted()
            .map(|(query, case, against_first)| {
                json!({
                    "query": query,
                    "case": case.case,
                    "rows": case.rows,
                    "files": case.files,
                    "summary": case.summary,
                    "ns_per_row": case.ns_per_row(),
                    "wall_over_first": against_first,
                })
            })
            .collect();
        json!({ "name": self.name, "cases": cases })
    }

    /// With the query, and the time of each case over that of the first case of its query.
    fn sorted(&self) -> impl Iterator<Item = (&str, &Case, f64)> {
        let first_case = self.cases.first().map(|case| case.case.as_str());
        let firsts = self.cases.iter().filter(move |case| Some(case.case.as_str()) == first_case);
        firsts.flat_map(move |first| {
            let same_query = self.cases.iter().filter(|case| case.query == first.query);
            same_query.map(|case| {
                (first.query.as_str(), case, case.summary.wall_seconds / first.summary.wall_seconds)
            })
        })
    }
}

impl Case {
    fn ns_per_row(&self) -> f64 {
        self.summary.wall_seconds * 1e9 / self.rows as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_grouped_by_query_and_compared_with_the_first() {
        let mut table = Table::new("size");
        for (case, rows, scale) in [("small", 10, 1.0), ("main", 50, 6.0)] {
            for (query, wall_seconds) in [("q02", 0.5), ("q03", 1.0)] {
                let summary = Summary {
                    wall_seconds: wall_seconds * scale,
                    wall_p95_seconds: 0.0,
                    cpu_seconds: 0.0,
                    peak_rss_mib: 0.0,
                    runs: 1,
                };
                table.cases.push(Case {
                    case: case.to_owned(),
                    query: query.to_owned(),
                    rows,
                    files: 1,
                    summary,
                });
            }
        }
        let rows: Vec<(String, String, f64)> =
            table.sorted().map(|(query, case, x)| (query.to_owned(), case.case.clone(), x)).collect();
        let row = |query: &str, case: &str, x: f64| (query.to_owned(), case.to_owned(), x);
        assert_eq!(
            rows,
            [
                row("q02", "small", 1.0),
                row("q02", "main", 6.0),
                row("q03", "small", 1.0),
                row("q03", "main", 6.0)
            ]
        );
        assert_eq!(table.json()["cases"][1]["ns_per_row"], json!(6.0e7));
        assert!(table.text().contains("6.00x"));
    }
}
