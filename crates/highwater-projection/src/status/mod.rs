//! How each projection does, and why it is behind.

use std::time::Duration;

use highwater_core::{
    Checkpoint, Lag, Offset, ProjectionDefinition, ProjectionReport, percent_complete,
};

use crate::run::registered::Registered;
use crate::state::ProjectionState;

/// Status of a projection, in this process and according to the store.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectionStatus {
    /// Definition.
    pub definition: ProjectionDefinition,
    /// State in this process.
    pub state: ProjectionState,
    /// Its checkpoint, with the last error and the lease holder; `None` when it never ran.
    pub checkpoint: Option<Checkpoint>,
    /// The last offset of its source.
    pub head: Option<Offset>,
    /// Distance from the head.
    pub lag: Lag,
    /// Number of events it has set aside; 1,000 stands for that many or more.
    pub dead_letters: usize,
    /// Part of the source that it has processed.
    pub percent: f64,
    /// Events per second that this process has applied in the last seconds.
    pub events_per_second: f64,
    /// When it will have caught up at this rate; `None` when it has, or when nothing moves here.
    pub remaining: Option<Duration>,
    /// Reason why it is behind, or that it is not, in one line.
    pub why: String,
}

impl ProjectionStatus {
    pub(crate) fn of<S>(projection: &Registered<S>, report: ProjectionReport) -> Self {
        let (at, rate) = (report.at(), projection.rate());
        let ProjectionReport { checkpoint, head, lag, dead_letters, .. } = report;
        let mut status = Self {
            definition: projection.definition.clone(),
            state: *projection.state().borrow(),
            checkpoint,
            head,
            lag,
            dead_letters,
            percent: percent_complete(at, head),
            events_per_second: rate,
            remaining: remaining(lag.events, rate),
            why: String::new(),
        };
        status.why = status.explain();
        status
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

/// Time that `events` take at `rate` events per second.
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
