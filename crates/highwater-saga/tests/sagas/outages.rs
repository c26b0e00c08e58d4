//! A store that loses requests and answers, or is slow.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use highwater_core::{
    ClaimedSaga, CreatedSaga, Delivery, Each, NewSaga, SagaClaim, SagaCounts, SagaId, SagaLease,
    SagaQuery, SagaRecord, SagaRecorded, SagaRequest, SagaState, SagaStore, SagaTransition, Signal,
    StoreError, Wake,
};
use highwater_saga::{
    Orchestrator, OrchestratorOptions, Saga, Step, StepContext, StepError, StepResult,
};
use highwater_testkit::MemoryStore;
use tokio::time::sleep;

use crate::support::{
    HOUR, Process, Trip, World, id, options, orchestrator, outcomes, trip, trip_with,
};

/// Takes its time to claim, record and renew, and may lose requests and answers in turn.
struct Flaky {
    inner: MemoryStore,
    delay: Duration,
    is_losing: bool,
    calls: AtomicUsize,
    /// Whether the next claim is never answered.
    is_deaf: AtomicBool,
    /// By how much more claims are delayed.
    claim_delay: Duration,
    /// Whether the next answer that a saga has failed is lost, after a while.
    is_hiding_failure: AtomicBool,
    /// Whether one was; claims begin late from then on.
    has_hidden_failure: AtomicBool,
}

impl Flaky {
    fn new(inner: MemoryStore) -> Self {
        Self {
            inner,
            delay: Duration::ZERO,
            is_losing: false,
            calls: 0.into(),
            is_deaf: false.into(),
            claim_delay: Duration::ZERO,
            is_hiding_failure: false.into(),
            has_hidden_failure: false.into(),
        }
    }

    async fn call<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        sleep(self.delay).await;
        match self.calls.fetch_add(1, Ordering::SeqCst) % 3 {
            _ if !self.is_losing => call.await,
            0 => Err(StoreError::Unavailable("the request was lost".into())),
            1 => {
                call.await?;
                Err(StoreError::Unavailable("the answer was lost".into()))
            }
            _ => call.await,
        }
    }
}

#[async_trait]
impl SagaStore for Flaky {
    async fn create_sagas(&self, sagas: Vec<NewSaga>) -> Each<CreatedSaga> {
        self.inner.create_sagas(sagas).await
    }

