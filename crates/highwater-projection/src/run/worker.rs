//! Runs one projection: waits for the lease, follows the source under it, begins again.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use highwater_core::{
    Checkpoint, CheckpointStore, EventStore, Offset, Owner, ProjectionName, StoreError,
};
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::failure_budget::{FailureBudget, Verdict};
use super::follower::{Follower, StopReason};
use super::host;
use super::lease::LeaseGuard;
use super::progress::{Place, Progress};
use super::registered::Registered;
use super::trials::Trials;
use crate::error::{Reason, with_causes};
use crate::options::Mode;
use crate::state::ProjectionState;

/// Attempts to record the error that a projection gives up with.
const LAST_WORDS: u32 = 3;

/// Runs one projection in this process, as its leader or in standby.
pub(crate) struct Worker<S> {
    pub(crate) events: Arc<dyn EventStore>,
    pub(crate) store: S,
    pub(crate) projection: Arc<Registered<S>>,
    pub(crate) mode: Mode,
    pub(crate) stop: CancellationToken,
    pub(crate) trials: Trials,
    owner: Owner,
    /// Where the log ended at first: what is appended later keeps no catch-up going.
    target: OnceCell<Option<Offset>>,
    processed: AtomicU64,
    /// The checkpoint, as far as this has come to know it.
    checkpoint: AtomicI64,
}

/// End of a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was told to stop.
    Stopped,
    /// There was nothing left to process behind this checkpoint.
    CaughtUp(Option<Offset>),
}

/// Turn of a worker: to lead, or to stand by.
enum Turn {
    Lead(LeaseGuard),
    Wait,
    Done(Option<Offset>),
}

impl<S: CheckpointStore + Clone> Worker<S> {
    pub(crate) fn new(
        events: Arc<dyn EventStore>,
        store: S,
        projection: Arc<Registered<S>>,
        mode: Mode,
        stop: CancellationToken,
        trials: Trials,
    ) -> Self {
        // Each worker is an owner of its own: two in one process must not share a lease.
        let owner = Owner::new(host::label());
        Self {
            events,
            store,
            projection,
            mode,
            stop,
            trials,
            owner,
            target: OnceCell::new(),
            processed: AtomicU64::new(0),
            checkpoint: AtomicI64::new(Offset::to_sql(None)),
        }
    }

    /// The checkpoint, as far as this worker has come to know it.
    pub(crate) fn last_checkpoint(&self) -> Option<Offset> {
        Offset::from_sql(self.checkpoint.load(Ordering::Relaxed)).unwrap_or(None)
    }

    /// The end of the log when this was first asked.
    pub(crate) async fn target(&self) -> Result<Option<Offset>, StoreError> {
        let head = || self.events.head(self.projection.source());
        self.target.get_or_try_init(head).await.copied()
    }

    /// Events that this worker has processed.
    pub(crate) fn processed(&self) -> u64 {
        self.processed.load(Ordering::Relaxed)
    }

    /// Leads whenever it has the lease, until it is stopped, done, or gives up.
    pub(crate) async fn run(&self) -> Result<Ended, Reason> {
        loop {
            let held = match self.stand_by().await? {
                Turn::Lead(held) => held,
                Turn::Wait => return Ok(Ended::Stopped),
                Turn::Done(checkpoint) => return Ok(Ended::CaughtUp(checkpoint)),
            };
            let ended = tokio::select! {
                biased;
                () = held.lost() => Ok(None),
                ended = self.lead(&held) => ended,
            };
            match ended {
                Ok(Some(ended)) => {
                    held.release().await;
                    return Ok(ended);
                }
                Ok(None) => {
                    tracing::warn!(projection = %self.name(), "the lease is lost");
                    self.pause(self.projection.options.standby_interval).await;
                }
                Err(reason) => {
                    self.record_final_error(&held, &with_causes(&*reason.error)).await;
                    held.release().await;
                    return Err(reason);
                }
            }
        }
    }

    /// Tries to get the lease until it has it or is stopped.
    async fn stand_by(&self) -> Result<Turn, Reason> {
        if self.mode == Mode::Continuous {
            self.projection.set_state(ProjectionState::Standby);
        }
        let mut budget = FailureBudget::new(&self.projection.options);
        while !self.stop.is_cancelled() {
            let wait = match self.try_turn().await {
                Ok(Turn::Wait) => {
                    budget.restore();
                    self.projection.options.standby_interval
                }
                Ok(turn) => return Ok(turn),
                Err(error) => self.on_failure(&mut budget, error)?,
            };
            self.pause(wait).await;
        }
        Ok(Turn::Wait)
    }

