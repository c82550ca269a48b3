use datafusion::sql::sqlparser::dialect::{Dialect, DuckDbDialect, GenericDialect, PostgreSqlDialect};
use datafusion::sql::sqlparser::parser::Parser;

use super::*;

fn parameters() -> Parameters {
    let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let mut all = Parameters::default();
    all.add("walk", &["stroll".to_owned()], Some(&names(&["ts", "gap", "mode", "zone"])));
    all.add("steps", &[], Some(&names(&["window", "mode", "ts", "cond1", "cond2", "cond3"])));
    all.add("plain", &[], None);
    all
}

fn resolved_by(dialect: &dyn Dialect, call: &str) -> Result<String> {
    let sql = format!("SELECT {call}");
    let sql = crate::statement::rewrite_text(&sql, dialect, &|_| false);
    let mut statement = Parser::parse_sql(dialect, &sql).unwrap().pop().unwrap();
    resolve_names(&mut statement, &parameters())?;
    let text = statement.to_string();
    Ok(text.strip_prefix("SELECT ").unwrap().to_owned())
}

fn resolved(call: &str) -> String {
    resolved_by(&PostgreSqlDialect {}, call).unwrap_or_else(|error| panic!("{call}: {error}"))
}

fn refused(call: &str) -> String {
    let error = resolved_by(&PostgreSqlDialect {}, call).unwrap_err();
    assert!(matches!(error, DataFusionError::Plan(_)), "{error}");
    error.strip_backtrace()
}

#[test]
fn names_give_the_order_and_gaps_are_null() {
    for (call, expected) in [
        ("walk(ts, gap => 1)", "walk(ts, 1)"),
        ("walk(mode => 'x', ts => a)", "walk(a, NULL, 'x')"),
        ("walk(ts => a, zone := 'UTC')", "walk(a, NULL, NULL, 'UTC')"),
        ("walk(TS => a, \"gap\" => 2)", "walk(a, 2)"),
        ("stroll(a, zone => 'UTC')", "stroll(a, NULL, NULL, 'UTC')"),
        ("walk(a, b)", "walk(a, b)"),
        ("walk()", "walk()"),
        ("1 + walk(ts => walk(ts => a, mode => m))", "1 + walk(walk(a, NULL, m))"),
        (
            "walk(DISTINCT mode => m, ts => a) FILTER (WHERE b) OVER (PARTITION BY c ORDER BY d)",
            "walk(DISTINCT a, NULL, m) FILTER (WHERE b) OVER (PARTITION BY c ORDER BY d)",
        ),
        ("walk(ts => a, gap => 1 ORDER BY b)", "walk(a, 1 ORDER BY b)"),
    ] {
        assert_eq!(resolved(call), expected);
    }
}

#[test]
fn both_forms_of_the_tree() {
    for dialect in [&GenericDialect {} as &dyn Dialect, &DuckDbDialect {}, &PostgreSqlDialect {}] {
        assert_eq!(resolved_by(dialect, "walk(zone => z, ts => a)").unwrap(), "walk(a, NULL, NULL, z)");
        assert_eq!(resolved_by(dialect, "walk(zone := z, ts := a)").unwrap(), "walk(a, NULL, NULL, z)");
    }
}

#[test]
fn a_numbered_series_may_follow_without_names() {
    for (call, expected) in [
        ("steps(window => w, ts => t, a, b)", "steps(w, NULL, t, a, b)"),
        ("steps(w, ts => t, a, b, c, d, e)", "steps(w, NULL, t, a, b, c, d, e)"),
        ("steps(w, ts => t, cond2 => b, cond1 => a)", "steps(w, NULL, t, a, b)"),
        ("steps(w, m, t, a, cond2 => b)", "steps(w, m, t, a, b)"),
    ] {
        assert_eq!(resolved(call), expected);
    }
}

#[test]
fn wrong_names_are_told_apart() {
    for (call, expected) in [
        ("walk(a, gpa => 1)", "walk: there is no argument gpa; allowed are gap, ts, mode, zone"),
        ("walk(a, \"Gap\" => 1)", "walk: there is no argument Gap; allowed are gap, ts, mode, zone"),
        ("walk(a + b => 1)", "walk: a + b is not the name of an argument; allowed are ts, gap, mode, zone"),
        ("walk(ts => a, ts => b)", "walk: the argument ts is given twice"),
        ("walk(a, ts => b)", "walk: the argument ts is given twice"),
        ("stroll(ts => a, 1)", "stroll: an argument without a name follows the argument ts; name it too"),
        ("walk(gap => 1)", "walk: the argument ts is missing"),
        ("steps(window => w, cond1 => a)", "steps: the argument ts is missing"),
        (
            "steps(w, ts => t, cond2 => b)",
            "steps: the argument cond1 is missing, though a later one is given",
        ),
        ("steps(w, ts => t, a, mode => m)", "steps: the argument mode follows arguments without a name"),
        ("steps(w, ts => t, cond1 => a, b)", "either all by name or all without"),
        ("steps(w, m, t, a, b, cond3 => c, d)", "either all by name or all without"),
    ] {
        let found = refused(call);
        assert!(found.contains(expected), "{call}: {found}");
    }
}

#[test]
fn other_functions_are_left_alone() {
    for call in ["plain(a => 1)", "nope(1, a => 2)", "s.walk(gap => 1)"] {
        assert_eq!(resolved(call), call);
    }
}

#[test]
fn series_are_found_at_the_end_only() {
    let from = |list: &[&str]| repeated_from(&list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    assert_eq!(from(&["a", "c1", "c2"]), 1);
    assert_eq!(from(&["c1", "c2"]), 0);
    assert_eq!(from(&["a", "c1"]), 2);
    assert_eq!(from(&["c1", "c2", "a"]), 3);
    assert_eq!(from(&["c2", "c3"]), 2);
    assert_eq!(from(&[]), 0);
}

#[test]
fn parameters_of_this_crate_are_known() {
    let all = Parameters::of_this_crate();
    assert_eq!(all.0["sessionize"], ["ts", "gap"]);
    assert_eq!(all.0["window_funnel"][..4], ["window", "mode", "ts", "cond1"]);
}
