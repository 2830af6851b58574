//! When to ask again, and how long to wait before. Decides only; it sends nothing and reads no clock.

use std::time::Duration;

/// How often a request that may be repeated is sent.
pub(crate) const ATTEMPTS: u32 = 3;

/// Whether sending a request twice does no harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeat {
    /// The second time answers as the first.
    Harmless,
    /// The second time does something again.
    Never,
}

/// Whether a status says that the same request may be answered in a moment.
pub(crate) fn is_passing(status: u16) -> bool {
    matches!(status, 502..=504)
}

/// How long to wait after the attempt of this number, counted from 0.
pub(crate) fn pause(attempt: u32, retry_after: Option<Duration>) -> Duration {
    retry_after.unwrap_or(Duration::from_millis(100) * 3_u32.saturating_pow(attempt))
}

/// What a registry may make us wait: more is as long as anybody does.
const LONGEST_PAUSE: u64 = 24 * 60 * 60;

/// `Retry-After` in seconds. The form with a date is passed over: it needs a clock that agrees with the server's.
pub(crate) fn retry_after(header: Option<&str>) -> Option<Duration> {
    header?.trim().parse().ok().map(|seconds: u64| Duration::from_secs(seconds.min(LONGEST_PAUSE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_the_registry_may_set_them() {
        assert_eq!(pause(0, None), Duration::from_millis(100));
        assert_eq!(pause(1, None), Duration::from_millis(300));
        assert_eq!(pause(1, retry_after(Some("2"))), Duration::from_secs(2));
        assert_eq!(retry_after(Some("Wed, 21 Oct 2026 07:28:00 GMT")), None);
        assert_eq!(retry_after(Some("-1")), None);
        assert_eq!(retry_after(None), None);
        assert_eq!(retry_after(Some("18446744073709551615")), Some(Duration::from_secs(LONGEST_PAUSE)));
    }
}
