//! Follows a source from the checkpoint on, as long as nothing goes wrong.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use highwater_core::{
    BoxError, CheckpointStore, NewDeadLetter, Offset, Page, ProjectionName, RecordedEvent,
    StoreError, percent_complete,
};
use tokio::time::{Instant, sleep, sleep_until};
use tracing::Instrument;

use crate::applier::{Applied, Applier, Fault};
use crate::cut::{Cut, Failed};
use crate::error::{EventFailed, with_causes};
use crate::lease::Held;
use crate::patience::Patience;
use crate::progress::Progress;
use crate::reader::Reader;
use crate::worker::{Ended, Worker};
use crate::{CheckpointPolicy, FailurePolicy, Mode, ProjectionState};

/// How often a long catch-up is logged.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// Applies pages from the checkpoint on; dropped at the first failure of the store, so that its
/// successor begins with what the store really holds.
pub(crate) struct Follower<'a, S> {
    worker: &'a Worker<S>,
    held: &'a Held,
    progress: &'a mut Progress,
    applier: Box<dyn Applier>,
    reader: Reader,
    reported_at: Instant,
}

/// Why a follower goes no further.
#[derive(Debug)]
pub(crate) enum Halt {
    /// The store failed, or somebody else has the lease.
    Store(StoreError),
    /// An event failed for good.
    GaveUp(BoxError),
}

