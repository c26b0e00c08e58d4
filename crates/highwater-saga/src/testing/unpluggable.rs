//! A store whose plug is pulled before or after one of its writes.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use highwater_core::{
    ClaimedSaga, CreatedSaga, Delivery, Each, NewSaga, SagaClaim, SagaCounts, SagaId, SagaLease,
    SagaQuery, SagaRecord, SagaRecorded, SagaRequest, SagaStore, SagaTransition, Signal,
    StoreError, Wake,
};
use tokio::sync::Notify;

/// Where the plug is pulled: around the write with this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Before(usize),
    After(usize),
}

/// A store that never answers again once its plug was pulled.
///
/// A claim that gives out nothing is no write; one that does is cut only afterwards, for before
/// it there is nothing to lose.
pub(super) struct Unpluggable {
    inner: Arc<dyn SagaStore>,
    cut: Cut,
    writes: AtomicUsize,
    pulled: Arc<Notify>,
}

impl Unpluggable {
    /// Also returns what tells that the plug was pulled.
    pub(super) fn new(inner: Arc<dyn SagaStore>, cut: Cut) -> (Self, Arc<Notify>) {
        let pulled = Arc::new(Notify::new());
        let notify = Arc::clone(&pulled);
        (Self { inner, cut, writes: AtomicUsize::new(0), pulled }, notify)
    }

    async fn write<T>(&self, write: impl Future<Output = T>) -> T {
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        if self.cut == Cut::Before(number) {
            self.pull().await;
        }
        let answer = write.await;
        if self.cut == Cut::After(number) {
            self.pull().await;
        }
        answer
    }

    async fn pull(&self) {
        self.pulled.notify_one();
        pending().await
    }
}

#[async_trait]
impl SagaStore for Unpluggable {
    async fn create_sagas(&self, sagas: Vec<NewSaga>) -> Each<CreatedSaga> {
        self.write(self.inner.create_sagas(sagas)).await
    }

    async fn claim_sagas(&self, claim: &SagaClaim) -> Result<Vec<ClaimedSaga>, StoreError> {
        let claimed = self.inner.claim_sagas(claim).await;
        match &claimed {
            Ok(claimed) if claimed.is_empty() => {}
            _ => self.write(async {}).await,
        }
        claimed
    }

    async fn record_sagas(&self, transitions: Vec<SagaTransition>) -> Each<SagaRecorded> {
        self.write(self.inner.record_sagas(transitions)).await
    }

    async fn renew_sagas(&self, leases: Vec<SagaLease>, ttl: Duration) -> Each<()> {
        self.write(self.inner.renew_sagas(leases, ttl)).await
    }

    async fn request_saga(
        &self,
        id: &SagaId,
        request: SagaRequest,
    ) -> Result<SagaRecord, StoreError> {
        self.write(self.inner.request_saga(id, request)).await
    }

    async fn deliver_signal(&self, signal: Signal) -> Result<Delivery, StoreError> {
        self.write(self.inner.deliver_signal(signal)).await
    }

    async fn saga(&self, id: &SagaId) -> Result<Option<SagaRecord>, StoreError> {
        self.inner.saga(id).await
    }

    async fn sagas(&self, query: &SagaQuery) -> Result<Vec<SagaRecord>, StoreError> {
        self.inner.sagas(query).await
    }

    async fn count_sagas(&self, overdue: Duration, up_to: usize) -> Result<SagaCounts, StoreError> {
        self.inner.count_sagas(overdue, up_to).await
    }

    fn sagas_due(&self) -> Wake {
        self.inner.sagas_due()
    }
}
