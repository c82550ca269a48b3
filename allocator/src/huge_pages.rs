//! Huge pages for the heap.

/// Lets the system use huge pages for the memory that the heap grows into, up to a gigabyte of it. Advice: where it cannot be
/// given or followed nothing changes.
#[cfg(target_os = "linux")]
pub(crate) fn use_for_heap() {
    let Ok(mappings) = std::fs::read_to_string("/proc/self/maps") else { return };
    let block = Box::new(0_u8);
    let heap = mappings.lines().filter_map(writable_range);
    let address = std::ptr::from_ref(block.as_ref()).addr();
    let Some((start, end)) = heap.into_iter().find(|(start, end)| (*start..*end).contains(&address)) else {
        return;
    };
    #[expect(unsafe_code, reason = "system calls are foreign")]
    // SAFETY: neither call changes what is in memory: the first allows huge pages in this process, which the allocator has
    // forbidden at its start, the second advises to use them where the heap is.
    unsafe {
        if libc::prctl(libc::PR_SET_THP_DISABLE, 0, 0, 0, 0) == 0 {
            libc::madvise(std::ptr::without_provenance_mut(start), end - start, libc::MADV_HUGEPAGE);
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn use_for_heap() {}

/// Where a line of the list of mappings says that private writable memory of no file is.
#[cfg(target_os = "linux")]
fn writable_range(line: &str) -> Option<(usize, usize)> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let is_writable = words.next()? == "rw-p";
    let has_no_file = words.nth(2)? == "0";
    let address = |digits| usize::from_str_radix(digits, 16).ok();
    if is_writable && has_no_file { address(start).zip(address(end)) } else { None }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: crate::Allocator = crate::Allocator;

    #[test]
    fn mappings_are_read() {
        assert_eq!(writable_range("7f00-7f20 rw-p 00000000 00:00 0"), Some((0x7f00, 0x7f20)));
        assert_eq!(writable_range("7f00-7f20 rw-p 00000000 00:00 0    [anon:heap]"), Some((0x7f00, 0x7f20)));
        assert_eq!(writable_range("7f00-7f20 r--p 00000000 00:00 0"), None);
        assert_eq!(writable_range("7f00-7f20 rw-p 00000000 08:01 77   /lib/x.so"), None);
        assert_eq!(writable_range(""), None);
    }

    #[test]
    fn the_heap_is_advised() {
        use_for_heap();
        let smaps = std::fs::read_to_string("/proc/self/smaps").expect("mappings");
        let flags = smaps.lines().filter_map(|line| line.strip_prefix("VmFlags:"));
        let is_supported = std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists();
        assert_eq!(flags.into_iter().any(|flags| flags.split(' ').any(|flag| flag == "hg")), is_supported);
    }
}
