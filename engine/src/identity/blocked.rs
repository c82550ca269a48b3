//! Values that stand for "not known" and belong to nobody: one of them would weld everybody together.

/// Compared without case and surrounding blanks.
const BLOCKED: [&str; 21] = [
    "",
    "null",
    "(null)",
    "nil",
    "none",
    "nan",
    "undefined",
    "unknown",
    "(not set)",
    "not set",
    "n/a",
    "na",
    "-",
    "-1",
    "0",
    "anonymous",
    "guest",
    "[object object]",
    "true",
    "false",
    "00000000-0000-0000-0000-000000000000",
];

/// Whether `id` identifies nobody.
pub fn is_blocked(id: &str) -> bool {
    let id = id.trim();
    // Digits alone: some sources write as many zeros as their ids are long.
    let is_zero = !id.is_empty() && id.bytes().all(|b| b == b'0');
    is_zero || BLOCKED.iter().any(|blocked| blocked.eq_ignore_ascii_case(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_nobody() {
        for nobody in ["", "  ", "NULL", "Unknown", " undefined ", "0", "000000", "N/A", "[object Object]"] {
            assert!(is_blocked(nobody), "{nobody:?}");
        }
        for somebody in ["ann", "10", "0a", "nullman", "unknown@example.org", "é"] {
            assert!(!is_blocked(somebody), "{somebody:?}");
        }
    }
}
