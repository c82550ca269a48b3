//! The memory allocator of Wayfare's programs, and what it does with memory that is free.
//!
//! Usually free memory is kept for a second, because queries that aggregate take the same memory again and again, and pages
//! have the usual size. A process that loads and ends does better otherwise: see [`keep_for_load`].

mod huge_pages;
mod options;

pub use mimalloc::MiMalloc as Allocator;
pub use options::{give_back, keep_for_load, purge_delay_ms, set_purge_delay_ms};
