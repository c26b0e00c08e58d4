//! The store of sagas in memory: batches under one lock.

use std::time::Duration;

use async_trait::async_trait;
use highwater_core::{
    ClaimedSaga, CreatedSaga, Delivery, Each, NewSaga, SagaClaim, SagaCounts, SagaId, SagaLease,
    SagaQuery, SagaRecord, SagaRecorded, SagaRequest, SagaStore, SagaTransition, Signal,
    StoreError, Wake,
};

use super::log::Log;
use super::sagas::Sagas;
use super::{MemoryStore, State};

impl MemoryStore {
    /// Changes sagas, and wakes whoever waits for those that are due, or for events.
    fn change<T>(&self, change: impl FnOnce(&mut Sagas, &mut Log) -> T) -> T {
        let mut state = self.state();
        let State { log, sagas, .. } = &mut *state;
        let changed = change(sagas, log);
        let (head, is_any_due) = (log.head_position(), sagas.is_any_due());
        drop(state);
        self.0.bell.ring(head);
        if is_any_due {
            self.0.sagas_due.ring_all();
        }
        changed
    }
}

#[async_trait]
impl SagaStore for MemoryStore {
    async fn create_sagas(&self, sagas: Vec<NewSaga>) -> Each<CreatedSaga> {
        Ok(self.change(|rows, log| sagas.into_iter().map(|saga| rows.create(log, saga)).collect()))
    }

    async fn claim_sagas(&self, claim: &SagaClaim) -> Result<Vec<ClaimedSaga>, StoreError> {
        self.state().sagas.claim(claim)
    }

    async fn record_sagas(&self, transitions: Vec<SagaTransition>) -> Each<SagaRecorded> {
        Ok(self.change(|rows, log| {
            transitions.into_iter().map(|transition| rows.record(log, transition)).collect()
        }))
    }

    async fn renew_sagas(&self, leases: Vec<SagaLease>, ttl: Duration) -> Each<()> {
        let mut state = self.state();
        Ok(leases.iter().map(|lease| state.sagas.renew(lease, ttl)).collect())
    }

    async fn request_saga(
        &self,
        id: &SagaId,
        request: SagaRequest,
    ) -> Result<SagaRecord, StoreError> {
        self.change(|rows, _| rows.request(id, request))
    }

    async fn deliver_signal(&self, signal: Signal) -> Result<Delivery, StoreError> {
        self.change(|rows, _| rows.deliver(&signal))
    }

    async fn saga(&self, id: &SagaId) -> Result<Option<SagaRecord>, StoreError> {
        Ok(self.state().sagas.get(id))
    }

    async fn sagas(&self, query: &SagaQuery) -> Result<Vec<SagaRecord>, StoreError> {
        self.state().sagas.list(query)
    }

    async fn count_sagas(&self, overdue: Duration, up_to: usize) -> Result<SagaCounts, StoreError> {
        Ok(self.state().sagas.count(overdue, up_to))
    }

    fn sagas_due(&self) -> Wake {
        self.0.sagas_due.wake()
    }
}
