//! How often and when a step that fails is tried again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::options::TIME_MAX;

/// Retries of a step or a compensation that fails, and the waits between them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Attempts, the first one included. Default 5.
    pub max_attempts: u32,
    /// The wait after the first failure. Default 100 ms.
    pub first_delay: Duration,
    /// By how much each wait is longer than the one before. Default 2.
    pub factor: f64,
    /// The longest wait. Default 30 s.
    pub cap: Duration,
    /// Part of a wait that is left to chance, from 0 to 1, so that many sagas do not retry in
    /// step. Default 0.2: a wait is between 80 and 100 per cent of the computed one.
    pub jitter: f64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            first_delay: Duration::from_millis(100),
            factor: 2.0,
            cap: Duration::from_secs(30),
            jitter: 0.2,
        }
    }
}

impl RetryPolicy {
    /// The first failure is the last.
    pub const NEVER: Self = Self {
        max_attempts: 1,
        first_delay: Duration::ZERO,
        factor: 1.0,
        cap: Duration::ZERO,
        jitter: 0.0,
    };

    /// Tells how a compensation is tried again, unless its step says otherwise.
    pub(crate) fn of_compensations() -> Self {
        Self { max_attempts: 20, ..Self::default() }
    }

    /// The wait after `failures` failures, before chance has its part; `None` to give up.
    #[must_use]
    pub fn delay(&self, failures: u32) -> Option<Duration> {
        if failures >= self.max_attempts {
            return None;
        }
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.first_delay.as_secs_f64() * self.factor.max(0.0).powi(exponent);
        Some(Duration::try_from_secs_f64(seconds).map_or(self.cap, |delay| delay.min(self.cap)))
    }

    /// The wait after `failures` failures, drawn anew at every call.
    pub(crate) fn draw(&self, failures: u32) -> Option<Duration> {
        let chance = f64::from(RandomState::new().hash_one(failures) as u32) / f64::from(u32::MAX);
        let jitter = if self.jitter.is_nan() { 0.0 } else { self.jitter.clamp(0.0, 1.0) };
        let share = 1.0 - jitter * chance;
        // The longest of all times is beyond what a float can give back.
        self.delay(failures).map(|delay| delay.min(TIME_MAX).mul_f64(share))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_wait_is_longer_than_the_one_before_until_the_cap_or_the_last_attempt() {
        let policy = RetryPolicy {
            max_attempts: 6,
            factor: 3.0,
            cap: Duration::from_secs(2),
            ..RetryPolicy::default()
        };
        let waits: Vec<_> = (1..8).map(|n| policy.delay(n).map(|wait| wait.as_millis())).collect();
        let expected = [Some(100), Some(300), Some(900), Some(2000), Some(2000), None, None];
        assert_eq!(waits, expected);
        assert_eq!(RetryPolicy::NEVER.delay(1), None);
        let endless = RetryPolicy { max_attempts: u32::MAX, ..policy };
        assert_eq!(endless.delay(u32::MAX - 1), Some(policy.cap));
    }

    #[test]
    fn chance_shortens_a_wait_by_at_most_the_jitter() {
        let policy = RetryPolicy { jitter: 0.5, ..RetryPolicy::default() };
        for _ in 0..100 {
            let wait = policy.draw(1).unwrap();
            assert!(wait >= policy.first_delay / 2 && wait <= policy.first_delay, "{wait:?}");
        }
    }

    #[test]
    fn a_policy_without_end_waits_for_no_longer_than_a_life() {
        for first_delay in [Duration::MAX, Duration::from_secs(1)] {
            let cap = Duration::MAX;
            let endless = RetryPolicy { first_delay, cap, factor: 1e300, ..RetryPolicy::default() };
            for failures in 1..5 {
                assert!(endless.draw(failures).is_some_and(|wait| wait <= TIME_MAX));
            }
        }
    }

    #[test]
    fn a_policy_of_nonsense_still_waits_no_longer_than_its_cap() {
        for nonsense in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0] {
            let policy =
                RetryPolicy { factor: nonsense, jitter: nonsense, ..RetryPolicy::default() };
            for failures in 1..5 {
                assert!(policy.draw(failures).is_some_and(|wait| wait <= policy.cap));
            }
        }
    }
}
