//! Signs of life, in both directions.

use std::time::Duration;

use tokio::time::Instant;

/// Knows when to send a ping, and when a client has been silent for too long.
#[derive(Debug)]
pub(super) struct KeepAlive {
    keep_alive: Duration,
    client_timeout: Duration,
    last_received: Instant,
    /// True when the client has begun to send pings; one that never does is not timed.
    has_pinged: bool,
}

/// Action that the clock asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeepAliveAction {
    Rest,
    Ping,
    Silent,
}

impl KeepAlive {
    pub(super) fn new(keep_alive: Duration, client_timeout: Duration, now: Instant) -> Self {
        Self { keep_alive, client_timeout, last_received: now, has_pinged: false }
    }

    /// Any bytes are a sign of life.
    pub(super) fn received(&mut self, now: Instant) {
        self.last_received = now;
    }

    pub(super) fn pinged(&mut self) {
        self.has_pinged = true;
    }

    /// When to look again.
    pub(super) fn due(&self, last_sent: Instant) -> Instant {
        let ping = last_sent + self.keep_alive;
        if self.has_pinged { ping.min(self.silent_at()) } else { ping }
    }

    pub(super) fn beat(&self, now: Instant, last_sent: Instant) -> KeepAliveAction {
        if self.has_pinged && now >= self.silent_at() {
            KeepAliveAction::Silent
        } else if now >= last_sent + self.keep_alive {
            KeepAliveAction::Ping
        } else {
            KeepAliveAction::Rest
        }
    }

    fn silent_at(&self) -> Instant {
        self.last_received + self.client_timeout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_client_that_has_pinged_is_silent_for_too_long() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut keep_alive =
            KeepAlive::new(Duration::from_secs(15), Duration::from_secs(30), start);
        assert_eq!(
            (keep_alive.due(start), keep_alive.beat(at(14), start)),
            (at(15), KeepAliveAction::Rest)
        );
        assert_eq!(keep_alive.beat(at(600), start), KeepAliveAction::Ping);
        keep_alive.pinged();
        keep_alive.received(at(1));
        assert_eq!(
            (keep_alive.due(at(20)), keep_alive.beat(at(30), at(20))),
            (at(31), KeepAliveAction::Rest)
        );
        assert_eq!(keep_alive.beat(at(31), at(20)), KeepAliveAction::Silent);
    }
}
