//! What a connection sends beside requests: frames that ask nothing, heads that are mostly padding.
//!
//! HTTP/2 lets a client send pings, settings, priorities and frames of unknown kinds for ever, each of some bytes and some
//! work. They are weighed in bytes: what belongs to requests doesn't count, some is free, and who sends more is read slowly.

use std::time::Duration;

use tokio::time::Instant;

/// Bytes that are free at first, and again after a while: whatever HTTP/2 lets a client send before it is read, and as much
/// again of what it sends to begin with.
const FREE: i64 = 256 * 1_024;
/// Bytes that are free each second: 3,800 pings.
const FREE_PER_SECOND: i64 = 64 * 1_024;
/// Bytes that a call may take beside its messages: its head, compressed or short, and frames around it.
pub(super) const CALL_CREDIT: usize = 1_024;

/// What a connection has left of what is free.
#[derive(Debug)]
pub(super) struct Weight {
    left: i64,
    at: Instant,
}

impl Weight {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: FREE, at: now }
    }

    /// So many bytes belonged to requests.
    pub(super) fn credit(&mut self, bytes: usize) {
        self.left = (self.left + i64::try_from(bytes).unwrap_or(FREE)).min(FREE);
    }

    /// So many bytes were read; how long to leave the connection alone.
    pub(super) fn read(&mut self, bytes: usize, now: Instant) -> Option<Duration> {
        let passed = i64::try_from(now.duration_since(self.at).as_millis()).unwrap_or(i64::MAX);
        if passed > 0 {
            self.at = now;
        }
        let free = passed.saturating_mul(FREE_PER_SECOND / 1_000).min(FREE);
        self.left = (self.left + free).min(FREE) - i64::try_from(bytes).unwrap_or(FREE);
        let late_ms = (-self.left).max(0) * 1_000 / FREE_PER_SECOND;
        u64::try_from(late_ms).ok().filter(|late| *late > 0).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Sends pieces of so many bytes as fast as it may for a while; how many got through.
    fn sent(seconds: u32, piece: usize, of_requests: usize) -> usize {
        let start = Instant::now();
        let (mut now, mut weight, mut sent) = (start, Weight::new(start), 0);
        while now < start + seconds * 1_000 * MS {
            let wait = weight.read(piece, now);
            weight.credit(of_requests);
            sent += piece;
            now += wait.unwrap_or(MS / 10);
        }
        sent
    }

    #[test]
    fn requests_are_free_and_what_is_beside_them_is_slow() {
        // 16 KiB each tenth of a millisecond.
        assert!(sent(10, 16 * 1_024, 16 * 1_024) > 1_500_000_000);
        assert!(sent(10, 16 * 1_024, 16 * 1_024 - 100) > 90_000_000);
        let beside = sent(10, 16 * 1_024, 0);
        let free = usize::try_from(FREE + 10 * FREE_PER_SECOND).unwrap_or_default();
        assert!((free - 20_000..free + 40_000).contains(&beside), "{beside} of {free}");
    }

    #[test]
    fn whoever_was_quiet_may_send_as_much_as_at_first_and_no_more() {
        let start = Instant::now();
        let mut weight = Weight::new(start);
        assert_eq!(weight.read(256 * 1_024, start), None);
        assert!(weight.read(1_024, start).is_some());
        let later = start + 3_600_000 * MS;
        assert_eq!(weight.read(255 * 1_024, later), None);
        assert!(weight.read(1_024, later).is_some());
    }
}
