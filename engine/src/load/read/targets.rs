//! Which column of a file fills which column of the table.
//!
//! Rules, in this order: `--map` moves a column of the file to a table column; `--set` fills a table column with a
//! constant; a column of the file with the name of a table column fills it. Names match exactly, or else without
//! regard to case if only one does. Nothing is guessed: look-alikes are only suggested in errors.

use std::sync::Arc;

use arrow::datatypes::{Field, SchemaRef};

use super::options::{ExtraColumns, ReadOptions};
use crate::load::coded::is_read_as_codes;
use crate::load::error::LoadError;
use crate::schema;

/// Columns listed in a message, at most.
const LISTED_COLUMNS: usize = 40;

/// Names under which other systems keep a required column, without case and punctuation; best first.
const LOOK_ALIKES: [(&str, &[&str]); 3] = [
    (
        schema::USER_ID,
        &[
            "userid",
            "user",
            "uid",
            "customerid",
            "customer",
            "visitorid",
            "clientid",
            "personid",
            "memberid",
            "accountid",
            "distinctid",
            "profileid",
            "username",
            "client",
            "id",
        ],
    ),
    (
        schema::TS,
        &[
            "ts",
            "timestamp",
            "eventtimestamp",
            "eventtime",
            "time",
            "datetime",
            "occurredat",
            "createdat",
            "timeutc",
            "date",
        ],
    ),
    (schema::EVENT, &["event", "eventname", "eventtype", "action", "activity", "type", "name"]),
];

/// The table's columns with the options that say how files fill them.
#[derive(Debug, Clone)]
pub(super) struct Targets {
    /// Load schema and extra columns.
    pub(super) schema: SchemaRef,
    /// (index of the table column, name in the file)
    pub(super) mapping: Vec<(usize, String)>,
    /// (index of the table column, text)
    pub(super) constants: Vec<(usize, String)>,
    pub(super) extra: ExtraColumns,
    /// For each table column whether its text may come in a dictionary.
    pub(super) as_codes: Vec<bool>,
}

/// The columns of one file, matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Matched {
    /// For each table column the column of the file.
    pub(super) by_target: Vec<Option<usize>>,
    /// The columns of the file that fill nothing.
    pub(super) leftovers: Vec<usize>,
}

/// What one key of NDJSON objects fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyUse {
    /// These table columns; never empty.
    Columns(Vec<usize>),
    /// Nothing: it is an extra key.
    Extra,
}

impl Targets {
    /// Checks the options against the table's columns.
    ///
    /// # Errors
    /// [`LoadError::Argument`] for computed, unknown or repeated table columns.
    pub(super) fn new(options: &ReadOptions, extra_fields: &[Field]) -> Result<Self, LoadError> {
        options.check_limits()?;
        let mut targets = Self {
            schema: schema::load_schema_with(extra_fields),
            mapping: Vec::new(),
            constants: Vec::new(),
            extra: options.extra,
            as_codes: vec![false; schema::load_schema_with(extra_fields).fields().len()],
        };
        for (target, source) in &options.mapping {
            let option = format!("--map {target}={source}");
            let index = targets.option_target(target, &option)?;
            if source.is_empty() {
                return Err(LoadError::Argument(format!(
                    "{option} names no column of the file: write --map {target}=COLUMN"
                )));
            }
            targets.mapping.push((index, source.clone()));
        }
        for (target, value) in &options.constants {
            let index = targets.option_target(target, &format!("--set {target}"))?;
            targets.constants.push((index, value.clone()));
        }
        Ok(targets)
    }

    /// Lets text with few values come in dictionaries.
    pub(super) fn code_text(&mut self) {
        self.as_codes = self.names().map(is_read_as_codes).collect();
    }

    /// Lets `properties` come in a dictionary too, if other text may: for files that have one.
    pub(super) fn code_properties(&mut self) {
        if self.as_codes.contains(&true) {
            let is_properties = self.schema.fields().iter().map(|field| field.name() == schema::PROPERTIES);
            self.as_codes.iter_mut().zip(is_properties).for_each(|(coded, is_theirs)| *coded |= is_theirs);
        }
    }

