//! Follows a source from the checkpoint on, as long as nothing goes wrong.

mod page;
mod trial;
mod verify;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use highwater_core::{
    Checkpoint, CheckpointStore, ProjectionName, StoreError, Suspect, percent_complete,
};
use tokio::time::{Instant, sleep, sleep_until};

use super::failure_budget::FailureBudget;
use super::lease::LeaseGuard;
use super::progress::{Due, Place, Progress};
use super::reader::Reader;
use super::worker::{Ended, Worker};
use crate::apply::applier::Applier;
use crate::error::{Reason, SourceChanged};
use crate::options::{CheckpointPolicy, Mode, ProjectionOptions};
use crate::state::ProjectionState;

use page::PageResult;

/// Interval at which a long catch-up is logged.
const REPORT_INTERVAL: Duration = Duration::from_secs(5);

/// Applies pages from the checkpoint on; dropped at the first failure of the store, so that its
/// successor begins with what the store really holds.
pub(crate) struct Follower<'a, S> {
    worker: &'a Worker<S>,
    held: &'a LeaseGuard,
    progress: &'a mut Progress,
    applier: Box<dyn Applier>,
    reader: Reader,
    /// Set while what is behind the checkpoint may have ended a worker.
    suspect: Option<Suspect>,
    verified_at: Instant,
    /// True when the log may have been replaced since.
    is_doubtful: bool,
    reported_at: Instant,
}

/// Reason why a follower goes no further.
#[derive(Debug)]
pub(crate) enum StopReason {
    /// The store failed, or somebody else has the lease.
    Store(StoreError),
    /// The projection gives up.
    GaveUp(Reason),
}

impl From<StoreError> for StopReason {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl<'a, S: CheckpointStore + Clone> Follower<'a, S> {
    /// Begins at the checkpoint; refuses to begin on another log than the checkpoint was made on.
    pub(crate) async fn resume(
        worker: &'a Worker<S>,
        held: &'a LeaseGuard,
        progress: &'a mut Progress,
    ) -> Result<Self, StopReason> {
        let projection = &worker.projection;
        let row = worker.checkpoint(held).await?;
        let now = Instant::now();
        progress.resume(Place::new(row.last_processed_offset, row.last_event_id), now);
        let reader = Reader::new(
            Arc::clone(&worker.events),
            projection.source().clone(),
            Arc::clone(&projection.types),
            projection.options.batch_size,
            projection.options.read_timeout,
        );
        let applier = projection.applier(&worker.store);
        let mut follower = Self {
            worker,
            held,
            progress,
            applier,
            reader,
            suspect: row.suspect,
            verified_at: now,
            is_doubtful: false,
            reported_at: now,
        };
        if row.rebuild_requested {
            follower.rebuild().await?;
        }
        follower.refuse_other_sources().await?;
        follower.verify().await?;
        Ok(follower)
    }

    /// Reads, applies and commits page after page; waits at the end of the log for more.
    ///
    /// A catch-up ends where the log ended when it began, whatever is appended meanwhile.
    pub(crate) async fn follow(
        &mut self,
        budget: &mut FailureBudget<'_>,
    ) -> Result<Ended, StopReason> {
        let is_catch_up = self.worker.mode == Mode::CatchUpThenStop;
        let target = if is_catch_up { self.worker.target().await? } else { None };
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
            if self.apply(&page).await? == PageResult::Interrupted {
                continue;
            }
            budget.restore();
            if is_catch_up && (page.is_end || self.progress.reached() >= target) {
                self.save().await?;
                return Ok(Ended::CaughtUp(self.progress.saved().offset));
            } else if !page.is_end {
                self.report().await;
            } else {
                self.idle().await?;
            }
        }
    }

