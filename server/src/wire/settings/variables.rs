//! The variables that sessions know, with their defaults and what values they take.

use crate::limits::MAX_IDENTIFIER_BYTES;

/// A session variable.
#[derive(Debug)]
pub(crate) struct Variable {
    /// Name in PostgreSQL's spelling.
    pub name: &'static str,
    pub(super) default: &'static str,
    pub(super) domain: Domain,
    /// Whether the client is told about each change.
    pub reported: bool,
    pub(super) description: &'static str,
}

/// What values a variable takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Domain {
    /// Cannot be changed.
    Fixed,
    /// Cannot be changed while the server runs.
    Server,
    Text,
    Boolean,
    Integer(i64, i64),
    Real,
    /// A time, kept in milliseconds; at least this, at most what an `int4` holds.
    Milliseconds(i64),
    /// A size, kept in this many bytes.
    Bytes(u64),
    TimeZone,
    DateStyle,
    SearchPath,
    Encoding,
    OneOf(&'static [&'static str]),
}

const fn variable(
    name: &'static str,
    default: &'static str,
    domain: Domain,
    description: &'static str,
) -> Variable {
    Variable { name, default, domain, reported: false, description }
}

const fn reported(
    name: &'static str,
    default: &'static str,
    domain: Domain,
    description: &'static str,
) -> Variable {
    Variable { name, default, domain, reported: true, description }
}

const ISOLATION_LEVELS: &[&str] = &["serializable", "repeatable read", "read committed", "read uncommitted"];
const MESSAGE_LEVELS: &[&str] =
    &["debug5", "debug4", "debug3", "debug2", "debug1", "log", "notice", "warning", "error"];
const KILOBYTE: u64 = 1024;
const BLOCK: u64 = 8192;

use Domain::{
    Boolean, Bytes, DateStyle, Encoding, Fixed, Integer, Milliseconds, OneOf, Real, SearchPath, Server, Text,
    TimeZone,
};

