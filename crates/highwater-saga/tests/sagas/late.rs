//! Workers that are alive and lose their leases again and again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use highwater_core::{
    ClaimedSaga, CreatedSaga, Delivery, Each, NewSaga, SagaClaim, SagaCounts, SagaId, SagaLease,
    SagaQuery, SagaRecord, SagaRecorded, SagaRequest, SagaState, SagaStore, SagaTransition, Signal,
    StoreError, Wake,
};
use highwater_saga::{Orchestrator, OrchestratorOptions, Saga, Step, StepContext, StepResult};
use highwater_testkit::MemoryStore;
use tokio::time::sleep;

use crate::support::{HOUR, Process, Trip, World, id, outcomes};

/// A store that is too slow to renew a lease before it ends.
#[derive(Clone, Default)]
struct Slow {
    store: MemoryStore,
    is_over: Arc<AtomicBool>,
}

#[async_trait]
impl SagaStore for Slow {
    async fn create_sagas(&self, sagas: Vec<NewSaga>) -> Each<CreatedSaga> {
        self.store.create_sagas(sagas).await
    }

    async fn claim_sagas(&self, claim: &SagaClaim) -> Result<Vec<ClaimedSaga>, StoreError> {
        self.store.claim_sagas(claim).await
    }

    async fn record_sagas(&self, transitions: Vec<SagaTransition>) -> Each<SagaRecorded> {
        self.store.record_sagas(transitions).await
    }

    async fn renew_sagas(&self, leases: Vec<SagaLease>, ttl: Duration) -> Each<()> {
        if !self.is_over.load(Ordering::SeqCst) {
            sleep(2 * ttl).await;
        }
        self.store.renew_sagas(leases, ttl).await
    }

    async fn request_saga(
        &self,
        id: &SagaId,
        request: SagaRequest,
    ) -> Result<SagaRecord, StoreError> {
        self.store.request_saga(id, request).await
    }

    async fn deliver_signal(&self, signal: Signal) -> Result<Delivery, StoreError> {
        self.store.deliver_signal(signal).await
    }

    async fn saga(&self, id: &SagaId) -> Result<Option<SagaRecord>, StoreError> {
        self.store.saga(id).await
    }

    async fn sagas(&self, query: &SagaQuery) -> Result<Vec<SagaRecord>, StoreError> {
        self.store.sagas(query).await
    }

    async fn count_sagas(&self, overdue: Duration, up_to: usize) -> Result<SagaCounts, StoreError> {
        self.store.count_sagas(overdue, up_to).await
    }

    fn sagas_due(&self) -> Wake {
        self.store.sagas_due()
    }
}

/// Takes longer than a lease lasts that nobody renews.
struct Long(World);

impl Step<Trip> for Long {
    const NAME: &'static str = "long";

    async fn run(&self, _: &mut Trip, cx: &StepContext) -> StepResult {
        self.0.book(cx);
        sleep(Duration::from_secs(15)).await;
        Ok(())
    }

    async fn compensate(&self, _: &mut Trip, cx: &StepContext) -> StepResult {
        self.0.cancel(cx);
        Ok(())
    }
}

/// Processes that all live on, and a saga that they have taken over `times` times.
async fn taken_over(processes: usize, times: u64) -> (Slow, Vec<Process>) {
    let (store, world) = (Slow::default(), World::default());
    let mut running = Vec::new();
    for n in 0..processes {
        let options = OrchestratorOptions { max_deaths: 3, ..Default::default() };
        let sagas = Orchestrator::with_options(store.clone(), options).unwrap();
        let saga = Saga::new("book-trip").step(Long(world.clone()));
        let trips = sagas.register(saga).unwrap();
        running.push(Process::run(sagas));
        if n == 0 {
            trips.start(id("trip-1"), &Trip::default()).await.unwrap();
        }
    }
    while store.saga(&id("trip-1")).await.unwrap().unwrap().epoch <= times
        && !store.saga(&id("trip-1")).await.unwrap().unwrap().progress.state.is_final()
    {
        sleep(Duration::from_secs(1)).await;
    }
    (store, running)
}

#[tokio::test(start_paused = true)]
async fn a_living_worker_is_never_taken_for_dead_however_often_its_lease_is_lost() {
    for processes in 1..=3 {
        let (store, running) = taken_over(processes, 12).await;
        store.is_over.store(true, Ordering::SeqCst);
        let ended = running[0].sagas.wait(&id("trip-1"), HOUR).await.unwrap();
        assert_eq!(ended.progress.state, SagaState::Completed, "{processes}: {ended:?}");
        assert!(ended.epoch > 12, "{processes}: epoch {}", ended.epoch);
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_in_which_every_worker_loses_its_lease_is_given_up_in_the_end() {
    let (_store, running) = taken_over(2, 50).await;
    let ended = running[0].sagas.wait(&id("trip-1"), HOUR).await.unwrap();
    assert_eq!(outcomes(&ended), ["long Compensated"]);
    let error = ended.progress.error.as_deref();
    assert_eq!(error, Some("step long: the lease was lost 30 times in it"));
}
