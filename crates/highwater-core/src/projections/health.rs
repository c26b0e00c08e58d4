//! How far a projection is behind, and whether that is healthy.

use chrono::{DateTime, Utc};
use std::time::Duration;

use crate::offset::Offset;

/// Distance of a checkpoint from the head of its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// Offsets between checkpoint and head; 0 when caught up.
    pub events: u64,
    /// Time that the oldest event that is not processed has been waiting; zero when there is none.
    pub age: Duration,
}

impl Lag {
    /// The lag of a checkpoint behind `head`; `oldest` is when the first event behind the
    /// checkpoint was recorded.
    #[must_use]
    pub fn between(
        checkpoint: Option<Offset>,
        head: Option<Offset>,
        oldest: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Self {
        let events = places(head).saturating_sub(places(checkpoint));
        let age = oldest.filter(|_| events > 0).map(|oldest| (now - oldest).to_std());
        Self { events, age: age.and_then(Result::ok).unwrap_or_default() }
    }
}

/// Share of a source that has been processed, in percent; 100 for an empty one.
#[must_use]
pub fn percent_complete(checkpoint: Option<Offset>, head: Option<Offset>) -> f64 {
    let (done, all) = (places(checkpoint), places(head));
    if done >= all {
        return 100.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "a percentage needs no 53 bits")]
    let percent = done as f64 / all as f64 * 100.0;
    percent
}

const fn places(last: Option<Offset>) -> u64 {
    match last {
        Some(offset) => offset.get() + 1,
        None => 0,
    }
}

/// State of health of a projection, or of everything together; the worst is last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Somebody runs it, and it keeps up.
    Healthy,
    /// It is further behind than it should be, nobody runs it at this moment, or it passed over
    /// events.
    Degraded,
    /// It goes no further, or is so far behind, that a human is needed.
    Unhealthy,
}

/// How well something does, and why no better.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The worst of what was found.
    pub status: Health,
    /// Everything that was found, each in a line; none when all is well.
    pub reasons: Vec<String>,
}

impl Default for Verdict {
    fn default() -> Self {
        Self { status: Health::Healthy, reasons: Vec::new() }
    }
}

impl Verdict {
    /// Adds what was found; that it is healthy adds nothing.
    pub fn add(&mut self, found: Health, reason: impl FnOnce() -> String) {
        if found > Health::Healthy {
            self.status = self.status.max(found);
            self.reasons.push(reason());
        }
    }
}

impl Health {
    /// Unhealthy where `is_bad`, degraded where `is_poor`.
    pub(crate) fn of(is_poor: bool, is_bad: bool) -> Self {
        match (is_poor, is_bad) {
            (_, true) => Self::Unhealthy,
            (true, false) => Self::Degraded,
            (false, false) => Self::Healthy,
        }
    }
}

/// From which lag on a projection is degraded or unhealthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthThresholds {
    /// Degraded from this many events on. Default 1,000.
    pub degraded_events: u64,
    /// Unhealthy from this many events on. Default 100,000.
    pub unhealthy_events: u64,
    /// Degraded once an event, or a saga to be taken up, has waited this long. Default 10 s.
    pub degraded_age: Duration,
    /// Unhealthy once an event has waited this long. Default 5 min.
    pub unhealthy_age: Duration,
    /// Degraded from this many dead letters of a projection on. Default 1; raise it where some are
    /// to be expected.
    pub degraded_dead_letters: u64,
    /// Unhealthy from this many dead letters of a projection on. Default never.
    pub unhealthy_dead_letters: u64,
}

impl Default for HealthThresholds {
    fn default() -> Self {
        Self {
            degraded_events: 1_000,
            unhealthy_events: 100_000,
            degraded_age: Duration::from_secs(10),
            unhealthy_age: Duration::from_mins(5),
            degraded_dead_letters: 1,
            unhealthy_dead_letters: u64::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lag_counts_from_the_checkpoint_to_the_head() {
        let at = |n| Some(Offset::new(n));
        let now = Utc::now();
        assert_eq!(Lag::between(None, None, None, now).events, 0);
        assert_eq!(Lag::between(None, at(4), None, now).events, 5);
        let lag = Lag::between(at(3), at(4), Some(now - Duration::from_secs(7)), now);
        assert_eq!((lag.events, lag.age), (1, Duration::from_secs(7)));
        assert_eq!(Lag::between(at(9), at(4), Some(now), now).events, 0);
    }

    #[test]
    fn percent_is_of_the_places_up_to_the_head() {
        let at = |n| Some(Offset::new(n));
        assert_eq!(percent_complete(None, None), 100.0);
        assert_eq!(percent_complete(None, at(9)), 0.0);
        assert_eq!(percent_complete(at(4), at(9)), 50.0);
        assert_eq!(percent_complete(at(9), at(9)), 100.0);
    }
}
