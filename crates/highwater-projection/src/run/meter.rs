//! How fast a projection goes at present.

use std::time::Duration;

use tokio::time::Instant;

/// Time that events are counted together; a rate looks back over one to two of these.
const WINDOW: Duration = Duration::from_secs(5);

/// Counts events in two adjoining windows of time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meter {
    since: Instant,
    previous: (Instant, u64),
    events: u64,
}

impl Meter {
    pub(crate) fn new(now: Instant) -> Self {
        Self { since: now, previous: (now, 0), events: 0 }
    }

    /// Counts `events` that were processed at `now`.
    pub(crate) fn count(&mut self, events: u64, now: Instant) {
        self.turn(now);
        self.events += events;
    }

    /// Events per second over the last seconds.
    pub(crate) fn rate(mut self, now: Instant) -> f64 {
        self.turn(now);
        let seconds = (now - self.previous.0).as_secs_f64().max(1.0);
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
        let events = (self.previous.1 + self.events) as f64;
        events / seconds
    }

    fn turn(&mut self, now: Instant) {
        let age = now - self.since;
        if age >= 2 * WINDOW {
            *self = Self::new(now - WINDOW);
        } else if age >= WINDOW {
            self.previous = (self.since, self.events);
            (self.since, self.events) = (self.since + WINDOW, 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let start = Instant::now() + Duration::from_secs(60);
        let second = |n| start + Duration::from_secs(n);
        let mut meter = Meter::new(start);
        (0..20).for_each(|n| meter.count(100, second(n)));
        let rate = meter.rate(second(20));
        assert!((90.0..=110.0).contains(&rate), "{rate}");
        assert_eq!(meter.rate(second(40)), 0.0);
    }
}
