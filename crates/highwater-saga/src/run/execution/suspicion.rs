//! Steps that may be what ended the processes which ran them.

use std::sync::Arc;

use chrono::Utc;

use super::{Execution, Flow};
use crate::machine::{Attempt, Outcome, Times};

/// Leases that living workers may lose to each other in a step, for each death that is allowed: a
/// step that has its workers lose them every time ends, too.
const LATE_PER_DEATH: u32 = 10;

impl Execution {
    /// Says in the store that the step is begun although it was lost before, or gives it up.
    ///
    /// `None` to go on with the attempt. Nothing is written for a step that was never lost.
    pub(super) async fn suspect(&mut self, attempt: Attempt) -> Option<Flow> {
        let (deaths, max) = (self.standing.deaths(), self.engine.options.max_deaths);
        let lost = self.standing.lost_attempts();
        if deaths >= max {
            let error = format!("the process died {deaths} times in it");
            return Some(self.blame(attempt, error).await);
        }
        if lost >= max.saturating_mul(LATE_PER_DEATH) {
            let error = format!("the lease was lost {lost} times in it");
            return Some(self.blame(attempt, error).await);
        }
        if deaths + 1 >= max && self.turn.is_none() {
            // Its last try: were two suspects tried at once, one could be blamed for the other.
            let suspects = Arc::clone(&self.engine.suspects);
            tokio::select! {
                turn = suspects.acquire_owned() => self.turn = turn.ok(),
                () = self.stop.cancelled() => return Some(self.record(self.standing.stay()).await),
                () = self.place.kept.hold().lost() => return Some(Flow::Lost),
            }
        }
        match self.record(self.standing.begun()).await {
            Flow::On => {
                self.is_suspect = false;
                None
            }
            course => Some(course),
        }
    }

    /// Has the step failed: whoever runs it does not come back.
    async fn blame(&mut self, attempt: Attempt, error: String) -> Flow {
        tracing::error!(saga = %self.saga.id, step = self.saga.current_step(), error, "a step is given up");
        let now = Utc::now();
        let times = Times { started_at: now, finished_at: now };
        let outcome = Outcome::Failed { error, is_in_doubt: true, retry_in: None };
        let made = self.standing.after(attempt, outcome, times);
        self.is_suspect = false;
        self.settle(&made).await
    }
}
