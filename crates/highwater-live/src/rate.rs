//! How often something may happen.

use std::time::Duration;

use tokio::time::Instant;

/// So many a second, and as many at once after a quiet second.
#[derive(Debug)]
pub(crate) struct Rate {
    per_second: f64,
    available: f64,
    seen: Instant,
}

impl Rate {
    /// A rate of at least one a second.
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second.max(1));
        Self { per_second, available: per_second, seen: now }
    }

    /// Takes one, if there is one.
    pub(crate) fn admits(&mut self, now: Instant) -> bool {
        let admits = self.next(now) <= now;
        if admits {
            self.available -= 1.0;
        }
        admits
    }

    /// When there is one to take; `now` if there is one already.
    pub(crate) fn next(&mut self, now: Instant) -> Instant {
        let passed = now.saturating_duration_since(self.seen).as_secs_f64();
        self.available = (self.available + passed * self.per_second).min(self.per_second);
        self.seen = now;
        if self.available >= 1.0 {
            return now;
        }
        // A little later than need be, so that rounding never asks to wait for no time at all.
        let missing = (1.0 - self.available) / self.per_second;
        now + Duration::from_secs_f64(missing) + Duration::from_millis(1)
    }

    /// Tells whether nothing has been taken lately, so that there is nothing to remember.
    pub(crate) fn is_fresh(&mut self, now: Instant) -> bool {
        self.next(now) <= now && self.available >= self.per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_admits_its_number_at_once_and_again_after_a_second() {
        let start = Instant::now();
        let mut rate = Rate::new(2, start);
        let admitted = |rate: &mut Rate, now| (0..5).filter(|_| rate.admits(now)).count();
        assert_eq!(admitted(&mut rate, start), 2);
        assert_eq!(admitted(&mut rate, start + Duration::from_millis(500)), 1);
        assert_eq!(admitted(&mut rate, start + Duration::from_secs(60)), 2);
    }

    #[test]
    fn whoever_waits_as_long_as_is_said_is_admitted() {
        let start = Instant::now();
        let mut rate = Rate::new(3, start);
        while rate.admits(start) {}
        let next = rate.next(start);
        assert!(next > start && rate.admits(next));
        assert!(!rate.is_fresh(next) && rate.is_fresh(next + Duration::from_secs(2)));
    }
}
