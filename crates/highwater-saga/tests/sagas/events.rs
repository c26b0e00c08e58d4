//! Sagas and the log: events that they publish, and events that start them.

use highwater_core::{
    EventStore, EventStoreExt, EventType, Handler, IdempotencyKey, Metadata, NewEvent, Payload,
    ProjectionName, RecordedEvent, SagaState, SignalKey, Source, StoreError, StreamAppend,
    StreamName, Upcasters,
};
use highwater_saga::{Opening, Saga, SagaEvent, Start, StepContext, StepError, StepResult};
use highwater_testkit::MemoryStore;

use crate::support::{HOUR, Process, Trip, World, id, orchestrator, outcomes, trip, trip_where};
use crate::time::paid_trip;

const ORDERED: EventType = EventType::from_static("Ordered");
const PAID: EventType = EventType::from_static("Paid");

async fn events(store: &MemoryStore, stream: &str) -> Vec<RecordedEvent> {
    let source = Source::Stream(StreamName::new(stream).unwrap());
    store.read(&source, &[], None, 100).await.unwrap().events
}

fn ordered(order: &str) -> NewEvent {
    NewEvent::new(ORDERED, Payload::of(order).unwrap())
}

#[tokio::test(start_paused = true)]
async fn each_transition_is_told_to_the_stream_of_the_saga() {
    let (store, world) = (MemoryStore::new(), World::default());
    let saga = trip_where(&world, "flight/run", |cx| {
        Some(Err(match cx.attempt {
            1 => StepError::retry("too busy"),
            _ => StepError::abort("sold out"),
        }))
    });
    let (process, trips) = Process::start(&store, saga.publish_events());
    let start = Start::new(id("trip-1")).correlated(id("order-7"));
    trips.start(start, &Trip::default()).await.unwrap();
    process.end_of("trip-1").await;
    let recorded = events(&store, "saga-%book%2Dtrip-trip-1").await;
    assert!(
        recorded
            .iter()
            .all(|event| { event.metadata.correlation_id().as_deref() == Some("order-7") })
    );
    let types: Vec<_> = recorded.iter().map(|event| event.event_type.to_string()).collect();
    assert_eq!(
        types,
        [
            "SagaStarted",
            "StepCompleted",
            "StepRetried",
            "StepFailed",
            "SagaStateChanged",
            "StepCompensated",
            "SagaStateChanged",
        ]
    );
    let failed = recorded[3].clone().decode::<SagaEvent>().unwrap().data;
    let SagaEvent::StepFailed(step) = failed else { panic!("{failed:?}") };
    assert_eq!((&*step.step, step.attempts), ("flight", 2));
    assert_eq!(step.error.as_deref(), Some("sold out"));
}

#[tokio::test(start_paused = true)]
async fn the_history_of_a_saga_is_what_it_told() {
    let (store, world) = (MemoryStore::new(), World::default());
    let (process, trips) = Process::start(&store, trip(&world).publish_events());
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    process.end_of("trip-1").await;
    let foreign = vec![ordered("one")];
    let stream = StreamName::from_static("saga-%book%2Dtrip-trip-1");
    store.append_to(stream, highwater_core::Expected::Any, foreign).await.unwrap();
    let history = process.sagas.history(&store, &id("trip-1")).await.unwrap();
    let told = events(&store, "saga-%book%2Dtrip-trip-1").await;
    assert_eq!(history.len() + 1, told.len(), "what another wrote is passed over");
    assert!(matches!(history[0].data, SagaEvent::SagaStarted { version: 1, .. }));
    let last = &history[history.len() - 1].data;
    assert!(matches!(last, SagaEvent::SagaStateChanged { to: SagaState::Completed, .. }));
    let nobody = process.sagas.history(&store, &id("nobody")).await;
    assert!(matches!(nobody, Err(StoreError::SagaUnknown { .. })), "{nobody:?}");
}

