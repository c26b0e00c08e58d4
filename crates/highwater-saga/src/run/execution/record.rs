//! Recording what has been decided.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use highwater_core::{
    Backoff, Due, SagaRecorded, SagaTransition, SignalKey, StoreError, StreamAppend, StreamName,
};
use tokio::time::{Instant, sleep, sleep_until};

use super::attempt::unless_panicking;
use super::{Execution, Flow};
use crate::machine::{Decision, Stage, Then};
use crate::options::TIME_MAX;
use crate::run::saga_event;

/// The waits before a write that the store was not there for is repeated.
const STORE_RETRY: Backoff =
    Backoff::new(Duration::from_millis(50), Duration::from_secs(1)).without_jitter();

impl Execution {
    /// Records the move, unless somebody else has taken the saga over.
    ///
    /// That the lease is past its end is no reason to forget what is in hand: the store compares
    /// epochs. Only a process that is asked to stop waits no longer than its lease holds.
    pub(super) async fn record(&mut self, mut made: Decision) -> Flow {
        made.cut_texts();
        // Before it is decided whether the saga is kept: it may have grown.
        let bytes = made.progress.data.as_str().len() + self.saga.input.as_str().len();
        self.place.load.resize(bytes);
        let transition = match self.transition(&made) {
            Ok(transition) => transition,
            Err(error) => return Flow::Refused(error),
        };
        let hold = Arc::clone(self.place.kept.hold());
        hold.set_recording(true);
        let course = self.write(made, &transition).await;
        hold.set_recording(false);
        course
    }

    async fn write(&mut self, made: Decision, transition: &SagaTransition) -> Flow {
        let mut failures = 0_u32;
        // Of the first try: it may have been the one that the store carried out, and that extended
        // the lease, although its answer was lost.
        let asked_at = Instant::now();
        loop {
            let recorded = tokio::select! {
                biased;
                recorded = self.engine.writer.record(transition.clone()) => recorded,
                () = self.out_of_time() => return Flow::Lost,
            };
            let error = match recorded {
                Ok(SagaRecorded::Written(at)) => {
                    self.place.kept.hold().extended(asked_at);
                    return self.moved(made, transition, at);
                }
                Ok(SagaRecorded::Requested(request)) => {
                    self.saga.request = request;
                    return Flow::Asked;
                }
                Err(error) => error,
            };
            match error {
                StoreError::SagaLeaseLost { .. } | StoreError::SagaUnknown { .. } => {
                    tracing::warn!(saga = %self.saga.id, %error, "the saga is left to another");
                    return Flow::Lost;
                }
                StoreError::Invalid(_) | StoreError::TooLarge { .. } => {
                    tracing::error!(saga = %self.saga.id, %error, "a transition was refused");
                    return Flow::Refused(error);
                }
                error => {
                    tracing::warn!(saga = %self.saga.id, %error, "a transition was not stored");
                    failures = failures.saturating_add(1);
                    sleep(STORE_RETRY.draw(failures)).await;
                }
            }
        }
    }

    /// Returns when the process is to stop and the lease has ended.
    async fn out_of_time(&self) {
        self.stop.cancelled().await;
        sleep_until(self.place.kept.hold().expires_at()).await;
    }

    fn transition(&self, made: &Decision) -> Result<SagaTransition, StoreError> {
        let due = match made.then {
            // Given back, to be claimed again when there is room for it.
            Then::Continue if self.stop.is_cancelled() || self.engine.bytes.is_exceeded() => {
                Due::Now
            }
            Then::Continue => Due::Held(self.engine.options.lease_ttl),
            Then::Sleep => Due::OnTimer,
            Then::Rest => Due::OnRequest,
        };
        let closes = if made.progress.state.is_final() { self.closed(made) } else { Vec::new() };
        let appends = if self.is_telling { self.events(made)? } else { Vec::new() };
        Ok(SagaTransition {
            lease: self.place.kept.hold().lease.clone(),
            revision: self.saga.revision,
            request: self.saga.request,
            progress: made.progress.clone(),
            timer: made.timer.map(|timer| timer.min(TIME_MAX)),
            due,
            consumes: self.signal.as_ref().map(|signal| signal.id).filter(|_| made.consumes),
            closes,
            appends,
        })
    }

    /// Returns what the saga waited for, or would have, had it not ended.
    fn closed(&self, made: &Decision) -> Vec<SignalKey> {
        let waits = self.standing.plan.iter().enumerate();
        let waits = waits.filter(|(_, (_, stage))| *stage == Stage::Wait).map(|(at, _)| at);
        let awaited = |at| {
            let awaited = || self.definition.awaited(at, &made.progress.data);
            Some(unless_panicking(awaited).ok()?.ok()?.0)
        };
        let mut keys: Vec<_> = waits.filter_map(awaited).collect();
        keys.extend(self.saga.progress.waiting_for.clone());
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// Returns what the move has to tell; nothing when the saga's stream cannot be named.
    fn events(&self, made: &Decision) -> Result<Vec<StreamAppend>, StoreError> {
        let stream = match StreamName::of_saga(&self.saga.name, &self.saga.id) {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(saga = %self.saga.id, %error, "its events are not told");
                return Ok(Vec::new());
            }
        };
        let events = saga_event::between(&self.saga.progress, &made.progress);
        saga_event::append(stream, &self.saga.correlation_id, &events)
            .map_err(|error| StoreError::invalid(error.to_string()))
    }

    /// Takes up where the recorded move leads.
    fn moved(&mut self, made: Decision, transition: &SagaTransition, at: DateTime<Utc>) -> Flow {
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
            Due::Held(_) => Flow::On,
            Due::OnRequest => {
                self.saga.due_at = None;
                self.engine.announce(&self.saga);
                Flow::Released
            }
            Due::Now | Due::OnTimer => Flow::Released,
        }
    }
}
