//! From errors of the engine to what a PostgreSQL client expects: SQLSTATE, wording, position and hint.
//!
//! One mapping for every face of the wire protocol. DataFusion says many things only as text, so parts of this file
//! match on message texts; each such text is pinned by a test that provokes it (here and in `tests/it/wire.rs`), and a
//! text that no longer matches degrades to a more general SQLSTATE, never to a wrong one.
//!
//! `XX000` is for our own bugs only.

mod plan_text;
mod ranges;

use std::borrow::Cow;
use std::sync::Arc;

use arrow::error::ArrowError;
use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;
use datafusion::object_store::Error as ObjectStoreError;
use datafusion::parquet::errors::ParquetError;
use datafusion::sql::sqlparser::parser::ParserError;
use pgwire::error::{ErrorInfo, PgWireError};
use tokio::task::JoinError;
use wayfare_engine::access::Denied;
use wayfare_engine::catalog::search_path::SEARCH_PATH;
use wayfare_engine::error::root_cause;
use wayfare_engine::limits::Limit;
use wayfare_engine::{Error as EngineError, StoreError};

use crate::cpu::CpuTaskError;
pub(crate) use plan_text::FUNCTION_HINT;
use plan_text::type_name;

/// SQLSTATE codes that this server answers, by their PostgreSQL names.
pub mod sqlstate {
    pub const PROTOCOL_VIOLATION: &str = "08P01";
    pub const FEATURE_NOT_SUPPORTED: &str = "0A000";
    pub const DATA_EXCEPTION: &str = "22000";
    pub const NUMERIC_VALUE_OUT_OF_RANGE: &str = "22003";
    pub const DATETIME_FIELD_OVERFLOW: &str = "22008";
    pub const DIVISION_BY_ZERO: &str = "22012";
    pub const INVALID_ARGUMENT_FOR_LOGARITHM: &str = "2201E";
    pub const INVALID_ARGUMENT_FOR_POWER_FUNCTION: &str = "2201F";
    pub const INVALID_PARAMETER_VALUE: &str = "22023";
    pub const INVALID_BINARY_REPRESENTATION: &str = "22P03";
    pub const INVALID_TEXT_REPRESENTATION: &str = "22P02";
    pub const BAD_COPY_FILE_FORMAT: &str = "22P04";
    pub const INVALID_DATETIME_FORMAT: &str = "22007";
    pub const ARRAY_SUBSCRIPT_ERROR: &str = "2202E";
    pub const NOT_NULL_VIOLATION: &str = "23502";
    pub const CHARACTER_NOT_IN_REPERTOIRE: &str = "22021";
    pub const ACTIVE_SQL_TRANSACTION: &str = "25001";
    pub const READ_ONLY_SQL_TRANSACTION: &str = "25006";
    pub const NO_ACTIVE_SQL_TRANSACTION: &str = "25P01";
    pub const IN_FAILED_SQL_TRANSACTION: &str = "25P02";
    pub const IDLE_IN_TRANSACTION_SESSION_TIMEOUT: &str = "25P03";
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
    pub const NAME_TOO_LONG: &str = "42622";
    pub const DUPLICATE_COLUMN: &str = "42701";
    pub const AMBIGUOUS_COLUMN: &str = "42702";
    pub const UNDEFINED_COLUMN: &str = "42703";
    pub const UNDEFINED_OBJECT: &str = "42704";
    pub const GROUPING_ERROR: &str = "42803";
    pub const DATATYPE_MISMATCH: &str = "42804";
    pub const WRONG_OBJECT_TYPE: &str = "42809";
    pub const UNDEFINED_FUNCTION: &str = "42883";
    pub const UNDEFINED_TABLE: &str = "42P01";
    pub const DUPLICATE_CURSOR: &str = "42P03";
    pub const DUPLICATE_PREPARED_STATEMENT: &str = "42P05";
    pub const DUPLICATE_TABLE: &str = "42P07";
    pub const INVALID_CURSOR_DEFINITION: &str = "42P11";
    pub const OUT_OF_MEMORY: &str = "53200";
    pub const TOO_MANY_CONNECTIONS: &str = "53300";
    pub const PROGRAM_LIMIT_EXCEEDED: &str = "54000";
    pub const STATEMENT_TOO_COMPLEX: &str = "54001";
    pub const TOO_MANY_COLUMNS: &str = "54011";
    pub const TOO_MANY_ARGUMENTS: &str = "54023";
    pub const OBJECT_NOT_IN_PREREQUISITE_STATE: &str = "55000";
    pub const CANT_CHANGE_RUNTIME_PARAM: &str = "55P02";
    pub const QUERY_CANCELED: &str = "57014";
    pub const ADMIN_SHUTDOWN: &str = "57P01";
    pub const IDLE_SESSION_TIMEOUT: &str = "57P05";
    pub const IO_ERROR: &str = "58030";
    pub const INTERNAL_ERROR: &str = "XX000";
}

