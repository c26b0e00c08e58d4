//! Applies one page: whole when all is well, in ever smaller parts when an event fails.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use highwater_core::{
    BoxError, CheckpointStore, DecodeError, NewDeadLetter, Offset, Page, RecordedEvent,
};
use tokio::time::sleep;
use tracing::Instrument;

use super::{Follower, StopReason, interrupted, panic_text};
use crate::apply::applier::{Applied, Fault};
use crate::error::{Deadly, EventFailed, Reason, with_causes};
use crate::options::FailurePolicy;
use crate::run::bisection::{Bisection, Failed};
use crate::run::busy::Work;
use crate::run::progress::Place;
use crate::state::ProjectionState;

/// Result of a page: applied to its end, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageResult {
    Done,
    Interrupted,
}

/// What becomes of an event that failed alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Retried,
    SetAside,
}

impl<S: CheckpointStore + Clone> Follower<'_, S> {
    /// Applies a page in as many parts as it takes.
    pub(super) async fn apply(&mut self, page: &Page) -> Result<PageResult, StopReason> {
        let step = if self.suspect.is_some() { 1 } else { self.worker.projection.step() };
        let mut cut = Bisection::new(page.events.len(), step);
        while let Some(part) = cut.next() {
            let events = &page.events[part];
            let applied = match self.suspect {
                None => self.attempt(events).await,
                Some(_) => self.attempt_alone(events).await,
            };
            match applied {
                Ok(()) => cut.done(),
                Err(Fault::Store(error)) => return Err(StopReason::Store(error)),
                Err(Fault::Document(document)) => {
                    self.save_done().await?;
                    return Err(StopReason::GaveUp(Reason::lasting(document)));
                }
                Err(Fault::Event { at, error }) => match cut.failed(at) {
                    Failed::Narrowed => {
                        tracing::debug!(projection = %self.name(), "a batch failed, trying parts");
                    }
                    Failed::Alone(attempts) => {
                        let Some(event) = events.first() else { continue };
                        if self.fail(event, attempts, error).await? == Fate::SetAside {
                            cut.done();
                        }
                    }
                },
            }
            self.save_if_due(false).await?;
            if cut.next().is_some() && self.is_interrupted() {
                return Ok(PageResult::Interrupted);
            }
        }
        self.suspect = None;
        self.progress.scan(page.scanned_to);
        self.save_if_due(true).await?;
        Ok(PageResult::Done)
    }

    /// Applies one part of a page; a panic in user code is an error like any other.
    pub(super) async fn attempt(&mut self, events: &[RecordedEvent]) -> Result<(), Fault> {
        let Some(last) = events.last() else { return Ok(()) };
        let (count, to) = (events.len() as u64, self.at(last));
        let advance = self.progress.advance(to, count);
        let first = events.first().map(|event| self.worker.projection.source().offset_of(event));
        let span = tracing::debug_span!(
            "batch",
            projection = %self.name(),
            from = Offset::to_sql(first),
            to = Offset::to_sql(to.offset),
            events = count,
        );
        let busy = self.held.busy(Work { first, last: to.offset });
        let applied = self.applier.apply(self.held.lease(), events, advance).instrument(span);
        let applied = AssertUnwindSafe(applied).catch_unwind().await;
        drop(busy);
        match applied.unwrap_or_else(|panic| Err(panicked(&*panic)))? {
            Applied::Saved => self.saved(to),
            Applied::Unsaved => self.progress.reach(to, count),
        }
        self.worker.count(count);
        Ok(())
    }

    /// Retries an event that failed alone, as long as that may help, or sets it aside.
    async fn fail(
        &mut self,
        event: &RecordedEvent,
        attempts: u32,
        error: BoxError,
    ) -> Result<Fate, StopReason> {
        let deaths = error.downcast_ref().map(|deadly: &Deadly| deadly.deaths);
        // Neither the event nor its type changes while this process runs.
        let may_pass = deaths.is_none() && !error.is::<DecodeError>();
        if may_pass && attempts < self.options().retry.max_attempts {
            self.retry_later(event, attempts, error).await?;
            return Ok(Fate::Retried);
        }
        if deaths.is_some() && self.options().on_failure == FailurePolicy::Stop {
            self.reprieve(event).await?;
        }
        self.set_aside(event, deaths.unwrap_or(attempts), error).await?;
        Ok(Fate::SetAside)
    }

    /// Records the error of an event and waits until it may be tried again.
    async fn retry_later(
        &mut self,
        event: &RecordedEvent,
        attempts: u32,
        error: BoxError,
    ) -> Result<(), StopReason> {
        let delay = self.options().retry.backoff.draw(attempts);
        let failed = event_failed(event, attempts, error);
        let text = with_causes(&failed);
        tracing::warn!(projection = %self.name(), ?delay, error = text, "an event is retried");
        self.save_done().await?;
        self.worker.note_error(self.held, &text).await?;
        self.worker.projection.set_state(ProjectionState::Retrying);
        tokio::select! {
            () = interrupted(self.worker, self.held) => {}
            () = sleep(delay) => {}
        }
        Ok(())
    }

    /// Gives up an event: passes over it, or goes no further.
    async fn set_aside(
        &mut self,
        event: &RecordedEvent,
        attempts: u32,
        error: BoxError,
    ) -> Result<(), StopReason> {
        if self.options().on_failure == FailurePolicy::Stop {
            self.save_done().await?;
            return Err(StopReason::GaveUp(Reason::lasting(event_failed(event, attempts, error))));
        }
        let error = with_causes(&*error);
        tracing::warn!(projection = %self.name(), error, id = %event.id, "an event is set aside");
        let to = self.at(event);
        let mut advance = self.progress.advance(to, 0);
        advance.dead_letters.push(NewDeadLetter {
            offset: self.worker.projection.source().offset_of(event),
            stream: event.stream.clone(),
            position: event.position,
            event_id: event.id,
            event_type: event.event_type.clone(),
            error,
            attempts,
        });
        self.worker.store.save(self.held.lease(), &advance).await?;
        self.saved(to);
        Ok(())
    }

    /// Where the checkpoint stands when `event` is done.
    fn at(&self, event: &RecordedEvent) -> Place {
        Place::new(Some(self.worker.projection.source().offset_of(event)), Some(event.id))
    }

    fn is_interrupted(&self) -> bool {
        self.worker.stop.is_cancelled() || (self.can_rebuild() && self.held.is_rebuild_hinted())
    }
}

fn event_failed(event: &RecordedEvent, attempts: u32, source: BoxError) -> EventFailed {
    let (stream, event_type) = (event.stream.clone(), event.event_type.clone());
    EventFailed { stream, offset: event.offset, event_type, attempts, source }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Fault {
    Fault::Event { at: None, error: panic_text(panic).into() }
}