#[tokio::test(start_paused = true)]
async fn a_saga_starts_in_the_transaction_of_an_append() {
    let (store, world) = (MemoryStore::new(), World::default());
    let (process, trips) = Process::start(&store, trip(&world));
    let order = StreamAppend::new(StreamName::from_static("order-1"), vec![ordered("one")]);
    for _ in 0..2 {
        let start = Start::new(id("trip-1")).appending(vec![order.clone()]);
        trips.start(start, &Trip::default()).await.unwrap();
    }
    assert_eq!(events(&store, "order-1").await.len(), 1);
    process.end_of("trip-1").await;
}

#[tokio::test]
async fn an_event_starts_a_saga_once_however_often_it_is_seen() {
    let (store, world) = (MemoryStore::new(), World::default());
    let sagas = orchestrator(&store);
    let trips = sagas.register(trip(&world)).unwrap();
    let name = ProjectionName::from_static("start-trips");
    let handler = trips.start_on(name.clone(), Source::All, |event: &RecordedEvent| {
        (event.event_type == ORDERED).then(|| {
            let order: String = event.data.to().unwrap();
            (Start::new(id(&order)), Trip::default())
        })
    });
    assert_eq!((handler.name(), handler.source()), (name.clone(), Source::All));
    let other = NewEvent::new(EventType::from_static("Other"), Payload::of("no").unwrap());
    let stream = StreamName::from_static("orders");
    let batch = vec![ordered("one"), other, ordered("two")];
    store.append_to(stream, highwater_core::Expected::Any, batch).await.unwrap();
    for _ in 0..2 {
        for event in events(&store, "orders").await {
            let key = IdempotencyKey::new(&name, event.id);
            handler.handle(&event, &key).await.unwrap();
        }
    }
    let mut found: Vec<_> = sagas.find(&Default::default()).await.unwrap();
    found.sort_by_key(|saga| saga.id.to_string());
    let ids: Vec<_> = found.iter().map(|saga| saga.id.as_str()).collect();
    assert_eq!(ids, ["one", "two"]);
}

#[tokio::test(start_paused = true)]
async fn an_event_ends_the_wait_for_it_once_however_often_it_is_seen() {
    let (store, world) = (MemoryStore::new(), World::default());
    let (process, trips) = Process::start(&store, paid_trip(&world));
    let name = ProjectionName::from_static("payments");
    let handler = trips.deliver_on(name.clone(), Source::All, |event: &RecordedEvent| {
        (event.event_type == PAID).then(|| {
            let key = event.metadata.correlation_id().unwrap();
            (SignalKey::new(format!("{key}/paid")).unwrap(), event.data.clone())
        })
    });
    assert_eq!((handler.name(), handler.source()), (name.clone(), Source::All));
    let paid = |trip: &str, amount: u32| {
        let metadata = Metadata::EMPTY.with_correlation_id(trip);
        NewEvent::new(PAID, Payload::of(&amount).unwrap()).with_metadata(metadata)
    };
    let stream = StreamName::from_static("payments");
    let batch = vec![ordered("one"), paid("trip-1", 42), paid("trip-2", 7)];
    store.append_to(stream, highwater_core::Expected::Any, batch).await.unwrap();
    for _ in 0..2 {
        for event in events(&store, "payments").await {
            handler.handle(&event, &IdempotencyKey::new(&name, event.id)).await.unwrap();
        }
    }
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let state: Trip = process.end_of("trip-1").await.progress.data.to().unwrap();
    assert_eq!(state.booked, ["hotel", "paid 42"]);
    // A second saga that waits for the same finds nothing: the event was one signal.
    trips.start(id("again"), &Trip::default()).await.unwrap();
    let ended = process.sagas.wait(&id("again"), HOUR * 2).await.unwrap();
    assert_eq!(outcomes(&ended), ["hotel Compensated", "paid Failed"]);
}

/// Withdraws the order that a trip was started with.
struct Ordering(World);

impl Opening<Trip> for Ordering {
    const NAME: &'static str = "ordered";

