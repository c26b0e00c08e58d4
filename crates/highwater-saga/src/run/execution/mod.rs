//! One saga in flight: decide, try, record, and again, until it rests or sleeps.

mod attempt;
mod record;
mod suspicion;

use std::sync::Arc;

use chrono::Utc;
use highwater_core::{SagaRecord, Signal, StoreError};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::engine::{Assignment, Engine, Slot};
use crate::define::definition::Definition;
use crate::machine::{Decision, Next, Outcome, Situation, Times};

/// A claimed saga, worked on until its lease is given back or lost.
pub(crate) struct Execution {
    engine: Arc<Engine>,
    definition: Arc<dyn Definition>,
    saga: SagaRecord,
    standing: Situation,
    place: Slot,
    /// True when the step that is next may be what ended the processes before this one.
    is_suspect: bool,
    /// The turn of the suspect that is run.
    turn: Option<OwnedSemaphorePermit>,
    /// True when the saga's events are told; a stream that cannot be named has none.
    is_telling: bool,
    signal: Option<Signal>,
    deadline: Option<Instant>,
    stop: CancellationToken,
}

/// Result of a turn: whether the execution goes on.
enum Flow {
    On,
    /// The lease was given back.
    Released,
    /// The lease was lost, or may be: whoever has it carries on.
    Lost,
    /// The saga has been asked something else meanwhile; nothing was recorded.
    Asked,
    /// The store refuses what was to be recorded, whoever records it.
    Refused(StoreError),
}

impl Execution {
    /// `None` when the claim is of a saga that this process does not know.
    pub(crate) fn new(
        engine: Arc<Engine>,
        Assignment { claimed, asked_at, place }: Assignment,
        stop: CancellationToken,
    ) -> Option<Self> {
        let saga = claimed.record;
        let definition = engine.definition(&saga.name, saga.version)?;
        let deadline = claimed.deadline.and_then(|left| asked_at.checked_add(left));
        let mut standing = Situation {
            plan: definition.plan(),
            progress: saga.progress.clone(),
            timer: claimed.timer,
            is_past_deadline: false,
            has_signal: claimed.signal.is_some(),
            now: Utc::now(),
        };
        standing.open();
        let is_suspect = claimed.taken_from.is_some_and(|former| {
            let (epoch, step) = (saga.epoch, saga.current_step());
            tracing::warn!(
                saga = %saga.id, epoch, step, former = former.as_str(),
                "taken over from a worker that is gone or late"
            );
            standing.doubt(former, &engine.owner)
        });
        let (signal, turn, is_telling) = (claimed.signal, None, definition.publishes_events());
        Some(Self {
            engine,
            definition,
            saga,
            standing,
            place,
            is_suspect,
            turn,
            is_telling,
            signal,
            deadline,
            stop,
        })
    }

    /// Works on the saga until it rests or sleeps, the lease is lost, or the process stops.
    pub(crate) async fn run(mut self) {
        if let Some(error) = self.standing.mismatch(&self.saga.plan) {
            tracing::error!(saga = %self.saga.id, error, "the saga cannot be run");
            return self.rest(&error).await;
        }
        loop {
            match self.turn().await {
                Flow::On | Flow::Asked => {}
                // Whoever took it up next would be refused as well, and so for ever.
                Flow::Refused(error) => {
                    self.is_telling = false;
                    return self
                        .rest(&format!("the store refuses what became of it: {error}"))
                        .await;
                }
                Flow::Released | Flow::Lost => return,
            }
        }
    }

    /// Has the saga rest, with this explanation, whatever it is asked meanwhile.
    async fn rest(&mut self, error: &str) {
        loop {
            let rests = self.standing.unreadable(error.to_owned(), self.saga.request);
            if !matches!(self.record(rests).await, Flow::Asked) {
                return;
            }
        }
    }

    /// One decision and its record.
    async fn turn(&mut self) -> Flow {
        self.standing.is_past_deadline = self.deadline.is_some_and(|end| Instant::now() >= end);
        self.standing.now = Utc::now();
        let attempt = match self.standing.next(self.saga.request) {
            Next::Write(made) => return self.record(made).await,
            Next::Try(_) if self.stop.is_cancelled() => {
                return self.record(self.standing.stay()).await;
            }
            Next::Try(attempt) => attempt,
        };
        if self.is_suspect
            && let Some(course) = self.suspect(attempt).await
        {
            return course;
        }
        let started_at = Utc::now();
        let Some(outcome) = self.attempt(attempt).await else {
            tracing::warn!(
                saga = %self.saga.id, epoch = self.saga.epoch,
                "the lease is lost: the step under way is dropped and the saga left to another"
            );
            return Flow::Lost;
        };
        self.standing.is_past_deadline = self.deadline.is_some_and(|end| Instant::now() >= end);
        let times = Times { started_at, finished_at: Utc::now() };
        let made = self.standing.after(attempt, outcome, times);
        let course = self.settle(&made).await;
        (self.is_suspect, self.turn) = (false, None);
        match course {
            // The state may be too large: what the step did stands, what it left cannot.
            Flow::Refused(error) => {
                let outcome =
                    Outcome::Failed { error: error.to_string(), is_in_doubt: true, retry_in: None };
                let made = self.standing.after(attempt, outcome, times);
                self.settle(&made).await
            }
            course => course,
        }
    }

    /// Records a move that has happened, whatever the saga is asked meanwhile.
    async fn settle(&mut self, made: &Decision) -> Flow {
        loop {
            let made = made.clone().under(self.saga.request, &self.standing.plan);
            match self.record(made).await {
                Flow::Asked => {}
                course => return course,
            }
        }
    }
}