    /// The names of the table's columns.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.schema.fields().iter().map(|f| f.name().as_str())
    }

    pub(super) fn name(&self, index: usize) -> &str {
        self.schema.field(index).name()
    }

    /// The table column called `name`, exactly or without regard to case.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        find_name(self.names(), name)
    }

    pub(super) fn is_constant(&self, target: usize) -> bool {
        self.constants.iter().any(|(index, _)| *index == target)
    }

    pub(super) fn is_mapped(&self, target: usize) -> bool {
        self.mapping.iter().any(|(index, _)| *index == target)
    }

    /// Matches the columns of a CSV or Parquet file. O(columns * table columns).
    ///
    /// # Errors
    /// [`LoadError::Input`] if a mapped column is not in the file, if a constant's column is, if a required
    /// column is missing, or if extra columns are refused.
    pub(super) fn match_columns(&self, path: &str, names: &[String]) -> Result<Matched, LoadError> {
        let matched = self.match_present(path, names)?;
        self.check_required(path, names, |target| matched.by_target[target].is_some())?;
        self.check_leftovers(path, matched.leftovers.iter().map(|i| names[*i].as_str()))?;
        Ok(matched)
    }

    /// As [`Self::match_columns`], without the checks for missing and extra columns.
    pub(super) fn match_present(&self, path: &str, names: &[String]) -> Result<Matched, LoadError> {
        let mut by_target = vec![None; self.schema.fields().len()];
        let mut used = vec![false; names.len()];
        for (target, source) in &self.mapping {
            let Some(index) = find_name(names.iter().map(String::as_str), source) else {
                return Err(LoadError::input(path, self.unknown_source(*target, source, names)));
            };
            by_target[*target] = Some(index);
            used[index] = true;
        }
        for (target, column) in by_target.iter_mut().enumerate().filter(|(_, column)| column.is_none()) {
            let free = names.iter().enumerate().filter(|(index, _)| !used[*index]);
            let free: Vec<(usize, &str)> = free.map(|(index, name)| (index, name.as_str())).collect();
            let Some(at) = find_name(free.iter().map(|(_, name)| *name), self.name(target)) else {
                continue;
            };
            if self.is_constant(target) {
                return Err(LoadError::input(path, self.set_and_present(target)));
            }
            let index = free[at].0;
            *column = Some(index);
            used[index] = true;
        }
        let leftovers = (0..names.len()).filter(|index| !used[*index]).collect();
        Ok(Matched { by_target, leftovers })
    }

    /// What the NDJSON key `name` fills.
    ///
    /// # Errors
    /// [`LoadError::Input`] if it would fill a column that has a constant, or if extra columns are refused.
    pub(super) fn key_use(&self, path: &str, name: &str) -> Result<KeyUse, LoadError> {
        if let Some(columns) = self.key_columns(path, name)? {
            return Ok(KeyUse::Columns(columns));
        }
        self.check_leftovers(path, std::iter::once(name))?;
        Ok(KeyUse::Extra)
    }

    /// The table columns that the NDJSON key `name` fills; `None` if there are none.
    pub(super) fn key_columns(&self, path: &str, name: &str) -> Result<Option<Vec<usize>>, LoadError> {
        let exact = self.mapping.iter().any(|(_, source)| source == name);
        let is_source = |source: &str| {
            if exact { source == name } else { source.eq_ignore_ascii_case(name) }
        };
        let mapped = self.mapping.iter().filter(|(_, source)| is_source(source));
        let mapped: Vec<usize> = mapped.map(|(target, _)| *target).collect();
        if !mapped.is_empty() {
            return Ok(Some(mapped));
        }
        match self.find(name) {
            Some(target) if self.is_constant(target) => {
                Err(LoadError::input(path, self.set_and_present(target)))
            }
            Some(target) if !self.is_mapped(target) => Ok(Some(vec![target])),
            _ => Ok(None),
        }
    }

    /// Checks that every required column is filled by the file or by a constant.
    pub(super) fn check_required(
        &self,
        path: &str,
        names: &[String],
        is_filled: impl Fn(usize) -> bool,
    ) -> Result<(), LoadError> {
        let mut missing = Vec::new();
        let mut advice = Vec::new();
        for (target, field) in self.schema.fields().iter().enumerate() {
            if field.is_nullable() || self.is_constant(target) || is_filled(target) {
                continue;
            }
            let suggestion = look_alike(field.name(), names).unwrap_or("COLUMN");
            advice.push(format!("{}={}", field.name(), quote_assignment(suggestion)));
            missing.push(field.name().as_str());
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(LoadError::input(
            path,
            format!(
                "no column for {}; the file has {}; add --map {}",
                missing.join(", "),
                list(names.iter().map(String::as_str)),
                advice.join(",")
            ),
        ))
    }

    /// Refuses extra columns where the options say so, and names that cannot become columns.
    fn check_leftovers<'a>(
        &self,
        path: &str,
        leftovers: impl Iterator<Item = &'a str>,
    ) -> Result<(), LoadError> {
        let leftovers: Vec<&str> = leftovers.collect();
        let Some(first) = leftovers.first() else {
            return Ok(());
        };
        match self.extra {
            ExtraColumns::Properties => Ok(()),
            ExtraColumns::Error => Err(LoadError::input(
                path,
                format!(
                    "{} not in the table; map it with --map, or keep it with --extra properties or --extra columns",
                    list_with_verb(&leftovers)
                ),
            )),
            ExtraColumns::Columns => Err(LoadError::input(path, self.column_problem(first))),
        }
    }

    /// Why the extra column `name` cannot be a column of the table.
    pub(super) fn column_problem(&self, name: &str) -> String {
        let quoted = quote_assignment(name);
        if schema::is_physical(&name.to_ascii_lowercase()) {
            format!(
                "column {name:?} has the name of a column that wayfare computes; rename it with --map NEW_NAME={quoted}"
            )
        } else if self.find(name).is_some() {
            format!(
                "column {name:?} has the name of a column that --map fills from another one; rename it with --map NEW_NAME={quoted}"
            )
        } else {
            format!(
                "column {name:?} was not there when the load began; load the file again when nothing writes to it"
            )
        }
    }

    /// Text for a mapped column that the file does not have.
    pub(super) fn unknown_source(&self, target: usize, source: &str, names: &[String]) -> String {
        let alike = names.iter().filter(|name| name.eq_ignore_ascii_case(source)).count();
        let problem = if alike > 1 { "more than one column called" } else { "no column" };
        format!(
            "{problem} {source:?} (in --map {}={}); the file has {}",
            self.name(target),
            quote_assignment(source),
            list(names.iter().map(String::as_str))
        )
    }

    fn set_and_present(&self, target: usize) -> String {
        let name = self.name(target);
        format!(
            "column {name:?} is set twice, by --set and by the file; drop the --set, or map the file's column elsewhere with --map OTHER={name}"
        )
    }

    fn option_target(&self, name: &str, option: &str) -> Result<usize, LoadError> {
        if schema::is_physical(&name.to_ascii_lowercase()) {
            return Err(LoadError::Argument(format!(
                "{option}: column {name:?} is computed by wayfare and cannot be set"
            )));
        }
        let Some(index) = self.find(name) else {
            return Err(LoadError::Argument(format!(
                "{option}: no touchpoint column {name:?}; the columns are {}; new ones need --extra columns",
                list(self.names())
            )));
        };
        if self.is_mapped(index) || self.is_constant(index) {
            return Err(LoadError::Argument(format!(
                "{option}: column {:?} is set twice; name each column once in --map and --set",
                self.name(index)
            )));
        }
        Ok(index)
    }
}

