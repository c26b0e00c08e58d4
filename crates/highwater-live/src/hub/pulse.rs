//! Signs of life, in both directions.

use std::time::Duration;

use tokio::time::Instant;

/// Knows when to send a ping, and when a client has been silent for too long.
#[derive(Debug)]
pub(super) struct Pulse {
    keep_alive: Duration,
    client_timeout: Duration,
    last_received: Instant,
    /// Whether the client has begun to send pings; one that never does is not timed.
    has_pinged: bool,
}

/// What the clock asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    Rest,
    Ping,
    Silent,
}

impl Pulse {
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

    pub(super) fn beat(&self, now: Instant, last_sent: Instant) -> Beat {
        if self.has_pinged && now >= self.silent_at() {
            Beat::Silent
        } else if now >= last_sent + self.keep_alive {
            Beat::Ping
        } else {
            Beat::Rest
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
        let mut pulse = Pulse::new(Duration::from_secs(15), Duration::from_secs(30), start);
        assert_eq!((pulse.due(start), pulse.beat(at(14), start)), (at(15), Beat::Rest));
        assert_eq!(pulse.beat(at(600), start), Beat::Ping);
        pulse.pinged();
        pulse.received(at(1));
        assert_eq!((pulse.due(at(20)), pulse.beat(at(30), at(20))), (at(31), Beat::Rest));
        assert_eq!(pulse.beat(at(31), at(20)), Beat::Silent);
    }
}
