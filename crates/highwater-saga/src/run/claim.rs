//! The loop that claims due sagas and puts them in flight.

use std::sync::Arc;
use std::time::Duration;

use highwater_core::{Backoff, SagaClaim, StoreError, Wake};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::engine::{Assignment, Engine};
use super::execution::Execution;

/// Sagas claimed at a time.
const CLAIM_MAX: usize = 256;

/// The longest wait of a runner whose store fails.
const STORE_WAIT_MAX: Duration = Duration::from_secs(5);

/// One run of an orchestrator.
pub(crate) struct Runner {
    engine: Arc<Engine>,
    stop: CancellationToken,
    /// Dropping them breaks them off, as a crash would; each is safe to break off anywhere.
    flights: JoinSet<()>,
}

impl Runner {
    pub(crate) fn new(engine: Arc<Engine>, stop: CancellationToken) -> Self {
        Self { engine, stop, flights: JoinSet::new() }
    }

    /// Claims and runs sagas until stopped; then each ends its step and gives its lease back.
    pub(crate) async fn run(mut self) {
        let engine = Arc::clone(&self.engine);
        let (desk, mut started) = engine.open_desk();
        let keeper = tokio::spawn({
            let engine = Arc::clone(&engine);
            async move { engine.leases.run(&*engine.store).await }
        });
        let _keeper = AbortOnDropHandle::new(keeper);
        let poll_interval = engine.options.poll_interval;
        let (base, cap) = (poll_interval.saturating_mul(2), STORE_WAIT_MAX.max(poll_interval));
        let backoff = Backoff::new(base, cap).without_jitter();
        let mut failures = 0_u32;
        while !self.stop.is_cancelled() {
            let mut wake = engine.store.sagas_due();
            let Some(places) = self.places(&mut started).await else { break };
            match self.claim(places).await {
                Ok(true) => continue,
                Ok(false) => failures = 0,
                Err(error) => {
                    tracing::warn!(%error, "due sagas were not claimed");
                    failures = failures.saturating_add(1);
                }
            }
            let wait = if failures == 0 { poll_interval } else { backoff.draw(failures) };
            self.idle(&mut wake, &mut started, Instant::now() + wait).await;
        }
        drop(desk);
        while let Some(assignment) = started.recv().await {
            self.spawn_execution(assignment);
        }
        while self.flights.join_next().await.is_some() {}
    }

    /// Waits until there is a place for a saga; `None` when stopped.
    async fn places(
        &mut self,
        started: &mut mpsc::UnboundedReceiver<Assignment>,
    ) -> Option<OwnedSemaphorePermit> {
        let mut place = loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                Some(assignment) = started.recv() => self.spawn_execution(assignment),
                Some(_) = self.flights.join_next() => {}
                place = Arc::clone(&self.engine.slots).acquire_owned() => break place.ok()?,
            }
        };
        while self.engine.bytes.room() == 0 {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                Some(assignment) = started.recv() => self.spawn_execution(assignment),
                Some(_) = self.flights.join_next() => {}
                // One that was given up before it flew.
                () = sleep(self.engine.options.poll_interval) => {}
            }
        }
        let more = self.engine.slots.available_permits().min(CLAIM_MAX - 1);
        let more = u32::try_from(more).unwrap_or(0);
        if let Ok(more) = Arc::clone(&self.engine.slots).try_acquire_many_owned(more) {
            place.merge(more);
        }
        Some(place)
    }

    /// Claims as many sagas as there are places; says whether there may be more of them.
    async fn claim(&mut self, mut places: OwnedSemaphorePermit) -> Result<bool, StoreError> {
        self.engine.leases.settle().await;
        let claim = SagaClaim {
            owner: self.engine.owner.clone(),
            ttl: self.engine.options.lease_ttl,
            limit: places.num_permits(),
            max_bytes: self.engine.bytes.room(),
            definitions: self.engine.known(),
        };
        let asked_at = Instant::now();
        // A later answer would be of leases that have ended.
        let claimed = timeout_at(asked_at + claim.ttl, self.engine.store.claim_sagas(&claim)).await;
        let claimed = claimed.map_err(|late| StoreError::Unavailable(late.into()))??;
        let bytes: usize = claimed.iter().map(|saga| saga.record.bytes()).sum();
        // Bytes limit a claim, too; one that stops far below has left what is too large for now.
        let is_full = claimed.len() >= claim.limit || bytes >= claim.max_bytes / 2;
        for saga in claimed {
            let permit = places.split(1);
            let place = permit.and_then(|permit| self.engine.take_place(&saga, asked_at, permit));
            if let Some(place) = place {
                self.spawn_execution(Assignment { claimed: saga, asked_at, place });
            }
        }
        Ok(is_full)
    }

    fn spawn_execution(&mut self, assignment: Assignment) {
        let (engine, stop) = (Arc::clone(&self.engine), self.stop.clone());
        let Some(flight) = Execution::new(engine, assignment, stop) else { return };
        self.flights.spawn(flight.run());
    }

    /// Waits until more sagas may be due; those that are started here need no claim.
    async fn idle(
        &mut self,
        wake: &mut Wake,
        started: &mut mpsc::UnboundedReceiver<Assignment>,
        until: Instant,
    ) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                Some(assignment) = started.recv() => self.spawn_execution(assignment),
                Some(_) = self.flights.join_next() => {}
                () = wake.grown() => return,
                () = sleep_until(until) => return,
            }
        }
    }
}