/// The place of `name`, exactly or, if only one matches, without regard to case.
pub(super) fn find_name<'a>(names: impl Iterator<Item = &'a str>, name: &str) -> Option<usize> {
    let mut alike = None;
    let mut alike_count = 0;
    for (index, candidate) in names.enumerate() {
        if candidate == name {
            return Some(index);
        }
        if candidate.eq_ignore_ascii_case(name) {
            alike = Some(index);
            alike_count += 1;
        }
    }
    alike.filter(|_| alike_count == 1)
}

/// Checks that no two columns of a file have the same name.
pub(super) fn check_distinct(path: &str, names: &[String]) -> Result<(), LoadError> {
    let mut seen = std::collections::HashMap::with_capacity(names.len());
    for (index, name) in names.iter().enumerate() {
        if let Some(first) = seen.insert(name.as_str(), index) {
            return Err(LoadError::input(
                path,
                format!(
                    "columns {} and {} are both called {name:?}; rename one in the file",
                    first + 1,
                    index + 1
                ),
            ));
        }
    }
    Ok(())
}

/// A name as it must be written in `--map`.
fn quote_assignment(name: &str) -> String {
    if name.contains([',', '=', '"', ' ']) {
        format!("'\"{}\"'", name.replace('"', "\"\""))
    } else {
        name.to_owned()
    }
}

