//! Pages: bounded in bytes as well as in number, whatever is on them.

use std::time::Duration;

use highwater_core::{
    CheckpointStore, EventStore, EventType, Metadata, NewEvent, PAGE_BYTES, Payload,
    ProjectionStore, SagaClaim, SagaQuery, SagaStore, Source,
};

use super::rows::{Writes, advance, balances, commit, lease, letter, name, to};
use super::saga_support::{asking, create, id, trip};
use super::support::{append, json, source};

/// Large things on one page more than fit.
const MANY: u64 = 11;

/// The memory of a reader must not depend on what writers write: a thousand events of a
/// megabyte are a gigabyte.
pub async fn pages_of_large_events_are_bounded_and_visit_each_once(store: impl EventStore) {
    let mut written = Vec::new();
    for n in 0..MANY {
        let large = NewEvent::new(EventType::from_static("Large"), text(n, 900 << 10));
        let beside = Metadata::EMPTY.with("beside", "y".repeat(100 << 10));
        let small = NewEvent::new(EventType::from_static("Small"), json(&n.to_string()));
        let stream = if n % 3 == 0 { "log-a" } else { "log-b" };
        let events = vec![large.with_metadata(beside), small];
        written.extend(events.clone());
        append(&store, stream, events).await;
    }
    let types = [EventType::from_static("Large")];
    for (of, types) in [("$all", &[][..]), ("$category:log", &[]), ("log-b", &[]), ("$all", &types)]
    {
        let of = source(of);
        let wanted = |event: &&NewEvent| types.is_empty() || types.contains(&event.event_type);
        let mut expected: Vec<&NewEvent> = written.iter().filter(wanted).collect();
        if let Source::Stream(_) = of {
            let is_here = |event: &&NewEvent| written.iter().position(|it| it == *event);
            expected.retain(|event| is_here(event).is_some_and(|nth| nth / 2 % 3 != 0));
        }
        let visited = visit(&store, &of, types).await;
        assert_eq!(visited.len(), expected.len(), "events of {of}");
        for (visited, expected) in visited.iter().zip(expected) {
            assert!(visited == expected, "an event of {of} is not as it was appended");
        }
    }
}

/// Errors may be as long as what failed.
pub async fn pages_of_long_dead_letters_are_bounded(store: impl CheckpointStore) {
    let key = balances();
    let lease = lease(&store, &key).await;
    let mut passing = advance(-1, 100);
    passing.dead_letters = (0..MANY).map(|n| letter(n, &"e".repeat(1_000_000))).collect();
    store.save(&lease, &passing).await.expect("a save");
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = store.dead_letters(&key, after, 1000).await.expect("a list");
        let Some(last) = page.last() else { break };
        after = Some(last.letter.offset);
        assert_bounded(page.iter().map(|found| found.letter.error.len()));
        found.extend(page.into_iter().map(|found| found.letter.offset.get()));
    }
    assert_eq!(found, (0..MANY).collect::<Vec<_>>());
}

/// A document grows with the events that it is made of.
pub async fn pages_of_large_documents_are_bounded(store: impl ProjectionStore) {
    let lease = lease(&store, &balances()).await;
    let keys: Vec<String> = (0..MANY).map(|n| format!("key-{n:02}")).collect();
    let large = |key: &String| (key.clone(), Some(text(0, 1_000_000)));
    let writes: Writes = keys.iter().map(large).collect();
    commit(&store, &lease, writes, to(-1, 0)).await.expect("a commit");
    let (mut found, mut after) = (Vec::<String>::new(), None::<String>);
    loop {
        let page = store.scan(&name("balances"), "key-", after.as_deref(), 1000).await;
        let page = page.expect("a scan");
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        assert_bounded(page.iter().map(|document| document.data.as_str().len()));
        found.extend(page.into_iter().map(|document| document.key));
    }
    assert_eq!(found, keys);
}

/// Operators leaf through sagas; what these carry is none of their business.
pub async fn searches_of_large_sagas_are_bounded(store: impl SagaStore) {
    for n in 0..MANY {
        let mut large = trip(&format!("trip-{n:02}"));
        large.input = text(n, 500_000);
        create(&store, large).await;
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let query = SagaQuery { after, limit: 1000, ..SagaQuery::default() };
        let page = store.sagas(&query).await.expect("a search");
        let Some(last) = page.last() else { break };
        after = Some(last.id.clone());
        let data = |at: usize| page[at].progress.data.as_str().len();
        assert_bounded((0..page.len()).map(|at| page[at].input.as_str().len() + data(at)));
        found.extend(page.into_iter().map(|saga| saga.id));
    }
    let all: Vec<_> = (0..MANY).rev().map(|n| id(&format!("trip-{n:02}"))).collect();
    assert_eq!(found, all);
}

/// A worker takes no more than it can hold; what it leaves stays due, for it or for others.
pub async fn claims_of_large_sagas_are_bounded(store: impl SagaStore) {
    for n in 0..MANY {
        let mut large = trip(&format!("trip-{n:02}"));
        large.input = text(n, 500_000);
        create(&store, large).await;
    }
    let mut found = Vec::new();
    loop {
        let claim = SagaClaim { limit: 1000, ..asking("law", Duration::from_mins(10)) };
        let claimed = store.claim_sagas(&claim).await.expect("a claim");
        if claimed.is_empty() {
            break;
        }
        let sagas = claimed.iter().map(|claimed| &claimed.record);
        let bytes = |data: &Payload| data.as_str().len();
        assert_bounded(sagas.map(|saga| bytes(&saga.input) + bytes(&saga.progress.data)));
        found.extend(claimed.into_iter().map(|claimed| claimed.record.id));
    }
    found.sort();
    assert_eq!(found, (0..MANY).map(|n| id(&format!("trip-{n:02}"))).collect::<Vec<_>>());
}

/// A text that a database may well store in less than its length.
fn text(n: u64, bytes: usize) -> Payload {
    json(&format!("\"{n} {}\"", "x".repeat(bytes)))
}

/// Reads to the end in pages of any number, each of which must be bounded.
async fn visit(store: &impl EventStore, of: &Source, types: &[EventType]) -> Vec<NewEvent> {
    let (mut visited, mut after) = (Vec::new(), None);
    loop {
        let page = store.read(of, types, after, 1000).await.expect("a read");
        assert!(page.is_end || page.scanned_to > after, "a page gets on or is the end");
        assert_bounded(page.events.iter().map(|event| {
            let metadata = event.metadata.as_payload().map_or(0, |json| json.as_str().len());
            event.data.as_str().len() + metadata
        }));
        visited.extend(page.events.into_iter().map(|event| {
            let new = NewEvent::new(event.event_type, event.data);
            new.with_id(event.id).with_metadata(event.metadata)
        }));
        after = page.scanned_to;
        if page.is_end {
            return visited;
        }
    }
}

#[track_caller]
fn assert_bounded(sizes: impl Iterator<Item = usize>) {
    let (count, bytes) = sizes.fold((0, 0), |(count, sum), bytes| (count + 1, sum + bytes));
    assert!(count <= 1 || bytes <= PAGE_BYTES, "{bytes} bytes in {count} items on one page");
}
