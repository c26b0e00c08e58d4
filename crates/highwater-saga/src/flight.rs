//! One saga in flight: decide, try, record, and again, until it rests or sleeps.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures::FutureExt;
use highwater_core::{
    ClaimedSaga, Due, SagaRecord, SagaRecorded, SagaTransition, Signal, StoreError,
};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::definition::{Definition, Trouble};
use crate::engine::Engine;
use crate::lease_keeper::LeaseKeeper;
use crate::machine::{Attempt, Move, Next, Outcome, Standing, Then, Times};
use crate::step::Direction;
use crate::{StepContext, StepError, saga_event};

/// The wait before a write that the store was not there for is repeated.
const STORE_RETRY: Duration = Duration::from_millis(50);

/// The longest timer; beyond it databases disagree about what a time is.
const TIMER_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A claimed saga, worked on until its lease is given back or lost.
pub(crate) struct Flight {
    engine: Arc<Engine>,
    definition: Arc<dyn Definition>,
    saga: SagaRecord,
    standing: Standing,
    keeper: LeaseKeeper,
    signal: Option<Signal>,
    deadline: Option<Instant>,
    stop: CancellationToken,
}

/// Whether the flight goes on.
enum Course {
    On,
    /// The lease was given back.
    Landed,
    /// The lease was lost, or may be: whoever has it carries on.
    Lost,
    /// The saga has been asked something else meanwhile; nothing was recorded.
    Asked,
    /// The store refuses what was to be recorded, whoever records it.
    Refused(StoreError),
}

impl Flight {
    /// `None` when the claim is of a saga that this process does not know, or does not hold.
    pub(crate) fn new(
        engine: Arc<Engine>,
        claimed: ClaimedSaga,
        asked_at: Instant,
        stop: CancellationToken,
    ) -> Option<Self> {
        let saga = claimed.record;
        let definition = engine.definition(&saga.name, saga.version)?;
        let keeper = LeaseKeeper::new(saga.lease()?, engine.options.lease_ttl, asked_at);
        let deadline = claimed.deadline.and_then(|left| asked_at.checked_add(left));
        let mut standing = Standing {
            plan: definition.plan(),
            progress: saga.progress.clone(),
            timer: claimed.timer,
            is_past_deadline: false,
            has_signal: claimed.signal.is_some(),
            now: Utc::now(),
        };
        if claimed.is_takeover {
            standing.doubt();
        }
        let signal = claimed.signal;
        Some(Self { engine, definition, saga, standing, keeper, signal, deadline, stop })
    }

    /// Works on the saga until it rests or sleeps, the lease is lost, or the process stops.
    pub(crate) async fn run(mut self) {
        if let Some(error) = self.standing.mismatch(&self.saga.plan) {
            tracing::error!(saga = %self.saga.id, error, "the saga cannot be run");
            let refused = self.standing.unreadable(error);
            while matches!(self.record(refused.clone()).await, Course::Asked) {}
            return;
        }
        while let Course::On | Course::Asked = self.turn().await {}
    }

    /// One decision and its record.
    async fn turn(&mut self) -> Course {
        self.standing.is_past_deadline = self.deadline.is_some_and(|end| Instant::now() >= end);
        self.standing.now = Utc::now();
        let attempt = match self.standing.next(self.saga.request) {
            Next::Write(made) => return self.record(made).await,
            Next::Try(_) if self.stop.is_cancelled() => {
                return self.record(self.standing.stay()).await;
            }
            Next::Try(attempt) => attempt,
        };
        let started_at = Utc::now();
        let Some(outcome) = self.attempt(attempt).await else { return Course::Lost };
        self.standing.is_past_deadline = self.deadline.is_some_and(|end| Instant::now() >= end);
        let times = Times { started_at, finished_at: Utc::now() };
        let made = self.standing.after(attempt, outcome, times);
        match self.settle(&made).await {
            // The state may be too large: what the step did stands, what it left cannot.
            Course::Refused(error) => {
                let outcome =
                    Outcome::Failed { error: error.to_string(), is_in_doubt: true, retry_in: None };
                let made = self.standing.after(attempt, outcome, times);
                self.settle(&made).await
            }
            course => course,
        }
    }

    /// Records a move that has happened, whatever the saga is asked meanwhile.
    async fn settle(&mut self, made: &Move) -> Course {
        loop {
            let made = made.clone().under(self.saga.request, &self.standing.plan);
            match self.record(made).await {
                Course::Asked => {}
                course => return course,
            }
        }
    }

