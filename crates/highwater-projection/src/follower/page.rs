//! Applies one page: whole when all is well, in ever smaller parts when an event fails.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use highwater_core::{
    BoxError, CheckpointStore, DecodeError, NewDeadLetter, Offset, Page, RecordedEvent,
};
use tokio::time::{Instant, sleep};
use tracing::Instrument;

use super::{Follower, Halt, interrupted, panic_text};
use crate::applier::{Applied, Fault};
use crate::cut::{Cut, Failed};
use crate::error::{EventFailed, with_causes};
use crate::{FailurePolicy, ProjectionState};

/// Whether a page was applied to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Done,
    Interrupted,
}

impl<S: CheckpointStore + Clone> Follower<'_, S> {
    /// Applies a page in as many parts as it takes.
    pub(super) async fn apply(&mut self, page: &Page) -> Result<Flow, Halt> {
        let mut cut = Cut::new(page.events.len(), self.worker.projection.step());
        while let Some(part) = cut.next() {
            let (events, to) = (&page.events[part.clone()], self.end_of(page, part.end));
            match self.attempt(events, to).await {
                Ok(()) => cut.done(),
                Err(Fault::Store(error)) => return Err(Halt::Store(error)),
                Err(Fault::Event { at, error }) => match cut.failed(at) {
                    Failed::Narrowed => {
                        tracing::debug!(projection = %self.name(), "a batch failed, trying parts");
                    }
                    Failed::Alone(attempts) => {
                        let Some(event) = events.first() else { continue };
                        // Neither the event nor its type changes while this process runs.
                        let may_pass = !error.is::<DecodeError>();
                        if may_pass && attempts < self.options().retry.max_attempts {
                            self.retry_later(event, attempts, error).await?;
                        } else {
                            self.set_aside(event, to, attempts, error).await?;
                            cut.done();
                        }
                    }
                },
            }
            self.save_if_due(false).await?;
            if cut.next().is_some() && self.is_interrupted() {
                return Ok(Flow::Interrupted);
            }
        }
        self.progress.reach(page.scanned_to, 0);
        self.save_if_due(true).await?;
        Ok(Flow::Done)
    }

    /// Applies one part of a page; a panic in user code is an error like any other.
    async fn attempt(&mut self, events: &[RecordedEvent], to: Option<Offset>) -> Result<(), Fault> {
        let count = events.len() as u64;
        let advance = self.progress.advance(to, count);
        let span = tracing::debug_span!(
            "batch",
            projection = %self.name(),
            from = Offset::to_sql(self.progress.reached()),
            to = Offset::to_sql(to),
            events = count,
        );
        let applied = self.applier.apply(self.held.lease(), events, advance).instrument(span);
        let applied = AssertUnwindSafe(applied).catch_unwind().await;
        match applied.unwrap_or_else(|panic| Err(panicked(&*panic)))? {
            Applied::Saved => self.progress.save(self.progress.reached().max(to), Instant::now()),
            Applied::Unsaved => self.progress.reach(to, count),
        }
        self.worker.count(count);
        Ok(())
    }

    /// Records the error of an event and waits until it may be tried again.
    async fn retry_later(
        &mut self,
        event: &RecordedEvent,
        attempts: u32,
        error: BoxError,
    ) -> Result<(), Halt> {
        let delay = self.options().retry.backoff.draw(attempts - 1);
        let failed = event_failed(event, attempts, error);
        let text = with_causes(&failed);
        tracing::warn!(projection = %self.name(), ?delay, error = text, "an event is retried");
        self.save().await?;
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
        to: Option<Offset>,
        attempts: u32,
        error: BoxError,
    ) -> Result<(), Halt> {
        if self.options().on_failure == FailurePolicy::Stop {
            self.save().await?;
            return Err(Halt::GaveUp(event_failed(event, attempts, error).into()));
        }
        let error = with_causes(&*error);
        tracing::warn!(projection = %self.name(), error, id = %event.id, "an event is set aside");
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
        self.progress.save(advance.to, Instant::now());
        Ok(())
    }

    /// Where the checkpoint stands when the events before index `end` of the page are done.
    fn end_of(&self, page: &Page, end: usize) -> Option<Offset> {
        match page.events.get(end - 1) {
            Some(last) if end < page.events.len() => {
                Some(self.worker.projection.source().offset_of(last))
            }
            _ => page.scanned_to,
        }
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
