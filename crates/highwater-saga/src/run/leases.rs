//! The leases on the sagas in flight, renewed whatever their steps and writes are doing.

use std::collections::HashMap;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use highwater_core::{SagaId, SagaLease, SagaStore, StoreError};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::hold::{Chore, Hold};

/// Leases in one renewal.
const GROUP_MAX: usize = 512;

/// A step whose code keeps its thread, with which it holds up everything else that runs there.
///
/// What waits for long belongs into `spawn_blocking`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockedStep {
    /// The saga.
    pub saga: SagaId,
    /// The step.
    pub step: String,
    /// For how long by now.
    pub blocked: Duration,
}

/// Every lease that this process holds.
///
/// They are kept by one task, not by those that run the steps: a step that blocks its thread, or
/// a write that waits for its turn, loses no lease.
#[derive(Debug)]
pub(crate) struct Leases {
    ttl: Duration,
    /// A step that keeps its thread for longer is told of.
    block_warning: Duration,
    held: Mutex<Held>,
    /// Rings for the keeper when there is something to do earlier than it believes.
    changed: Notify,
    /// Rings when renewals have been answered.
    settled: Notify,
}

#[derive(Debug, Default)]
struct Held {
    next: u64,
    holds: HashMap<u64, Arc<Hold>>,
    /// When the keeper looks again; `None` when it waits to be rung.
    planned: Option<Instant>,
}

/// A place among the leases that are kept, until this is dropped.
#[derive(Debug)]
pub(crate) struct Kept {
    leases: Arc<Leases>,
    number: u64,
    hold: Arc<Hold>,
}

impl Leases {
    pub(crate) fn new(ttl: Duration, block_warning: Duration) -> Arc<Self> {
        let (held, changed, settled) = Default::default();
        Arc::new(Self { ttl, block_warning, held, changed, settled })
    }

    /// Keeps a lease that was asked for at `asked_at`.
    pub(crate) fn keep(self: &Arc<Self>, lease: SagaLease, asked_at: Instant) -> Kept {
        let hold = Arc::new(Hold::new(lease, self.ttl, asked_at));
        let mut held = self.held();
        let number = held.next;
        held.next += 1;
        held.holds.insert(number, Arc::clone(&hold));
        let is_early = held.planned.is_none_or(|planned| hold.renew_at() < planned);
        drop(held);
        if is_early {
            self.changed.notify_one();
        }
        Kept { leases: Arc::clone(self), number, hold }
    }

    /// Renews leases again and again, as long as it is polled.
    pub(crate) async fn run(&self, store: &dyn SagaStore) {
        let mut renewals = FuturesUnordered::new();
        loop {
            self.tell_blocked();
            let (due, next) = self.due();
            for group in due.chunks(GROUP_MAX) {
                renewals.push(self.renew(store, group.to_vec()));
            }
            let wait = async {
                match next {
                    Some(at) => sleep_until(at).await,
                    None => pending().await,
                }
            };
            tokio::select! {
                Some(()) = renewals.next() => {}
                () = self.changed.notified() => {}
                () = wait => {}
            }
        }
    }

    /// Waits, for no longer than a lease, until no lease is past its end that may yet be renewed.
    ///
    /// Whoever claims sagas does so afterwards, lest it takes over from itself what it had no time
    /// to renew.
    pub(crate) async fn settle(&self) {
        let end = Instant::now() + self.ttl;
        loop {
            let settled = self.settled.notified();
            tokio::pin!(settled);
            settled.as_mut().enable();
            if !self.held().holds.values().any(|hold| hold.is_overdue()) {
                return;
            }
            self.changed.notify_one();
            if timeout_at(end, settled).await.is_err() {
                return;
            }
        }
    }

    /// The steps whose code has kept its thread for long, and for how long.
    pub(crate) fn blocked(&self) -> Vec<BlockedStep> {
        let held = self.held();
        let blocked = held.holds.values().filter_map(|hold| {
            let (step, blocked) = hold.blocked(self.block_warning)?;
            Some(BlockedStep { saga: hold.lease.id.clone(), step, blocked })
        });
        blocked.collect()
    }

    fn tell_blocked(&self) {
        let holds: Vec<_> = self.held().holds.values().cloned().collect();
        for hold in holds {
            let Some((step, blocked)) = hold.blocked(self.block_warning) else { continue };
            if hold.tell() {
                tracing::warn!(saga = %hold.lease.id, step, ?blocked, "a step blocks its thread");
            }
        }
    }

    /// The leases to be renewed now, and when to look again.
    fn due(&self) -> (Vec<Arc<Hold>>, Option<Instant>) {
        let mut held = self.held();
        let (now, mut due, mut next) = (Instant::now(), Vec::new(), None::<Instant>);
        for hold in held.holds.values() {
            match hold.chore(now) {
                Chore::Renew => due.push(Arc::clone(hold)),
                Chore::At(at) => next = Some(next.map_or(at, |next| next.min(at))),
                Chore::None => {}
            }
        }
        // Those that are renewed have an end, too, at which they are lost without an answer.
        let ends = due.iter().map(|hold| hold.ends_at());
        let next = next.into_iter().chain(ends).min();
        held.planned = next;
        (due, next)
    }

    async fn renew(&self, store: &dyn SagaStore, group: Vec<Arc<Hold>>) {
        let asked_at = Instant::now();
        let leases = group.iter().map(|hold| hold.lease.clone()).collect();
        let answers = timeout(self.ttl, store.renew_sagas(leases, self.ttl)).await;
        match answers {
            Ok(Ok(answers)) => {
                for (hold, answer) in group.iter().zip(answers) {
                    match answer {
                        Ok(()) => hold.renewed(asked_at),
                        Err(StoreError::SagaLeaseLost { .. } | StoreError::SagaUnknown { .. }) => {
                            hold.lose()
                        }
                        Err(error) => {
                            tracing::debug!(saga = %hold.lease.id, %error, "a lease was not renewed");
                            hold.failed();
                        }
                    }
                }
            }
            failed => {
                let error = failed.map_or_else(
                    |late| late.to_string(),
                    |answer| answer.err().map_or_else(String::new, |error| error.to_string()),
                );
                tracing::debug!(leases = group.len(), error, "leases were not renewed");
                group.iter().for_each(|hold| hold.failed());
            }
        }
        self.settled.notify_waiters();
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    pub(crate) fn hold(&self) -> &Arc<Hold> {
        &self.hold
    }

    /// Tells whether the lease is this worker's; one that is past its end is first tried to be
    /// renewed.
    pub(crate) async fn is_held(&self) -> bool {
        if self.hold.is_overdue() {
            self.leases.settle().await;
        }
        !self.hold.is_lost() && !self.hold.is_overdue()
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.leases.held().holds.remove(&self.number);
    }
}