/// Whether a page was applied to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Done,
    Interrupted,
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl<'a, S: CheckpointStore + Clone> Follower<'a, S> {
    /// Begins at the checkpoint; refuses to begin behind the end of the log.
    pub(crate) async fn resume(
        worker: &'a Worker<S>,
        held: &'a Held,
        progress: &'a mut Progress,
    ) -> Result<Self, Halt> {
        let projection = &worker.projection;
        let row = worker.checkpoint(held).await?;
        progress.resume(row.last_processed_offset, Instant::now());
        let reader = Reader::new(
            Arc::clone(&worker.events),
            projection.source().clone(),
            Arc::clone(&projection.types),
            projection.options.batch_size,
        );
        let applier = projection.applier(&worker.store);
        let mut follower =
            Self { worker, held, progress, applier, reader, reported_at: Instant::now() };
        if row.rebuild_requested {
            follower.rebuild().await?;
        }
        if follower.progress.saved() > worker.events.head(projection.source()).await? {
            let text = "the checkpoint is behind the end of the log, which has lost events";
            return Err(Halt::Store(StoreError::Backend(text.into())));
        }
        Ok(follower)
    }

    /// Reads, applies and commits page after page; waits at the end of the log for more.
    pub(crate) async fn follow(&mut self, patience: &mut Patience<'_>) -> Result<Ended, Halt> {
        loop {
            self.rebuild_if_requested().await?;
            let page = tokio::select! {
                biased;
                () = self.worker.stop.cancelled() => {
                    self.save().await?;
                    return Ok(Ended::Stopped);
                }
                page = self.reader.next(self.progress.reached()) => page?,
            };
            if !page.is_end {
                self.worker.projection.set_state(ProjectionState::CatchingUp);
            }
            if self.apply(&page).await? == Flow::Interrupted {
                continue;
            }
            patience.restore();
            if !page.is_end {
                self.report().await;
            } else if self.worker.mode == Mode::CatchUpThenStop {
                self.save().await?;
                return Ok(Ended::CaughtUp(self.progress.saved()));
            } else {
                self.idle().await?;
            }
        }
    }

    /// Applies a page in as many parts as it takes.
    async fn apply(&mut self, page: &Page) -> Result<Flow, Halt> {
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
                        if attempts < self.options().retry.max_attempts {
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

    /// Waits at the end of the log until there may be something to do.
    async fn idle(&mut self) -> Result<(), Halt> {
        self.worker.projection.set_state(ProjectionState::Live);
        let poll_interval = self.options().poll_interval;
        loop {
            tokio::select! {
                () = interrupted(self.worker, self.held) => return Ok(()),
                () = self.reader.grown() => break,
                () = sleep(poll_interval) => {}
            }
            self.save().await?;
            let row = self.worker.checkpoint(self.held).await?;
            if row.rebuild_requested && self.can_rebuild() {
                return self.rebuild().await;
            }
            if row.last_processed_offset != self.progress.saved() {
                *self.progress = Progress::at(row.last_processed_offset, Instant::now());
                return Ok(());
            }
        }
        self.gather().await;
        Ok(())
    }

    /// Lets events gather for read models that are committed at intervals.
    async fn gather(&self) {
        let CheckpointPolicy::Every(interval) = self.options().checkpoint else { return };
        if self.worker.projection.is_handler() {
            return;
        }
        tokio::select! {
            () = interrupted(self.worker, self.held) => {}
            () = sleep_until(self.progress.saved_at() + interval) => {}
        }
    }

    /// Rebuilds when the hint of the heartbeat is true.
    async fn rebuild_if_requested(&mut self) -> Result<(), Halt> {
        let is_hinted = self.can_rebuild() && self.held.take_rebuild_hint();
        if is_hinted && self.worker.checkpoint(self.held).await?.rebuild_requested {
            self.rebuild().await?;
        }
        Ok(())
    }

    /// Empties the read model and begins with the first event, if the projection allows it.
    async fn rebuild(&mut self) -> Result<(), Halt> {
        if !self.can_rebuild() {
            let text = "a rebuild is requested, but this projection cannot be rebuilt";
            tracing::warn!(projection = %self.name(), text);
            return self.worker.note_error(self.held, text).await;
        }
        tracing::info!(projection = %self.name(), "rebuild begins");
        let reset = AssertUnwindSafe(self.applier.reset(self.held.lease())).catch_unwind().await;
        reset.unwrap_or_else(|panic| Err(StoreError::Backend(panic_text(&*panic).into())))?;
        *self.progress = Progress::at(None, Instant::now());
        Ok(())
    }

    async fn save_if_due(&mut self, is_batch_end: bool) -> Result<(), Halt> {
        let options = self.options();
        let (policy, interval) = (options.checkpoint, options.poll_interval);
        if self.progress.is_due(policy, interval, is_batch_end, Instant::now()) {
            self.save().await?;
        }
        Ok(())
    }

    /// Stores what has been done since the checkpoint was last stored.
    async fn save(&mut self) -> Result<(), Halt> {
        if let Some(advance) = self.progress.unsaved() {
            self.worker.store.save(self.held.lease(), &advance).await?;
            self.progress.save(advance.to, Instant::now());
        }
        Ok(())
    }

    /// Logs now and then how a long catch-up gets on.
    async fn report(&mut self) {
        if self.reported_at.elapsed() < REPORT_INTERVAL {
            return;
        }
        self.reported_at = Instant::now();
        let reached = self.progress.reached();
        if let Ok(head) = self.worker.events.head(self.worker.projection.source()).await {
            tracing::info!(
                projection = %self.name(),
                percent = percent_complete(reached, head),
                events_per_second = self.worker.projection.rate(),
                "catching up"
            );
        }
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

    fn can_rebuild(&self) -> bool {
        self.worker.projection.definition.can_rebuild
    }

    fn options(&self) -> &'a crate::ProjectionOptions {
        &self.worker.projection.options
    }

    fn name(&self) -> &'a ProjectionName {
        self.worker.projection.name()
    }
}

/// Returns once something more urgent than waiting may have come up.
async fn interrupted<S>(worker: &Worker<S>, held: &Held) {
    tokio::select! {
        () = worker.stop.cancelled() => {}
        () = held.rebuild_hinted(), if worker.projection.definition.can_rebuild => {}
    }
}

fn event_failed(event: &RecordedEvent, attempts: u32, source: BoxError) -> EventFailed {
    let (stream, event_type) = (event.stream.clone(), event.event_type.clone());
    EventFailed { stream, offset: event.offset, event_type, attempts, source }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Fault {
    Fault::Event { at: None, error: panic_text(panic).into() }
}

/// What a panic said, if it said anything in words.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("without a message"))
}
