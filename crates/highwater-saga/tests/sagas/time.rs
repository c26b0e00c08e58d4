//! Delays, deadlines and waits.

use std::time::Duration;

use highwater_core::{Delivery, EventId, Payload, SagaState, Signal, SignalKey};
use highwater_saga::{Saga, StepError, StepResult, Wait};
use highwater_testkit::MemoryStore;
use tokio::time::Instant;

use crate::support::{Hotel, Process, Trip, World, id, outcomes, quiet, trip_where};

const PAID: SignalKey = SignalKey::from_static("trip-1/paid");

/// Waits an hour for the payment.
struct Paid;

impl Wait<Trip> for Paid {
    const NAME: &'static str = "paid";

    fn key(&self, _: &Trip) -> String {
        PAID.to_string()
    }

    fn timeout(&self) -> Option<Duration> {
        Some(Duration::from_hours(1))
    }

    fn received(&self, trip: &mut Trip, signal: &Signal) -> StepResult {
        let amount: u32 = signal.data.to().map_err(StepError::abort)?;
        trip.booked.push(format!("paid {amount}"));
        Ok(())
    }
}

/// A trip that waits an hour for `trip-1/paid` once the hotel is booked.
pub(crate) fn paid_trip(world: &World) -> Saga<Trip> {
    Saga::new("book-trip").step(quiet!(Hotel, world)).wait(Paid)
}

#[tokio::test(start_paused = true)]
async fn a_delay_outlives_the_process_and_takes_its_time() {
    let (store, world) = (MemoryStore::new(), World::default());
    let saga = Saga::new("book-trip")
        .delay("cool-off", Duration::from_hours(24))
        .step(quiet!(Hotel, world));
    let (process, trips) = Process::start(&store, saga.clone());
    let begun = Instant::now();
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    tokio::time::sleep(Duration::from_hours(6)).await;
    process.kill().await;
    assert_eq!(world.calls(), [""; 0]);
    let (process, _) = Process::start(&store, saga);
    let ended = process.sagas.wait(&id("trip-1"), Duration::from_hours(48)).await.unwrap();
    assert_eq!(outcomes(&ended), ["cool-off Completed", "hotel Completed"]);
    let took = begun.elapsed();
    assert!(took >= Duration::from_hours(24), "{took:?}");
    assert!(took < Duration::from_hours(24) + Duration::from_secs(6), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_makes_a_saga_give_up_even_while_it_sleeps() {
    let (store, world) = (MemoryStore::new(), World::default());
    let saga = Saga::new("book-trip")
        .deadline(Duration::from_mins(10))
        .step(quiet!(Hotel, world))
        .delay("cool-off", Duration::from_hours(24));
    let (process, trips) = Process::start(&store, saga);
    let begun = Instant::now();
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let ended = process.end_of("trip-1").await;
    assert_eq!(ended.progress.state, SagaState::Compensated);
    assert_eq!(ended.progress.error.as_deref(), Some("the deadline has passed"));
    assert!(begun.elapsed() < Duration::from_mins(11));
    assert_eq!(world.standing(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_cuts_a_step_and_its_retries_short() {
    let (store, world) = (MemoryStore::new(), World::default());
    let saga = trip_where(&world, "flight/run", |_| Some(Err(StepError::retry("too busy"))));
    let (process, trips) = Process::start(&store, saga.deadline(Duration::from_millis(50)));
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let ended = process.end_of("trip-1").await;
    assert_eq!(outcomes(&ended), ["hotel Compensated", "flight Failed"]);
    assert_eq!(ended.progress.steps[1].attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_wait_takes_its_signal_whether_it_comes_late_or_early() {
    for is_early in [true, false] {
        let (store, world) = (MemoryStore::new(), World::default());
        let (process, trips) = Process::start(&store, paid_trip(&world));
        let event = EventId::new();
        let deliver = async || {
            let data = Payload::of(&42).unwrap();
            trips.deliver(PAID, event, data).await.unwrap();
        };
        if is_early {
            deliver().await;
        }
        trips.start(id("trip-1"), &Trip::default()).await.unwrap();
        if !is_early {
            tokio::time::sleep(Duration::from_mins(30)).await;
            let waits = process.sagas.status(&id("trip-1")).await.unwrap().unwrap();
            assert_eq!((waits.owner, waits.progress.waiting_for), (None, Some(PAID)));
            deliver().await;
        }
        let ended = process.end_of("trip-1").await;
        assert_eq!(outcomes(&ended), ["hotel Completed", "paid Completed"]);
        let state: Trip = ended.progress.data.to().unwrap();
        assert_eq!(state.booked, ["hotel", "paid 42"]);
        deliver().await;
        let late = trips.deliver(PAID, EventId::new(), Payload::of(&7).unwrap()).await.unwrap();
        assert_eq!(late, Delivery::Ended(id("trip-1")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_in_vain_compensates() {
    let (store, world) = (MemoryStore::new(), World::default());
    let (process, trips) = Process::start(&store, paid_trip(&world));
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let ended = process.sagas.wait(&id("trip-1"), Duration::from_hours(2)).await.unwrap();
    assert_eq!(outcomes(&ended), ["hotel Compensated", "paid Failed"]);
    assert_eq!(ended.progress.error.as_deref(), Some("step paid: nothing came within 3600s"));
}

#[tokio::test(start_paused = true)]
async fn a_malformed_signal_is_passed_over_and_the_wait_goes_on() {
    let (store, world) = (MemoryStore::new(), World::default());
    let (process, trips) = Process::start(&store, paid_trip(&world));
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    tokio::time::sleep(Duration::from_mins(30)).await;
    let nonsense = Payload::of("a lot").unwrap();
    trips.deliver(PAID, EventId::new(), nonsense.clone()).await.unwrap();
    tokio::time::sleep(Duration::from_mins(10)).await;
    let waits = process.sagas.status(&id("trip-1")).await.unwrap().unwrap();
    assert_eq!((waits.owner, waits.progress.waiting_for), (None, Some(PAID)));
    let error = waits.progress.error.unwrap();
    assert!(error.starts_with("a signal was passed over: invalid type"), "{error}");
    for data in [nonsense, Payload::of(&42).unwrap()] {
        trips.deliver(PAID, EventId::new(), data).await.unwrap();
    }
    let ended = process.end_of("trip-1").await;
    assert_eq!(outcomes(&ended), ["hotel Completed", "paid Completed"]);
    assert_eq!(ended.progress.error, None);

    trips
        .deliver(SignalKey::from_static("trip-1/paid"), EventId::new(), Payload::of("no").unwrap())
        .await
        .unwrap();
    trips.start(id("trip-2"), &Trip::default()).await.unwrap();
    let ended = process.sagas.wait(&id("trip-2"), Duration::from_hours(2)).await.unwrap();
    let error = ended.progress.error.as_deref();
    assert_eq!(error, Some("step paid: nothing came within 3600s"), "its time goes on");
}
