//! What the tests of the whole share: dice, a fold of the log, projections that notice doubles.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use highwater::{
    BoxError, CheckpointKey, CheckpointStore, EventStore, EventType, NewEvent, Offset, Payload,
    ProjectionName, ProjectionStore, Recorded, RecordedEvent, Source, StoreError, StreamAppend,
    StreamName, View,
};
use serde::{Deserialize, Serialize};

/// Throws of dice that a seed repeats (splitmix64, <https://prng.di.unimi.it/splitmix64.c>).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }

    pub(crate) async fn pause(&mut self, at_most_ms: u64) {
        tokio::time::sleep(Duration::from_millis(self.below(at_most_ms + 1))).await;
    }
}

static NUMBER: AtomicU64 = AtomicU64::new(0);

/// An event that no other is equal to.
pub(crate) fn event() -> NewEvent {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    NewEvent::new(
        EventType::from_static("Noted"),
        Payload::of(&serde_json::json!({ "number": number })).unwrap(),
    )
}

pub(crate) fn stream(number: u64) -> StreamName {
    StreamName::new(format!("account-{number}")).unwrap()
}

/// An append of one to three events to one or two streams.
pub(crate) fn any_append(dice: &mut Dice) -> Vec<StreamAppend> {
    let first = dice.below(8);
    let mut streams = vec![first];
    if dice.below(5) == 0 {
        streams.push((first + 1) % 8);
    }
    let mut part = |number: u64| {
        let events = (0..=dice.below(3)).map(|_| event()).collect();
        StreamAppend::new(stream(number), events)
    };
    streams.into_iter().map(&mut part).collect()
}

/// Repeats `append` until the store gives a definite answer.
pub(crate) async fn until_definite<S: EventStore>(
    store: &S,
    append: Vec<StreamAppend>,
) -> Result<highwater::Appended, StoreError> {
    loop {
        match store.append(append.clone()).await {
            Err(error) if error.is_transient() => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            definite => return definite,
        }
    }
}

/// The whole log, read from the start.
pub(crate) async fn log<S: EventStore>(store: &S) -> Vec<RecordedEvent> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.read(&Source::All, &[], after, 1000).await.unwrap();
        after = page.scanned_to;
        all.extend(page.events);
        if page.is_end {
            return all;
        }
    }
}

/// Offsets are gapless in each stream, and positions increase.
pub(crate) fn assert_in_order(log: &[RecordedEvent]) {
    let mut next: BTreeMap<&str, Offset> = BTreeMap::new();
    let mut last = None;
    for event in log {
        let expected = next.get(event.stream.as_str()).copied().unwrap_or(Offset::FIRST);
        assert_eq!(event.offset, expected, "stream {:?} has a gap", event.stream);
        next.insert(event.stream.as_str(), expected.next());
        assert!(Some(event.position) > last, "position {} out of order", event.position);
        last = Some(event.position);
    }
}

/// For each stream, what has been seen of it; an error on any event out of order.
pub(crate) struct Tally;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) events: u64,
    pub(crate) last_position: u64,
    pub(crate) sum: u64,
}

impl Tally {
    pub(crate) const NAME: ProjectionName = ProjectionName::from_static("tally");

    pub(crate) fn key() -> CheckpointKey {
        CheckpointKey::new(Self::NAME, Source::All)
    }
}

impl View for Tally {
    type Event = Payload;
    type Document = Seen;

    fn name(&self) -> ProjectionName {
        Self::NAME
    }

    fn source(&self) -> Source {
        Source::All
    }

    fn keys(&self, event: &Recorded<Payload>) -> impl IntoIterator<Item = String> {
        Some(event.stream.to_string())
    }

    fn apply(&self, seen: &mut Seen, _: &str, event: &Recorded<Payload>) -> Result<(), BoxError> {
        if seen.events != event.offset.get() {
            return Err(format!("event {} after {} events", event.offset, seen.events).into());
        }
        seen.events += 1;
        seen.last_position = event.position.get();
        seen.sum = seen.sum.wrapping_mul(31).wrapping_add(number(&event.data)) % 1_000_000_007;
        Ok(())
    }
}

pub(crate) fn number(data: &Payload) -> u64 {
    data.to::<serde_json::Value>().unwrap()["number"].as_u64().unwrap_or(0)
}

/// The read model of [`Tally`], folded from the log.
pub(crate) fn fold(log: &[RecordedEvent]) -> BTreeMap<String, Seen> {
    let mut all: BTreeMap<String, Seen> = BTreeMap::new();
    for event in log.iter().cloned() {
        let event = event.decode::<Payload>().unwrap();
        let stream = event.stream.to_string();
        Tally.apply(all.entry(stream).or_default(), "", &event).unwrap();
    }
    all
}

/// The read model of [`Tally`], as it stands in the store.
pub(crate) async fn tally<S: ProjectionStore>(store: &S) -> BTreeMap<String, Seen> {
    let documents = store.scan(&Tally::NAME, "", None, 10_000).await.unwrap();
    documents.into_iter().map(|document| (document.key, document.data.to().unwrap())).collect()
}

/// Waits until the checkpoint has reached the head of the log; panics after two minutes.
pub(crate) async fn caught_up<S: EventStore + CheckpointStore>(store: &S, key: &CheckpointKey) {
    let reach = async {
        loop {
            let head = store.head(&key.source).await;
            let checkpoint = store.checkpoint(key).await;
            if let (Ok(head), Ok(Some(checkpoint))) = (head, checkpoint)
                && checkpoint.last_processed_offset == head
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let outcome = tokio::time::timeout(Duration::from_secs(120), reach).await;
    assert!(outcome.is_ok(), "{key} did not catch up: {:?}", store.checkpoint(key).await);
}
