//! From errors of the engine to what a PostgreSQL client expects: SQLSTATE, wording, position and hint.
//!
//! One mapping for every face of the wire protocol. DataFusion says many things only as text, so parts of this file
//! match on message texts; each such text is pinned by a test that provokes it (here and in `tests/it/wire.rs`), and a
//! text that no longer matches degrades to a more general SQLSTATE, never to a wrong one.
//!
//! `XX000` is for our own bugs only.

use arrow::error::ArrowError;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;
use pgwire::error::{ErrorInfo, PgWireError};
use wayfare_engine::Error as EngineError;
use wayfare_engine::limits::Limit;

use crate::cpu::CpuTaskError;

/// SQLSTATE codes that this server answers, by their PostgreSQL names.
pub mod sqlstate {
    pub const PROTOCOL_VIOLATION: &str = "08P01";
    pub const FEATURE_NOT_SUPPORTED: &str = "0A000";
    pub const DATA_EXCEPTION: &str = "22000";
    pub const NUMERIC_VALUE_OUT_OF_RANGE: &str = "22003";
    pub const DATETIME_FIELD_OVERFLOW: &str = "22008";
    pub const DIVISION_BY_ZERO: &str = "22012";
    pub const INVALID_PARAMETER_VALUE: &str = "22023";
    pub const INVALID_BINARY_REPRESENTATION: &str = "22P03";
    pub const INVALID_TEXT_REPRESENTATION: &str = "22P02";
    pub const CHARACTER_NOT_IN_REPERTOIRE: &str = "22021";
    pub const ACTIVE_SQL_TRANSACTION: &str = "25001";
    pub const READ_ONLY_SQL_TRANSACTION: &str = "25006";
    pub const NO_ACTIVE_SQL_TRANSACTION: &str = "25P01";
    pub const IN_FAILED_SQL_TRANSACTION: &str = "25P02";
    pub const INVALID_AUTHORIZATION: &str = "28000";
    pub const INVALID_PASSWORD: &str = "28P01";
    pub const INVALID_CATALOG_NAME: &str = "3D000";
    pub const DISK_FULL: &str = "53100";
    pub const INVALID_SQL_STATEMENT_NAME: &str = "26000";
    pub const INVALID_CURSOR_NAME: &str = "34000";
    pub const INVALID_SAVEPOINT_SPECIFICATION: &str = "3B001";
    pub const SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION: &str = "42000";
    pub const INSUFFICIENT_PRIVILEGE: &str = "42501";
    pub const SYNTAX_ERROR: &str = "42601";
    pub const DUPLICATE_COLUMN: &str = "42701";
    pub const AMBIGUOUS_COLUMN: &str = "42702";
    pub const UNDEFINED_COLUMN: &str = "42703";
    pub const UNDEFINED_OBJECT: &str = "42704";
    pub const GROUPING_ERROR: &str = "42803";
    pub const DATATYPE_MISMATCH: &str = "42804";
    pub const UNDEFINED_FUNCTION: &str = "42883";
    pub const UNDEFINED_TABLE: &str = "42P01";
    pub const DUPLICATE_PREPARED_STATEMENT: &str = "42P05";
    pub const DUPLICATE_TABLE: &str = "42P07";
    pub const OUT_OF_MEMORY: &str = "53200";
    pub const TOO_MANY_CONNECTIONS: &str = "53300";
    pub const PROGRAM_LIMIT_EXCEEDED: &str = "54000";
    pub const STATEMENT_TOO_COMPLEX: &str = "54001";
    pub const TOO_MANY_COLUMNS: &str = "54011";
    pub const CANT_CHANGE_RUNTIME_PARAM: &str = "55P02";
    pub const QUERY_CANCELED: &str = "57014";
    pub const ADMIN_SHUTDOWN: &str = "57P01";
    pub const IO_ERROR: &str = "58030";
    pub const INTERNAL_ERROR: &str = "XX000";
}

/// An error that ends the statement, not the connection.
pub fn error_info(code: &str, message: impl Into<String>) -> ErrorInfo {
    let mut info = ErrorInfo::new("ERROR".to_owned(), code.to_owned(), message.into());
    info.severity_nonlocalized = Some("ERROR".to_owned());
    info
}

