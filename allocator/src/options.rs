//! The allocator's options.

use std::ffi::c_long;

use libmimalloc_sys as allocator;

use crate::huge_pages;

/// How long freed memory is kept, by its place in the list of the allocator's options.
const PURGE_DELAY: allocator::mi_option_t = 15;
/// How much is given back at once, at least, in KiB.
const PURGE_SIZE: allocator::mi_option_t = 44;

/// How long memory is kept by [`keep_for_load`], in milliseconds.
const LOAD_DELAY_MS: c_long = 10_000;
/// A huge page.
const LOAD_PURGE_KIB: c_long = 2 << 10;

/// For a process that loads and ends: takes memory from the system in huge pages, where it has them, and keeps what is freed for
/// ten seconds. A load touches hundreds of megabytes for the first time, which costs a seventh of its processor time in
/// pages of the usual size.
///
/// What the environment says (`MIMALLOC_PURGE_DELAY`, `MIMALLOC_ALLOW_THP`) goes before. To be called before much memory is
/// taken.
pub fn keep_for_load() {
    let is_chosen = |variable| std::env::var_os(variable).is_some();
    // Below zero it is kept for ever.
    if !is_chosen("MIMALLOC_PURGE_DELAY") && (0..LOAD_DELAY_MS).contains(&purge_delay_ms()) {
        set_purge_delay_ms(LOAD_DELAY_MS);
    }
    if !is_chosen("MIMALLOC_ALLOW_THP") {
        huge_pages::use_for_heap();
        // Less would break huge pages up.
        set(PURGE_SIZE, LOAD_PURGE_KIB);
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
    set(PURGE_DELAY, ms);
}

/// For how long freed memory is kept.
pub fn purge_delay_ms() -> c_long {
    get(PURGE_DELAY)
}

#[expect(unsafe_code, reason = "the allocator's functions are foreign; this one takes no pointer")]
fn set(option: allocator::mi_option_t, value: c_long) {
    // SAFETY: options may be set at any time, by any thread; the number is that of an option.
    unsafe { allocator::mi_option_set(option, value) }
}

#[expect(unsafe_code, reason = "the allocator's functions are foreign; this one takes no pointer")]
fn get(option: allocator::mi_option_t) -> c_long {
    // SAFETY: options may be read at any time, by any thread; the number is that of an option.
    unsafe { allocator::mi_option_get(option) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new version of the allocator may number its options anew.
    #[test]
    fn options_have_the_numbers_that_are_used() {
        assert_eq!(allocator::_mi_option_last, 47);
        assert_eq!(purge_delay_ms(), 1_000, "the documented default");
        assert_eq!(get(PURGE_SIZE), 0, "the documented default");
        // The neighbours have other defaults.
        assert_eq!((get(PURGE_SIZE - 2), get(PURGE_SIZE + 1) > 0), (16, true));
    }
}
