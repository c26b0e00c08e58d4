//! How each projection does, and why it is behind.

use std::time::Duration;

use chrono::Utc;
use highwater_core::{
    Checkpoint, CheckpointStore, EventStore, Health, HealthThresholds, Lag, Offset,
    ProjectionDefinition, StoreError, percent_complete,
};

use crate::registered::Registered;

/// What a projection does in this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ProjectionState {
    /// It is not running.
    Stopped,
    /// It waits for the lease, which somebody else holds.
    Standby,
    /// It holds the lease and works through what has been appended.
    CatchingUp,
    /// It holds the lease, has processed everything, and waits for more.
    Live,
    /// It holds the lease and waits before it tries again what has failed.
    Retrying,
    /// It has given up.
    Failed,
}

/// How a projection does, in this process and according to the store.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectionStatus {
    /// What it is.
    pub definition: ProjectionDefinition,
    /// What it does in this process.
    pub state: ProjectionState,
    /// Its checkpoint, with the last error and the lease holder; `None` when it never ran.
    pub checkpoint: Option<Checkpoint>,
    /// The last offset of its source.
    pub head: Option<Offset>,
    /// How far it is behind.
    pub lag: Lag,
    /// How much of the source it has processed.
    pub percent: f64,
    /// Events per second that this process has applied in the last seconds.
    pub events_per_second: f64,
    /// When it will have caught up at this rate; `None` when it has, or when nothing moves here.
    pub remaining: Option<Duration>,
    /// Why it is behind, or that it is not, in one line.
    pub why: String,
}

impl ProjectionStatus {
    pub(crate) async fn of<S: CheckpointStore>(
        projection: &Registered<S>,
        events: &dyn EventStore,
        store: &S,
    ) -> Result<Self, StoreError> {
        let source = projection.source();
        let checkpoint = store.checkpoint(projection.key()).await?;
        let at = checkpoint.as_ref().and_then(|row| row.last_processed_offset);
        let head = events.head(source).await?;
        let waiting = if head > at {
            events.read(source, &projection.types, at, 1).await?.events.pop()
        } else {
            None
        };
        let lag = Lag::between(at, head, waiting.map(|event| event.recorded_at), Utc::now());
        let rate = projection.rate();
        let mut status = Self {
            definition: projection.definition.clone(),
            state: *projection.state().borrow(),
            checkpoint,
            head,
            lag,
            percent: percent_complete(at, head),
            events_per_second: rate,
            remaining: remaining(lag.events, rate),
            why: String::new(),
        };
        status.why = status.explain();
        Ok(status)
    }

    /// How well it does; a projection that is run only now and then may lie still.
    pub(crate) fn judge(&self, thresholds: &HealthThresholds, is_permanent: bool) -> Health {
        let row = self.checkpoint.as_ref();
        let has_error = row.is_some_and(|row| row.last_error.is_some());
        let is_led = row.is_some_and(|row| row.owner.is_some());
        let is_failed = self.state == ProjectionState::Failed && !is_led;
        if is_failed {
            Health::Unhealthy
        } else if is_permanent || has_error || is_led {
            thresholds.judge(row, self.lag)
        } else {
            Health::Healthy
        }
    }

    /// The first of the known reasons that applies.
    fn explain(&self) -> String {
        let row = self.checkpoint.as_ref();
        let error = row.and_then(|row| row.last_error.as_deref());
        let owner = row.and_then(|row| row.owner.as_ref());
        if row.is_some_and(|row| row.rebuild_requested) {
            return match self.definition.can_rebuild {
                true => "a rebuild is requested and has not begun".into(),
                false => "a rebuild is requested, but this projection cannot be rebuilt".into(),
            };
        }
        match (error, owner) {
            (Some(error), None) => format!("nobody runs it since it failed: {error}"),
            (Some(error), Some(_)) => format!("it is trying again after an error: {error}"),
            (None, _) if self.lag.events == 0 => "it is not behind".into(),
            (None, None) if row.is_none() => "it has never run".into(),
            (None, None) => "nobody runs it".into(),
            (None, Some(owner)) => match self.remaining {
                Some(remaining) => format!(
                    "it is catching up at {:.0} events/s, about {} s to go",
                    self.events_per_second,
                    remaining.as_secs()
                ),
                None => format!("it is run by {}", owner.as_str()),
            },
        }
    }
}

/// How long `events` take at `rate` events per second.
fn remaining(events: u64, rate: f64) -> Option<Duration> {
    if events == 0 || rate <= 0.0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "an estimate needs no 53 bits")]
    let seconds = events as f64 / rate;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remaining_time_is_what_is_left_at_the_present_rate() {
        assert_eq!(remaining(1000, 200.0), Some(Duration::from_secs(5)));
        assert_eq!(remaining(0, 200.0), None);
        assert_eq!(remaining(1000, 0.0), None);
    }
}