/// An error that ends the connection.
pub fn fatal_info(code: &str, message: impl Into<String>) -> ErrorInfo {
    let mut info = ErrorInfo::new("FATAL".to_owned(), code.to_owned(), message.into());
    info.severity_nonlocalized = Some("FATAL".to_owned());
    info
}

/// [`error_info`] as the error type of the wire handlers.
pub fn error(code: &str, message: impl Into<String>) -> PgWireError {
    user_error(error_info(code, message))
}

/// Wraps `info` as the error type of the wire handlers.
pub fn user_error(info: ErrorInfo) -> PgWireError {
    PgWireError::UserError(Box::new(info))
}

/// Maps an error of the engine.
pub fn from_engine(error: &EngineError) -> ErrorInfo {
    match error {
        EngineError::Query(e) => from_datafusion(e),
        EngineError::Limit(exceeded) => {
            let code = match exceeded.limit {
                Limit::Bytes | Limit::ResultRows(_) => sqlstate::PROGRAM_LIMIT_EXCEEDED,
                _ => sqlstate::STATEMENT_TOO_COMPLEX,
            };
            error_info(code, exceeded.to_string())
        }
        EngineError::InvalidArgument(message) => {
            error_info(sqlstate::INVALID_PARAMETER_VALUE, message.clone())
        }
        EngineError::Load(e) => error_info(sqlstate::DATA_EXCEPTION, e.to_string()),
        EngineError::Store(e) => error_info(sqlstate::IO_ERROR, e.to_string()),
    }
}

/// Maps the end of a CPU task without a value.
pub fn from_cpu(error: CpuTaskError) -> ErrorInfo {
    match error {
        CpuTaskError::Panicked => error_info(
            sqlstate::INTERNAL_ERROR,
            "internal error: the statement failed in an unexpected way; the connection can be used further",
        ),
        CpuTaskError::Stopped => {
            fatal_info(sqlstate::ADMIN_SHUTDOWN, "terminating connection due to administrator command")
        }
    }
}

/// Maps an error of DataFusion: the first one if there are several, the cause if it is wrapped.
pub fn from_datafusion(error: &DataFusionError) -> ErrorInfo {
    match error {
        DataFusionError::Diagnostic(_, inner) => from_datafusion(inner),
        DataFusionError::Context(_, inner) => from_datafusion(inner),
        DataFusionError::Shared(inner) => from_datafusion(inner),
        DataFusionError::Collection(errors) => match errors.first() {
            Some(first) => from_datafusion(first),
            None => error_info(sqlstate::INTERNAL_ERROR, "empty collection of errors"),
        },
        DataFusionError::External(inner) => from_external(inner.as_ref()),
        DataFusionError::SQL(e, _) => from_parser(e),
        DataFusionError::SchemaError(e, _) => from_schema(e),
        DataFusionError::Plan(message) => from_plan_text(message),
        DataFusionError::NotImplemented(message) => {
            error_info(sqlstate::FEATURE_NOT_SUPPORTED, clean(message))
        }
        DataFusionError::Configuration(message) => from_configuration(message),
        DataFusionError::Execution(message) => from_execution_text(message),
        DataFusionError::ResourcesExhausted(message) => {
            let mut info = error_info(sqlstate::OUT_OF_MEMORY, "out of memory");
            info.detail = Some(clean(message));
            info.hint = Some(
                "Restrict the days or people that the query reads, or start the server with a larger --memory-limit."
                    .to_owned(),
            );
            info
        }
        DataFusionError::ArrowError(e, _) => from_arrow(e),
        DataFusionError::ParquetError(e) => {
            error_info(sqlstate::IO_ERROR, format!("cannot read a data file: {e}"))
        }
        DataFusionError::ObjectStore(e) => {
            error_info(sqlstate::IO_ERROR, format!("cannot read the store: {e}"))
        }
        DataFusionError::IoError(e) if e.to_string().contains("disk space during the spilling") => {
            disk_full()
        }
        DataFusionError::IoError(e) => error_info(sqlstate::IO_ERROR, e.to_string()),
        DataFusionError::ExecutionJoin(e) if e.is_cancelled() => {
            error_info(sqlstate::QUERY_CANCELED, "canceling statement because its task was stopped")
        }
        DataFusionError::Internal(_)
        | DataFusionError::ExecutionJoin(_)
        | DataFusionError::Substrait(_)
        | DataFusionError::Ffi(_) => error_info(
            sqlstate::INTERNAL_ERROR,
            format!("internal error: {}", clean(&error.strip_backtrace())),
        ),
    }
}