    async fn try_turn(&self) -> Result<Turn, StoreError> {
        let (key, ttl) = (self.projection.key(), self.projection.options.lease_ttl);
        // An answer that takes longer than the time to live would tell of an expired lease.
        let acquire = LeaseGuard::acquire(&self.store, key, &self.owner, ttl);
        let acquired = timeout(ttl, acquire).await;
        if let Some(held) = acquired.map_err(|late| StoreError::Unavailable(late.into()))?? {
            return Ok(Turn::Lead(held));
        }
        if self.mode == Mode::CatchUpThenStop {
            let target = self.target().await?;
            let row = self.store.checkpoint(key).await?;
            let checkpoint = row.and_then(|row| row.last_processed_offset);
            if checkpoint >= target {
                return Ok(Turn::Done(checkpoint));
            }
        }
        Ok(Turn::Wait)
    }

    /// Follows the source, again and again from the checkpoint when the store fails; `None` when
    /// the lease is lost.
    async fn lead(&self, held: &LeaseGuard) -> Result<Option<Ended>, Reason> {
        tracing::info!(projection = %self.name(), epoch = held.lease().epoch, "leads");
        let mut budget = FailureBudget::new(&self.projection.options);
        let mut progress = Progress::at(Place::default(), Instant::now());
        loop {
            self.projection.set_state(ProjectionState::CatchingUp);
            let followed = match Follower::resume(self, held, &mut progress).await {
                Ok(mut follower) => follower.follow(&mut budget).await,
                Err(halt) => Err(halt),
            };
            let error = match followed {
                Ok(ended) => return Ok(Some(ended)),
                Err(StopReason::GaveUp(reason)) => return Err(reason),
                Err(StopReason::Store(StoreError::LeaseLost { .. })) => return Ok(None),
                Err(StopReason::Store(moved @ StoreError::CheckpointMoved { .. })) => {
                    tracing::warn!(projection = %self.name(), %moved, "goes on from there");
                    self.pause(self.projection.options.standby_interval).await;
                    continue;
                }
                Err(StopReason::Store(error)) => error,
            };
            let text = with_causes(&error);
            let wait = self.on_failure(&mut budget, error)?;
            if budget.is_low() && self.note_error(held, &text).await.is_err() {
                return Ok(None);
            }
            self.projection.set_state(ProjectionState::Retrying);
            self.pause(wait).await;
            if self.stop.is_cancelled() {
                return Ok(Some(Ended::Stopped));
            }
        }
    }

    /// The checkpoint, as long as it is under the lease.
    pub(crate) async fn checkpoint(&self, held: &LeaseGuard) -> Result<Checkpoint, StoreError> {
        let lease = held.lease();
        let row = self.store.checkpoint(&lease.key).await?;
        let row = row.filter(|row| row.epoch == lease.epoch);
        let row = row.ok_or_else(|| StoreError::LeaseLost {
            projection: lease.key.projection.clone(),
            source_name: lease.key.source.clone(),
            epoch: lease.epoch,
        })?;
        self.moved(row.last_processed_offset);
        Ok(row)
    }

    /// Notes that the checkpoint has moved to `to`.
    pub(crate) fn moved(&self, to: Option<Offset>) {
        self.checkpoint.store(Offset::to_sql(to), Ordering::Relaxed);
    }

    /// Keeps `error` for operators; that it cannot be kept stops nothing, unless the lease is
    /// lost.
    pub(crate) async fn note_error(
        &self,
        held: &LeaseGuard,
        error: &str,
    ) -> Result<(), StopReason> {
        match self.store.record_error(held.lease(), error).await {
            Err(lost @ StoreError::LeaseLost { .. }) => Err(StopReason::Store(lost)),
            Err(failed) => {
                tracing::warn!(projection = %self.name(), %failed, error, "an error is not kept");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    pub(crate) fn count(&self, events: u64) {
        self.processed.fetch_add(events, Ordering::Relaxed);
        self.projection.count(events);
    }

    /// Keeps the error that the projection gives up with, if the store lets it.
    async fn record_final_error(&self, held: &LeaseGuard, error: &str) {
        for attempt in 1..=LAST_WORDS {
            match self.store.record_error(held.lease(), error).await {
                Err(failed) if failed.is_transient() => {
                    self.pause(self.projection.options.poll_backoff.draw(attempt)).await;
                }
                _ => return,
            }
        }
    }

    fn on_failure(
        &self,
        budget: &mut FailureBudget<'_>,
        error: StoreError,
    ) -> Result<Duration, Reason> {
        let text = with_causes(&error);
        match budget.on_failure(error) {
            Verdict::Wait(wait) => {
                tracing::warn!(projection = %self.name(), error = text, ?wait, "the store failed");
                Ok(wait)
            }
            Verdict::GiveUp(error) => Err(Reason::passing(error)),
        }
    }

    async fn pause(&self, wait: Duration) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = sleep(wait) => {}
        }
    }

    fn name(&self) -> &ProjectionName {
        self.projection.name()
    }
}
