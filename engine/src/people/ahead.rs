//! Memory that is fetched into the processor's cache before it is needed.
//!
//! The rows of a slice lie at one place in each row group: the processor, which fetches ahead by itself where it sees a
//! pattern, sees none that leads from the one to the next.

/// Begins to fetch the first of `values`; nothing waits for them. Elsewhere than on x86-64 it does nothing.
#[cfg(target_arch = "x86_64")]
pub(super) fn fetch<T>(values: &[T]) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

    /// Bytes that the processor fetches at a time.
    const LINE_BYTES: usize = 64;
    /// Behind so many bytes it has found the pattern.
    const MOST_BYTES: usize = 8 << 10;

    for start in (0..size_of_val(values).min(MOST_BYTES)).step_by(LINE_BYTES) {
        #[expect(
            unsafe_code,
            reason = "the instruction takes an address, and there is no other way to give it"
        )]
        // SAFETY: the address is one of `values`, and nothing is read or written for it.
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(values.as_ptr().cast::<i8>().byte_add(start));
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn fetch<T>(_: &[T]) {}