fn from_external(error: &(dyn std::error::Error + Send + Sync + 'static)) -> ErrorInfo {
    if let Some(e) = error.downcast_ref::<EngineError>() {
        return from_engine(e);
    }
    if let Some(e) = error.downcast_ref::<DataFusionError>() {
        return from_datafusion(e);
    }
    if let Some(e) = error.downcast_ref::<ArrowError>() {
        return from_arrow(e);
    }
    let text = error.to_string();
    if text.contains("disk space during the spilling") {
        disk_full()
    } else {
        error_info(sqlstate::IO_ERROR, text)
    }
}

/// DataFusion says so with an I/O error of its own.
fn disk_full() -> ErrorInfo {
    let mut info = error_info(sqlstate::DISK_FULL, "temporary disk space for queries is used up");
    info.hint = Some(
        "Restrict the days or people that the query reads, or start the server with a larger --max-temp-size.".to_owned(),
    );
    info
}

fn from_arrow(error: &ArrowError) -> ErrorInfo {
    match error {
        ArrowError::DivideByZero => error_info(sqlstate::DIVISION_BY_ZERO, "division by zero"),
        ArrowError::ArithmeticOverflow(message) => {
            error_info(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, clean(message))
        }
        ArrowError::CastError(message) | ArrowError::ParseError(message) => from_cast_text(message),
        ArrowError::InvalidArgumentError(message) => {
            if message.to_ascii_lowercase().contains("overflow") || message.contains("too large to store") {
                error_info(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, clean(message))
            } else {
                error_info(sqlstate::INVALID_PARAMETER_VALUE, clean(message))
            }
        }
        ArrowError::ComputeError(message) => from_execution_text(message),
        ArrowError::NotYetImplemented(message) => error_info(sqlstate::FEATURE_NOT_SUPPORTED, clean(message)),
        ArrowError::ExternalError(inner) => from_external(inner.as_ref()),
        ArrowError::MemoryError(message) => error_info(sqlstate::OUT_OF_MEMORY, clean(message)),
        ArrowError::IoError(message, _) if message.contains("disk space during the spilling") => disk_full(),
        ArrowError::IoError(message, _) => error_info(sqlstate::IO_ERROR, clean(message)),
        other => {
            error_info(sqlstate::INTERNAL_ERROR, format!("internal error: {}", clean(&other.to_string())))
        }
    }
}

fn from_cast_text(message: &str) -> ErrorInfo {
    let lower = message.to_ascii_lowercase();
    if lower.contains("can't cast value") || lower.contains("overflow") || lower.contains("out of range") {
        return error_info(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, clean(message));
    }
    // arrow: Cannot cast string 'abc' to value of Int64 type
    if let Some(rest) = message.strip_prefix("Cannot cast string '")
        && let Some((value, rest)) = rest.rsplit_once("' to value of ")
        && let Some(arrow_type) = rest.strip_suffix(" type")
    {
        let pg_type = postgres_type_name(arrow_type);
        return error_info(
            sqlstate::INVALID_TEXT_REPRESENTATION,
            format!("invalid input syntax for type {pg_type}: \"{value}\""),
        );
    }
    // arrow: Error parsing timestamp from 'abc': error parsing date
    if let Some(rest) = message.strip_prefix("Error parsing timestamp from '")
        && let Some((value, _)) = rest.rsplit_once("':")
    {
        return error_info("22007", format!("invalid input syntax for type timestamp: \"{value}\""));
    }
    error_info(sqlstate::INVALID_TEXT_REPRESENTATION, clean(message))
}

fn postgres_type_name(arrow_type: &str) -> &str {
    match arrow_type {
        "Boolean" => "boolean",
        "Int8" | "Int16" | "UInt8" => "smallint",
        "Int32" | "UInt16" => "integer",
        "Int64" | "UInt32" => "bigint",
        "UInt64" => "numeric",
        "Float32" => "real",
        "Float64" => "double precision",
        "Date32" | "Date64" => "date",
        other if other.starts_with("Decimal") => "numeric",
        other if other.starts_with("Timestamp") => "timestamp",
        other if other.starts_with("Time") => "time",
        other if other.starts_with("Interval") => "interval",
        other => other,
    }
}

fn from_schema(error: &SchemaError) -> ErrorInfo {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let mut info = error_info(
                sqlstate::UNDEFINED_COLUMN,
                match &field.relation {
                    Some(relation) => {
                        format!("column {}.{} does not exist", relation.table(), field.name)
                    }
                    None => format!("column \"{}\" does not exist", field.name),
                },
            );
            let nearest = nearest(&field.name, valid_fields.iter().map(|column| column.name.as_str()));
            if let Some(name) = nearest {
                info.hint = Some(format!("Perhaps you meant to reference the column \"{name}\"."));
            }
            info
        }
        SchemaError::AmbiguousReference { field } => error_info(
            sqlstate::AMBIGUOUS_COLUMN,
            format!("column reference \"{}\" is ambiguous", field.name),
        ),
        SchemaError::DuplicateQualifiedField { name, .. }
        | SchemaError::DuplicateUnqualifiedField { name } => {
            error_info(sqlstate::DUPLICATE_COLUMN, format!("column \"{name}\" specified more than once"))
        }
    }
}

