//! Waits that grow with each failure.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

/// Waits that double with each failure in a row: `base × 2^attempt`, up to `cap`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// The first wait. Default 100 ms.
    pub base: Duration,
    /// The longest wait. Default 30 s.
    pub cap: Duration,
    /// Part of a wait that is left to chance, from 0 to 1, so that many projections do not retry
    /// in step. Default 0.2: a wait is between 80 and 100 per cent of the computed one.
    pub jitter: f64,
}

/// Retries of an event that fails, and the waits between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// The waits between attempts.
    pub backoff: Backoff,
    /// Attempts at the event alone, the first one included. Default 5.
    pub max_attempts: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { base: Duration::from_millis(100), cap: Duration::from_secs(30), jitter: 0.2 }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { backoff: Backoff::default(), max_attempts: 5 }
    }
}

impl Backoff {
    /// The wait after failure number `attempt`, counted from 0, before chance has its part.
    #[must_use]
    pub fn delay(&self, attempt: u32) -> Duration {
        let factor = 2_u32.checked_pow(attempt).unwrap_or(u32::MAX);
        self.base.checked_mul(factor).map_or(self.cap, |delay| delay.min(self.cap))
    }

    /// The wait after failure number `attempt`, drawn anew at every call.
    pub(crate) fn draw(&self, attempt: u32) -> Duration {
        self.shorten(self.delay(attempt), chance())
    }

    /// Takes the share `chance`, from 0 to 1, of the jitter off `delay`.
    fn shorten(&self, delay: Duration, chance: f64) -> Duration {
        delay.mul_f64(1.0 - self.jitter * chance)
    }
}

/// A number from 0 to 1 out of the random keys of a fresh hasher.
fn chance() -> f64 {
    f64::from(RandomState::new().build_hasher().finish() as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_twice_the_one_before_up_to_the_cap() {
        let backoff = Backoff::default();
        let waits: Vec<u128> = (0..11).map(|n| backoff.delay(n).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
        assert_eq!(backoff.delay(u32::MAX), backoff.cap);
    }

    #[test]
    fn chance_shortens_a_wait_by_at_most_the_jitter() {
        let backoff = Backoff { jitter: 0.5, ..Backoff::default() };
        let second = Duration::from_secs(1);
        assert_eq!(backoff.shorten(second, 0.0), second);
        assert_eq!(backoff.shorten(second, 1.0), second / 2);
        for _ in 0..100 {
            let wait = backoff.draw(0);
            assert!(wait >= backoff.base / 2 && wait <= backoff.base, "{wait:?}");
        }
    }
}
