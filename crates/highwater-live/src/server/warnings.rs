//! Warnings that an attack must not be able to fill the log with.

use std::time::Duration;

use tokio::time::Instant;

/// Interval at which the same is said at most.
const PAUSE: Duration = Duration::from_secs(10);

/// Says something at most each ten seconds, and how often it has happened.
#[derive(Debug, Default)]
pub(super) struct Warning {
    last: Option<Instant>,
    times: u64,
}

impl Warning {
    /// Number of times it has happened since it was last said, when it is to be said now.
    pub(super) fn due(&mut self) -> Option<u64> {
        self.times += 1;
        let now = Instant::now();
        if self.last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_happens_often_is_said_seldom_and_counted() {
        let mut warning = Warning::default();
        assert_eq!(warning.due(), Some(1));
        assert_eq!((warning.due(), warning.due()), (None, None));
        tokio::time::advance(PAUSE).await;
        assert_eq!(warning.due(), Some(3));
    }
}