/// Planning failed: the statement is wrong, not the data.
fn from_plan_text(message: &str) -> ErrorInfo {
    let text = clean(message);
    // table 'wayfare.public.nope' not found
    if let Some(name) = between(&text, "table '", "' not found") {
        return error_info(
            sqlstate::UNDEFINED_TABLE,
            format!("relation \"{}\" does not exist", local_name(name)),
        );
    }
    if let Some(name) = between(&text, "table function '", "' not found") {
        return error_info(sqlstate::UNDEFINED_FUNCTION, format!("function {name} does not exist"));
    }
    if let Some(name) = text.strip_prefix("Table not found: ") {
        return error_info(
            sqlstate::UNDEFINED_TABLE,
            format!("relation \"{}\" does not exist", local_name(name)),
        );
    }
    if text.contains("failed to resolve schema") || text.contains("failed to resolve catalog") {
        return error_info(sqlstate::UNDEFINED_TABLE, text);
    }
    if let Some(name) = between(&text, "Invalid function '", "'") {
        let mut info = error_info(sqlstate::UNDEFINED_FUNCTION, format!("function {name} does not exist"));
        // DataFusion always suggests something, however far from what was meant.
        let suggestion = between(&text, "Did you mean '", "'");
        info.hint =
            nearest(name, suggestion.into_iter()).map(|near| format!("Perhaps you meant \"{near}\"."));
        return info;
    }
    if text.contains("No function matches")
        || text.contains("does not support") && (text.contains("Function '") || text.contains("function: "))
        || text.contains("Failed to coerce arguments to satisfy a call")
    {
        return error_info(sqlstate::UNDEFINED_FUNCTION, text);
    }
    if text.contains("must appear in the GROUP BY clause") || text.contains("must appear in GROUP BY clause")
    {
        return error_info(sqlstate::GROUPING_ERROR, text);
    }
    if text.contains("Projections require unique expression names") {
        let mut info = error_info(sqlstate::DUPLICATE_COLUMN, "two columns of the result have one name");
        info.detail = Some(text);
        info.hint = Some("Give each of them its own name with AS.".to_owned());
        return info;
    }
    if text.contains("already exists") || text.contains("exists in the store") {
        return error_info(sqlstate::DUPLICATE_TABLE, text);
    }
    if text.contains("doesn't exist") || text.contains("does not exist") {
        return error_info(sqlstate::UNDEFINED_OBJECT, text);
    }
    if text.contains("Cannot coerce")
        || text.contains("Cannot cast")
        || text.contains("Cannot infer common")
        || text.contains("types to a common type")
        || text.contains("Cannot automatically convert")
        || text.contains("incompatible types")
    {
        return error_info(sqlstate::DATATYPE_MISMATCH, text);
    }
    if text.contains("Unsupported") || text.contains("not supported") || text.contains("not implemented") {
        return error_info(sqlstate::FEATURE_NOT_SUPPORTED, text);
    }
    if names_an_argument(&text) {
        return error_info(sqlstate::INVALID_PARAMETER_VALUE, text);
    }
    error_info(sqlstate::SYNTAX_ERROR_OR_ACCESS_RULE_VIOLATION, text)
}