/// All of them, by name without regard to case.
///
/// Those whose description says "Kept" have no effect here: clients set them and read them back.
pub(super) static VARIABLES: &[Variable] = &[
    reported("application_name", "", Text, "Name that the client gives itself."),
    variable("array_nulls", "on", Boolean, "Kept."),
    variable("backslash_quote", "safe_encoding", Text, "Kept."),
    variable("block_size", "8192", Fixed, "Size of a block in sizes without a unit."),
    variable("bytea_output", "hex", OneOf(&["hex", "escape"]), "How byte strings are written."),
    variable("check_function_bodies", "on", Boolean, "Kept."),
    reported("client_encoding", "UTF8", Encoding, "Encoding of text from and to the client."),
    variable("client_min_messages", "notice", OneOf(MESSAGE_LEVELS), "Least level of notices that are sent."),
    variable("constraint_exclusion", "partition", Text, "Kept."),
    variable("cursor_tuple_fraction", "0.1", Real, "Kept."),
    reported("DateStyle", "ISO, MDY", DateStyle, "How dates are written and read."),
    variable("default_statistics_target", "100", Integer(1, 10_000), "Kept."),
    variable("default_table_access_method", "heap", Text, "Kept."),
    variable("default_tablespace", "", Text, "Kept."),
    variable("default_text_search_config", "pg_catalog.simple", Text, "Kept."),
    variable("default_transaction_deferrable", "off", Boolean, "Whether new transactions are deferrable."),
    variable(
        "default_transaction_isolation",
        "read committed",
        OneOf(ISOLATION_LEVELS),
        "Of new transactions.",
    ),
    reported("default_transaction_read_only", "off", Boolean, "Whether new transactions only read."),
    variable("effective_cache_size", "524288", Bytes(BLOCK), "Kept."),
    variable("enable_bitmapscan", "on", Boolean, "Kept."),
    variable("enable_hashagg", "on", Boolean, "Kept."),
    variable("enable_hashjoin", "on", Boolean, "Kept."),
    variable("enable_indexonlyscan", "on", Boolean, "Kept."),
    variable("enable_indexscan", "on", Boolean, "Kept."),
    variable("enable_material", "on", Boolean, "Kept."),
    variable("enable_mergejoin", "on", Boolean, "Kept."),
    variable("enable_nestloop", "on", Boolean, "Kept."),
    variable("enable_partitionwise_aggregate", "off", Boolean, "Kept."),
    variable("enable_partitionwise_join", "off", Boolean, "Kept."),
    variable("enable_seqscan", "on", Boolean, "Kept."),
    variable("enable_sort", "on", Boolean, "Kept."),
    variable("escape_string_warning", "on", Boolean, "Kept."),
    variable(
        "extra_float_digits",
        "1",
        Integer(-15, 3),
        "Digits of floating-point numbers beyond the usual ones.",
    ),
    variable("from_collapse_limit", "8", Integer(1, i32::MAX as i64), "Kept."),
    variable("geqo", "on", Boolean, "Kept."),
    variable("hot_standby_feedback", "off", Fixed, "Kept."),
    variable("idle_in_transaction_session_timeout", "0", Milliseconds(0), "How long a transaction may wait."),
    variable(
        "idle_session_timeout",
        "0",
        Milliseconds(0),
        "How long a session may wait outside a transaction.",
    ),
    reported("in_hot_standby", "off", Fixed, "Always off."),
    reported("integer_datetimes", "on", Fixed, "Always on: timestamps count microseconds."),
    reported(
        "IntervalStyle",
        "postgres",
        OneOf(&["postgres", "postgres_verbose", "sql_standard", "iso_8601"]),
        "How intervals are written.",
    ),
    reported("is_superuser", "off", Fixed, "Whether the user is a superuser."),
    variable("jit", "off", Boolean, "Kept."),
    variable("join_collapse_limit", "8", Integer(1, i32::MAX as i64), "Kept."),
    variable("lc_collate", "C", Fixed, "Order of text: that of its bytes."),
    variable("lc_ctype", "C.UTF-8", Fixed, "Kinds of characters."),
    variable("lc_messages", "C", Text, "Kept."),
    variable("lc_monetary", "C", Text, "Kept."),
    variable("lc_numeric", "C", Text, "Kept."),
    variable("lc_time", "C", Text, "Kept."),
    variable("listen_addresses", "localhost", Server, "Where the server listens."),
    variable("lock_timeout", "0", Milliseconds(0), "Kept: nothing waits for a lock."),
    variable("maintenance_work_mem", "65536", Bytes(KILOBYTE), "Kept."),
    variable("max_connections", "1000", Server, "Logged-in connections at the same time."),
    variable("max_identifier_length", MAX_IDENTIFIER_BYTES, Fixed, "Longest name in bytes."),
    variable("max_index_keys", "32", Fixed, "Always 32."),
    variable("max_parallel_workers_per_gather", "2", Integer(0, 1024), "Kept."),
    variable("max_prepared_transactions", "0", Server, "Two-phase commit is not supported."),
    variable("parallel_setup_cost", "1000", Real, "Kept."),
    variable("parallel_tuple_cost", "0.1", Real, "Kept."),
    variable("password_encryption", "scram-sha-256", OneOf(&["scram-sha-256"]), "How passwords are stored."),
    variable("plan_cache_mode", "auto", Text, "Kept."),
    variable("port", "5433", Server, "Port of the server."),
    variable("quote_all_identifiers", "off", Boolean, "Kept."),
    variable("random_page_cost", "4", Real, "Kept."),
    variable("row_security", "on", Boolean, "Kept."),
    variable(
        "search_path",
        "\"$user\", public",
        SearchPath,
        "Schemas in which names without one are looked up.",
    ),
    variable("seq_page_cost", "1", Real, "Kept."),
    reported("server_encoding", "UTF8", Fixed, "Encoding of stored text."),
    reported("server_version", "", Fixed, "Version of the server."),
    variable(
        "server_version_num",
        super::POSTGRES_VERSION_NUMBER,
        Fixed,
        "Version of the server as a number.",
    ),
    reported("session_authorization", "", Fixed, "User of the session."),
    variable("session_replication_role", "origin", Text, "Kept."),
    variable("ssl", "off", Server, "Whether connections may be encrypted."),
    reported("standard_conforming_strings", "on", OneOf(&["on"]), "A backslash in '...' is a backslash."),
    variable("statement_timeout", "0", Milliseconds(0), "How long a statement may run."),
    variable("synchronize_seqscans", "on", Boolean, "Kept."),
    variable("synchronous_commit", "on", Text, "Kept: every commit is durable."),
    variable("tcp_keepalives_count", "0", Integer(0, i32::MAX as i64), "Kept."),
    variable("tcp_keepalives_idle", "0", Integer(0, i32::MAX as i64), "Kept."),
    variable("tcp_keepalives_interval", "0", Integer(0, i32::MAX as i64), "Kept."),
    variable("temp_buffers", "1024", Bytes(BLOCK), "Kept."),
    variable("temp_tablespaces", "", Text, "Kept."),
    reported("TimeZone", "UTC", TimeZone, "Zone in which timestamps are written and read."),
    variable("timezone_abbreviations", "Default", Text, "Kept."),
    variable("transaction_deferrable", "off", Boolean, "Whether this transaction is deferrable."),
    variable("transaction_isolation", "read committed", OneOf(ISOLATION_LEVELS), "Of this transaction."),
    variable("transaction_read_only", "off", Boolean, "Whether this transaction only reads."),
    variable("transform_null_equals", "off", OneOf(&["off"]), "x = NULL is never true."),
    variable("vacuum_cost_delay", "0", Real, "Kept."),
    variable("wal_level", "replica", Server, "Kept."),
    variable("work_mem", "4096", Bytes(KILOBYTE), "Kept: the operator limits memory."),
    variable("xmlbinary", "base64", Text, "Kept."),
    variable("xmloption", "content", Text, "Kept."),
];

/// The variable of this name, case ignored.
pub(crate) fn find(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|variable| variable.name.eq_ignore_ascii_case(name))
}
