//! Everything at once, by seed: steps that misbehave, a store that fails, processes that are
//! killed, and somebody who asks for this and that.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use highwater_core::{
    ClaimedSaga, CreatedSaga, Delivery, Each, NewSaga, SagaClaim, SagaCounts, SagaId, SagaLease,
    SagaQuery, SagaRecord, SagaRecorded, SagaRequest, SagaState, SagaStore, SagaTransition, Signal,
    StepOutcome, StoreError, Wake,
};
use highwater_saga::{
    Direction, Orchestrator, OrchestratorOptions, RetryPolicy, Saga, SagaHandle, Step, StepContext,
    StepError, StepResult,
};
use highwater_testkit::MemoryStore;
use tokio::time::sleep;

use crate::support::{Process, Trip, World, id};

const SEEDS: u64 = 30;
const SAGAS: usize = 12;

fn roll(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// What both processes, their steps and their stores share.
#[derive(Clone)]
struct Storm {
    seed: u64,
    calls: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    world: World,
    store: MemoryStore,
    mistakes: Arc<Mutex<Vec<String>>>,
}

impl Storm {
    fn new(seed: u64) -> Self {
        let (calls, is_over, mistakes) = Default::default();
        let (world, store) = (World::default(), MemoryStore::new());
        Self { seed, calls, is_over, world, store, mistakes }
    }

    /// Carries a call out or not, sooner or later, and answers it or not.
    async fn strike<T>(
        &self,
        call: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if self.is_over.load(Ordering::SeqCst) {
            return call.await;
        }
        let second = Duration::from_secs(1);
        let longer_than_a_lease = 12 * second;
        match roll((self.seed, self.calls.fetch_add(1, Ordering::SeqCst))) % 16 {
            0 | 1 => return Err(StoreError::Unavailable("the request was lost".into())),
            2 | 3 => {
                call.await?;
                return Err(StoreError::Unavailable("the answer was lost".into()));
            }
            4 => sleep(second).await,
            5 => sleep(longer_than_a_lease).await,
            6 => {
                let answer = call.await;
                sleep(second).await;
                return answer;
            }
            7 => {
                let answer = call.await;
                sleep(longer_than_a_lease).await;
                return answer;
            }
            _ => {}
        }
        call.await
    }

    fn saga(&self) -> Saga<Trip> {
        let [one, two, three] = [self.clone(), self.clone(), self.clone()];
        Saga::new("book-trip")
            .step(Fickle::<0>(one))
            .step(Fickle::<1>(two))
            .step(Fickle::<2>(three))
    }

    fn process(&self) -> (Process, SagaHandle<Trip>) {
        let poll_interval = Duration::from_millis(250);
        let options = OrchestratorOptions { poll_interval, ..Default::default() };
        let sagas = Orchestrator::with_options(self.clone(), options).unwrap();
        let trips = sagas.register(self.saga()).unwrap();
        (Process::run(sagas), trips)
    }

    /// Nobody else may hold the saga now, nor may the step be done with.
    async fn check(&self, cx: &StepContext) {
        let saga = self.store.saga(&cx.saga).await.unwrap().unwrap();
        let done = match cx.direction {
            Direction::Run => StepOutcome::Completed,
            Direction::Compensate => StepOutcome::Compensated,
        };
        let mut steps = saga.progress.steps.iter();
        if saga.epoch != cx.epoch || steps.any(|s| s.step == cx.step && s.outcome == done) {
            // A panic would be caught, and taken for one of the step's.
            self.mistakes.lock().unwrap().push(format!("{cx:?} of {saga:?}"));
        }
    }

    /// What the step, or its compensation, comes to this time.
    async fn go(&self, cx: &StepContext, effect: impl Fn()) -> StepResult {
        self.check(cx).await;
        let is_run = cx.direction == Direction::Run;
        match roll((self.seed, cx.idempotency_key(), cx.attempt, cx.epoch)) % 14 {
            0 if is_run => return Err(StepError::abort("no")),
            1 => return Err(StepError::retry("busy")),
            2 => {
                effect();
                return Err(StepError::unknown(std::fmt::Error));
            }
            3 => {
                effect();
                sleep(Duration::from_mins(1)).await;
            }
            4 | 5 => {
                for _ in 0..56 {
                    sleep(Duration::from_millis(250)).await;
                    self.check(cx).await;
                }
                effect();
            }
            _ => effect(),
        }
        Ok(())
    }
}

/// A step with a mind of its own.
struct Fickle<const N: usize>(Storm);

impl<const N: usize> Step<Trip> for Fickle<N> {
    const NAME: &'static str = ["hotel", "flight", "card"][N];

    async fn run(&self, _: &mut Trip, cx: &StepContext) -> StepResult {
        self.0.go(cx, || self.0.world.book(cx)).await
    }

    async fn compensate(&self, _: &mut Trip, cx: &StepContext) -> StepResult {
        self.0.go(cx, || self.0.world.cancel(cx)).await
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(20)
    }

    fn retry_compensation(&self, _: &StepError) -> RetryPolicy {
        RetryPolicy::attempts(2)
    }
}

#[async_trait]
impl SagaStore for Storm {
    async fn create_sagas(&self, sagas: Vec<NewSaga>) -> Each<CreatedSaga> {
        self.strike(self.store.create_sagas(sagas)).await
    }

    async fn claim_sagas(&self, claim: &SagaClaim) -> Result<Vec<ClaimedSaga>, StoreError> {
        self.strike(self.store.claim_sagas(claim)).await
    }

    async fn record_sagas(&self, transitions: Vec<SagaTransition>) -> Each<SagaRecorded> {
        self.strike(self.store.record_sagas(transitions)).await
    }

    async fn renew_sagas(&self, leases: Vec<SagaLease>, ttl: Duration) -> Each<()> {
        self.strike(self.store.renew_sagas(leases, ttl)).await
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

#[tokio::test(start_paused = true)]
async fn whatever_happens_a_saga_is_done_or_undone_and_a_cancellation_is_kept() {
    for seed in 0..SEEDS {
        let storm = Storm::new(seed);
        let (mut one, trips) = storm.process();
        let (mut two, _) = storm.process();
        let ids: Vec<SagaId> = (0..SAGAS).map(|n| id(&format!("trip-{n}"))).collect();
        for id in &ids {
            while trips.start(id.clone(), &Trip::default()).await.is_err() {}
        }
        let mut cancelled = BTreeSet::new();
        for turn in 0..100 {
            sleep(Duration::from_millis(roll((seed, turn, "pause")) % 3_000)).await;
            let id = &ids[roll((seed, turn, "saga")) as usize % SAGAS];
            let request = SagaRequest::ALL[roll((seed, turn, "request")) as usize % 4];
            let asked = storm.store.request_saga(id, request).await;
            if asked.is_ok() && request == SagaRequest::Cancel {
                cancelled.insert(id.clone());
            }
            if turn % 10 == 9 {
                std::mem::swap(&mut one, &mut two);
                std::mem::replace(&mut one, storm.process().0).kill().await;
            }
        }
        storm.is_over.store(true, Ordering::SeqCst);
        for id in &ids {
            let ended = end_of(&storm, id).await;
            let expected = if ended.progress.state == SagaState::Completed { 3 } else { 0 };
            let standing = storm.world.standing();
            let own = standing.iter().filter(|key| key.starts_with(&format!("{id}/"))).count();
            assert_eq!(own, expected, "seed {seed}: {standing:?} of {ended:?}");
            let is_undone = ended.progress.state == SagaState::Compensated;
            assert!(is_undone || !cancelled.contains(id), "seed {seed}: {ended:?} was cancelled");
        }
        one.stop().await;
        two.stop().await;
        assert_eq!(*storm.mistakes.lock().unwrap(), [""; 0], "seed {seed}");
    }
}

/// The saga at its end, whatever has to be asked for it.
async fn end_of(storm: &Storm, id: &SagaId) -> SagaRecord {
    for _ in 0..1_000 {
        let saga = storm.store.saga(id).await.unwrap().unwrap();
        match saga.progress.state {
            state if state.is_final() => return saga,
            SagaState::Paused => drop(storm.store.request_saga(id, SagaRequest::Resume).await),
            SagaState::Failed => drop(storm.store.request_saga(id, SagaRequest::Retry).await),
            _ => {}
        }
        sleep(Duration::from_secs(5)).await;
    }
    panic!("seed {}: {:?} does not end", storm.seed, storm.store.saga(id).await);
}
