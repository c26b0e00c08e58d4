//! Defects in the user's code end in the saga's error, never in a saga that nobody moves.

use std::time::Duration;

use highwater_core::{EventId, Payload, SagaState, Signal, SignalKey};
use highwater_saga::{RetryPolicy, Saga, Step, StepContext, StepError, StepResult, Wait};
use highwater_testkit::MemoryStore;

use crate::support::{Hotel, Process, Trip, World, id, outcomes, quiet};

const PAID: SignalKey = SignalKey::from_static("trip-1/paid");

/// Where the defect is.
#[derive(Clone, Copy, PartialEq)]
enum Defect {
    Key,
    Received,
    TimedOut,
}

struct Reckless(Defect);

impl Reckless {
    fn meet(&self, place: Defect) {
        assert!(self.0 != place, "a defect");
    }
}

impl Wait<Trip> for Reckless {
    const NAME: &'static str = "paid";

    fn key(&self, _: &Trip) -> String {
        self.meet(Defect::Key);
        PAID.to_string()
    }

    fn timeout(&self) -> Option<Duration> {
        Some(Duration::from_secs(10))
    }

    fn received(&self, _: &mut Trip, _: &Signal) -> StepResult {
        self.meet(Defect::Received);
        Ok(())
    }

    fn timed_out(&self, _: &mut Trip) -> StepResult {
        self.meet(Defect::TimedOut);
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_panics_is_given_up() {
    for defect in [Defect::Key, Defect::Received, Defect::TimedOut] {
        let (store, world) = (MemoryStore::new(), World::default());
        let saga = Saga::new("book-trip").step(quiet!(Hotel, world)).wait(Reckless(defect));
        let (process, trips) = Process::start(&store, saga);
        if defect == Defect::Received {
            let data = Payload::of(&42).unwrap();
            trips.deliver(PAID, EventId::new(), data).await.unwrap();
        }
        trips.start(id("trip-1"), &Trip::default()).await.unwrap();
        let ended = process.end_of("trip-1").await;
        assert_eq!(outcomes(&ended), ["hotel Compensated", "paid Failed"]);
        assert_eq!(ended.progress.error.unwrap(), "step paid: the step panicked: a defect");
    }
}

/// Fails both ways, and panics when asked about itself.
struct Flighty;

impl Step<Trip> for Flighty {
    const NAME: &'static str = "flight";

    async fn run(&self, _: &mut Trip, _: &StepContext) -> StepResult {
        Err(StepError::unknown("no answer"))
    }

    async fn compensate(&self, _: &mut Trip, _: &StepContext) -> StepResult {
        Err(StepError::unknown("no answer"))
    }

    fn timeout(&self) -> Duration {
        panic!("a defect")
    }

    fn retry(&self, _: &StepError) -> RetryPolicy {
        panic!("a defect")
    }

    fn retry_compensation(&self, _: &StepError) -> RetryPolicy {
        panic!("a defect")
    }
}

#[tokio::test(start_paused = true)]
async fn a_step_whose_policies_panic_is_not_tried_again() {
    let (store, world) = (MemoryStore::new(), World::default());
    let saga = Saga::new("book-trip").step(quiet!(Hotel, world)).step(Flighty);
    let (process, trips) = Process::start(&store, saga);
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let failed = process.end_of("trip-1").await;
    assert_eq!(failed.progress.state, SagaState::Failed);
    assert_eq!(outcomes(&failed), ["hotel Completed", "flight Stuck"]);
    let flight = &failed.progress.steps[1];
    assert_eq!((flight.attempts, flight.compensation_attempts), (1, 1));
}
