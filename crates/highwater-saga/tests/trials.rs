//! The trials: they pass for a saga that keeps the rules, and fail for those that do not.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use highwater_core::{EventId, Payload, SagaName, SagaRecord, SagaState, Signal, SignalKey};
use highwater_saga::testing::{
    Pace, Scene, a_crash_anywhere_resumes, every_compensation_may_fail, every_step_may_fail,
    every_step_may_repeat, run_to_end,
};
use highwater_saga::{Saga, Step, StepContext, StepResult, Wait};
use highwater_testkit::MemoryStore;
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize)]
struct Trip {
    booking: Option<String>,
}

/// How many bookings stand under each key.
type World = Arc<Mutex<BTreeMap<String, i32>>>;

/// What is wrong with how a step is written.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Flaw {
    None,
    /// It books anew whenever it is called.
    ForgetsKeys,
    /// It cancels what it remembers to have booked, not what it may have.
    CancelsFromMemory,
}

struct Book<const N: u8> {
    world: World,
    flaw: Flaw,
}

impl<const N: u8> Step<Trip> for Book<N> {
    const NAME: &'static str = ["hotel", "flight", "card"][N as usize];

    async fn run(&self, trip: &mut Trip, cx: &StepContext) -> StepResult {
        let mut world = self.world.lock().unwrap();
        let bookings = world.entry(cx.idempotency_key()).or_default();
        *bookings = if self.flaw == Flaw::ForgetsKeys { *bookings + 1 } else { 1 };
        trip.booking = Some(cx.idempotency_key());
        Ok(())
    }

    async fn compensate(&self, trip: &mut Trip, cx: &StepContext) -> StepResult {
        let key = match self.flaw {
            Flaw::CancelsFromMemory => trip.booking.clone().filter(|key| *key == cx.run_key()),
            _ => Some(cx.run_key()),
        };
        if let Some(key) = key {
            self.world.lock().unwrap().remove(&key);
        }
        Ok(())
    }
}

struct Confirmed;

impl Wait<Trip> for Confirmed {
    const NAME: &'static str = "confirmed";

    fn key(&self, _: &Trip) -> String {
        "trip/confirmed".to_owned()
    }

    fn timeout(&self) -> Option<Duration> {
        Some(Duration::from_hours(1))
    }

    fn received(&self, _: &mut Trip, _: &Signal) -> StepResult {
        Ok(())
    }
}

fn scene(flaw: Flaw) -> Scene<Trip> {
    let world = World::default();
    let saga = Saga::new("book-trip")
        .publish_events()
        .step(Book::<0> { world: Arc::clone(&world), flaw })
        .delay("night", Duration::from_hours(8))
        .step(Book::<1> { world: Arc::clone(&world), flaw })
        .wait(Confirmed)
        .step(Book::<2> { world: Arc::clone(&world), flaw });
    let confirmed = Signal {
        id: EventId::new(),
        saga: SagaName::from_static("book-trip"),
        key: SignalKey::from_static("trip/confirmed"),
        data: Payload::parse("null").unwrap(),
    };
    let check = move |ended: &SagaRecord| {
        let world: Vec<i32> = world.lock().unwrap().values().copied().collect();
        let expected: &[i32] =
            if ended.progress.state == SagaState::Completed { &[1, 1, 1] } else { &[] };
        assert_eq!(world, expected, "{:?}", ended.progress);
    };
    Scene {
        store: Arc::new(MemoryStore::new()),
        pace: Pace::default(),
        saga,
        input: Trip::default(),
        signals: vec![confirmed],
        check: Box::new(check),
    }
}

#[tokio::test(start_paused = true)]
async fn every_step_of_a_good_saga_may_fail() {
    every_step_may_fail(|| scene(Flaw::None)).await;
}

#[tokio::test(start_paused = true)]
async fn every_compensation_of_a_good_saga_may_fail() {
    every_compensation_may_fail(|| scene(Flaw::None)).await;
}

#[tokio::test(start_paused = true)]
async fn every_step_of_a_good_saga_may_repeat() {
    every_step_may_repeat(|| scene(Flaw::None)).await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_anywhere_in_a_good_saga_resumes() {
    a_crash_anywhere_resumes(|| scene(Flaw::None)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_a_sagas_own_is_tried_in_a_moment_however_long_it_takes() {
    let ended = run_to_end(scene(Flaw::None)).await;
    assert_eq!(ended.progress.state, SagaState::Completed);
    let unconfirmed = Scene { signals: Vec::new(), ..scene(Flaw::None) };
    let ended = run_to_end(unconfirmed).await;
    assert_eq!(ended.progress.state, SagaState::Compensated);
    let why = ended.progress.error.unwrap();
    assert_eq!(why, "step confirmed: nothing came within 3600s");
}

#[tokio::test(start_paused = true)]
async fn a_step_that_forgets_its_key_is_found_out() {
    for trial in [
        every_step_may_repeat(|| scene(Flaw::ForgetsKeys)).boxed_local(),
        a_crash_anywhere_resumes(|| scene(Flaw::ForgetsKeys)).boxed_local(),
    ] {
        assert!(AssertUnwindSafe(trial).catch_unwind().await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_compensation_that_trusts_its_memory_is_found_out() {
    let trial = every_step_may_fail(|| scene(Flaw::CancelsFromMemory));
    assert!(AssertUnwindSafe(trial).catch_unwind().await.is_err());
}
