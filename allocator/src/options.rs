//! The allocator's options.

use std::ffi::c_long;

use libmimalloc_sys as allocator;

/// How long freed memory is kept, by its place in the list of the allocator's options.
const PURGE_DELAY: allocator::mi_option_t = 15;

/// How long memory is kept by [`keep_free`], in milliseconds.
const KEEP_MS: c_long = 10_000;

/// Keeps freed memory for ten seconds from now on, if neither the environment (`MIMALLOC_PURGE_DELAY`) says how long nor it is
/// kept for longer. The allocator itself keeps it for one, and then gives back whatever is free at that moment: in the
/// middle of a query that is what the next one takes.
pub fn keep_free() {
    let is_chosen = std::env::var_os("MIMALLOC_PURGE_DELAY").is_some();
    // Below zero it is kept for ever.
    if !is_chosen && (0..KEEP_MS).contains(&purge_delay_ms()) {
        set_purge_delay_ms(KEEP_MS);
    }
}

/// Keeps freed memory for `ms` from now on, and gives back what is kept already.
pub fn give_back(ms: c_long) {
    set_purge_delay_ms(ms);
    #[expect(unsafe_code, reason = "the allocator's functions are foreign; this one takes no pointer")]
    // SAFETY: may be called at any time, by any thread.
    unsafe {
        allocator::mi_collect(true);
    }
}

/// Keeps freed memory for `ms` from now on; for ever below zero.
pub fn set_purge_delay_ms(ms: c_long) {
    #[expect(unsafe_code, reason = "the allocator's functions are foreign; this one takes no pointer")]
    // SAFETY: options may be set at any time, by any thread; the number is that of an option.
    unsafe {
        allocator::mi_option_set(PURGE_DELAY, ms);
    }
}

/// For how long freed memory is kept.
pub fn purge_delay_ms() -> c_long {
    #[expect(unsafe_code, reason = "the allocator's functions are foreign; this one takes no pointer")]
    // SAFETY: options may be read at any time, by any thread; the number is that of an option.
    unsafe {
        allocator::mi_option_get(PURGE_DELAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_option_is_the_delay() {
        // What the allocator documents as the default; a new version may number its options anew.
        assert_eq!(purge_delay_ms(), 1_000);
    }
}
