//! Limits of the wire that no session can raise. Those of statements are the engine's: `wayfare_engine::limits`.

/// Most columns of a result, as in PostgreSQL.
pub const MAX_RESULT_COLUMNS: usize = 1_664;
