//! Limits of the wire that no session can raise. Those of statements are the engine's: `wayfare_engine::limits`.

/// Most columns of a result, as in PostgreSQL.
pub const MAX_RESULT_COLUMNS: usize = 1_664;
/// Longest name in bytes that clients are told, as in PostgreSQL. Longer ones are not cut here.
pub(crate) const MAX_IDENTIFIER_BYTES: &str = "63";
