//! The lease while it is held: renewed in the background, given up when it cannot be.

use std::sync::Arc;
use std::time::Duration;

use futures::future::OptionFuture;
use highwater_core::{CheckpointKey, CheckpointStore, Lease, Owner, StoreError};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::busy::{Busy, BusyGuard, Work};

/// Renewals within the time to live of a lease, so that one or two may fail.
const RENEWALS: u32 = 3;

/// A lease, the heartbeat that renews it, and what user code is at; dropped, it is given back.
pub(crate) struct LeaseGuard {
    lease: Lease,
    news: Arc<watch::Sender<News>>,
    busy: Arc<Busy>,
    heartbeat: AbortOnDropHandle<()>,
    give_back: Option<GiveBack>,
}

/// Gives the lease back in a task of its own, which whoever drops the future cannot interrupt.
type GiveBack = Box<dyn FnOnce(Handle) -> JoinHandle<()> + Send + Sync>;

/// News from the heartbeat.
#[derive(Debug, Clone, Copy, Default)]
struct News {
    is_lost: bool,
    rebuild_requested: bool,
}

impl LeaseGuard {
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
        let busy = Arc::new(Busy::default());
        let beat = Beat {
            store: store.clone(),
            lease: lease.clone(),
            ttl,
            news: Arc::clone(&news),
            busy: Arc::clone(&busy),
        };
        let heartbeat = AbortOnDropHandle::new(tokio::spawn(beat.run(asked_at)));
        let (store, given_back) = (store.clone(), lease.clone());
        let give_back: GiveBack =
            Box::new(move |runtime| runtime.spawn(give_back(store, given_back, ttl)));
        Ok(Some(Self { lease, news, busy, heartbeat, give_back: Some(give_back) }))
    }

    /// Notes that user code is at `work` until what this returns is dropped.
    ///
    /// When that takes longer than the lease lives, operators can read it as the last error: the
    /// lease is renewed meanwhile, for a slow worker is none that died.
    pub(crate) fn busy(&self, work: Work) -> BusyGuard {
        self.busy.begin(work)
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

    /// Tells whether somebody may have asked for a rebuild.
    pub(crate) fn is_rebuild_hinted(&self) -> bool {
        self.news.borrow().rebuild_requested
    }

    /// Tells whether somebody may have asked for a rebuild since this was last called.
    pub(crate) fn take_rebuild_hint(&self) -> bool {
        let mut was_hinted = false;
        self.news.send_if_modified(|news| {
            was_hinted = std::mem::take(&mut news.rebuild_requested);
            was_hinted
        });
        was_hinted
    }

    /// Gives the lease back, so that a standby need not wait for it to expire.
    pub(crate) async fn release(mut self) {
        if let Some(Err(error)) = OptionFuture::from(self.begin_release()).await {
            tracing::warn!(%error, "the lease is left to expire");
        }
    }

    /// Begins to give the lease back, once, and unless the runtime has ended.
    fn begin_release(&mut self) -> Option<JoinHandle<()>> {
        self.heartbeat.abort();
        let give_back = self.give_back.take()?;
        Some(give_back(Handle::try_current().ok()?))
    }

    async fn wait(&self, is_reached: impl FnMut(&News) -> bool) {
        let mut news = self.news.subscribe();
        if news.wait_for(is_reached).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for LeaseGuard {
    /// Whoever drops the worker, a lost lease included, has not died: the next one goes on at once.
    fn drop(&mut self) {
        drop(self.begin_release());
    }
}

async fn give_back<S: CheckpointStore>(store: S, lease: Lease, ttl: Duration) {
    if !matches!(timeout(ttl, store.release(&lease)).await, Ok(Ok(()))) {
        tracing::warn!(projection = %lease.key.projection, "the lease is left to expire");
    }
}

/// What the heartbeat needs.
struct Beat<S> {
    store: S,
    lease: Lease,
    ttl: Duration,
    news: Arc<watch::Sender<News>>,
    busy: Arc<Busy>,
}

impl<S: CheckpointStore> Beat<S> {
    /// Renews the lease until it is lost.
    ///
    /// The time to live counts from before each request was sent: this side's idea of when the
    /// lease expires is never later than the store's.
    async fn run(self, asked_at: Instant) {
        let mut expires_at = asked_at + self.ttl;
        loop {
            sleep(self.ttl / RENEWALS).await;
            let asked_at = Instant::now();
            let renewed = timeout_at(expires_at, self.store.renew(&self.lease, self.ttl)).await;
            match renewed {
                Ok(Ok(rebuild_requested)) => {
                    expires_at = asked_at + self.ttl;
                    if rebuild_requested {
                        self.news.send_modify(|news| news.rebuild_requested = true);
                    }
                }
                Ok(Err(error)) if is_lost(&error) || Instant::now() >= expires_at => break,
                Ok(Err(error)) => tracing::debug!(%error, "the lease was not renewed"),
                Err(_elapsed) => break,
            }
            self.tell_of_slow_work().await;
        }
        self.news.send_modify(|news| news.is_lost = true);
    }

    /// Keeps as the last error that user code takes long, so that a worker which hangs is seen.
    async fn tell_of_slow_work(&self) {
        let Some(text) = self.busy.longer_than(self.ttl) else { return };
        tracing::warn!(projection = %self.lease.key.projection, text);
        // Short enough for the next renewal to come in time.
        let limit = self.ttl / (2 * RENEWALS);
        let told = timeout(limit, self.store.record_error(&self.lease, &text)).await;
        if !matches!(told, Ok(Ok(()))) {
            tracing::debug!(projection = %self.lease.key.projection, "it could not be told of");
        }
    }
}

fn is_lost(error: &StoreError) -> bool {
    matches!(error, StoreError::LeaseLost { .. })
}