/// Whether the message is about a function's argument: `window_funnel: window must be positive`, or as DataFusion's
/// own functions say it.
fn names_an_argument(text: &str) -> bool {
    let head = text.split([':', ' ', '(']).next().unwrap_or_default();
    let is_function_name =
        !head.is_empty() && head.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    is_function_name && (text.contains(" must be ") || text.contains(" argument"))
        || text.contains("must be positive")
        || text.contains("must be a constant")
        || text.contains("argument")
}

/// Running failed: the data is wrong for what the statement does with it.
fn from_execution_text(message: &str) -> ErrorInfo {
    let text = clean(message);
    let lower = text.to_ascii_lowercase();
    if lower.contains("divide by zero") || lower.contains("division by zero") {
        return error_info(sqlstate::DIVISION_BY_ZERO, "division by zero");
    }
    if lower.contains("overflow") {
        return error_info(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, text);
    }
    if lower.starts_with("table '") && lower.contains("doesn't exist") {
        let name = between(&text, "'", "'").unwrap_or_default();
        return error_info(
            sqlstate::UNDEFINED_TABLE,
            format!("table \"{}\" does not exist", local_name(name)),
        );
    }
    if lower.contains("already exists") {
        return error_info(sqlstate::DUPLICATE_TABLE, text);
    }
    if lower.contains("memory") && (lower.contains("limit") || lower.contains("exhausted")) {
        return error_info(sqlstate::OUT_OF_MEMORY, text);
    }
    if names_an_argument(&text) {
        return error_info(sqlstate::INVALID_PARAMETER_VALUE, text);
    }
    error_info(sqlstate::DATA_EXCEPTION, text)
}

fn from_configuration(message: &str) -> ErrorInfo {
    let text = clean(message);
    if text.contains("Could not find config") || text.contains("not found on") {
        return error_info(sqlstate::UNDEFINED_OBJECT, text);
    }
    error_info(sqlstate::INVALID_PARAMETER_VALUE, text)
}

/// Maps a syntax error. The position, if there is one, is put as `line:column` of the parsed text into
/// [`ErrorInfo::position`] by [`crate::wire`], which knows where that text stands in the client's message.
pub fn from_parser(error: &ParserError) -> ErrorInfo {
    let message = match error {
        ParserError::RecursionLimitExceeded => {
            return error_info(sqlstate::STATEMENT_TOO_COMPLEX, "statement is nested too deeply");
        }
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
    };
    let (text, location) = split_location(message);
    // Expected: an expression, found: FROM
    let found = text.rsplit_once("found: ").map(|(_, found)| found.trim());
    let mut info = match found {
        Some("EOF" | "") => error_info(sqlstate::SYNTAX_ERROR, "syntax error at end of input"),
        Some(token) => error_info(sqlstate::SYNTAX_ERROR, format!("syntax error at or near \"{token}\"")),
        None => error_info(sqlstate::SYNTAX_ERROR, format!("syntax error: {text}")),
    };
    if found.is_some()
        && let Some(expected) = text.strip_prefix("Expected: ").and_then(|rest| rest.rsplit_once(", found"))
    {
        info.detail = Some(format!("Expected {}.", expected.0));
    }
    info.position = location.map(|(line, column)| format!("{line}:{column}"));
    info
}

