//! Workers that do not come back: what they were at is tried alone, and blamed when it goes on.

use std::time::Duration;

use highwater_core::{CheckpointKey, CheckpointStore, Offset, Owner, Source, Suspect};
use highwater_projection::{FailurePolicy, ProjectionOptions, Projections, RunError};
use highwater_testkit::MemoryStore;

use crate::support::{Rigged, SUMS, Sums, add, checkpoint, row, seen};

const TTL: Duration = Duration::from_secs(10);

fn instance(store: &Rigged, on_failure: FailurePolicy) -> Projections<Rigged> {
    let projections = Projections::new(store.clone());
    let options = ProjectionOptions { on_failure, ..Default::default() };
    projections.register_view(Sums::default(), options).unwrap();
    projections
}

/// A worker that takes the lease, tries the event at `event` alone, if any, and is never heard of
/// again.
async fn die(store: &MemoryStore, event: Option<u64>) {
    let key = CheckpointKey::new(SUMS, Source::All);
    let (lease, row) = loop {
        match store.acquire(&key, &Owner::new("dead"), TTL).await.unwrap() {
            Some(taken) => break taken,
            None => tokio::time::advance(TTL).await,
        }
    };
    if let Some(event) = event.map(Offset::new) {
        let before = row.suspect.filter(|suspect| suspect.event == Some(event));
        let deaths = before.map_or(0, |suspect| suspect.deaths);
        store.note_attempt(&lease, event, deaths).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_that_ended_three_workers_is_blamed_and_its_neighbours_are_done() {
    for (on_failure, last) in [(FailurePolicy::Skip, 9), (FailurePolicy::Stop, -1)] {
        let memory = MemoryStore::new();
        add(&memory, 0..10).await;
        let store = Rigged::new(&memory);
        die(&memory, None).await;
        for _ in 0..3 {
            die(&memory, Some(0)).await;
        }
        let ended = instance(&store, on_failure).catch_up(&SUMS).await;
        assert_eq!(checkpoint(&store).await, u64::try_from(last).ok());
        let key = CheckpointKey::new(SUMS, Source::All);
        let letters = store.dead_letters(&key, None, 10).await.unwrap();
        if on_failure == FailurePolicy::Skip {
            ended.unwrap();
            assert_eq!((letters.len(), letters[0].letter.attempts), (1, 3));
            assert!(letters[0].letter.error.contains("3 times"), "{letters:?}");
            assert_eq!(seen(&store).await, (1..10).collect::<Vec<_>>());
        } else {
            let text = ended.unwrap_err().to_string();
            assert!(text.contains("event 0") && text.contains("3 times"), "{text}");
            assert!(letters.is_empty());

            // Whoever starts it again may have mended it: it is tried once more.
            let row = row(&store).await.unwrap();
            let suspect = Suspect { event: Some(Offset::new(0)), deaths: 2 };
            assert_eq!(row.suspect, Some(suspect));
            instance(&store, on_failure).catch_up(&SUMS).await.unwrap();
            assert_eq!(seen(&store).await, (0..10).collect::<Vec<_>>());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_death_that_no_event_brought_about_costs_small_steps_and_nothing_else() {
    let memory = MemoryStore::new();
    add(&memory, 0..20).await;
    let store = Rigged::new(&memory);
    for _ in 0..10 {
        die(&memory, None).await;
    }
    let projections = Projections::new(store.clone());
    let options = ProjectionOptions { batch_size: 10, ..Default::default() };
    projections.register_view(Sums::default(), options).unwrap();
    projections.catch_up(&SUMS).await.unwrap();
    let steps: Vec<_> = (0..10).chain([19]).map(Some).collect();
    assert_eq!(store.saves(), steps, "the first page alone is suspect");
    assert_eq!(row(&store).await.unwrap().suspect, None);
    assert_eq!(seen(&store).await, (0..20).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_catch_up_gives_its_lease_back_and_is_no_death() {
    let memory = MemoryStore::new();
    add(&memory, 0..10).await;
    let store = Rigged::new(&memory);
    for _ in 0..5 {
        let hanging = Rigged::new(&memory);
        hanging.rig(|call| match call {
            crate::support::Call::Commit => crate::support::Act::Hang,
            _ => crate::support::Act::Pass,
        });
        let dropped = instance(&hanging, FailurePolicy::Stop);
        let ended = tokio::time::timeout(Duration::from_secs(1), dropped.catch_up(&SUMS)).await;
        assert!(ended.is_err(), "it hangs");
    }
    let began = tokio::time::Instant::now();
    instance(&store, FailurePolicy::Stop).catch_up(&SUMS).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(store.saves(), [Some(9)], "nothing is suspect");
}

#[tokio::test(start_paused = true)]
async fn giving_up_names_the_projection_the_place_and_the_reason() {
    let memory = MemoryStore::new();
    add(&memory, 0..10).await;
    let store = Rigged::new(&memory);
    let projections = Projections::new(store.clone());
    let faults = crate::support::Faults::default().fail(7, u32::MAX);
    projections.register_view(Sums { faults }, ProjectionOptions::default()).unwrap();
    let error = projections.catch_up(&SUMS).await.unwrap_err();
    let text = error.to_string();
    for part in ["\"sums\"", "behind offset 6", "event 7", "7 does not count"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(matches!(error, RunError::GaveUp { checkpoint: Some(at), .. } if at.get() == 6));
}