    /// Waits at the end of the log until there may be something to do.
    async fn idle(&mut self) -> Result<(), StopReason> {
        self.worker.projection.set_state(ProjectionState::Live);
        let poll_interval = self.options().poll_interval;
        loop {
            tokio::select! {
                () = interrupted(self.worker, self.held) => return Ok(()),
                () = self.reader.grown() => break,
                () = sleep(poll_interval) => {}
            }
            self.save().await?;
            if self.is_doubtful {
                self.verify().await?;
            }
            let row = self.worker.checkpoint(self.held).await?;
            if row.rebuild_requested && self.can_rebuild() {
                return self.rebuild().await;
            }
            self.refuse_to_be_elsewhere(&row)?;
        }
        self.is_doubtful = true;
        if self.verified_at.elapsed() >= poll_interval {
            self.verify().await?;
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
    async fn rebuild_if_requested(&mut self) -> Result<(), StopReason> {
        let is_hinted = self.can_rebuild() && self.held.take_rebuild_hint();
        if is_hinted && self.worker.checkpoint(self.held).await?.rebuild_requested {
            self.rebuild().await?;
        }
        Ok(())
    }

    /// Empties the read model and begins with the first event, if the projection allows it.
    async fn rebuild(&mut self) -> Result<(), StopReason> {
        if !self.can_rebuild() {
            let text = "a rebuild is requested, but this projection cannot be rebuilt";
            tracing::warn!(projection = %self.name(), text);
            return self.worker.note_error(self.held, text).await;
        }
        tracing::info!(projection = %self.name(), "rebuild begins");
        let reset = AssertUnwindSafe(self.applier.reset(self.held.lease())).catch_unwind().await;
        reset.unwrap_or_else(|panic| Err(StoreError::Backend(panic_text(&*panic).into())))?;
        *self.progress = Progress::at(Place::default(), Instant::now());
        self.suspect = None;
        self.worker.moved(None);
        for other in self.other_sources().await? {
            self.worker.store.delete(&other.key).await?;
        }
        Ok(())
    }

    /// Refuses to add to a read model, or to repeat effects, that came from another source.
    async fn refuse_other_sources(&self) -> Result<(), StopReason> {
        let others = self.other_sources().await?;
        let followed = others.iter().find(|row| row.last_processed_offset.is_some());
        followed.map_or(Ok(()), |other| {
            Err(StopReason::GaveUp(Reason::lasting(SourceChanged::from(other))))
        })
    }

    /// Returns what the projection followed under the same name, in an earlier release perhaps.
    async fn other_sources(&self) -> Result<Vec<Checkpoint>, StoreError> {
        let own = self.worker.projection.key();
        let mut rows = self.worker.store.checkpoints(Some(&own.projection)).await?;
        rows.retain(|row| row.key != *own);
        Ok(rows)
    }

    async fn save_if_due(&mut self, is_batch_end: bool) -> Result<(), StopReason> {
        let options = self.options();
        let (policy, interval) = (options.checkpoint, options.poll_interval);
        match self.progress.due(policy, interval, is_batch_end, Instant::now()) {
            Due::Nothing => Ok(()),
            Due::Done => Ok(self.save_done().await?),
            Due::Scanned => self.save().await,
        }
    }

    /// Stores what has been processed and passed over since the checkpoint was last stored.
    ///
    /// The place that was merely scanned is looked up, so that each checkpoint names the event
    /// that it stands at.
    async fn save(&mut self) -> Result<(), StopReason> {
        let Some(scanned) = self.progress.scanned() else { return Ok(self.save_done().await?) };
        let to = Place::new(Some(scanned), self.event_at(scanned).await?);
        Ok(self.save_to(to).await?)
    }

    /// Stores what has been processed since the checkpoint was last stored.
    async fn save_done(&mut self) -> Result<(), StoreError> {
        if self.progress.done().offset > self.progress.saved().offset {
            self.save_to(self.progress.done()).await?;
        }
        Ok(())
    }

    async fn save_to(&mut self, to: Place) -> Result<(), StoreError> {
        let advance = self.progress.advance(to, 0);
        self.worker.store.save(self.held.lease(), &advance).await?;
        self.saved(to);
        Ok(())
    }

    /// Notes that the checkpoint has moved to `to`.
    fn saved(&mut self, to: Place) {
        self.progress.save(to, Instant::now());
        self.worker.moved(to.offset);
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

    fn can_rebuild(&self) -> bool {
        self.worker.projection.definition.can_rebuild
    }

    fn options(&self) -> &'a ProjectionOptions {
        &self.worker.projection.options
    }

    fn name(&self) -> &'a ProjectionName {
        self.worker.projection.name()
    }
}

/// Returns once something more urgent than waiting may have come up.
async fn interrupted<S>(worker: &Worker<S>, held: &LeaseGuard) {
    tokio::select! {
        () = worker.stop.cancelled() => {}
        () = held.rebuild_hinted(), if worker.projection.definition.can_rebuild => {}
    }
}

/// Returns what a panic said, if it said anything in words.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("without a message"))
}
