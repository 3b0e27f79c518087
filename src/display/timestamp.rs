//! A moment, as programs and people read it.

use std::fmt;
use std::time::{Duration, SystemTime};

/// Microseconds since 1970 (UTC), shown as RFC 3339 has it: `2026-01-02T03:04:05.000006Z`. What
/// lies beyond the year 9999, which RFC 3339 cannot say, is shown as its last microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// 9999-12-31T23:59:59.999999Z.
    const LAST: u64 = 253_402_300_799_999_999;
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = Duration::from_micros(self.0.min(Self::LAST));
        humantime::format_rfc3339_micros(SystemTime::UNIX_EPOCH + since).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_has_a_text() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000000Z");
        let leap = Timestamp(1_709_210_096_000_001).to_string();
        assert_eq!(leap, "2024-02-29T12:34:56.000001Z");
        for late in [Timestamp::LAST, u64::MAX] {
            assert_eq!(Timestamp(late).to_string(), "9999-12-31T23:59:59.999999Z");
        }
    }
}