/// An error of a function or rule of this crate, already with its code.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct SqlError {
    code: Cow<'static, str>,
    message: String,
    hint: Option<String>,
}

impl SqlError {
    /// An error with this SQLSTATE and message.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code: Cow::Borrowed(code), message: message.into(), hint: None }
    }

    /// The same with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What a client would be told, as an error of a function.
    pub fn from_info(info: &ErrorInfo) -> Self {
        Self { code: Cow::Owned(info.code.clone()), message: info.message.clone(), hint: info.hint.clone() }
    }

    /// As what a client is told.
    pub fn info(&self) -> ErrorInfo {
        let mut info = error_info(&self.code, self.message.clone());
        info.hint = self.hint.clone();
        info
    }
}

impl From<SqlError> for DataFusionError {
    fn from(error: SqlError) -> Self {
        Self::External(Box::new(error))
    }
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

/// A copy of the parts that this server sets.
pub fn copy_info(info: &ErrorInfo) -> ErrorInfo {
    let mut copy = ErrorInfo::new(info.severity.clone(), info.code.clone(), info.message.clone());
    copy.severity_nonlocalized.clone_from(&info.severity_nonlocalized);
    copy.detail.clone_from(&info.detail);
    copy.hint.clone_from(&info.hint);
    copy.position.clone_from(&info.position);
    copy.where_context.clone_from(&info.where_context);
    copy
}

/// An answer for the client on its way through DataFusion, from a function that a statement calls.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.message)]
pub struct Refusal(pub Box<ErrorInfo>);

impl From<Refusal> for DataFusionError {
    fn from(refusal: Refusal) -> Self {
        Self::External(Box::new(refusal))
    }
}

/// Maps an error of the engine.
pub fn from_engine(error: &EngineError) -> ErrorInfo {
    match error {
        EngineError::Query(e) => from_datafusion(e),
        EngineError::Limit(exceeded) => {
            let code = match exceeded.limit {
                Limit::Bytes
                | Limit::Statements
                | Limit::ResultRows(_)
                | Limit::CallBytes(_)
                | Limit::CallSteps(_) => sqlstate::PROGRAM_LIMIT_EXCEEDED,
                Limit::IdentifierBytes => sqlstate::NAME_TOO_LONG,
                Limit::SelectItems | Limit::PlanColumns => sqlstate::TOO_MANY_COLUMNS,
                Limit::Arguments => sqlstate::TOO_MANY_ARGUMENTS,
                _ => sqlstate::STATEMENT_TOO_COMPLEX,
            };
            error_info(code, exceeded.to_string())
        }
        EngineError::InvalidArgument(message) => {
            error_info(sqlstate::INVALID_PARAMETER_VALUE, message.clone())
        }
        EngineError::Load(e) => error_info(sqlstate::DATA_EXCEPTION, e.to_string()),
        EngineError::Denied(e) => from_denied(e),
        EngineError::Store(e) => from_store(e),
    }
}

/// Maps what a role is not enough for.
pub(crate) fn from_denied(denied: &Denied) -> ErrorInfo {
    let mut info = error_info(sqlstate::INSUFFICIENT_PRIVILEGE, denied.to_string());
    info.hint = Some(format!("Log in as a user with role {}.", denied.needed()));
    info
}

fn from_store(error: &StoreError) -> ErrorInfo {
    match error {
        StoreError::NoTable { table, .. } => {
            error_info(sqlstate::UNDEFINED_TABLE, format!("relation \"{table}\" does not exist"))
        }
        StoreError::TableKind { .. }
        | StoreError::Version { .. }
        | StoreError::NotAdoptable { .. }
        | StoreError::Contention { .. } => error_info(sqlstate::IO_ERROR, error.to_string()),
        StoreError::NotAStore { .. }
        | StoreError::Occupied { .. }
        | StoreError::Format { .. }
        | StoreError::Location { .. }
        | StoreError::Unsupported { .. }
        | StoreError::Io { .. }
        | StoreError::Damaged { .. } => out_of_order("the store cannot be used", error),
    }
}

/// Something of the server itself does not work. Where its files are is for the operator: that goes to the log.
fn out_of_order(message: &str, error: &(dyn std::error::Error + 'static)) -> ErrorInfo {
    tracing::error!(error = root_cause(error), "{message}: {error}");
    let mut info = error_info(sqlstate::IO_ERROR, message);
    info.hint = Some("The log of the server says why; `wayfare check` names damaged files.".to_owned());
    info
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
        DataFusionError::NotImplemented(message) => from_not_implemented(&clean(message)),
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
        DataFusionError::ParquetError(e) => from_parquet(e),
        DataFusionError::ObjectStore(e) => out_of_order("cannot read the store", e.as_ref()),
        DataFusionError::IoError(e) if e.to_string().contains("disk space during the spilling") => {
            disk_full()
        }
        DataFusionError::IoError(e) => out_of_order("cannot read or write a file", e),
        DataFusionError::ExecutionJoin(e) => from_join(e),
        DataFusionError::Internal(_) | DataFusionError::Substrait(_) | DataFusionError::Ffi(_) => error_info(
            sqlstate::INTERNAL_ERROR,
            format!("internal error: {}", clean(&error.strip_backtrace())),
        ),
    }
}

/// A task of a query ended before its work. What a panic says may hold a user's data.
fn from_join(error: &JoinError) -> ErrorInfo {
    if error.is_cancelled() {
        return error_info(sqlstate::QUERY_CANCELED, "canceling statement because its task was stopped");
    }
    from_cpu(CpuTaskError::Panicked)
}

fn from_not_implemented(text: &str) -> ErrorInfo {
    // A name that is no keyword is no type that is missing, but no type at all.
    if let Some(name) = text.strip_prefix("Unsupported SQL type ")
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    {
        return error_info(sqlstate::UNDEFINED_OBJECT, format!("type \"{name}\" does not exist"));
    }
    if text.starts_with("Physical plan does not support logical expression WindowFunction") {
        return error_info("42P20", "window functions are not allowed in WHERE");
    }
    error_info(sqlstate::FEATURE_NOT_SUPPORTED, text)
}

fn from_external(error: &(dyn std::error::Error + Send + Sync + 'static)) -> ErrorInfo {
    if let Some(e) = error.downcast_ref::<SqlError>() {
        return e.info();
    }
    if let Some(e) = error.downcast_ref::<EngineError>() {
        return from_engine(e);
    }
    if let Some(e) = error.downcast_ref::<DataFusionError>() {
        return from_datafusion(e);
    }
    if let Some(Refusal(info)) = error.downcast_ref::<Refusal>() {
        return copy_info(info);
    }
    if let Some(e) = error.downcast_ref::<ArrowError>() {
        return from_arrow(e);
    }
    if let Some(e) = error.downcast_ref::<JoinError>() {
        return from_join(e);
    }
    if let Some(e) = error.downcast_ref::<Arc<JoinError>>() {
        return from_join(e);
    }
    if let Some(e) = error.downcast_ref::<StoreError>() {
        return from_store(e);
    }
    if let Some(e) = error.downcast_ref::<ParquetError>() {
        return from_parquet(e);
    }
    if error.is::<std::io::Error>() || error.is::<ObjectStoreError>() {
        return out_of_order("cannot read or write a file", error);
    }
    let text = error.to_string();
    if text.starts_with("regex parse error") {
        return invalid_regex(&text);
    }
    if text.contains("disk space during the spilling") {
        return disk_full();
    }
    error_info(sqlstate::IO_ERROR, text)
}

/// Reading a file failed, or a condition that is looked at while it is read: that is the statement's.
fn from_parquet(error: &ParquetError) -> ErrorInfo {
    if let ParquetError::External(inner) = error {
        let of_condition = inner.downcast_ref::<ArrowError>();
        let of_condition =
            of_condition.filter(|e| !matches!(e, ArrowError::ParquetError(_) | ArrowError::IoError(..)));
        if let Some(e) = of_condition {
            return from_arrow(e);
        }
    }
    out_of_order("cannot read a data file", error)
}

/// The last line of the parser of regular expressions, which says what is wrong with one.
fn invalid_regex(text: &str) -> ErrorInfo {
    let reason = text.rsplit_once("error: ").map_or(text, |(_, reason)| reason.trim());
    let reason = match reason {
        "unclosed group" | "unopened group" => "parentheses () not balanced",
        "unclosed character class" => "brackets [] not balanced",
        other if other.starts_with("repetition operator missing") => "quantifier operand invalid",
        other => other,
    };
    error_info("2201B", format!("invalid regular expression: {reason}"))
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
            let text = clean(message);
            ranges::known(&text).unwrap_or_else(|| error_info(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, text))
        }
        ArrowError::CastError(message) | ArrowError::ParseError(message) => from_cast_text(message),
        ArrowError::InvalidArgumentError(message) => {
            if message.contains("too large to store") || message.contains("too small to store") {
                error_info(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, "numeric field overflow")
            } else if message.to_ascii_lowercase().contains("overflow") {
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
        ArrowError::IoError(_, e) => out_of_order("cannot read or write a file", e),
        other => {
            error_info(sqlstate::INTERNAL_ERROR, format!("internal error: {}", clean(&other.to_string())))
        }
    }
}

fn from_cast_text(message: &str) -> ErrorInfo {
    if let Some(info) = ranges::known(&clean(message)) {
        return info;
    }
    let lower = message.to_ascii_lowercase();
    // arrow: Can't cast value 99999999999 to type Int32
    if let Some(target) =
        message.strip_prefix("Can't cast value ").and_then(|rest| rest.rsplit_once(" to type "))
    {
        return error_info(
            sqlstate::NUMERIC_VALUE_OUT_OF_RANGE,
            format!("{} out of range", type_name(target.1)),
        );
    }
    // arrow: Cannot cast string 'abc' to value of Int64 type
    let cast =
        message.strip_prefix("Cannot cast string '").or_else(|| message.strip_prefix("Cannot cast value '"));
    if let Some(rest) = cast
        && let Some((value, rest)) = rest.rsplit_once("' to value of ")
        && let Some(arrow_type) = rest.strip_suffix(" type")
    {
        return not_a_value(&short_type_name(arrow_type), value);
    }
    // arrow: Error parsing timestamp from 'abc': error parsing date
    if let Some(rest) = message.strip_prefix("Error parsing timestamp from '")
        && let Some((value, _)) = rest.rsplit_once("':")
    {
        return not_a_value("timestamp", value);
    }
    if let Some(value) = between(message, "nvalid input syntax for type interval: \"", "\"") {
        return not_a_value("interval", value);
    }
    if lower.contains("overflow") || lower.contains("out of range") {
        return error_info(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, clean(message));
    }
    error_info(sqlstate::INVALID_TEXT_REPRESENTATION, clean(message))
}

/// The names that messages have for times, which are shorter than elsewhere.
fn short_type_name(arrow_type: &str) -> String {
    type_name(arrow_type).trim_end_matches(" without time zone").to_owned()
}

/// `value` is no value of the type called `pg_type`, or one out of its range.
fn not_a_value(pg_type: &str, value: &str) -> ErrorInfo {
    let trimmed = value.trim();
    let digits = trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_temporal =
        matches!(pg_type, "date" | "time" | "timestamp" | "timestamp with time zone" | "interval");
    if is_number && matches!(pg_type, "smallint" | "integer" | "bigint") {
        return error_info(
            sqlstate::NUMERIC_VALUE_OUT_OF_RANGE,
            format!("value \"{value}\" is out of range for type {pg_type}"),
        );
    }
    let looks_right = trimmed.contains(['-', ':'])
        && trimmed.bytes().all(|byte| byte.is_ascii_digit() || b"-:. +TZ".contains(&byte));
    if is_temporal && looks_right {
        let mut info = error_info(
            sqlstate::DATETIME_FIELD_OVERFLOW,
            format!("date/time field value out of range: \"{value}\""),
        );
        if pg_type == "date" && trimmed.get(5..7).is_some_and(|month| month > "12") {
            info.hint = Some("Perhaps you need a different \"datestyle\" setting.".to_owned());
        }
        return info;
    }
    let code = if is_temporal { "22007" } else { sqlstate::INVALID_TEXT_REPRESENTATION };
    error_info(code, format!("invalid input syntax for type {pg_type}: \"{value}\""))
}

fn from_schema(error: &SchemaError) -> ErrorInfo {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            if let Some(relation) = &field.relation {
                let is_known = |column: &Column| {
                    column.relation.as_ref().is_some_and(|known| known.table() == relation.table())
                };
                if !valid_fields.iter().any(is_known) {
                    return error_info(
                        sqlstate::UNDEFINED_TABLE,
                        format!("missing FROM-clause entry for table \"{}\"", relation.table()),
                    );
                }
            }
            let mut info = error_info(
                sqlstate::UNDEFINED_COLUMN,
                match &field.relation {
                    Some(relation) => {
                        format!("column {}.{} does not exist", relation.table(), field.name)
                    }
                    None => format!("column \"{}\" does not exist", field.name),
                },
            );
            if let Some(column) = nearest_column(&field.name, valid_fields) {
                info.hint = Some(format!("Perhaps you meant to reference the column \"{column}\"."));
            }
            info
        }
        SchemaError::AmbiguousReference { field } => error_info(
            sqlstate::AMBIGUOUS_COLUMN,
            format!("column reference \"{}\" is ambiguous", field.name),
        ),
        SchemaError::DuplicateQualifiedField { qualifier, .. } => {
            error_info("42712", format!("table name \"{}\" specified more than once", qualifier.table()))
        }
        SchemaError::DuplicateUnqualifiedField { name } => {
            error_info(sqlstate::DUPLICATE_COLUMN, format!("column \"{name}\" specified more than once"))
        }
    }
}

