//! The memory allocator of Wayfare's programs, and what it does with memory that is free.
//!
//! It is kept for a while, because queries that aggregate and loads take the same memory again and again: see [`keep_free`].

mod options;

pub use mimalloc::MiMalloc as Allocator;
pub use options::{give_back, keep_free, purge_delay_ms, set_purge_delay_ms};