    /// Has the user's code answer; `None` when the lease was lost meanwhile.
    async fn attempt(&mut self, attempt: Attempt) -> Option<Outcome> {
        let definition = Arc::clone(&self.definition);
        let data = &self.standing.progress.data;
        let (at, direction) = match attempt {
            Attempt::Run(at) => (at, Direction::Run),
            Attempt::Compensate(at) => (at, Direction::Compensate),
            Attempt::Await(at) => {
                return Some(match definition.awaited(at, data) {
                    Ok((key, timeout)) => Outcome::Waiting { key, timeout },
                    Err(trouble) => given_up(trouble),
                });
            }
            Attempt::Receive(at) | Attempt::TimeOut(at) => {
                let signal = self.signal.as_ref().filter(|_| attempt == Attempt::Receive(at));
                let arrived = definition.arrived(at, data, signal);
                return Some(arrived.map_or_else(given_up, Outcome::Done));
            }
        };
        if self.keeper.has_expired() {
            return None;
        }
        let cx = self.context(at, direction);
        let limit = self.limit(at, direction);
        let work = AssertUnwindSafe(timeout(limit, definition.go(at, data, &cx))).catch_unwind();
        let tried = tokio::select! {
            tried = work => tried,
            () = self.keeper.keep(&self.engine) => return None,
        };
        let trouble = match tried {
            Ok(Ok(Ok(data))) => return Some(Outcome::Done(data)),
            Ok(Ok(Err(trouble))) => trouble,
            Ok(Err(_elapsed)) => Trouble::Step(StepError::timed_out(limit)),
            Err(_panic) => Trouble::Step(StepError::unknown(Panicked)),
        };
        let Trouble::Step(error) = trouble else { return Some(given_up(trouble)) };
        tracing::warn!(
            saga = %self.saga.id, step = cx.step, ?direction, attempt = cx.attempt,
            error = error.text(), "a step failed"
        );
        let policy = definition.retry(at, direction, &error);
        Some(Outcome::Failed {
            error: error.text(),
            is_in_doubt: error.is_in_doubt(),
            retry_in: policy.draw(cx.attempt).filter(|_| !error.is_final()),
        })
    }

    fn context(&self, at: usize, direction: Direction) -> StepContext {
        let before = self.standing.progress.steps.get(at);
        let attempts = before.map_or(0, |step| match direction {
            Direction::Run => step.attempts,
            Direction::Compensate => step.compensation_attempts,
        });
        StepContext {
            saga: self.saga.id.clone(),
            correlation_id: self.saga.correlation_id.clone(),
            step: self.saga.plan.get(at).cloned().unwrap_or_default(),
            direction,
            attempt: attempts + 1,
            epoch: self.saga.epoch,
        }
    }

    /// How long the attempt may take: a compensation is under no deadline.
    fn limit(&self, at: usize, direction: Direction) -> Duration {
        let limit = self.definition.timeout(at).min(TIMER_MAX);
        let deadline = self.deadline.filter(|_| direction == Direction::Run);
        let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
        left.map_or(limit, |left| limit.min(left))
    }

    /// Records the move, for as long as the lease holds.
    async fn record(&mut self, made: Move) -> Course {
        let transition = match self.transition(&made) {
            Ok(transition) => transition,
            Err(error) => return Course::Refused(error),
        };
        loop {
            let asked_at = Instant::now();
            let writing = self.engine.writer.record(transition.clone());
            let error = match timeout_at(self.keeper.expires_at(), writing).await {
                Ok(Ok(SagaRecorded::Written)) => {
                    self.keeper.extended(asked_at);
                    return self.moved(made, transition.due);
                }
                Ok(Ok(SagaRecorded::Requested(request))) => {
                    self.saga.request = request;
                    return Course::Asked;
                }
                Ok(Err(error)) => error,
                Err(_elapsed) => return Course::Lost,
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
            let stream = saga_event::stream(&self.saga.name, &self.saga.id)?;
            let events = saga_event::between(&self.saga.progress, &made.progress);
            appends = saga_event::append(stream, &self.saga.correlation_id, &events)
                .map_err(|error| StoreError::invalid(error.to_string()))?;
        }
        Ok(SagaTransition {
            lease: self.keeper.lease.clone(),
            revision: self.saga.revision,
            request: self.saga.request,
            progress: made.progress.clone(),
            timer: made.timer.map(|timer| timer.min(TIMER_MAX)),
            due,
            consumes: self.signal.as_ref().map(|signal| signal.id).filter(|_| made.consumes),
            appends,
        })
    }

    /// Takes up where the recorded move leads.
    fn moved(&mut self, made: Move, due: Due) -> Course {
        if made.progress.state != self.saga.progress.state {
            let (from, to) = (self.saga.progress.state, made.progress.state);
            let reason = made.progress.error.as_deref();
            tracing::info!(saga = %self.saga.id, name = %self.saga.name, %from, %to, reason);
        }
        self.saga.revision += 1;
        self.saga.request = None;
        self.saga.progress = made.progress.clone();
        self.standing.progress = made.progress;
        self.standing.timer = made.timer;
        if made.consumes {
            self.signal = None;
            self.standing.has_signal = false;
        }
        match due {
            Due::Held(_) => Course::On,
            Due::OnRequest => {
                self.engine.announce(&self.saga.id);
                Course::Landed
            }
            Due::Now | Due::OnTimer => Course::Landed,
        }
    }
}

/// What is not worth trying again.
fn given_up(trouble: Trouble) -> Outcome {
    match trouble {
        Trouble::Unreadable(error) => Outcome::Unreadable(error),
        Trouble::Step(error) => Outcome::Failed {
            error: error.text(),
            is_in_doubt: error.is_in_doubt(),
            retry_in: None,
        },
    }
}

/// A step that panicked may have had an effect.
#[derive(Debug, thiserror::Error)]
#[error("the step panicked")]
struct Panicked;
