//! The store with faults: whoever repeats what failed ends up where no fault would have led.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use highwater_core::{
    Advance, Change, CheckpointKey, CheckpointStore, EventStore, EventType, Lease, NewEvent,
    Offset, Owner, Payload, ProjectionName, ProjectionStore, ProjectionTx, Source, StoreError,
    StreamAppend, StreamName,
};
use highwater_testkit::{FaultRates, Faulty, Fixture, MemoryStore};

/// A healed store is as good as the one that it wraps.
struct Healed(Faulty<MemoryStore>);

async fn fresh() -> Healed {
    let faulty = Faulty::new(MemoryStore::new(), 1);
    faulty.heal();
    Healed(faulty)
}

impl Fixture for Healed {
    type Store = Faulty<MemoryStore>;

    fn store(&self) -> Self::Store {
        self.0.clone()
    }

    async fn reopen(&self) -> Self::Store {
        self.0.clone()
    }

    async fn finish(self) {}
}

highwater_testkit::conformance!(all: fresh);

#[tokio::test(start_paused = true)]
async fn appends_that_are_repeated_until_they_succeed_are_made_once() {
    let mut faults = 0;
    for seed in 0..100 {
        let store = Faulty::new(MemoryStore::new(), seed);
        for n in 0..20_u32 {
            let data = Payload::parse(&n.to_string()).unwrap();
            let event = NewEvent::new(EventType::from_static("Counted"), data);
            let batch = vec![StreamAppend::new(StreamName::from_static("a"), vec![event])];
            while let Err(error) = store.append(batch.clone()).await {
                assert!(error.is_transient(), "seed {seed}: {error:?}");
                faults += 1;
            }
        }
        let page = store.inner().read(&Source::All, &[], None, 100).await.unwrap();
        let seen: Vec<_> = page.events.iter().map(|event| event.data.as_str()).collect();
        let expected: Vec<_> = (0..20).map(|n| n.to_string()).collect();
        assert_eq!(seen, expected, "seed {seed}");
    }
    assert!(faults > 200, "{faults} faults are too few to prove anything");
}

#[tokio::test(start_paused = true)]
async fn batches_that_are_repeated_from_the_checkpoint_count_once() {
    for seed in 0..100 {
        let rates = FaultRates { lose_answer: 20, ..FaultRates::default() };
        let store = Faulty::with_rates(MemoryStore::new(), seed, rates);
        let key = CheckpointKey::new(ProjectionName::from_static("count"), Source::All);
        // Asked again under another name, it would have to wait for the lease of its own.
        let owner = Owner::new("test");
        let (lease, _) = retry(async || store.acquire(&key, &owner, Duration::from_hours(1)).await)
            .await
            .unwrap();
        loop {
            let row = retry(async || store.checkpoint(&key).await).await.unwrap();
            let from = row.last_processed_offset;
            if from == Some(Offset::new(19)) {
                break;
            }
            // The error says nothing: the checkpoint alone tells whether it was committed.
            drop(count(&store, &lease, from).await);
        }
        store.heal();
        let counted = store.documents(&key.projection, &["n".to_owned()]).await.unwrap();
        assert_eq!(counted[0].data.as_str(), "20", "seed {seed}");
        let row = store.checkpoint(&key).await.unwrap().unwrap();
        assert_eq!(row.events_processed, 20, "seed {seed}");
    }
}

#[tokio::test]
async fn a_healed_store_has_no_faults_until_it_is_broken_again() {
    let rates = FaultRates { fail: 100, lose_answer: 0, delay: 0, ..FaultRates::default() };
    let store = Faulty::with_rates(MemoryStore::new(), 1, rates);
    let error = store.head(&Source::All).await.unwrap_err();
    assert!(store.is_transient(&error));
    store.heal();
    assert_eq!(store.head(&Source::All).await.unwrap(), None);
    store.break_again();
    assert!(store.head(&Source::All).await.is_err());
}

/// Adds one to the only document, and moves the checkpoint on by one.
async fn count(
    store: &Faulty<MemoryStore>,
    lease: &Lease,
    from: Option<Offset>,
) -> Result<(), StoreError> {
    let keys = ["n".to_owned()];
    let found = store.documents(&lease.key.projection, &keys).await?;
    let n: u64 = found.first().map_or(0, |document| document.data.to().unwrap());
    let [key] = keys;
    let mut tx = store.begin(lease).await?;
    tx.write(vec![(key, Some(Payload::of(&(n + 1)).unwrap()))]).await?;
    tx.commit(Change::Advance(Advance::new(from, Some(Offset::following(from)), 1))).await
}

async fn retry<T>(call: impl AsyncFn() -> Result<T, StoreError>) -> T {
    loop {
        if let Ok(answer) = call().await {
            return answer;
        }
    }
}