/// Cuts ` at Line: 1, Column: 8` off a parser message.
fn split_location(message: &str) -> (&str, Option<(u64, u64)>) {
    let Some((text, location)) = message.rsplit_once(" at Line: ") else {
        return (message, None);
    };
    let Some((line, column)) = location.split_once(", Column: ") else {
        return (message, None);
    };
    match (line.trim().parse(), column.trim().parse()) {
        (Ok(line), Ok(column)) if line > 0 => (text, Some((line, column))),
        _ => (text, None),
    }
}

/// Without DataFusion's prefixes, backtrace and surrounding space.
fn clean(message: &str) -> String {
    let text = message.split("\n\nbacktrace: ").next().unwrap_or_default().trim();
    let mut text = text;
    for prefix in [
        "Error during planning: ",
        "Execution error: ",
        "Arrow error: ",
        "This feature is not implemented: ",
        "Internal error: ",
        "Resources exhausted: ",
    ] {
        text = text.strip_prefix(prefix).unwrap_or(text);
    }
    text.to_owned()
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(inner, _)| inner)
}

/// `wayfare.public.t` as a user would write it: `t`; other schemas keep their name.
fn local_name(name: &str) -> &str {
    let name = name.trim();
    let without_catalog = match name.split('.').count() {
        3 => name.split_once('.').map_or(name, |(_, rest)| rest),
        _ => name,
    };
    without_catalog.strip_prefix("public.").unwrap_or(without_catalog)
}

/// The candidate with the smallest edit distance, if it is small enough to be a slip of the keyboard.
fn nearest<'a>(wanted: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (wanted.chars().count() / 3).max(1);
    candidates
        .map(|candidate| (edit_distance(wanted, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein distance over characters, case ignored. O(n * m) time, O(m) memory.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().flat_map(char::to_lowercase).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().flat_map(char::to_lowercase).enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(error: &DataFusionError) -> (String, String) {
        let info = from_datafusion(error);
        (info.code, info.message)
    }

    #[test]
    fn plan_texts_have_their_codes() {
        let plan = |text: &str| code_of(&DataFusionError::Plan(text.to_owned()));
        assert_eq!(
            plan("table 'wayfare.public.nope' not found"),
            ("42P01".to_owned(), "relation \"nope\" does not exist".to_owned())
        );
        assert_eq!(
            plan("table 'wayfare.journey.nope' not found").1,
            "relation \"journey.nope\" does not exist"
        );
        assert_eq!(
            plan("Invalid function 'summ'.\nDid you mean 'sum'?"),
            ("42883".to_owned(), "function summ does not exist".to_owned())
        );
        assert_eq!(plan("window_funnel: window must be positive").0, "22023");
        assert_eq!(plan("something new").0, "42000");
    }

    #[test]
    fn causes_are_found_inside_wrappers() {
        let inner = DataFusionError::ArrowError(Box::new(ArrowError::DivideByZero), None);
        let wrapped = DataFusionError::Context(
            "while projecting".to_owned(),
            Box::new(DataFusionError::External(Box::new(inner))),
        );
        assert_eq!(code_of(&wrapped).0, "22012");
    }

    #[test]
    fn syntax_errors_are_worded_as_postgres_words_them() {
        let info = from_parser(&ParserError::ParserError(
            "Expected: an SQL statement, found: SELEC at Line: 1, Column: 1".to_owned(),
        ));
        assert_eq!(info.code, "42601");
        assert_eq!(info.message, "syntax error at or near \"SELEC\"");
        assert_eq!(info.position.as_deref(), Some("1:1"));
        let info = from_parser(&ParserError::ParserError("Expected: an expression, found: EOF".to_owned()));
        assert_eq!(info.message, "syntax error at end of input");
        assert_eq!(info.position, None);
    }

    #[test]
    fn cast_errors_name_the_postgres_type() {
        let info =
            from_arrow(&ArrowError::CastError("Cannot cast string 'it's' to value of Int64 type".to_owned()));
        assert_eq!(info.code, "22P02");
        assert_eq!(info.message, "invalid input syntax for type bigint: \"it's\"");
    }

    #[test]
    fn the_nearest_column_is_a_near_one() {
        assert_eq!(nearest("chanel", ["event", "channel"].into_iter()), Some("channel"));
        assert_eq!(nearest("zzz", ["event", "channel"].into_iter()), None);
    }
}
