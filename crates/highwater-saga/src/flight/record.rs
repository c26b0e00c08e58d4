//! Recording what has been decided.

use std::time::Duration;

use chrono::{DateTime, Utc};
use highwater_core::{Due, SagaRecorded, SagaTransition, StoreError, StreamName};
use tokio::time::{Instant, sleep, timeout_at};

use super::{Course, Flight};
use crate::machine::{Move, Then};
use crate::options::TIME_MAX;
use crate::saga_event;

/// The wait before a write that the store was not there for is repeated.
const STORE_RETRY: Duration = Duration::from_millis(50);

impl Flight {
    /// Records the move, for as long as the lease holds.
    pub(super) async fn record(&mut self, mut made: Move) -> Course {
        if let Some(error) = made.progress.error.as_mut().filter(|error| error.contains('\0')) {
            // Not every database has it, and the same is told from here as from there.
            *error = error.replace('\0', "\u{fffd}");
        }
        let transition = match self.transition(&made) {
            Ok(transition) => transition,
            Err(error) => return Course::Refused(error),
        };
        loop {
            let asked_at = Instant::now();
            let writing = self.engine.writer.record(transition.clone());
            let error = match timeout_at(self.keeper.expires_at(), writing).await {
                Ok(Ok(SagaRecorded::Written(at))) => {
                    self.keeper.extended(asked_at);
                    return self.moved(made, &transition, at);
                }
                Ok(Ok(SagaRecorded::Requested(request))) => {
                    self.saga.request = request;
                    return Course::Asked;
                }
                Ok(Err(error)) => error,
                Err(_elapsed) => {
                    tracing::warn!(
                        saga = %self.saga.id, epoch = self.saga.epoch,
                        "the lease is lost: the saga is left to another"
                    );
                    return Course::Lost;
                }
            };
            match error {
                StoreError::SagaLeaseLost { .. } | StoreError::SagaUnknown { .. } => {
                    tracing::warn!(saga = %self.saga.id, %error, "the saga is left to another");
                    return Course::Lost;
                }
                StoreError::Invalid(_) | StoreError::TooLarge { .. } => {
                    tracing::error!(saga = %self.saga.id, %error, "a transition was refused");
                    return Course::Refused(error);
                }
                error => {
                    tracing::warn!(saga = %self.saga.id, %error, "a transition was not stored");
                    sleep(STORE_RETRY).await;
                }
            }
        }
    }

    fn transition(&self, made: &Move) -> Result<SagaTransition, StoreError> {
        let due = match made.then {
            Then::Continue if self.stop.is_cancelled() => Due::Now,
            Then::Continue => Due::Held(self.engine.options.lease_ttl),
            Then::Sleep => Due::OnTimer,
            Then::Rest => Due::OnRequest,
        };
        let mut appends = Vec::new();
        if self.definition.publishes_events() {
            let stream = StreamName::of_saga(&self.saga.name, &self.saga.id)?;
            let events = saga_event::between(&self.saga.progress, &made.progress);
            appends = saga_event::append(stream, &self.saga.correlation_id, &events)
                .map_err(|error| StoreError::invalid(error.to_string()))?;
        }
        Ok(SagaTransition {
            lease: self.keeper.lease.clone(),
            revision: self.saga.revision,
            request: self.saga.request,
            progress: made.progress.clone(),
            timer: made.timer.map(|timer| timer.min(TIME_MAX)),
            due,
            consumes: self.signal.as_ref().map(|signal| signal.id).filter(|_| made.consumes),
            appends,
        })
    }

    /// Takes up where the recorded move leads.
    fn moved(&mut self, made: Move, transition: &SagaTransition, at: DateTime<Utc>) -> Course {
        if made.progress.state != self.saga.progress.state {
            let (from, to) = (self.saga.progress.state, made.progress.state);
            let reason = made.progress.error.as_deref();
            tracing::info!(saga = %self.saga.id, name = %self.saga.name, %from, %to, reason, "the saga moved on");
        }
        transition.apply(&mut self.saga, at);
        self.standing.progress = made.progress;
        self.standing.timer = made.timer;
        if made.consumes {
            self.signal = None;
            self.standing.has_signal = false;
        }
        match transition.due {
            Due::Held(_) => Course::On,
            Due::OnRequest => {
                self.saga.due_at = None;
                self.engine.announce(&self.saga);
                Course::Landed
            }
            Due::Now | Due::OnTimer => Course::Landed,
        }
    }
}
