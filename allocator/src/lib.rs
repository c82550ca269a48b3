//! The memory allocator of Wayfare's programs, and what it does with memory that is free.
//!
//! Usually it is kept for a second, because queries that aggregate take the same memory again and again. A process that loads
//! and ends keeps it for longer: see [`keep_for_load`].

mod options;

pub use mimalloc::MiMalloc as Allocator;
pub use options::{give_back, keep_for_load, purge_delay_ms, set_purge_delay_ms};