    async fn compensate(&self, _: &mut Trip, cx: &StepContext) -> StepResult {
        self.0.note(cx.idempotency_key());
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_saga_was_started_with_is_undone_last_also_before_its_first_step() {
    for is_cancelled in [true, false] {
        let (store, world) = (MemoryStore::new(), World::default());
        let saga = trip_where(&world, "card/run", |_| Some(Err(StepError::abort("declined"))));
        let sagas = orchestrator(&store);
        let trips = sagas.register(saga.opening(Ordering(world.clone()))).unwrap();
        let order = StreamAppend::new(StreamName::from_static("order-1"), vec![ordered("one")]);
        trips
            .start(Start::new(id("trip-1")).appending(vec![order]), &Trip::default())
            .await
            .unwrap();
        if is_cancelled {
            sagas.cancel(&id("trip-1")).await.unwrap();
        }
        let process = Process::run(sagas);
        let ended = process.end_of("trip-1").await;
        assert_eq!(ended.progress.state, SagaState::Compensated);
        assert_eq!(outcomes(&ended)[0], "ordered Compensated");
        let calls = world.calls();
        assert_eq!(calls.last().unwrap(), "trip-1/ordered/compensate");
        assert_eq!(calls.len(), if is_cancelled { 1 } else { 5 });
        assert_eq!(world.standing(), [""; 0]);
    }
    let (store, world) = (MemoryStore::new(), World::default());
    let saga = trip(&world).opening(Ordering(world.clone()));
    let (process, trips) = Process::start(&store, saga);
    trips.start(id("trip-1"), &Trip::default()).await.unwrap();
    let ended = process.end_of("trip-1").await;
    assert_eq!((ended.progress.state, ended.revision), (SagaState::Completed, 3));
    assert_eq!(outcomes(&ended).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn events_that_are_told_from_now_on_hold_up_no_saga_whose_id_is_too_long_for_a_stream() {
    let (store, world) = (MemoryStore::new(), World::default());
    let long = id(&"x".repeat(250));
    let sagas = orchestrator(&store);
    let trips = sagas.register(trip(&world)).unwrap();
    trips.start(long.clone(), &Trip::default()).await.unwrap();
    let (process, _) = Process::start(&store, trip(&world).publish_events());
    let ended = process.sagas.wait(&long, HOUR).await.unwrap();
    assert_eq!(ended.progress.state, SagaState::Completed);
}

/// The state of a release that has more to say about a trip.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
struct NewTrip {
    booked: Vec<String>,
    class: u32,
}

#[tokio::test]
async fn an_event_that_is_seen_again_by_a_release_with_another_state_stops_nobody() {
    let store = MemoryStore::new();
    let handler = |sagas: &highwater_saga::Orchestrator| {
        let saga = Saga::<NewTrip>::new("book-trip").version(2).delay("night", HOUR);
        let trips = sagas.register(saga).unwrap();
        let name = ProjectionName::from_static("start-trips");
        let upcasters = Upcasters::new().rename(EventType::from_static("Asked"), ORDERED);
        let handler = trips.start_on(name, Source::All, |event: &RecordedEvent| {
            Some((Start::new(id(&event.data.to::<String>().unwrap())), NewTrip::default()))
        });
        handler.with_upcasters(upcasters)
    };
    let old = orchestrator(&store).register(trip(&World::default())).unwrap();
    old.start(id("one"), &Trip::default()).await.unwrap();
    let other = Trip { booked: vec!["cruise".to_owned()] };
    old.start(id("two"), &other).await.unwrap();
    let handler = handler(&orchestrator(&store));
    let batch = vec![ordered("one"), ordered("two")];
    let stream = StreamName::from_static("orders");
    store.append_to(stream, highwater_core::Expected::Any, batch).await.unwrap();
    let seen = events(&store, "orders").await;
    let key = |n: usize| IdempotencyKey::new(&handler.name(), seen[n].id);
    handler.handle(&seen[0], &key(0)).await.unwrap();
    let refused = handler.handle(&seen[1], &key(1)).await;
    assert!(refused.is_err(), "it is another trip under the same id");
    let wanted = handler.upcasters().sources(&[ORDERED]);
    assert_eq!(wanted, [ORDERED, EventType::from_static("Asked")]);
}
