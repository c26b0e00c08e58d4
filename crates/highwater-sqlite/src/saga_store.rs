//! The store of sagas.

use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use highwater_core::{
    ClaimedSaga, CreatedSaga, Delivery, Each, NewSaga, SagaClaim, SagaId, SagaLease, SagaQuery,
    SagaRecord, SagaRecorded, SagaRequest, SagaStore, SagaTransition, Signal, StoreError, Wake,
};

use crate::error::store_error;
use crate::saga_batch::{Done, create, now, record};
use crate::write::begin;
use crate::{SqliteStore, saga_rows, saga_search, saga_signals};

#[async_trait]
impl SagaStore for SqliteStore {
    async fn create_sagas(&self, sagas: Vec<NewSaga>) -> Each<CreatedSaga> {
        let mut tx = begin(&self.writer).await?;
        let done = create(&mut tx, &sagas, &self.limits).await?;
        tx.commit().await.map_err(store_error)?;
        Ok(self.announce(done))
    }

    async fn claim_sagas(&self, claim: &SagaClaim) -> Result<Vec<ClaimedSaga>, StoreError> {
        if claim.limit == 0 || claim.ttl.is_zero() {
            return Err(StoreError::invalid("a claim of no sagas, or for no time"));
        }
        // Asked of a reader first, so that idle workers do not take turns writing nothing.
        let mut reader = self.readers.acquire().await.map_err(store_error)?;
        if saga_search::due(&mut reader, claim).await?.is_empty() {
            return Ok(Vec::new());
        }
        drop(reader);
        let mut tx = begin(&self.writer).await?;
        let (due, now) = (saga_search::due(&mut tx, claim).await?, now(&mut tx).await?);
        let mut found = saga_rows::find(&mut *tx, due.iter()).await?;
        let (mut claimed, mut rows) =
            (Vec::with_capacity(due.len()), Vec::with_capacity(due.len()));
        for id in &due {
            let mut saga = match found.remove(id) {
                Some(Ok(saga)) => saga,
                Some(Err(error)) => {
                    let cause = error.source().map(ToString::to_string);
                    tracing::error!(saga = %id, cause, "a saga that is due is left as it is");
                    saga_rows::put_off(&mut tx, id, claim.ttl, now).await?;
                    continue;
                }
                None => continue,
            };
            let is_takeover = saga.claim(&claim.owner, claim.ttl, now);
            let signal = saga_signals::take_for(&mut tx, &saga.record).await?;
            claimed.push(saga.claimed(is_takeover, signal, now));
            rows.push(saga);
        }
        saga_rows::put(&mut tx, &rows).await?;
        tx.commit().await.map_err(store_error)?;
        Ok(claimed)
    }

    async fn record_sagas(&self, transitions: Vec<SagaTransition>) -> Each<SagaRecorded> {
        let mut tx = begin(&self.writer).await?;
        let done = record(&mut tx, &transitions, &self.limits).await?;
        tx.commit().await.map_err(store_error)?;
        Ok(self.announce(done))
    }

    async fn renew_sagas(&self, leases: Vec<SagaLease>, ttl: Duration) -> Each<()> {
        let mut tx = begin(&self.writer).await?;
        let now = now(&mut tx).await?;
        let mut answers = Vec::with_capacity(leases.len());
        for lease in &leases {
            answers.push(saga_rows::renew(&mut tx, lease, ttl, now).await?);
        }
        tx.commit().await.map_err(store_error)?;
        Ok(answers)
    }

    async fn request_saga(
        &self,
        id: &SagaId,
        request: SagaRequest,
    ) -> Result<SagaRecord, StoreError> {
        let mut tx = begin(&self.writer).await?;
        let now = now(&mut tx).await?;
        let found = saga_rows::find(&mut *tx, std::iter::once(id)).await?.remove(id);
        let mut saga = found.ok_or_else(|| StoreError::SagaUnknown { id: id.clone() })??;
        saga.ask(request, now)?;
        saga_rows::put(&mut tx, std::slice::from_ref(&saga)).await?;
        tx.commit().await.map_err(store_error)?;
        if saga.is_due(now) {
            self.sagas_due.ring_all();
        }
        Ok(saga.record)
    }

    async fn deliver_signal(&self, signal: Signal) -> Result<Delivery, StoreError> {
        let mut tx = begin(&self.writer).await?;
        let delivery = saga_signals::keep(&mut tx, &signal).await?;
        tx.commit().await.map_err(store_error)?;
        if delivery == Delivery::Woken {
            self.sagas_due.ring_all();
        }
        Ok(delivery)
    }

    async fn saga(&self, id: &SagaId) -> Result<Option<SagaRecord>, StoreError> {
        let found = saga_rows::find(&self.readers, std::iter::once(id)).await?.remove(id);
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
        let mut reader = self.readers.acquire().await.map_err(store_error)?;
        saga_search::search(&mut reader, query, after).await
    }

    fn sagas_due(&self) -> Wake {
        self.sagas_due.wake()
    }
}

impl SqliteStore {
    /// Wakes whoever waits for what was committed, and passes on the answers.
    fn announce<T>(&self, done: Done<T>) -> Vec<Result<T, StoreError>> {
        self.bell.ring(done.head);
        if done.is_any_due {
            self.sagas_due.ring_all();
        }
        done.answers
    }
}