fn look_alike<'a>(target: &str, names: &'a [String]) -> Option<&'a str> {
    let (_, alike) = LOOK_ALIKES.iter().find(|(name, _)| *name == target)?;
    let plain = |name: &str| -> String {
        let letters = name.chars().filter(|c| c.is_ascii_alphanumeric());
        letters.map(|c| c.to_ascii_lowercase()).collect()
    };
    alike.iter().find_map(|wanted| names.iter().find(|name| plain(name) == *wanted)).map(String::as_str)
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        return "none".to_owned();
    }
    match names.get(..LISTED_COLUMNS) {
        Some(first) if names.len() > LISTED_COLUMNS => {
            format!("{} and {} more", first.join(", "), names.len() - LISTED_COLUMNS)
        }
        _ => names.join(", "),
    }
}

fn list_with_verb(names: &[&str]) -> String {
    let listed = list(names.iter().copied());
    if names.len() == 1 { format!("column {listed} is") } else { format!("columns {listed} are") }
}

/// A shared name, for rows that outlive their reader.
pub(super) fn shared(path: &str) -> Arc<str> {
    Arc::from(path)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use super::*;

    fn targets(
        map: &[(&str, &str)],
        set: &[(&str, &str)],
        extra: ExtraColumns,
    ) -> Result<Targets, LoadError> {
        let own = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<Vec<_>>()
        };
        let options = ReadOptions { mapping: own(map), constants: own(set), extra, ..ReadOptions::default() };
        Targets::new(&options, &[])
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    fn match_error(targets: &Targets, columns: &[&str]) -> String {
        targets.match_columns("x.csv", &names(columns)).expect_err("refused").to_string()
    }

    fn argument_error(map: &[(&str, &str)], set: &[(&str, &str)]) -> String {
        targets(map, set, ExtraColumns::Properties).expect_err("refused").to_string()
    }

    #[test]
    fn names_match_exactly_then_without_case() {
        let targets = targets(&[], &[], ExtraColumns::Properties).expect("targets");
        let matched = targets
            .match_columns("x", &names(&["USER_ID", "ts", "TS", "Event", "Channel", "CHANNEL"]))
            .expect("matched");
        let at = |name: &str| matched.by_target[targets.find(name).expect("a column")];
        assert_eq!(at("user_id"), Some(0));
        assert_eq!(at("ts"), Some(1));
        assert_eq!(at("event"), Some(3));
        assert_eq!(at("channel"), None, "ambiguous");
        assert_eq!(matched.leftovers, [2, 4, 5]);
    }

    #[test]
    fn mapping_moves_a_column() {
        let targets =
            targets(&[("user_id", "Customer"), ("medium", "source")], &[], ExtraColumns::Properties)
                .expect("targets");
        let columns = names(&["customer", "ts", "event", "source", "user_id"]);
        let matched = targets.match_columns("x", &columns).expect("matched");
        let at = |name: &str| matched.by_target[targets.find(name).expect("a column")];
        assert_eq!(at("user_id"), Some(0));
        assert_eq!(at("medium"), Some(3));
        assert_eq!(at("source"), None, "it was moved away");
        assert_eq!(matched.leftovers, [4]);
        assert_eq!(
            targets.key_use("x", "customer").expect("use"),
            KeyUse::Columns(vec![targets.find("user_id").expect("a column")])
        );
        assert_eq!(targets.key_use("x", "user_id").expect("use"), KeyUse::Extra);
    }

    #[test]
    fn a_missing_required_column_suggests_a_mapping() {
        let plain = targets(&[], &[], ExtraColumns::Properties).expect("targets");
        assert_eq!(
            match_error(&plain, &["user_id", "event", "timestamp"]),
            r#"cannot load "x.csv": no column for ts; the file has user_id, event, timestamp; add --map ts=timestamp"#
        );
        assert_eq!(
            match_error(&plain, &["Customer ID", "a"]),
            "cannot load \"x.csv\": no column for user_id, ts, event; the file has Customer ID, a; add --map user_id='\"Customer ID\"',ts=COLUMN,event=COLUMN"
        );
        let set = targets(&[], &[("event", "order")], ExtraColumns::Properties).expect("targets");
        assert!(set.match_columns("x", &names(&["user_id", "ts"])).is_ok());
    }

    #[test]
    fn an_unknown_source_lists_the_columns() {
        let targets = targets(&[("user_id", "who")], &[], ExtraColumns::Properties).expect("targets");
        assert_eq!(
            match_error(&targets, &["user_id", "ts", "event"]),
            r#"cannot load "x.csv": no column "who" (in --map user_id=who); the file has user_id, ts, event"#
        );
    }

    #[test]
    fn wrong_targets_are_refused() {
        let error = argument_error(&[("person", "x")], &[]);
        assert!(error.contains("person") && error.contains("anonymous_id"), "{error}");
        let error = argument_error(&[], &[("Day", "2024-01-01")]);
        assert!(error.contains("computed"), "{error}");
        let error = argument_error(&[("ts", "a"), ("ts", "b")], &[]);
        assert!(error.contains("twice"), "{error}");
        let error = argument_error(&[("channel", "a")], &[("channel", "web")]);
        assert!(error.contains("twice"), "{error}");
        let error = argument_error(&[("ts", "")], &[]);
        assert!(error.contains("--map ts=COLUMN"), "{error}");
    }

    #[test]
    fn a_constant_does_not_hide_a_column() {
        let targets = targets(&[], &[("channel", "web")], ExtraColumns::Properties).expect("targets");
        let error = match_error(&targets, &["user_id", "ts", "event", "channel"]);
        assert!(error.contains("twice") && error.contains("channel"), "{error}");
        assert!(targets.key_use("x", "channel").is_err());
    }

    #[test]
    fn extra_columns_can_be_refused() {
        let targets = targets(&[], &[], ExtraColumns::Error).expect("targets");
        let error = match_error(&targets, &["user_id", "ts", "event", "color"]);
        assert!(error.contains("column color is not in the table"), "{error}");
    }

    #[test]
    fn extra_columns_can_be_targets() {
        let options = ReadOptions {
            mapping: vec![("shade".to_owned(), "color".to_owned())],
            extra: ExtraColumns::Columns,
            ..ReadOptions::default()
        };
        let field = Field::new("shade", DataType::Utf8, true);
        let targets = Targets::new(&options, &[field]).expect("targets");
        let columns = names(&["user_id", "ts", "event", "color"]);
        let matched = targets.match_columns("x", &columns).expect("matched");
        assert_eq!(matched.by_target.last(), Some(&Some(3)));
        let error = match_error(&targets, &["user_id", "ts", "event", "color", "day"]);
        assert!(error.contains("wayfare computes"), "{error}");
    }

    #[test]
    fn repeated_names_are_refused() {
        let error = check_distinct("x.csv", &names(&["a", "b", "a"])).expect_err("refused").to_string();
        assert!(error.contains("columns 1 and 3"), "{error}");
    }
}