/// The column whose name is nearest to `wanted`, as PostgreSQL chooses it: at most three changes, and no more than half
/// of the letters.
fn nearest_column(wanted: &str, columns: &[Column]) -> Option<String> {
    let limit = 3.min(wanted.chars().count() / 2);
    let distances = columns.iter().map(|column| (edit_distance(wanted, &column.name), column));
    let (_, column) =
        distances.filter(|(distance, _)| *distance <= limit).min_by_key(|(distance, _)| *distance)?;
    Some(match &column.relation {
        Some(relation) => format!("{}.{}", relation.table(), column.name),
        None => column.name.clone(),
    })
}

/// Planning failed: the statement is wrong, not the data.
fn from_plan_text(message: &str) -> ErrorInfo {
    let text = clean(message);
    if let Some(info) = plan_text::known(&text) {
        return info;
    }
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
    if let Some(info) = ranges::known(&text) {
        return info;
    }
    let lower = text.to_ascii_lowercase();
    if lower.starts_with("scalar subquery returned more than one row") {
        return error_info("21000", "more than one row returned by a subquery used as an expression");
    }
    if let Some(name) = between(&text, "View '", "' doesn't exist") {
        return error_info(
            sqlstate::UNDEFINED_TABLE,
            format!("view \"{}\" does not exist", local_name(name)),
        );
    }
    if let Some(name) = between(&text, "Table '", "' already exists") {
        return error_info(
            sqlstate::DUPLICATE_TABLE,
            format!("relation \"{}\" already exists", local_name(name)),
        );
    }
    if let Some(name) = between(&text, "Prepared statement '", "' does not exist") {
        return error_info(
            sqlstate::INVALID_SQL_STATEMENT_NAME,
            format!("prepared statement \"{name}\" does not exist"),
        );
    }
    if text.starts_with("unrecognized configuration parameter ") {
        return error_info(sqlstate::UNDEFINED_OBJECT, text);
    }
    if text.starts_with("cannot take square root of a negative number")
        || text.starts_with("zero raised to a negative power")
    {
        return error_info("2201F", text);
    }
    if lower.starts_with("negative count not allowed") {
        return error_info("22011", "negative substring length not allowed");
    }
    let unit = between(&text, "Unsupported date_trunc granularity: '", "'");
    if let Some(unit) = unit.or_else(|| between(&text, "Date part '", "' not supported")) {
        return error_info(sqlstate::INVALID_PARAMETER_VALUE, format!("unit \"{unit}\" not recognized"));
    }
    if text.starts_with("step can't be 0") {
        return error_info(sqlstate::INVALID_PARAMETER_VALUE, "step size cannot equal zero");
    }
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

pub(crate) fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
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
    // A name without a schema, wherever it was looked for.
    let searched = without_catalog.strip_prefix(SEARCH_PATH).and_then(|rest| rest.strip_prefix('.'));
    searched.or_else(|| without_catalog.strip_prefix("public.")).unwrap_or(without_catalog)
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