    async fn claim_sagas(&self, claim: &SagaClaim) -> Result<Vec<ClaimedSaga>, StoreError> {
        if self.is_deaf.swap(false, Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if self.has_hidden_failure.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(500)).await;
        }
        let claimed = self.call(self.inner.claim_sagas(claim)).await;
        sleep(self.claim_delay).await;
        claimed
    }

    async fn record_sagas(&self, transitions: Vec<SagaTransition>) -> Each<SagaRecorded> {
        let has_failed = transitions.iter().any(|made| made.progress.state == SagaState::Failed);
        let recorded = self.call(self.inner.record_sagas(transitions)).await;
        if has_failed && self.is_hiding_failure.swap(false, Ordering::SeqCst) {
            self.has_hidden_failure.store(true, Ordering::SeqCst);
            sleep(Duration::from_millis(200)).await;
            return Err(StoreError::Unavailable("the answer was lost".into()));
        }
        recorded
    }

    async fn renew_sagas(&self, leases: Vec<SagaLease>, ttl: Duration) -> Each<()> {
        self.call(self.inner.renew_sagas(leases, ttl)).await
    }

    async fn request_saga(
        &self,
        id: &SagaId,
        request: SagaRequest,
    ) -> Result<SagaRecord, StoreError> {
        self.inner.request_saga(id, request).await
    }

    async fn deliver_signal(&self, signal: Signal) -> Result<Delivery, StoreError> {
        self.inner.deliver_signal(signal).await
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

#[tokio::test(start_paused = true)]
async fn outages_of_the_store_cost_time_and_repeat_no_step() {
    for first in 0..3 {
        let world = World::default();
        let calls = AtomicUsize::new(first);
        let store = Flaky { is_losing: true, calls, ..Flaky::new(MemoryStore::new()) };
        let sagas = Orchestrator::with_options(store, options()).unwrap();
        let trips = sagas.register(trip(&world).publish_events()).unwrap();
        let process = Process::run(sagas);
        tokio::task::yield_now().await;
        for n in 0..20 {
            trips.start(id(&format!("trip-{n}")), &Trip::default()).await.unwrap();
        }
        for n in 0..20 {
            let ended = process.sagas.wait(&id(&format!("trip-{n}")), HOUR).await.unwrap();
            assert_eq!(ended.progress.state, SagaState::Completed);
            assert_eq!(outcomes(&ended).len(), 3);
            assert_eq!(ended.revision, 3);
        }
        assert_eq!(world.calls().len(), 60);
        process.stop().await;
    }
}

/// Takes ten minutes.
struct Long(World);

impl Step<Trip> for Long {
    const NAME: &'static str = "long";

    async fn run(&self, _: &mut Trip, cx: &StepContext) -> StepResult {
        self.0.book(cx);
        sleep(Duration::from_mins(10)).await;
        Ok(())
    }

    async fn compensate(&self, _: &mut Trip, cx: &StepContext) -> StepResult {
        self.0.cancel(cx);
        Ok(())
    }

    fn timeout(&self) -> Duration {
        HOUR
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_store_costs_a_long_step_no_lease() {
    let (inner, world) = (MemoryStore::new(), World::default());
    let delay = Duration::from_secs(1);
    let store = || Flaky { delay, ..Flaky::new(inner.clone()) };
    let process = || {
        let sagas = Orchestrator::with_options(store(), options()).unwrap();
        let trips = sagas.register(Saga::new("book-trip").step(Long(world.clone()))).unwrap();
        (Process::run(sagas), trips)
    };
    let ((one, trips), (_two, _)) = (process(), process());
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let ended = one.end_of("trip-1").await;
    assert_eq!((ended.progress.state, ended.epoch), (SagaState::Completed, 1));
    assert_eq!(world.calls(), ["trip-1/long/run"]);
}

#[tokio::test(start_paused = true)]
async fn a_claim_that_is_never_answered_costs_no_more_than_a_lease() {
    let world = World::default();
    let store = Flaky { is_deaf: true.into(), ..Flaky::new(MemoryStore::new()) };
    let sagas = Orchestrator::with_options(store, options()).unwrap();
    let trips = sagas.register(trip(&world)).unwrap();
    let process = Process::run(sagas);
    tokio::task::yield_now().await;
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    process.end_of("trip-1").await;
    process.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_long_in_coming_is_renewed_in_time() {
    let (inner, world) = (MemoryStore::new(), World::default());
    let trips = || Saga::new("book-trip").step(Long(world.clone()));
    let starter = orchestrator(&inner).register(trips()).unwrap();
    starter.start(id("trip-1"), &Trip::default()).await.unwrap();
    let claim_delay = Duration::from_secs(8);
    let slow = Flaky { claim_delay, ..Flaky::new(inner.clone()) };
    let slow = Orchestrator::with_options(slow, options()).unwrap();
    slow.register(trips()).unwrap();
    let slow = Process::run(slow);
    sleep(Duration::from_secs(1)).await;
    let every_second = OrchestratorOptions { poll_interval: Duration::from_secs(1), ..options() };
    let (_other, _) = Process::with(&inner, trips(), every_second);
    let ended = slow.end_of("trip-1").await;
    assert_eq!((ended.progress.state, ended.epoch), (SagaState::Completed, 1));
    assert_eq!(world.calls(), ["trip-1/long/run"]);
}

#[tokio::test(start_paused = true)]
async fn whoever_has_a_saga_retried_is_not_told_of_the_failure_before() {
    let (world, is_closed) = (World::default(), AtomicBool::new(true));
    let instead = move |cx: &StepContext| match cx.idempotency_key().as_str() {
        "trip-1/flight/run" => Some(Err(StepError::abort("no seat"))),
        "trip-1/hotel/compensate" if is_closed.swap(false, Ordering::SeqCst) => {
            Some(Err(StepError::abort("clo\0sed")))
        }
        _ => None,
    };
    let store = Flaky { is_hiding_failure: true.into(), ..Flaky::new(MemoryStore::new()) };
    let sagas = Orchestrator::with_options(store, options()).unwrap();
    let trips = sagas.register(trip_with(&world, instead, |_| None)).unwrap();
    let process = Process::run(sagas);
    tokio::task::yield_now().await;
    let trip = id("trip-1");
    trips.start(trip.clone(), &Trip::default()).await.unwrap();
    while process.sagas.status(&trip).await.unwrap().unwrap().progress.state != SagaState::Failed {
        sleep(Duration::from_millis(1)).await;
    }
    process.sagas.retry(&trip).await.unwrap();
    let ended = process.end_of("trip-1").await;
    assert_eq!(outcomes(&ended), ["hotel Compensated", "flight Failed"]);
    assert_eq!(ended.progress.error.as_deref(), Some("compensation of step hotel: clo\u{fffd}sed"));
}
