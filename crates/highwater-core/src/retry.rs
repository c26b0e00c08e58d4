//! Waits that grow with each failure, and when to give up.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The longest wait: what is longer is no different to whoever waits.
const WAIT_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// Waits that grow with each failure in a row: `base × factor^(failures − 1)`, up to `cap`.
///
/// Whatever the numbers are, a wait is never longer than `cap` nor than a hundred years.
///
/// ```
/// # use std::time::Duration;
/// use highwater_core::Backoff;
/// let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
/// assert_eq!(backoff.delay(1), Duration::from_millis(100));
/// assert_eq!(backoff.delay(4), Duration::from_millis(800));
/// assert_eq!(backoff.delay(20), Duration::from_secs(30));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// The wait after the first failure. Default 100 ms.
    pub base: Duration,
    /// Factor by which each wait is longer than the one before. Default 2.
    pub factor: f64,
    /// The longest wait. Default 30 s.
    pub cap: Duration,
    /// Part of a wait that is left to chance, from 0 to 1, so that many do not retry in step.
    /// Default 0.2: a wait is between 80 and 100 per cent of the computed one.
    pub jitter: f64,
}

/// How often and when that which fails is tried again.
///
/// ```
/// # use std::time::Duration;
/// use highwater_core::{Backoff, RetryPolicy};
/// let patient = RetryPolicy::attempts(20);
/// assert_eq!(patient.delay(1), Some(Duration::from_millis(100)));
/// let backoff = Backoff { base: Duration::from_secs(1), ..Backoff::default() };
/// let slow = RetryPolicy { backoff, ..RetryPolicy::attempts(2) };
/// assert_eq!((slow.delay(1), slow.delay(2)), (Some(Duration::from_secs(1)), None));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// The waits between attempts.
    pub backoff: Backoff,
    /// Attempts, the first one included. Default 5.
    pub max_attempts: u32,
}

impl Default for Backoff {
    fn default() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(30))
    }
}

impl Backoff {
    /// Waits that double from `base` to `cap`, a fifth of each left to chance.
    #[must_use]
    pub const fn new(base: Duration, cap: Duration) -> Self {
        Self { base, factor: 2.0, cap, jitter: 0.2 }
    }

    /// The same waits with nothing left to chance.
    #[must_use]
    pub const fn without_jitter(self) -> Self {
        Self { jitter: 0.0, ..self }
    }

    /// The wait after `failures` failures in a row, before chance has its part.
    #[must_use]
    pub fn delay(&self, failures: u32) -> Duration {
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.base.as_secs_f64() * self.factor.max(0.0).powi(exponent);
        let delay = Duration::try_from_secs_f64(seconds).unwrap_or(self.cap);
        delay.min(self.cap).min(WAIT_MAX)
    }

    /// The wait after `failures` failures in a row, drawn anew at every call.
    #[must_use]
    pub fn draw(&self, failures: u32) -> Duration {
        // The random keys of a fresh hasher are all the chance that this needs.
        let chance = f64::from(RandomState::new().hash_one(failures) as u32) / f64::from(u32::MAX);
        self.shorten(self.delay(failures), chance)
    }

    /// Takes the share `chance`, from 0 to 1, of the jitter off `delay`.
    fn shorten(&self, delay: Duration, chance: f64) -> Duration {
        let jitter = if self.jitter.is_nan() { 0.0 } else { self.jitter.clamp(0.0, 1.0) };
        delay.mul_f64(1.0 - jitter * chance)
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::attempts(5)
    }
}

impl RetryPolicy {
    /// The first failure is the last.
    pub const NEVER: Self =
        Self { backoff: Backoff::new(Duration::ZERO, Duration::ZERO), max_attempts: 1 };

    /// So many attempts, the first one included, with the default waits between them.
    #[must_use]
    pub const fn attempts(max_attempts: u32) -> Self {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(30));
        Self { backoff, max_attempts }
    }

    /// The wait after `failures` failures, before chance has its part; `None` to give up.
    #[must_use]
    pub fn delay(&self, failures: u32) -> Option<Duration> {
        (failures < self.max_attempts).then(|| self.backoff.delay(failures))
    }

    /// The wait after `failures` failures, drawn anew at every call; `None` to give up.
    #[must_use]
    pub fn draw(&self, failures: u32) -> Option<Duration> {
        (failures < self.max_attempts).then(|| self.backoff.draw(failures))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn millis(waits: impl Iterator<Item = Duration>) -> Vec<u128> {
        waits.map(|wait| wait.as_millis()).collect()
    }

    #[test]
    fn each_wait_is_twice_the_one_before_up_to_the_cap() {
        let backoff = Backoff::default();
        let waits = millis((1..12).map(|n| backoff.delay(n)));
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
        assert_eq!(backoff.delay(0), backoff.base);
        assert_eq!(backoff.delay(u32::MAX), backoff.cap);
        let threefold = Backoff { factor: 3.0, cap: 2 * SECOND, ..backoff };
        assert_eq!(millis((1..6).map(|n| threefold.delay(n))), [100, 300, 900, 2000, 2000]);
    }

    #[test]
    fn waits_end_with_the_last_attempt() {
        let policy = RetryPolicy::attempts(3);
        let waits: Vec<_> = (1..5).map(|n| policy.delay(n).map(|wait| wait.as_millis())).collect();
        assert_eq!(waits, [Some(100), Some(200), None, None]);
        assert_eq!((policy.draw(3), RetryPolicy::NEVER.delay(1)), (None, None));
        let endless = RetryPolicy::attempts(u32::MAX);
        assert_eq!(endless.delay(u32::MAX - 1), Some(endless.backoff.cap));
    }

    #[test]
    fn chance_shortens_a_wait_by_at_most_the_jitter() {
        let backoff = Backoff { jitter: 0.5, ..Backoff::default() };
        assert_eq!(backoff.shorten(SECOND, 0.0), SECOND);
        assert_eq!(backoff.shorten(SECOND, 1.0), SECOND / 2);
        for _ in 0..100 {
            let wait = backoff.draw(1);
            assert!(wait >= backoff.base / 2 && wait <= backoff.base, "{wait:?}");
            assert_eq!(backoff.without_jitter().draw(1), backoff.base);
        }
    }

    #[test]
    fn waits_without_end_are_no_longer_than_a_life() {
        for base in [Duration::MAX, SECOND] {
            let endless = Backoff { factor: 1e300, ..Backoff::new(base, Duration::MAX) };
            for failures in 1..5 {
                assert!(endless.draw(failures) <= WAIT_MAX);
            }
        }
    }

    #[test]
    fn waits_of_nonsense_are_no_longer_than_their_cap() {
        for nonsense in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
            for base in [Duration::ZERO, SECOND, Duration::MAX] {
                let factor = Backoff { factor: nonsense, ..Backoff::new(base, 30 * SECOND) };
                let both = Backoff { jitter: nonsense, ..factor };
                for failures in [0, 1, 2, 5, u32::MAX] {
                    assert!(both.draw(failures) <= both.cap);
                }
            }
        }
    }
}
