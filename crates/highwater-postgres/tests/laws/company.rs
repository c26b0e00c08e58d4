//! A store in which nothing is done to one saga alone.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use highwater_core::{
    Appended, ClaimedSaga, CreatedSaga, Delivery, Due, Each, EventStore, EventType, Imported,
    NewEvent, NewSaga, Offset, Owner, Page, Payload, SagaClaim, SagaCounts, SagaId, SagaLease,
    SagaName, SagaProgress, SagaQuery, SagaRecord, SagaRecorded, SagaRequest, SagaStore,
    SagaTransition, Signal, Source, StoreError, StreamAppend, StreamName, Wake,
};
use highwater_postgres::PgStore;
use highwater_testkit::Fixture;

use crate::support::{self, Schema};

const COMPANION: SagaId = SagaId::from_static("companion");

/// Adds to each call a creation, or a transition, that changes nothing.
pub(crate) struct InCompany(PgStore);

pub(crate) struct Company(Schema);

pub(crate) async fn fresh() -> Company {
    let schema = support::fresh().await;
    let created = schema.store().create_sagas(vec![companion()]).await;
    assert!(created.is_ok_and(|answers| matches!(answers[..], [Ok(_)])));
    Company(schema)
}

impl Fixture for Company {
    type Store = InCompany;

    fn store(&self) -> InCompany {
        InCompany(self.0.store())
    }

    async fn reopen(&self) -> InCompany {
        InCompany(self.0.reopen().await)
    }

    async fn finish(self) {
        self.0.finish().await;
    }
}

/// A saga that no law claims.
fn companion() -> NewSaga {
    NewSaga {
        id: COMPANION,
        correlation_id: COMPANION.into(),
        name: SagaName::from_static("companion"),
        version: 1,
        plan: Vec::new(),
        input: Payload::from_stored("{}"),
        deadline: None,
        claimed_by: None,
        appends: Vec::new(),
    }
}

/// A move of the companion by somebody who does not hold it.
fn no_move() -> SagaTransition {
    SagaTransition {
        lease: SagaLease { id: COMPANION, owner: Owner::new("nobody"), epoch: 7 },
        revision: 7,
        request: None,
        progress: SagaProgress::new(Payload::from_stored("{}")),
        timer: None,
        due: Due::OnRequest,
        consumes: None,
        closes: Vec::new(),
        appends: Vec::new(),
    }
}

#[async_trait]
impl SagaStore for InCompany {
    async fn create_sagas(&self, mut sagas: Vec<NewSaga>) -> Each<CreatedSaga> {
        sagas.push(companion());
        let mut answers = self.0.create_sagas(sagas).await?;
        let answer = answers.pop();
        assert!(matches!(answer, Some(Ok(CreatedSaga { is_new: false, .. }))), "{answer:?}");
        Ok(answers)
    }

    async fn record_sagas(&self, mut transitions: Vec<SagaTransition>) -> Each<SagaRecorded> {
        transitions.push(no_move());
        let mut answers = self.0.record_sagas(transitions).await?;
        let answer = answers.pop();
        assert!(matches!(answer, Some(Err(StoreError::SagaLeaseLost { .. }))), "{answer:?}");
        Ok(answers)
    }

    async fn sagas(&self, query: &SagaQuery) -> Result<Vec<SagaRecord>, StoreError> {
        let with_companion = SagaQuery { limit: query.limit + query.limit.min(1), ..query.clone() };
        let mut found = self.0.sagas(&with_companion).await?;
        found.retain(|saga| saga.id != COMPANION);
        found.truncate(query.limit);
        Ok(found)
    }

    async fn claim_sagas(&self, claim: &SagaClaim) -> Result<Vec<ClaimedSaga>, StoreError> {
        self.0.claim_sagas(claim).await
    }

    async fn renew_sagas(&self, leases: Vec<SagaLease>, ttl: Duration) -> Each<()> {
        self.0.renew_sagas(leases, ttl).await
    }

    async fn request_saga(
        &self,
        id: &SagaId,
        request: SagaRequest,
    ) -> Result<SagaRecord, StoreError> {
        self.0.request_saga(id, request).await
    }

    async fn deliver_signal(&self, signal: Signal) -> Result<Delivery, StoreError> {
        self.0.deliver_signal(signal).await
    }

    async fn saga(&self, id: &SagaId) -> Result<Option<SagaRecord>, StoreError> {
        self.0.saga(id).await
    }

    async fn count_sagas(&self, overdue: Duration, up_to: usize) -> Result<SagaCounts, StoreError> {
        let mut counts = self.0.count_sagas(overdue, up_to).await?;
        counts.overdue.retain(|kind| kind.name != companion().name);
        Ok(counts)
    }

    fn sagas_due(&self) -> Wake {
        self.0.sagas_due()
    }
}

#[async_trait]
impl EventStore for InCompany {
    async fn append(&self, batch: Vec<StreamAppend>) -> Result<Appended, StoreError> {
        self.0.append(batch).await
    }

    async fn import(&self, events: Vec<(StreamName, NewEvent)>) -> Result<Imported, StoreError> {
        self.0.import(events).await
    }

    async fn read(
        &self,
        source: &Source,
        types: &[EventType],
        after: Option<Offset>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        self.0.read(source, types, after, limit).await
    }

    async fn head(&self, source: &Source) -> Result<Option<Offset>, StoreError> {
        self.0.head(source).await
    }

    async fn now(&self) -> Result<DateTime<Utc>, StoreError> {
        self.0.now().await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.0.probe().await
    }

    fn wake(&self) -> Wake {
        self.0.wake()
    }
}
