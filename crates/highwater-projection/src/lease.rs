//! The lease while it is held: renewed in the background, given up when it cannot be.

use std::sync::Arc;
use std::time::Duration;

use highwater_core::{CheckpointKey, CheckpointStore, Lease, Owner, StoreError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;

/// Renewals within the time to live of a lease, so that one or two may fail.
const RENEWALS: u32 = 3;

/// A lease and the heartbeat that renews it until this is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    lease: Lease,
    ttl: Duration,
    news: Arc<watch::Sender<News>>,
    heartbeat: AbortOnDropHandle<()>,
}

/// What the heartbeat has learnt.
#[derive(Debug, Clone, Copy, Default)]
struct News {
    is_lost: bool,
    rebuild_requested: bool,
}

impl Held {
    /// Takes the lease, or nothing when somebody else has it.
    pub(crate) async fn acquire<S: CheckpointStore + Clone>(
        store: &S,
        key: &CheckpointKey,
        owner: &Owner,
        ttl: Duration,
    ) -> Result<Option<Self>, StoreError> {
        let asked_at = Instant::now();
        let Some((lease, _)) = store.acquire(key, owner, ttl).await? else { return Ok(None) };
        let news = Arc::new(watch::Sender::new(News::default()));
        let beat = beat(store.clone(), lease.clone(), ttl, asked_at, Arc::clone(&news));
        let heartbeat = AbortOnDropHandle::new(tokio::spawn(beat));
        Ok(Some(Self { lease, ttl, news, heartbeat }))
    }

    /// The lease.
    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Returns once the lease is lost, or could not be renewed for its whole time to live.
    pub(crate) async fn lost(&self) {
        self.wait(|news| news.is_lost).await;
    }

    /// Returns once somebody may have asked for a rebuild; the checkpoint tells for certain.
    pub(crate) async fn rebuild_hinted(&self) {
        self.wait(|news| news.rebuild_requested).await;
    }

    /// Whether somebody may have asked for a rebuild.
    pub(crate) fn is_rebuild_hinted(&self) -> bool {
        self.news.borrow().rebuild_requested
    }

    /// Whether somebody may have asked for a rebuild since this was last called.
    pub(crate) fn take_rebuild_hint(&self) -> bool {
        let mut was_hinted = false;
        self.news.send_if_modified(|news| {
            was_hinted = std::mem::take(&mut news.rebuild_requested);
            was_hinted
        });
        was_hinted
    }

    /// Gives the lease back, so that a standby need not wait for it to expire.
    pub(crate) async fn release<S: CheckpointStore>(self, store: &S) {
        self.heartbeat.abort();
        let released = timeout(self.ttl, store.release(&self.lease)).await;
        if !matches!(released, Ok(Ok(()))) {
            tracing::warn!(projection = %self.lease.key.projection, "the lease is left to expire");
        }
    }

    async fn wait(&self, is_reached: impl FnMut(&News) -> bool) {
        let mut news = self.news.subscribe();
        if news.wait_for(is_reached).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Renews the lease until it is lost.
///
/// The time to live counts from before each request was sent: this side's idea of when the
/// lease expires is never later than the store's.
async fn beat<S: CheckpointStore>(
    store: S,
    lease: Lease,
    ttl: Duration,
    asked_at: Instant,
    news: Arc<watch::Sender<News>>,
) {
    let mut expires_at = asked_at + ttl;
    loop {
        sleep(ttl / RENEWALS).await;
        let asked_at = Instant::now();
        let renewed = timeout_at(expires_at, store.renew(&lease, ttl)).await;
        match renewed {
            Ok(Ok(rebuild_requested)) => {
                expires_at = asked_at + ttl;
                if rebuild_requested {
                    news.send_modify(|news| news.rebuild_requested = true);
                }
            }
            Ok(Err(error)) if is_lost(&error) || Instant::now() >= expires_at => break,
            Ok(Err(error)) => tracing::debug!(%error, "the lease was not renewed"),
            Err(_elapsed) => break,
        }
    }
    news.send_modify(|news| news.is_lost = true);
}

fn is_lost(error: &StoreError) -> bool {
    matches!(error, StoreError::LeaseLost { .. })
}
