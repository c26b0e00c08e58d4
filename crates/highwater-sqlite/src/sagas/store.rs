//! The store of sagas.

use std::time::Duration;

use async_trait::async_trait;
use highwater_core::{
    ClaimedSaga, CreatedSaga, Delivery, Each, NewSaga, SagaClaim, SagaCounts, SagaId, SagaLease,
    SagaQuery, SagaRecord, SagaRecorded, SagaRequest, SagaStore, SagaTransition, Signal,
    StoreError, Wake,
};

use super::commit::{Done, create, now, record};
use super::{claim, row, search, signals};
use crate::database::calls::Work;
use crate::database::error::store_error;
use crate::store::SqliteStore;
use crate::store::ring;

#[async_trait]
impl SagaStore for SqliteStore {
    async fn create_sagas(&self, sagas: Vec<NewSaga>) -> Each<CreatedSaga> {
        let limits = self.limits;
        self.change(move |conn| Box::pin(async move { create(conn, &sagas, &limits).await })).await
    }

    async fn claim_sagas(&self, claim: &SagaClaim) -> Result<Vec<ClaimedSaga>, StoreError> {
        if claim.limit == 0 || claim.ttl.is_zero() {
            return Err(StoreError::invalid("a claim of no sagas, or for no time"));
        }
        // Asked of a reader first, so that idle workers do not take turns writing nothing.
        let (asked, page) = (claim.clone(), self.page_of(claim));
        let due = self
            .read_with(|conn| Box::pin(async move { search::due(conn, &asked, page).await }))
            .await?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let (page, claim) = (self.page_of(claim), claim.clone());
        self.write_with(move |conn| Box::pin(async move { claim::claim(conn, &claim, page).await }))
            .await
    }

    async fn record_sagas(&self, transitions: Vec<SagaTransition>) -> Each<SagaRecorded> {
        let limits = self.limits;
        self.change(move |conn| Box::pin(async move { record(conn, &transitions, &limits).await }))
            .await
    }

    async fn renew_sagas(&self, leases: Vec<SagaLease>, ttl: Duration) -> Each<()> {
        self.write_with(move |conn| Box::pin(async move { claim::renew(conn, &leases, ttl).await }))
            .await
    }

    async fn request_saga(
        &self,
        id: &SagaId,
        request: SagaRequest,
    ) -> Result<SagaRecord, StoreError> {
        let (id, sagas_due) = (id.clone(), self.sagas_due.clone());
        self.transact(move |mut tx| async move {
            let now = now(&mut tx).await?;
            let found = row::find(&mut *tx, std::iter::once(&id)).await?.remove(&id);
            let mut saga = found.ok_or_else(|| StoreError::SagaUnknown { id: id.clone() })??;
            saga.ask(request, now)?;
            row::put(&mut tx, std::slice::from_ref(&saga)).await?;
            tx.commit().await.map_err(store_error)?;
            if saga.is_due(now) {
                sagas_due.ring_all();
            }
            Ok(saga.record)
        })
        .await
    }

    async fn deliver_signal(&self, signal: Signal) -> Result<Delivery, StoreError> {
        let sagas_due = self.sagas_due.clone();
        self.transact(|mut tx| async move {
            let delivery = signals::keep(&mut tx, &signal).await?;
            tx.commit().await.map_err(store_error)?;
            if delivery == Delivery::Woken {
                sagas_due.ring_all();
            }
            Ok(delivery)
        })
        .await
    }

    async fn saga(&self, id: &SagaId) -> Result<Option<SagaRecord>, StoreError> {
        let wanted = id.clone();
        let found = self
            .read_with(|conn| {
                Box::pin(async move { row::find(conn, std::iter::once(&wanted)).await })
            })
            .await?
            .remove(id);
        Ok(found.transpose()?.map(|saga| saga.record))
    }

    async fn sagas(&self, query: &SagaQuery) -> Result<Vec<SagaRecord>, StoreError> {
        if query.limit == 0 {
            return Err(StoreError::invalid("a search for no sagas"));
        }
        let after = match &query.after {
            None => None,
            Some(id) => {
                let unknown = || StoreError::invalid(format!("saga {id:?} to search after"));
                let saga = self.saga(id).await?.ok_or_else(unknown)?;
                Some((saga.started_at.timestamp_micros(), saga.id.to_string()))
            }
        };
        let (query, bytes) = (query.clone(), self.page_bytes());
        self.read_with(move |conn| {
            let search = async move { search::search(conn, &query, after, bytes).await };
            Box::pin(search)
        })
        .await
    }

    async fn count_sagas(&self, overdue: Duration, up_to: usize) -> Result<SagaCounts, StoreError> {
        self.read_with(move |conn| {
            Box::pin(async move { search::count(conn, overdue, up_to).await })
        })
        .await
    }

    fn sagas_due(&self) -> Wake {
        self.sagas_due.wake()
    }
}

impl SqliteStore {
    /// Changes sagas in one transaction, and wakes whoever waits for what was committed.
    async fn change<T: Send + 'static>(&self, work: impl Work<Done<T>>) -> Each<T> {
        let (bell, sagas_due) = (self.bell.clone(), self.sagas_due.clone());
        self.transact(|mut tx| async move {
            let done = work(&mut tx).await?;
            tx.commit().await.map_err(store_error)?;
            ring(&bell, done.head);
            if done.is_any_due {
                sagas_due.ring_all();
            }
            Ok(done.answers)
        })
        .await
    }
}
